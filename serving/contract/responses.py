"""What callers get beside recommendations and estimates (`serving.contract.answers`), for the
OpenAPI document.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel


@dataclass(frozen=True, kw_only=True)
class ConsentReceipt:
    """Proof that an event is in the ledger, durable.

    `rule` is the rule of time by which it counts, `explanation` the same in words; both are null
    for a repeated event of before there were such rules.
    """

    seq: int
    hash: str
    repeated: bool
    takes_effect: bool
    rule: str | None
    explanation: str | None


@dataclass(frozen=True)
class ConsentReceipts:
    """Proof of all choices of one request, in their order."""

    receipts: list[ConsentReceipt]


@dataclass(frozen=True, kw_only=True)
class ConsentState:
    """One category for one purpose, as it stands."""

    purpose: str
    category: str
    action: str
    allowed: bool
    notice_version: str | None
    valid_until: str | None


@dataclass(frozen=True, kw_only=True)
class ConsentEntry:
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
    stated_at: str | None
    rule: str | None
    valid_until: str | None
    evidence_digest: str | None
    hash: str


@dataclass(frozen=True, kw_only=True)
class Consents:
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
    requested_by: str


@dataclass(frozen=True, kw_only=True)
class CodeAnswer:
    """A one-time code, which cannot be shown again."""

    customer_id: str
    code: str
    good_for: str | None
    expires_at: str


@dataclass(frozen=True, kw_only=True)
class WantedCode:
    """A code that a customer waits for."""

    customer_id: str
    good_for: str
    wanted_at: str


@dataclass(frozen=True, kw_only=True)
class WantedCodes:
    """The codes that customers wait for."""

    wanted: list[WantedCode]


@dataclass(frozen=True, kw_only=True)
class Corrected:
    """How many rows were put right."""

    customer_id: str
    field: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class NoticeCategory:
    """A category that is asked for."""

    category: str
    label: str
    description: str


@dataclass(frozen=True, kw_only=True)
class PurposeNotice:
    """A purpose with the notice that is current for it."""

    purpose: str
    label: str
    description: str
    notice_version: str
    language: str
    text: str
    sha256: str
    categories: list[NoticeCategory]


@dataclass(frozen=True, kw_only=True)
class Notices:
    """All purposes."""

    purposes: list[PurposeNotice]


@dataclass(frozen=True, kw_only=True)
class RejectedRow:
    """A row or an event that was not taken, by its place in the request, and why."""

    index: int
    detail: str


@dataclass(frozen=True, kw_only=True)
class RowsAnswer:
    """What became of rows or events: how many are kept, were there before, were dropped since their
    customer does not allow collecting them, and which were not taken.
    """

    accepted: int
    duplicate: int
    dropped_unconsented: int
    rejected: list[RejectedRow]


@dataclass(frozen=True, kw_only=True)
class OptOutAnswer:
    """An opt-out in force."""

    customer_id: str
    id: str
    scope: str
    value: str | None
    until: str | None
    created_at: str


@dataclass(frozen=True, kw_only=True)
class OptOutList:
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
    actor: str | None
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


@dataclass(frozen=True, kw_only=True)
class ToolConsent(ConsentReceipt):
    """One event that a message led to."""

    purpose: str
    category: str
    action: str


@dataclass(frozen=True, kw_only=True)
class ToolUnchanged:
    """What stays as it is, since the message lacks states of the tool that it needs."""

    purpose: str
    category: str
    missing: list[str]


@dataclass(frozen=True, kw_only=True)
class ToolAnswer:
    """What a message of a consent tool came to."""

    tool: str
    customer_id: str
    recorded: list[ToolConsent]
    unchanged: list[ToolUnchanged]


@dataclass(frozen=True, kw_only=True)
class JoinedVisitor:
    """A visitor who is the customer from now on.

    `categories` are those that both grant, whose rows came along; `rows` says how many did and
    `rows_left_behind` how many were deleted. `repeated` tells that they had been joined before.
    """

    customer_id: str
    visitor_id: str
    joined_at: str
    repeated: bool
    categories: list[str]
    rows: int
    rows_left_behind: int
    ledger_seq: int


@dataclass(frozen=True, kw_only=True)
class ListAnswer:
    """A list without its products, of which there are so many.

    `digest` is the SHA-256 of their ids, one a line; decisions that left the list out name it.
    """

    name: str
    digest: str
    products: int
    changed_at: str


@dataclass(frozen=True, kw_only=True)
class WholeList(ListAnswer):
    """A list with its products."""

    product_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ListsAnswer:
    """All lists, by name."""

    lists: list[ListAnswer]
