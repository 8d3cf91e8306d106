"""Ways to tamper with a ledger for somebody who may write to its database and knows how it is
chained.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from features.consent.batch import STATE_KEY
from features.consent.chain import link
from features.consent.event import GRANTED
from features.consent.grants import fold
from features.consent.ledger import LATER_COLUMNS
from features.database.tables import consent_events, consent_state, ledger_head

Row = dict[str, Any]
MOST_AT_ONCE = 5


Change = Callable[[random.Random, list[Row]], list[Row]]
Tampering = Callable[[random.Random, Connection, Sequence[Row]], None]
"""Does it to the ledger that holds these events."""


def tampering(change: Change, *, rehashed: bool = False, adapted: bool = False) -> Tampering:
    """The tampering that makes `change` of the events, and covers up its traces.

    With `rehashed` every hash is computed anew; with `adapted` head and state follow as well, so
    that nothing within the database contradicts anything else.
    """

    def apply(draw: random.Random, connection: Connection, rows: Sequence[Row]) -> None:
        changed = change(draw, [dict(row) for row in rows])
        changed = rechained(changed) if rehashed else changed
        _replace(connection, rows, changed)
        if adapted:
            _adapt(connection, changed)

    return apply


def rechained(rows: Sequence[Row]) -> list[Row]:
    """`rows` with all places and hashes as if they had been written so."""
    made: list[Row] = []
    previous = ""
    for seq, row in enumerate(rows, start=1):
        unlinked = {**row, "seq": seq, "previous_hash": previous}
        unlinked.pop("hash")
        previous = link(unlinked, LATER_COLUMNS)
        made.append({**unlinked, "hash": previous})
    return made


def _edit(draw: random.Random, rows: list[Row]) -> list[Row]:
    """Another value in any column of any event."""
    row, column = draw.choice(rows), draw.choice([column.name for column in consent_events.columns])
    before = row[column]
    if isinstance(before, int):
        row[column] = before + draw.choice((-1, 1)) * (len(rows) + draw.randrange(1, 1_000))
        return rows
    others = {other[column] for other in rows if column != "idempotency_key"} - {before}
    choices = [
        *sorted(filter(None, others)),
        f"x{before or ''}"[:16],
        *([None] if before is not None and column in LATER_COLUMNS else []),
    ]
    row[column] = draw.choice(choices)
    return rows


def _edit_and_hash(draw: random.Random, rows: list[Row]) -> list[Row]:
    """The same, with the event's own hash computed anew."""
    edited = _edit(draw, [dict(row) for row in rows])
    changed = next(new for new, old in zip(edited, rows, strict=True) if new != old)
    changed["hash"] = link(
        {name: value for name, value in changed.items() if name != "hash"}, LATER_COLUMNS
    )
    if changed in rows:  # it was the hash that was edited, and that is right again
        changed["actor"] += "x"
    return edited


def _swap(draw: random.Random, rows: list[Row]) -> list[Row]:
    """Two events in each other's place."""
    one, other = draw.sample(range(len(rows)), 2)
    rows[one]["seq"], rows[other]["seq"] = rows[other]["seq"], rows[one]["seq"]
    return rows


def _move(draw: random.Random, rows: list[Row]) -> list[Row]:
    """An event elsewhere, and all between moved up."""
    start, end = draw.sample(range(len(rows)), 2)
    rows.insert(end, rows.pop(start))
    return _numbered(rows)


def _insert(draw: random.Random, rows: list[Row]) -> list[Row]:
    """One event more, which looks like another, before the last."""
    place = draw.randrange(len(rows))
    rows.insert(place, {**draw.choice(rows), "idempotency_key": None, "actor": "somebody"})
    return _numbered(rows)


def _append(draw: random.Random, rows: list[Row]) -> list[Row]:
    """One event more after the last, chained to it, that the head does not know of."""
    forged = {
        **draw.choice(rows),
        "seq": len(rows) + 1,
        "idempotency_key": None,
        "previous_hash": rows[-1]["hash"],
    }
    forged.pop("hash")
    return [*rows, {**forged, "hash": link(forged, LATER_COLUMNS)}]


def _cut_the_tail(draw: random.Random, rows: list[Row]) -> list[Row]:
    """The newest events gone."""
    return rows[: -draw.randint(1, MOST_AT_ONCE)]


def _cut_the_middle(draw: random.Random, rows: list[Row]) -> list[Row]:
    """Some events gone from among the others."""
    length = draw.randint(1, MOST_AT_ONCE)
    start = draw.randrange(len(rows) - length)
    return rows[:start] + rows[start + length :]


def _cut_and_close(draw: random.Random, rows: list[Row]) -> list[Row]:
    """Some events gone, and the gap closed."""
    return _numbered(_cut_the_middle(draw, rows))


def _edit_content(draw: random.Random, rows: list[Row]) -> list[Row]:
    """What an event says is another thing: the kind of edit that is worth rewriting a whole chain
    for.
    """
    row = draw.choice(rows)
    column = draw.choice(("action", "customer", "method", "occurred_at", "notice_version"))
    row[column] = row[column] + 1 if column == "customer" else f"{row[column] or ''}x"[-16:]
    return rows


def _numbered(rows: list[Row]) -> list[Row]:
    return [{**row, "seq": seq} for seq, row in enumerate(rows, start=1)]


def _state_edited(draw: random.Random, connection: Connection, _rows: Sequence[Row]) -> None:
    """Where somebody stands is another place than their events say."""
    column = consent_state.c
    victim = draw.choice(connection.execute(select(consent_state)).all())
    where = (
        column.customer == victim.customer,
        column.purpose == victim.purpose,
        column.category == victim.category,
    )
    other = "refused" if victim.action == GRANTED else GRANTED
    changes = (
        {"action": other},
        {"seq": victim.seq + 1},
        {"valid_until": "9999"},
        {"covers_from": "0001"},
        {"notice_version": "0"},
    )
    connection.execute(update(consent_state).where(*where).values(**draw.choice(changes)))


def _state_removed(draw: random.Random, connection: Connection, _rows: Sequence[Row]) -> None:
    """It is forgotten where somebody stands."""
    victim = draw.choice(connection.execute(select(consent_state)).all())
    column = consent_state.c
    where = (
        column.customer == victim.customer,
        column.purpose == victim.purpose,
        column.category == victim.category,
    )
    connection.execute(delete(consent_state).where(*where))


def _head_edited(draw: random.Random, connection: Connection, rows: Sequence[Row]) -> None:
    """The head names another event as the newest."""
    other = draw.choice(rows[:-1])
    connection.execute(update(ledger_head).values(seq=other["seq"], hash=other["hash"]))


TAMPERINGS: Mapping[str, Tampering] = {
    "a column edited": tampering(_edit),
    "a column edited and its hash computed anew": tampering(_edit_and_hash),
    "two events swapped": tampering(_swap),
    "an event moved": tampering(_move),
    "an event inserted": tampering(_insert),
    "an event appended behind the head's back": tampering(_append),
    "the tail cut": tampering(_cut_the_tail),
    "the middle cut": tampering(_cut_the_middle),
    "the middle cut and closed": tampering(_cut_and_close),
    "an event edited and the chain rewritten": tampering(_edit_content, rehashed=True),
    "an event edited and everything rewritten": tampering(
        _edit_content, rehashed=True, adapted=True
    ),
    "an event moved and everything rewritten": tampering(_move, rehashed=True, adapted=True),
    "an event inserted and everything rewritten": tampering(_insert, rehashed=True, adapted=True),
    "the tail cut and everything rewritten": tampering(_cut_the_tail, rehashed=True, adapted=True),
    "the middle cut and everything rewritten": tampering(
        _cut_the_middle, rehashed=True, adapted=True
    ),
    "the state edited": _state_edited,
    "the state removed": _state_removed,
    "the head edited": _head_edited,
}
"""Ways to tamper, by name."""


def _replace(connection: Connection, before: Sequence[Row], after: Sequence[Row]) -> None:
    """Put the rows `after` in place of those `before`, touching only what differs."""
    old, new = ({row["seq"]: row for row in rows} for rows in (before, after))
    if gone := [seq for seq, row in old.items() if new.get(seq) != row]:
        connection.execute(delete(consent_events).where(consent_events.c.seq.in_(gone)))
    if added := [row for seq, row in new.items() if old.get(seq) != row]:
        connection.execute(insert(consent_events), added)


def _adapt(connection: Connection, rows: Sequence[Row]) -> None:
    """Head and state as they would be, had `rows` been written."""
    last: Mapping[str, Any] = rows[-1] if rows else {"seq": 0, "hash": ""}
    connection.execute(update(ledger_head).values(seq=last["seq"], hash=last["hash"]))
    connection.execute(delete(consent_state))
    state = [
        {**dict(zip(STATE_KEY, key, strict=True)), **standing}
        for key, standing in fold(rows).items()
    ]
    connection.execute(insert(consent_state), state)


def rows_of(connection: Connection) -> list[Row]:
    """All events of the ledger in their order."""
    return [
        dict(row)
        for row in connection.execute(
            select(consent_events).order_by(consent_events.c.seq)
        ).mappings()
    ]
