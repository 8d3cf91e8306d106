"""What callers get, for the OpenAPI document; answers themselves are plain data and are not copied
into these.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel


class ModelName(BaseModel):
    """The model that answered."""

    name: str
    version: str


class ConsentUsed(BaseModel):
    """What the answer used and what it withheld, at which position of the ledger."""

    ledger_seq: int
    used: list[str]
    withheld: list[str]


class FeatureContribution(BaseModel):
    """What one feature added."""

    feature: str
    category: str
    value: float
    contribution: float


class SaidReason(BaseModel):
    """A sentence, and the category of data it rests on; `template` and `values` say it again in
    another language.
    """

    category: str
    text: str
    template: str
    values: dict[str, float | str]
    direction: Literal["raises", "lowers", "for"]


class ItemExplanation(BaseModel):
    """Why a product stands where it stands; `base_value` plus all contributions is
    `output_value`.
    """

    base_value: float | None = None
    output_value: float | None = None
    contributions: list[FeatureContribution] | None = None
    reasons: list[SaidReason]


class Item(BaseModel):
    """A recommended product."""

    rank: int
    product_id: str
    title: str
    score: float
    explored: bool
    propensity: float
    explanation: ItemExplanation | None = None


class Recommendation(BaseModel):
    """An answer to `POST /v1/recommendations`."""

    decision_id: str
    customer_id: str | None
    generated_at: str
    personalized: bool
    not_personalized_because: (
        Literal[
            "anonymous",
            "unknown_customer",
            "no_consent",
            "opted_out",
            "privacy_signal",
            "model_unavailable",
            "not_now",
        ]
        | None
    )
    not_now_because: Literal["quiet_hours", "frequency"] | None = None
    not_before: str | None = None
    automated: bool
    disclosure: str
    language: str
    model: ModelName | None
    consent: ConsentUsed
    items: list[Item]
    why_url: str
    preferences_url: str | None


class CategoryContribution(BaseModel):
    """A category's Shapley value, and the probability without it."""

    category: str
    contribution: float
    without: float


class CategoryGame(BaseModel):
    """The consent game, in probability."""

    unit: Literal["probability"]
    base_value: float
    output_value: float
    contributions: list[CategoryContribution]


class ChurnExplanation(BaseModel):
    """Why the estimate is what it is."""

    unit: Literal["log_odds"]
    base_value: float
    output_value: float
    contributions: list[FeatureContribution]
    categories: CategoryGame
    reasons: list[SaidReason]


class SuggestedAction(BaseModel):
    """Something to do for the customer."""

    action: Literal["none", "check_in", "help", "onboarding"]
    text: str


class ExpectedOrders(BaseModel):
    """What else to expect within the horizon: orders, their value, and the days until the next one,
    should there be one.
    """

    orders: float
    value: float | None
    days_to_next_order: float


class BandSetByReview(BaseModel):
    """The review in which a person set the band, until when it holds, and the band that was
    estimated.
    """

    review_id: str
    until: str
    estimated: Literal["low", "medium", "high"]


class Churn(BaseModel):
    """An answer to `POST /v1/churn`; the estimate's fields are absent where there is none."""

    decision_id: str
    customer_id: str
    generated_at: str
    available: bool
    unavailable_because: (
        Literal["unknown_customer", "no_consent", "opted_out", "model_unavailable"] | None
    )
    automated: bool
    disclosure: str
    language: str
    probability: float | None = None
    horizon_days: int | None = None
    band: Literal["low", "medium", "high"] | None = None
    expected: ExpectedOrders | None = None
    band_set_by_review: BandSetByReview | None = None
    model: ModelName | None
    consent: ConsentUsed
    explanation: ChurnExplanation | None = None
    suggested_actions: list[SuggestedAction] | None = None
    human_contact: str
    why_url: str
    preferences_url: str | None


class ConsentReceipt(BaseModel):
    """Proof that an event is in the ledger, durable."""

    seq: int
    hash: str
    repeated: bool


class ConsentState(BaseModel):
    """One category for one purpose, as it stands."""

    purpose: str
    category: str
    action: str
    allowed: bool
    notice_version: str | None
    valid_until: str | None


class ConsentEntry(BaseModel):
    """One event of the history."""

    seq: int
    purpose: str
    category: str
    action: str
    notice_version: str | None
    notice_language: str | None
    notice_digest: str | None
    method: str
    actor: str
    occurred_at: str
    received_at: str
    valid_until: str | None
    evidence_digest: str | None
    hash: str


class Consents(BaseModel):
    """A customer's consents: what stands, and how it came to that."""

    customer_id: str
    ledger_seq: int
    state: list[ConsentState]
    history: list[ConsentEntry]


class StoreReceipt(BaseModel):
    """What one store held of an erased customer."""

    store: str
    found_before: int
    found_after: int
    remains: str | None


class ErasureReceipt(BaseModel):
    """What an erasure found before and after, in every store."""

    erasure_id: str
    completed_at: str
    complete: bool
    stores: list[StoreReceipt]
    kept_out: str
    outside: str


class Corrected(BaseModel):
    """How many rows were put right."""

    customer_id: str
    field: str
    rows: int


class NoticeCategory(BaseModel):
    """A category that is asked for."""

    category: str
    label: str
    description: str


class PurposeNotice(BaseModel):
    """A purpose with the notice that is current for it."""

    purpose: str
    label: str
    description: str
    notice_version: str
    language: str
    text: str
    sha256: str
    categories: list[NoticeCategory]


class Notices(BaseModel):
    """All purposes."""

    purposes: list[PurposeNotice]


class OptOutAnswer(BaseModel):
    """An opt-out in force."""

    id: str
    customer_id: str
    scope: str
    value: str | None
    until: str | None
    created_at: str


class OptOutList(BaseModel):
    """A customer's opt-outs in force."""

    customer_id: str
    opt_outs: list[OptOutAnswer]


class ReviewAnswer(BaseModel):
    """A review, and the decision that it is about, as it was recorded and as the customer sees
    it.
    """

    id: str
    decision_id: str
    customer_id: str | None
    status: Literal["open", "upheld", "overridden"]
    overdue: bool
    owner: str
    created_at: str
    due_at: str
    text: str | None
    reviewer: str | None
    reason: str | None
    effects: dict[str, Any]
    resolved_at: str | None
    decision: dict[str, Any] | None


class ReviewList(BaseModel):
    """Reviews, those due first at the head."""

    open: int
    overdue: int
    reviews: list[ReviewAnswer]


class GatesOverridden(BaseModel):
    """In spite of which gates a version was promoted, for what reason and when."""

    reason: str
    gates: str
    at: str


class ModelVersion(BaseModel):
    """A registered model version in a role."""

    name: str
    role: Literal["champion", "challenger"]
    version: str
    owner: str
    trained_at: str
    ledger_seq: int
    metrics: dict[str, float]
    gates: dict[str, str]
    override: GatesOverridden | None


class ModelList(BaseModel):
    """Champions and challengers."""

    models: list[ModelVersion]
