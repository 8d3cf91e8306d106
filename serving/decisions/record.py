"""Decisions: every answer given, kept with what it was made from, so that it can be shown, proved
and made again.

What was said and what it was made from is compressed and sealed with the customer's key; the
records are chained by hash over the sealed content. So the chain still holds when the content is
deleted, or its key destroyed. Neither inputs nor answer hold the shop's own id of the customer; it
is added when an answer leaves.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import time
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from features.consent.chain import Walk, fits, link
from features.customers.vault import NOBODY, PayloadGone, Vault
from features.database.caller import note_recorded
from features.database.prepared import Prepared
from features.database.tables import decision_head, decisions
from features.errors import NotFound, SaysoError

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
BATCH = 1_000
NOT_CHAINED = ("inputs", "answer", "said", "hash", "intact")
COMMON = (Path(__file__).parent / "common_text.txt").read_bytes()
"""What many records have in common, which zlib refers to instead of writing it down again. What was
compressed with it opens with nothing else, so this file stays as it is; a better one gets a name
of its own and is told by the checksum that stands in the compressed content (RFC 1950).
"""
_PACKING = zlib.compressobj(3, zdict=COMMON)
"""Ready to compress a record by way of a copy; a higher level takes four times as long to save the
thirtieth part.
"""
COMPRESSED = zlib.compress(b"")[:1]
"""The first byte of content that was compressed; before, it was a JSON object."""
_NOTHING = {"inputs": "", "answer": "", "said": ""}
_HEAD = Prepared(select(decision_head.c.seq, decision_head.c.hash).with_for_update())
_NEW_HEAD = Prepared(
    update(decision_head).values(seq=bindparam("new_seq"), hash=bindparam("new_hash"))
)
_RECORD = Prepared(insert(decisions), decisions.c.keys())
_OWN = tuple(
    decisions.c[name]
    for name in (
        *("id", "customer", "kind", "created_at", "ledger_seq"),
        *("model_name", "model_version"),
    )
)
"""What a decision says of itself, beside its content."""


class DecisionDamaged(SaysoError):
    """The record of a decision is not the one that was written, or its content was deleted."""


@dataclass(frozen=True)
class Decision:
    """One answer.

    `inputs` is all that it was made from, as JSON, and `answer` what was said, but for what follows
    from the inputs (`serving.decisions.document.REMADE`). `said` is the fingerprint of all that was
    said, empty where `answer` is all of it.

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
    said: str = ""
    hash: str = ""
    intact: bool = True

    def document(self) -> dict[str, Any]:
        """The answer, as far as it is kept, as plain data.

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


def wait_for_turn(connection: Connection) -> tuple[int, str]:
    """The end of the chain (seq, hash), held until the transaction ends: decisions are recorded one
    after the other.
    """
    ((seq, hash),) = _HEAD.rows(connection)
    return seq, hash


def record(connection: Connection, vault: Vault, made: Sequence[Decision]) -> None:
    """Write decisions, one after the other, within the transaction that read the consent they rest
    on.
    """
    seq, hash = wait_for_turn(connection)
    whose = [NOBODY if one.customer is None else one.customer for one in made]
    keys = vault.keys_for_sealing(connection, whose)
    rows = []
    for decision, customer in zip(made, whose, strict=True):
        seq, content = seq + 1, keys[customer].seal(packed(decision), _about(decision.id))
        plain = {name: value for name, value in vars(decision).items() if name not in NOT_CHAINED}
        row = {**plain, "seq": seq, "content_digest": _digest(content), "previous_hash": hash}
        hash = link(row)
        rows.append({**row, "hash": hash, "content": content})
    _RECORD.run_all(connection, rows)
    _NEW_HEAD.run(connection, new_seq=seq, new_hash=hash)
    for decision in made:
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
            stated = unpacked(
                vault.opened(connection, row["customer"], row["content"], _about(row["id"]))
            )
    # Found so when an earlier version's record came into the chain.
    intact = intact and "damaged" not in stated
    own = {column.name: row[column.name] for column in _OWN}
    return Decision(
        **own,
        inputs=stated["inputs"],
        answer=stated["answer"],
        said=stated.get("said", ""),
        hash=row["hash"],
        intact=intact,
    )


def read_many(connection: Connection, vault: Vault, ids: Collection[str]) -> dict[str, Decision]:
    """Those decisions that there are of `ids`, without their place in the chain, which is not
    looked at: each is sealed by itself.
    """
    rows = connection.execute(select(*_OWN, decisions.c.content).where(decisions.c.id.in_(ids)))
    found = [dict(row) for row in rows.mappings().all()]
    keys = vault.keys(connection, {_whose(row) for row in found if row["content"] is not None})
    made = {}
    for row in found:
        content, stated = row.pop("content"), _NOTHING
        key = keys.get(_whose(row))
        if content is not None and key is not None:
            with contextlib.suppress(PayloadGone):
                stated = unpacked(key.open(content, _about(row["id"])))
        made[row["id"]] = Decision(
            **row,
            inputs=stated["inputs"],
            answer=stated["answer"],
            said=stated.get("said", ""),
        )
    return made


def _whose(row: Mapping[str, Any]) -> int:
    return NOBODY if row["customer"] is None else int(row["customer"])


def packed(decision: Decision) -> bytes:
    """What was said and what it was made from, compressed."""
    parts = (decision.said, decision.inputs, decision.answer)
    packing = _PACKING.copy()
    return packing.compress("\n".join(parts).encode()) + packing.flush()


def unpacked(content: bytes) -> dict[str, str]:
    """What `packed` gave; before, it was one JSON object of both texts."""
    if content[:1] != COMPRESSED:
        stated: dict[str, str] = json.loads(content)
        return stated
    text = zlib.decompressobj(zdict=COMMON).decompress(content).decode()
    return dict(zip(("said", "inputs", "answer"), text.split("\n"), strict=True))


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
