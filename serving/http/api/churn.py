"""`POST /v1/churn`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

from serving.access.privacy_signal import HONOURED, SAID, record_signal
from serving.contract.answers import Churn, ChurnAnswer
from serving.contract.requests import ChurnRequest
from serving.decisions.deciding import Decided
from serving.decisions.once import Around, once_for
from serving.http.api.addressed import DecidedResponse, head, links_to
from serving.http.boundary.parts import (
    AskedOnce,
    Calling,
    CallingKey,
    ConsentLedger,
    DataUntil,
    Estimating,
    KnownCustomers,
    Linking,
)
from serving.http.boundary.scoped_routes import scope, scoped_router
from serving.http.sight.counts import count_answer

router = scoped_router()


@router.post("/churn", responses={200: {"model": Churn}}, response_model=None, **scope("score"))
def estimate(
    request: ChurnRequest,
    estimator: Estimating,
    data_until: DataUntil,
    links: Linking,
    ledger: ConsentLedger,
    customers: KnownCustomers,
    once: AskedOnce,
    key: CallingKey,
    caller: Calling,
    sec_gpc: Annotated[
        str | None, Header(description="`1` asks not to be profiled (Global Privacy Control).")
    ] = None,
) -> DecidedResponse:
    """How likely a customer is to order nothing within the horizon, with reasons and what each
    category of data changed.
    """
    signal = sec_gpc == SAID
    if signal:
        record_signal(ledger, customers, request.customer_id, [estimator.purpose])

    def around(decided: Decided[ChurnAnswer]) -> Around:
        own = links_to(links, key, decided.decision_id, decided.customer)
        return head(decided, request.customer_id, data_until), own

    decided = estimator.answer(
        request.customer_id,
        request.language,
        caller,
        privacy_signal=signal,
        once=None if once is None else once_for(once, (), lambda _, decided: around(decided)),
    )
    said = decided.answer
    count_answer(estimator.KIND, said.unavailable_because, said.consent.withheld)
    parts = decided.around or around(decided)
    return DecidedResponse(decided, *parts, headers=HONOURED if signal else None)
