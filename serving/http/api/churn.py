"""`POST /v1/churn`."""

from __future__ import annotations

from fastapi.responses import JSONResponse

from serving.contract.requests import ChurnRequest
from serving.contract.responses import Churn
from serving.http.api.addressed import addressed
from serving.http.boundary.scoped_routes import Service, scope, scoped_router

router = scoped_router()


@router.post("/churn", responses={200: {"model": Churn}}, response_model=None, **scope("score"))
def estimate(request: ChurnRequest, sayso: Service) -> JSONResponse:
    """How likely a customer is to order nothing within the horizon, with reasons and what each
    category of data changed.
    """
    return JSONResponse(
        addressed(
            sayso, sayso.churn.answer(request.customer_id, request.language), request.customer_id
        )
    )
