"""`POST /v1/customers/{id}/visitors`: a visitor says who they are."""

from __future__ import annotations

from features.shop.visitors import join_visitor
from serving.contract.consent_sources import VisitorRequest
from serving.contract.responses import JoinedVisitor
from serving.http.api.addressed import AnswerResponse
from serving.http.boundary.parts import Auditing, Calling, Service
from serving.http.boundary.scoped_routes import scope, scoped_router

router = scoped_router()


@router.post(
    "/customers/{id:path}/visitors",
    responses={200: {"model": JoinedVisitor}},
    response_model=None,
    **scope("consent"),
)
def visitor_becomes_customer(
    id: str, request: VisitorRequest, sayso: Service, audit_log: Auditing, caller: Calling
) -> AnswerResponse:
    """Make a visitor the customer from now on: what either withheld is withheld, and the visitor's
    rows come along as far as both grant their categories.

    Doing it twice does nothing more; a visitor who became another customer is refused (409).
    """
    joined = join_visitor(sayso.shop, id, request.visitor_id, caller.actor)
    audit_log.read(caller, "visitor joined", joined.customer)
    return AnswerResponse(
        JoinedVisitor(
            customer_id=id,
            visitor_id=request.visitor_id,
            joined_at=joined.joined_at,
            repeated=joined.repeated,
            categories=[*joined.categories],
            rows=joined.rows,
            rows_left_behind=joined.left_behind,
            ledger_seq=joined.ledger_seq,
        )
    )
