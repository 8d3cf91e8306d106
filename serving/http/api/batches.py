"""`POST /v1/recommendations/batch` and `POST /v1/churn/batch`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Header
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from serving.access.privacy_signal import HONOURED, SAID, record_signal
from serving.batch.chunks import Answering, Batch, Body
from serving.contract.answers import Churn, ChurnAnswer, Recommendation, RecommendationAnswer
from serving.contract.batches import ChurnBatch, RecommendationBatch, check_customer_id
from serving.contract.problems import LineProblem
from serving.decisions.deciding import Decided
from serving.decisions.once import Around, once_for
from serving.http.api.addressed import head, joined, links_of_list, links_to
from serving.http.boundary.idempotency import AGAIN, was_answered
from serving.http.boundary.lines import LinesResponse
from serving.http.boundary.parts import (
    AskedOnce,
    Calling,
    CallingKey,
    ConsentLedger,
    DataUntil,
    Estimating,
    KnownCustomers,
    Linking,
    LinkingEvents,
    Recommending,
    Service,
)
from serving.http.boundary.problems import is_passing
from serving.http.boundary.scoped_routes import scope, scoped_router
from serving.http.sight.counts import count_answer

router = scoped_router()
Signal = Annotated[
    str | None,
    Header(description="`1` asks not to be profiled (Global Privacy Control): all of them."),
]


@router.post(
    "/recommendations/batch",
    responses={200: {"model": Recommendation | LineProblem}},
    response_class=LinesResponse,
    status_code=200,
    **scope("recommend"),
)
def recommend_to_many(
    batch: RecommendationBatch,
    recommender: Recommending,
    data_until: DataUntil,
    links: Linking,
    event_links: LinkingEvents,
    key: CallingKey,
    caller: Calling,
    once: AskedOnce,
    sayso: Service,
    sec_gpc: Signal = None,
) -> Any:
    """Products that each customer is likely to want next: one answer a line (NDJSON), in the order
    asked, each as `POST /v1/recommendations` gives it.
    """
    signal, again = sec_gpc == SAID, was_answered(sayso, once)
    recommender.refuse_unknown(batch.of(batch.customer_ids[0]))
    if not again:
        recommender.refuse_moment(batch.of(batch.customer_ids[0]))

    def around(customer_id: str, decided: Decided[RecommendationAnswer]) -> Around:
        own = links_of_list(links, event_links, key, decided, batch.channel)
        return head(decided, customer_id, data_until), own

    def answering(asked: Sequence[str]) -> Sequence[Decided[RecommendationAnswer] | Exception]:
        return recommender.answer_all(
            batch.of(asked[0]),
            asked,
            caller,
            privacy_signal=signal,
            once=None
            if once is None
            else once_for(once, asked, lambda at, decided: around(asked[at], decided)),
        )

    def line(customer_id: str, decided: Decided[RecommendationAnswer]) -> bytes:
        said = decided.answer
        count_answer(recommender.KIND, said.not_personalized_because, said.consent.withheld)
        return joined(decided, *(decided.around or around(customer_id, decided)))

    headers = {**(HONOURED if signal else {}), **(AGAIN if again else {})}
    return LinesResponse(_batch(batch.customer_ids, answering), line, headers=headers)


@router.post(
    "/churn/batch",
    responses={200: {"model": Churn | LineProblem}},
    response_class=LinesResponse,
    status_code=200,
    **scope("score"),
)
def estimate_many(
    batch: ChurnBatch,
    estimator: Estimating,
    data_until: DataUntil,
    links: Linking,
    ledger: ConsentLedger,
    customers: KnownCustomers,
    key: CallingKey,
    caller: Calling,
    once: AskedOnce,
    sayso: Service,
    sec_gpc: Signal = None,
) -> Any:
    """How likely each customer is to order nothing within the horizon: one answer a line (NDJSON),
    in the order asked, each as `POST /v1/churn` gives it.
    """
    signal, again = sec_gpc == SAID, was_answered(sayso, once)

    def around(customer_id: str, decided: Decided[ChurnAnswer]) -> Around:
        own = links_to(links, key, decided.decision_id, decided.customer)
        return head(decided, customer_id, data_until), own

    def answering(asked: Sequence[str]) -> Sequence[Decided[ChurnAnswer] | Exception]:
        if signal:
            for customer_id in asked:
                record_signal(ledger, customers, customer_id, [estimator.purpose])
        return estimator.answer_all(
            asked,
            batch.language,
            caller,
            privacy_signal=signal,
            once=None
            if once is None
            else once_for(once, asked, lambda at, decided: around(asked[at], decided)),
        )

    def line(customer_id: str, decided: Decided[ChurnAnswer]) -> bytes:
        said = decided.answer
        count_answer(estimator.KIND, said.unavailable_because, said.consent.withheld)
        return joined(decided, *(decided.around or around(customer_id, decided)))

    headers = {**(HONOURED if signal else {}), **(AGAIN if again else {})}
    return LinesResponse(_batch(batch.customer_ids, answering), line, headers=headers)


def _batch(customer_ids: Sequence[str], answering: Answering[Body]) -> Batch[Body]:
    return Batch(customer_ids, _fault, answering, is_passing)


def _fault(customer_id: str) -> Exception | None:
    """What is wrong with an id, in the words of the route for one customer."""
    try:
        check_customer_id(customer_id)
    except ValidationError as error:
        faults = error.errors(include_context=False, include_url=False)
        return RequestValidationError(
            [{**fault, "loc": ("body", "customer_id")} for fault in faults]
        )
    return None
