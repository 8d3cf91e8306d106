"""`POST /v1/churn`."""

from __future__ import annotations

from serving.contract.answers import Churn
from serving.contract.requests import ChurnRequest
from serving.http.api.addressed import AnswerResponse, head, links_to
from serving.http.boundary.parts import Estimating, Linking
from serving.http.boundary.scoped_routes import scope, scoped_router
from serving.http.sight.counts import count_answer

router = scoped_router()


@router.post("/churn", responses={200: {"model": Churn}}, response_model=None, **scope("score"))
def estimate(request: ChurnRequest, estimator: Estimating, links: Linking) -> AnswerResponse:
    """How likely a customer is to order nothing within the horizon, with reasons and what each
    category of data changed.
    """
    decided = estimator.answer(request.customer_id, request.language)
    said = decided.answer
    count_answer(estimator.KIND, said.unavailable_because, said.consent.withheld)
    return AnswerResponse(
        Churn(
            **head(decided, request.customer_id),
            **vars(decided.answer),
            **links_to(links, decided.decision_id, decided.customer),
        )
    )
