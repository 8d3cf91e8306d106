"""What an answer to `POST /v1/recommendations` and `POST /v1/churn` says: made of these classes,
recorded and written from them, and described by them in the OpenAPI document.

Fields stand in the order in which they are written. `serving.decisions.document` writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from explain.explanation import FeatureContribution, SaidReason
from explain.game import CategoryContribution
from models.churn.bands import Band
from serving.decisions.document import LEFT_OUT, REMADE, TOLD_WITH, ModelName

NotPersonalized = Literal[
    "anonymous",
    "unknown_customer",
    "too_young",
    "no_consent",
    "opted_out",
    "privacy_signal",
    "model_unavailable",
    "not_now",
]
Unavailable = Literal[
    "unknown_customer",
    "too_young",
    "no_consent",
    "opted_out",
    "privacy_signal",
    "model_unavailable",
]


@dataclass(frozen=True, kw_only=True)
class ConsentUsed:
    """What the answer used and what it withheld, at which position of the ledger."""

    ledger_seq: int
    used: Sequence[str]
    withheld: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class ItemExplanation:
    """Why a product stands where it stands; `base_value` plus all contributions is
    `output_value`.
    """

    base_value: float | None = field(default=None, metadata=LEFT_OUT)
    output_value: float | None = field(default=None, metadata=LEFT_OUT)
    contributions: Sequence[FeatureContribution] | None = field(
        default=None, metadata={**LEFT_OUT, REMADE: True}
    )
    reasons: Sequence[SaidReason]


@dataclass(frozen=True, kw_only=True)
class Item:
    """A recommended product."""

    rank: int
    product_id: str
    title: str
    score: float
    explored: bool
    propensity: float
    explanation: ItemExplanation | None = field(default=None, metadata=LEFT_OUT)


@dataclass(frozen=True, kw_only=True)
class DecisionHead:
    """What every answer that leaves begins with."""

    decision_id: str
    request_id: str
    customer_id: str | None
    generated_at: str
    data_until: str | None
    """The newest moment on record of the shop's data; null where no order is loaded."""


@dataclass(frozen=True, kw_only=True)
class DecisionLinks:
    """What every answer that leaves ends with: the customer's own pages."""

    why_url: str
    preferences_url: str | None


@dataclass(frozen=True, kw_only=True)
class RecommendationLinks(DecisionLinks):
    """What a recommendation ends with: also the link by which a message tells what came of it, null
    on other channels than `email`.
    """

    event_url: str | None


@dataclass(frozen=True, kw_only=True)
class RecommendationAnswer:
    """What a recommendation says."""

    personalized: bool
    not_personalized_because: NotPersonalized | None
    not_now_because: Literal["quiet_hours", "frequency"] | None = field(
        default=None, metadata=LEFT_OUT
    )
    not_before: str | None = field(default=None, metadata={TOLD_WITH: "not_now_because"})
    send_at: str | None = field(default=None, metadata=LEFT_OUT)
    """When it is to be shown, where the request said so."""
    automated: bool
    disclosure: str
    language: str
    model: ModelName | None
    consent: ConsentUsed
    items: Sequence[Item]


@dataclass(frozen=True, kw_only=True)
class Recommendation(RecommendationLinks, RecommendationAnswer, DecisionHead):
    """An answer to `POST /v1/recommendations`."""


@dataclass(frozen=True, kw_only=True)
class CategoryGame:
    """The consent game, in probability."""

    unit: Literal["probability"]
    base_value: float
    output_value: float
    contributions: Sequence[CategoryContribution]


@dataclass(frozen=True, kw_only=True)
class ChurnExplanation:
    """Why the estimate is what it is."""

    unit: Literal["log_odds"]
    base_value: float
    output_value: float
    contributions: Sequence[FeatureContribution]
    categories: CategoryGame
    reasons: Sequence[SaidReason]


@dataclass(frozen=True, kw_only=True)
class SuggestedAction:
    """Something to do for the customer."""

    action: Literal["none", "check_in", "help", "onboarding"]
    text: str


@dataclass(frozen=True, kw_only=True)
class ExpectedOrders:
    """What else to expect within the horizon: orders, their value, and the days until the next one,
    should there be one.
    """

    orders: float
    value: float | None
    days_to_next_order: float


@dataclass(frozen=True, kw_only=True)
class BandSetByReview:
    """The review in which a person set the band, until when it holds, and the band that was
    estimated.
    """

    review_id: str
    until: str
    estimated: Band


@dataclass(frozen=True, kw_only=True)
class ChurnAnswer:
    """What a churn estimate says; the estimate's fields are absent where there is none."""

    available: bool
    unavailable_because: Unavailable | None
    automated: bool
    disclosure: str
    language: str
    consent: ConsentUsed
    human_contact: str
    probability: float | None = field(default=None, metadata=LEFT_OUT)
    horizon_days: int | None = field(default=None, metadata=LEFT_OUT)
    band: Band | None = field(default=None, metadata=LEFT_OUT)
    expected: ExpectedOrders | None = field(default=None, metadata={TOLD_WITH: "probability"})
    band_set_by_review: BandSetByReview | None = field(default=None, metadata=LEFT_OUT)
    model: ModelName | None
    explanation: ChurnExplanation | None = field(default=None, metadata=LEFT_OUT)
    suggested_actions: Sequence[SuggestedAction] | None = field(default=None, metadata=LEFT_OUT)


@dataclass(frozen=True, kw_only=True)
class Churn(DecisionLinks, ChurnAnswer, DecisionHead):
    """An answer to `POST /v1/churn`; the estimate's fields are absent where there is none."""

    customer_id: str
