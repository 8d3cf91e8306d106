"""`POST /v1/opt-outs`, `GET /v1/customers/{id}/opt-outs`, `DELETE /v1/opt-outs/{id}`."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import Response
from fastapi.responses import JSONResponse

from features import clock
from serving.contract.requests import OptOutRequest
from serving.contract.responses import OptOutAnswer, OptOutList
from serving.http.boundary.problems import Refused
from serving.http.boundary.scoped_routes import Service, scope, scoped_router

router = scoped_router()


@router.post(
    "/opt-outs",
    status_code=201,
    responses={201: {"model": OptOutAnswer}},
    response_model=None,
    **scope("consent"),
)
def opt_out(request: OptOutRequest, sayso: Service) -> JSONResponse:
    """Record what a customer does not want.

    The answer comes once it is durable, and every later answer obeys it.
    """
    if request.scope == "purpose" and request.value not in (
        known := sayso.shop.config.catalog.purposes
    ):
        raise Refused(
            422,
            "The request breaks a rule in `value`.",
            [("value", f"there is no such purpose; known are {', '.join(known)}")],
        )
    until = None if request.until is None else clock.to_text(request.until)
    made = sayso.opt_outs.add(
        sayso.shop.customers.pseudonym(request.customer_id), request.scope, request.value, until
    )
    return JSONResponse({"customer_id": request.customer_id, **asdict(made)}, 201)


@router.get(
    "/customers/{id:path}/opt-outs",
    responses={200: {"model": OptOutList}},
    response_model=None,
    **scope("consent"),
)
def list_opt_outs(id: str, sayso: Service) -> JSONResponse:
    """A customer's opt-outs in force."""
    standing = sayso.opt_outs.of(sayso.shop.customers.pseudonym(id))
    return JSONResponse(
        {
            "customer_id": id,
            "opt_outs": [{"customer_id": id, **asdict(opt_out)} for opt_out in standing],
        }
    )


@router.delete("/opt-outs/{id}", status_code=204, response_model=None, **scope("consent"))
def take_back(id: str, sayso: Service) -> Response:
    """Take an opt-out back."""
    sayso.opt_outs.remove(id)
    return Response(status_code=204)
