"""`POST /v1/consents`, `GET /v1/customers/{id}/consents`, `GET /v1/notices`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from features.consent.ledger import ConsentEvent, Ledger
from features.errors import ConsentError
from serving.contract.requests import Choice, ConsentRequest
from serving.contract.responses import (
    ConsentEntry,
    ConsentReceipt,
    ConsentReceipts,
    Consents,
    ConsentState,
    NoticeCategory,
    Notices,
    PurposeNotice,
)
from serving.http.api.addressed import AnswerResponse
from serving.http.boundary.parts import (
    Auditing,
    Calling,
    ConsentLedger,
    DeclaredCatalog,
    KnownCustomers,
)
from serving.http.boundary.problems import Refused
from serving.http.boundary.scoped_routes import scope, scoped_router

router = scoped_router()
HISTORY = tuple(one.name for one in fields(ConsentEntry))


@router.post(
    "/consents",
    status_code=201,
    responses={201: {"model": ConsentReceipt | ConsentReceipts}},
    response_model=None,
    **scope("consent"),
)
def consent(request: ConsentRequest, ledger: ConsentLedger, caller: Calling) -> AnswerResponse:
    """Record what a customer said: one thing, or all choices of a banner at once, of which all are
    recorded or none; a refusal names every choice that is to blame.

    The answer comes once it is durable, and every later answer obeys it.
    """
    events = [ConsentEvent(**said, actor=caller.actor) for said in request.said]
    try:
        written = ledger.append_all(events)
    except ConsentError as error:
        if request.choices is None:
            raise
        raise _refusal(events, ledger, error) from None
    receipts = [
        ConsentReceipt(
            **vars(receipt), takes_effect=receipt.takes_effect, explanation=receipt.explanation
        )
        for receipt in written
    ]
    return AnswerResponse(
        receipts[0] if request.choices is None else ConsentReceipts(receipts), 201
    )


def _refusal(events: Sequence[ConsentEvent], ledger: Ledger, first: ConsentError) -> Refused:
    """The refusal of several choices: `first` is what was found, and every choice is looked at."""
    faults = []
    for at, event in enumerate(events):
        try:
            ledger.check(event)
        except ConsentError as error:
            error.at = at
            faults.append(error)
    told = {(_place(error), str(error)): None for error in faults or [first]}
    named = ", ".join(dict.fromkeys(f"`{place}`" for place, _ in told))
    return Refused(422, f"None of the choices was recorded: {named} broke a rule.", [*told])


def _place(error: ConsentError) -> str:
    """A field as the caller wrote it; what all choices share is stated once."""
    own = error.field in Choice.model_fields and error.at is not None
    return f"choices.{error.at}.{error.field}" if own else error.field


@router.get(
    "/customers/{id:path}/consents",
    responses={200: {"model": Consents}},
    response_model=None,
    **scope("consent"),
)
def consents(
    id: str,
    ledger: ConsentLedger,
    customers: KnownCustomers,
    audit_log: Auditing,
    caller: Calling,
) -> AnswerResponse:
    """A customer's consents by purpose and category, and every event behind them."""
    customer = customers.pseudonym(id)
    audit_log.read(caller, "consents", customer)
    events = ledger.history(customer)
    return AnswerResponse(
        Consents(
            customer_id=id,
            ledger_seq=ledger.position(),
            state=[ConsentState(**entry) for entry in ledger.state(customer)],
            history=[ConsentEntry(**{name: event[name] for name in HISTORY}) for event in events],
        )
    )


@router.get(
    "/notices", responses={200: {"model": Notices}}, response_model=None, **scope("consent")
)
def notices(catalog: DeclaredCatalog) -> AnswerResponse:
    """What customers are asked: purposes, the categories of each, and the notice that is
    current.
    """
    purposes = []
    for purpose in catalog.purposes.values():
        notice = catalog.current_notice(purpose.name)
        asked = [catalog.categories[name] for name in catalog.askable(purpose.name)]
        purposes.append(
            PurposeNotice(
                purpose=purpose.name,
                label=purpose.label,
                description=purpose.description,
                notice_version=notice.version,
                language=notice.language,
                text=notice.text,
                sha256=notice.digest,
                categories=[
                    NoticeCategory(category=c.name, label=c.label, description=c.description)
                    for c in asked
                ],
            )
        )
    return AnswerResponse(Notices(purposes=purposes))
