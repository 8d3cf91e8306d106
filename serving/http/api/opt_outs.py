"""`POST /v1/opt-outs`, `GET /v1/customers/{id}/opt-outs`, `DELETE /v1/opt-outs/{id}`."""

from __future__ import annotations

from fastapi import Response

from features import clock
from serving.contract.requests import OptOutRequest
from serving.contract.responses import OptOutAnswer, OptOutList
from serving.http.api.addressed import AnswerResponse
from serving.http.boundary.parts import (
    Auditing,
    Calling,
    DeclaredCatalog,
    DeclaredContactPolicy,
    KnownCustomers,
    OptingOut,
)
from serving.http.boundary.problems import Refused
from serving.http.boundary.scoped_routes import scope, scoped_router
from serving.recommending.allowed import refuse_unknown_channel

router = scoped_router()


@router.post(
    "/opt-outs",
    status_code=201,
    responses={201: {"model": OptOutAnswer}},
    response_model=None,
    **scope("consent"),
)
def opt_out(
    request: OptOutRequest,
    opt_outs: OptingOut,
    customers: KnownCustomers,
    catalog: DeclaredCatalog,
    policy: DeclaredContactPolicy,
    caller: Calling,
) -> AnswerResponse:
    """Record what a customer does not want.

    The answer comes once it is durable, and every later answer obeys it.
    """
    if request.scope == "purpose" and request.value not in (known := catalog.purposes):
        raise Refused(
            422,
            "The request breaks a rule in `value`.",
            [("value", f"there is no such purpose; known are {', '.join(known)}")],
        )
    if request.scope == "channel" and request.value is not None:
        refuse_unknown_channel(request.value, policy, "value")
    until = None if request.until is None else clock.to_text(request.until)
    made = opt_outs.add(
        customers.pseudonym(request.customer_id),
        request.scope,
        request.value,
        until,
        actor=caller.actor,
    )
    return AnswerResponse(OptOutAnswer(customer_id=request.customer_id, **vars(made)), 201)


@router.get(
    "/customers/{id:path}/opt-outs",
    responses={200: {"model": OptOutList}},
    response_model=None,
    **scope("consent"),
)
def list_opt_outs(
    id: str, opt_outs: OptingOut, customers: KnownCustomers, audit_log: Auditing, caller: Calling
) -> AnswerResponse:
    """A customer's opt-outs in force."""
    customer = customers.pseudonym(id)
    audit_log.read(caller, "opt-outs", customer)
    standing = opt_outs.of(customer)
    return AnswerResponse(
        OptOutList(
            customer_id=id,
            opt_outs=[OptOutAnswer(customer_id=id, **vars(opt_out)) for opt_out in standing],
        )
    )


@router.delete("/opt-outs/{id}", status_code=204, response_model=None, **scope("consent"))
def take_back(id: str, opt_outs: OptingOut) -> Response:
    """Take an opt-out back."""
    opt_outs.remove(id)
    return Response(status_code=204)
