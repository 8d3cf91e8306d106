"""Decisions: every answer given, kept with what it was made from, so that it can be shown, proved
and made again.

What was said and what it was made from is sealed with the customer's key; the records are chained
by hash over the sealed content. So the chain still holds when the content is deleted, or its key
destroyed. Neither inputs nor answer hold the shop's own id of the customer; it is added when an
answer leaves.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from features.consent.chain import Walk, canonical, fits, link
from features.customers.vault import PayloadGone, Vault
from features.database.caller import note_recorded
from features.database.tables import decision_head, decisions
from features.errors import NotFound, SaysoError

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
BATCH = 1_000
NOT_CHAINED = ("inputs", "answer", "hash", "intact")
_NOTHING = {"inputs": "", "answer": ""}


class DecisionDamaged(SaysoError):
    """The record of a decision is not the one that was written, or its content was deleted."""


@dataclass(frozen=True)
class Decision:
    """One answer.

    `answer` is as it was given and `inputs` is all that it was made from, both as canonical JSON.

    `hash` is its place in the chain; `intact` tells whether the record is still the one that was
    written. `inputs` and `answer` are empty where their content is gone.
    """

    id: str
    customer: int | None
    kind: str
    created_at: str
    ledger_seq: int
    model_name: str | None
    model_version: str | None
    inputs: str
    answer: str
    hash: str = ""
    intact: bool = True

    def document(self) -> dict[str, Any]:
        """The answer as plain data.

        Raises `DecisionDamaged` where the record can no longer be read.
        """
        if not self.intact:
            raise DecisionDamaged(
                "The record of this decision was changed since it was written and cannot be shown."
            )
        if not self.answer:
            raise DecisionDamaged("The content of this decision was deleted.")
        document: dict[str, Any] = json.loads(self.answer)
        return document


def new_id() -> str:
    """A decision's id: a ULID, so that ids sort by time."""
    number = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    return "dec_" + "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def wait_for_turn(connection: Connection) -> Row[Any]:
    """The end of the chain, held until the transaction ends: decisions are recorded one after the
    other.
    """
    return connection.execute(select(decision_head).with_for_update()).one()


def record(connection: Connection, vault: Vault, decision: Decision) -> None:
    """Write a decision within the transaction that read the consent it rests on."""
    head = wait_for_turn(connection)
    stated = canonical({"inputs": decision.inputs, "answer": decision.answer}).encode()
    content = vault.key(connection, decision.customer).seal(stated, _about(decision.id))
    plain = {name: value for name, value in asdict(decision).items() if name not in NOT_CHAINED}
    row = {
        **plain,
        "seq": head.seq + 1,
        "content_digest": _digest(content),
        "previous_hash": head.hash,
    }
    made = link(row)
    connection.execute(insert(decisions).values(**row, hash=made, content=content))
    connection.execute(update(decision_head).values(seq=head.seq + 1, hash=made))
    note_recorded("decision", decision.id)


def read(connection: Connection, vault: Vault, id: str) -> Decision:
    """A decision by its id. Raises `NotFound`."""
    row = connection.execute(select(decisions).where(decisions.c.id == id)).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no such decision.")
    return opened(connection, vault, dict(row))


def opened(connection: Connection, vault: Vault, row: Mapping[str, Any]) -> Decision:
    """A decision from its row."""
    stated, intact = _NOTHING, _unchanged(row)
    if row["content"] is not None and intact:
        # The customer's key was destroyed, and with it the content.
        with contextlib.suppress(PayloadGone):
            stated = json.loads(
                vault.opened(connection, row["customer"], row["content"], _about(row["id"]))
            )
    # Found so when an earlier version's record came into the chain.
    intact = intact and "damaged" not in stated
    own = {
        name: row[name]
        for name in (
            "id",
            "customer",
            "kind",
            "created_at",
            "ledger_seq",
            "model_name",
            "model_version",
        )
    }
    return Decision(
        **own, inputs=stated["inputs"], answer=stated["answer"], hash=row["hash"], intact=intact
    )


def verify_decisions(connection: Connection) -> int:
    """Check the chain of all decisions; how many there are.

    Raises `LedgerBroken` at the first that is not as it was written.
    """
    walk = Walk("decision", "record")
    with connection.execute(
        select(decisions).order_by(decisions.c.seq).execution_options(yield_per=BATCH)
    ) as found:
        for row in found.mappings():
            decision = dict(row)
            walk.step(decision, intact=_unchanged(decision))
    walk.arrive(connection.execute(select(decision_head)).one_or_none())
    return walk.seq


def _unchanged(row: Mapping[str, Any]) -> bool:
    content = row["content"]
    chained = {name: value for name, value in row.items() if name != "content"}
    return fits(chained) and (content is None or _digest(content) == row["content_digest"])


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _about(id: str) -> str:
    return f"decision:{id}"
