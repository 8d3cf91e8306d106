"""A review: a person looks at a decision that its customer contests."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from features.customers.vault import PayloadGone, Vault
from features.errors import SaysoError
from features.shop.corrections import Correction

MOST_CHARACTERS = 2_000
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Status(StrEnum):
    """How far a review is; all but `open` are its outcome."""

    OPEN = "open"
    UPHELD = "upheld"
    OVERRIDDEN = "overridden"


class ReviewRefused(SaysoError):
    """A review cannot be asked for or resolved so. `field` names what is to blame."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class AlreadyResolved(SaysoError):
    """A review has its outcome already."""


@dataclass(frozen=True)
class Effects:
    """What overriding a decision does: hide a product of it, put a field right, set the churn band
    until a moment.
    """

    suppress: str | None = None
    correction: Correction | None = None
    band: str | None = None
    band_until: str | None = None

    @property
    def any(self) -> bool:
        """Whether anything is done at all."""
        return any(getattr(self, part.name) is not None for part in fields(self))

    def document(self) -> dict[str, Any]:
        """What is done, as plain data; what is not done is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Verdict:
    """What a reviewer decided, who they are and why; `actor` is how records name them."""

    status: Status
    reason: str
    reviewer: str
    effects: Effects = Effects()
    actor: str | None = None


@dataclass(frozen=True)
class Review:
    """One review. `text` is what the customer wrote, None where it cannot be read any more.

    `actor` is who asked for it. `reason` and `effects` are the outcome's, and `reviewer` is who
    found it; all three are empty while it is open.
    """

    id: str
    customer: int
    decision_id: str
    status: Status
    owner: str
    created_at: str
    due_at: str
    text: str | None
    reviewer: str | None = None
    reason: str | None = None
    effects: Mapping[str, Any] = field(default_factory=dict)
    resolved_at: str | None = None
    actor: str | None = None

    @property
    def open(self) -> bool:
        """Whether it still waits for a person."""
        return self.status is Status.OPEN

    def overdue(self, now: str) -> bool:
        """Whether it waits for longer than was promised."""
        return self.open and self.due_at < now

    def document(self, now: str) -> dict[str, Any]:
        """The review as plain data, without the customer's number."""
        own = {name: value for name, value in asdict(self).items() if name != "customer"}
        return {**own, "overdue": self.overdue(now)}


def plain(text: str) -> str:
    """A text as somebody sees it: lines end in one way, and what no screen shows is left out."""
    return _UNSEEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def sealed_text(connection: Connection, vault: Vault, customer: int, id: str, text: str) -> bytes:
    """What a customer wrote, sealed with their key."""
    return vault.key(connection, customer).seal(text.encode(), _about(id))


def sealed_outcome(
    connection: Connection, vault: Vault, customer: int, id: str, verdict: Verdict
) -> bytes:
    """Why a review came out as it did, and what was done; sealed with the customer's key, as it is
    about them.
    """
    stated = json.dumps({"reason": verdict.reason, "effects": verdict.effects.document()})
    return vault.key(connection, customer).seal(stated.encode(), f"{_about(id)}:outcome")


def opened(connection: Connection, vault: Vault, row: Mapping[str, Any]) -> Review:
    """A review from its row."""
    text: str | None = None
    outcome: dict[str, Any] = {}
    # What cannot be read must not keep the rest of the queue from being seen.
    with contextlib.suppress(PayloadGone):
        text = vault.opened(connection, row["customer"], row["content"], _about(row["id"])).decode()
        if row["outcome"] is not None:
            outcome = json.loads(
                vault.opened(
                    connection, row["customer"], row["outcome"], f"{_about(row['id'])}:outcome"
                )
            )
    names = (
        "id",
        "customer",
        "decision_id",
        "owner",
        "created_at",
        "due_at",
        "reviewer",
        "resolved_at",
        "actor",
    )
    return Review(
        status=Status(row["status"]), text=text, **outcome, **{name: row[name] for name in names}
    )


def _about(id: str) -> str:
    return f"review:{id}"
