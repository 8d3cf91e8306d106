"""`POST /v1/recommendations`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

from serving.access.privacy_signal import HONOURED, SAID
from serving.contract.answers import Recommendation, RecommendationAnswer
from serving.contract.requests import RecommendationRequest
from serving.decisions.deciding import Decided
from serving.decisions.once import Around, once_for
from serving.http.api.addressed import DecidedResponse, head, links_of_list
from serving.http.boundary.parts import (
    AskedOnce,
    Calling,
    CallingKey,
    DataUntil,
    Linking,
    LinkingEvents,
    Recommending,
)
from serving.http.boundary.scoped_routes import scope, scoped_router
from serving.http.sight.counts import count_answer

router = scoped_router()


@router.post(
    "/recommendations",
    responses={200: {"model": Recommendation}},
    response_model=None,
    **scope("recommend"),
)
def recommend(
    request: RecommendationRequest,
    recommender: Recommending,
    data_until: DataUntil,
    links: Linking,
    event_links: LinkingEvents,
    once: AskedOnce,
    key: CallingKey,
    caller: Calling,
    sec_gpc: Annotated[
        str | None, Header(description="`1` asks not to be profiled (Global Privacy Control).")
    ] = None,
) -> DecidedResponse:
    """Products that a customer is likely to want next, each with its reasons, from what they agreed
    to share.
    """
    signal = sec_gpc == SAID

    def around(decided: Decided[RecommendationAnswer]) -> Around:
        own = links_of_list(links, event_links, key, decided, request.channel)
        return head(decided, request.customer_id, data_until), own

    decided = recommender.answer(
        request,
        caller,
        privacy_signal=signal,
        once=None if once is None else once_for(once, (), lambda _, decided: around(decided)),
    )
    said = decided.answer
    count_answer(recommender.KIND, said.not_personalized_because, said.consent.withheld)
    parts = decided.around or around(decided)
    return DecidedResponse(decided, *parts, headers=HONOURED if signal else None)
