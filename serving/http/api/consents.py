"""`POST /v1/consents`, `GET /v1/customers/{id}/consents`, `GET /v1/notices`."""

from __future__ import annotations

from dataclasses import asdict

from fastapi.responses import JSONResponse

from features.consent.ledger import ConsentEvent
from serving.contract.requests import ConsentRequest, document
from serving.contract.responses import ConsentEntry, ConsentReceipt, Consents, Notices
from serving.http.boundary.scoped_routes import Service, scope, scoped_router

router = scoped_router()
HISTORY = tuple(ConsentEntry.model_fields)


@router.post(
    "/consents",
    status_code=201,
    responses={201: {"model": ConsentReceipt}},
    response_model=None,
    **scope("consent"),
)
def consent(request: ConsentRequest, sayso: Service) -> JSONResponse:
    """Record what a customer said.

    The answer comes once it is durable, and every later answer obeys it.
    """
    receipt = sayso.shop.ledger.append(ConsentEvent(**document(request)))
    return JSONResponse(asdict(receipt), 201)


@router.get(
    "/customers/{id:path}/consents",
    responses={200: {"model": Consents}},
    response_model=None,
    **scope("consent"),
)
def consents(id: str, sayso: Service) -> JSONResponse:
    """A customer's consents by purpose and category, and every event behind them."""
    customer = sayso.shop.customers.pseudonym(id)
    events = sayso.shop.ledger.history(customer)
    return JSONResponse(
        {
            "customer_id": id,
            "ledger_seq": sayso.shop.ledger.position(),
            "state": sayso.shop.ledger.state(customer),
            "history": [{name: event[name] for name in HISTORY} for event in events],
        }
    )


@router.get(
    "/notices", responses={200: {"model": Notices}}, response_model=None, **scope("consent")
)
def notices(sayso: Service) -> JSONResponse:
    """What customers are asked: purposes, the categories of each, and the notice that is
    current.
    """
    catalog = sayso.shop.config.catalog
    purposes = []
    for purpose in catalog.purposes.values():
        notice = catalog.current_notice(purpose.name)
        asked = [catalog.categories[name] for name in catalog.askable(purpose.name)]
        purposes.append(
            {
                "purpose": purpose.name,
                "label": purpose.label,
                "description": purpose.description,
                "notice_version": notice.version,
                "language": notice.language,
                "text": notice.text,
                "sha256": notice.digest,
                "categories": [
                    {"category": c.name, "label": c.label, "description": c.description}
                    for c in asked
                ],
            }
        )
    return JSONResponse({"purposes": purposes})
