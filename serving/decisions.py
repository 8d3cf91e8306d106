"""Decisions: every answer given, kept with what it was made from, so that it can be shown, proved and made again.

Neither inputs nor answer hold the shop's own id of the customer; it is added when an answer leaves.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from features.errors import NotFound, SaysoError
from features.tables import decisions

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class DecisionDamaged(SaysoError):
    """The record of a decision is not the one that was written."""


@dataclass(frozen=True)
class Decision:
    """One recorded answer. `answer` is as it was given and `inputs` is all that it was made from, both as canonical JSON."""

    id: str
    customer: int | None
    kind: str
    created_at: str
    ledger_seq: int
    model_name: str | None
    model_version: str | None
    inputs: str
    answer: str
    digest: str

    @property
    def intact(self) -> bool:
        """Whether the record is still the one that was written."""
        return self.digest == digest_of(self.kind, self.customer, self.inputs, self.answer)

    def document(self) -> dict[str, Any]:
        """The answer as plain data. Raises `DecisionDamaged` where the record can no longer be read."""
        try:
            answer = json.loads(self.answer)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or "decision_id" not in answer:
            raise DecisionDamaged("The record of this decision was changed since it was written and cannot be shown.")
        return answer


def new_id() -> str:
    """A decision's id: a ULID, so that ids sort by time."""
    number = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    return "dec_" + "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def record(connection: Connection, decision: Decision) -> None:
    """Write a decision within the transaction that read the consent it rests on."""
    connection.execute(
        insert(decisions).values(
            id=decision.id,
            customer=decision.customer,
            kind=decision.kind,
            created_at=decision.created_at,
            ledger_seq=decision.ledger_seq,
            model_name=decision.model_name,
            model_version=decision.model_version,
            inputs=decision.inputs,
            answer=decision.answer,
            digest=decision.digest,
        )
    )


def read(connection: Connection, id: str) -> Decision:
    """A decision by its id. Raises `NotFound`."""
    row = connection.execute(select(decisions).where(decisions.c.id == id)).one_or_none()
    if row is None:
        raise NotFound("There is no such decision.")
    return Decision(
        row.id,
        row.customer,
        row.kind,
        row.created_at,
        row.ledger_seq,
        row.model_name,
        row.model_version,
        row.inputs,
        row.answer,
        row.digest,
    )


def digest_of(kind: str, customer: int | None, inputs: str, answer: str) -> str:
    """SHA-256 over what was decided, about whom (by pseudonym) and from what."""
    return hashlib.sha256(f"{kind}\n{customer}\n{inputs}\n{answer}".encode()).hexdigest()


def canonical(document: Mapping[str, Any]) -> str:
    """A document as text, always the same for the same content; numbers keep every bit."""
    return json.dumps(dict(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
