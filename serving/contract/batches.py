"""What callers may ask about many customers at once."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, TypeAdapter

from serving.contract.requests import (
    CustomerId,
    RecommendationOptions,
    RecommendationRequest,
    Request,
    Spoken,
)

MOST_AT_ONCE = 1_000
CustomerIds = Annotated[
    tuple[str, ...],
    Field(
        fail_fast=True,
        min_length=1,
        max_length=MOST_AT_ONCE,
        description="The shop's own ids. Each is answered on a line of its own, in this order; what"
        " is wrong with one is said on its line.",
        examples=[["17850", "13047"]],
    ),
]


class RecommendationBatch(RecommendationOptions):
    """What to recommend to each of many customers."""

    customer_ids: CustomerIds

    def of(self, customer_id: str) -> RecommendationRequest:
        """The request for one of them, whose id was checked."""
        asked = {name: getattr(self, name) for name in RecommendationOptions.model_fields}
        return RecommendationRequest.model_construct(customer_id=customer_id, **asked)


class ChurnBatch(Request):
    """Whose churn to estimate."""

    customer_ids: CustomerIds
    language: Spoken = None


_ONE: TypeAdapter[str] = TypeAdapter(CustomerId)


def check_customer_id(customer_id: str) -> None:
    """Raises `pydantic.ValidationError` for what cannot be a customer's id."""
    _ONE.validate_python(customer_id)
