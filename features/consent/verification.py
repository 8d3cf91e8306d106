"""Checking the ledger: its chain, the state that answers obey, the notices it refers to, and
anchors kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from features.catalog import Catalog
from features.consent.anchors import Anchor
from features.consent.batch import STATE_KEY
from features.consent.chain import Walk, fits
from features.consent.grants import STATE_COLUMNS, State, fold
from features.consent.ledger import BATCH, LATER_COLUMNS
from features.database.engine import Database
from features.database.tables import consent_events, consent_state, ledger_head, online_features
from features.errors import LedgerBroken, SaysoError


class NoticeChanged(SaysoError):
    """A notice is no longer the text that customers agreed to."""


def verify_ledger(database: Database, catalog: Catalog, anchors: Sequence[Anchor] = ()) -> int:
    """Recompute the chain from its first event, and the state from the events; the number of events
    that hold.

    Raises `LedgerBroken` at the first event that was altered, moved, inserted or removed, for a
    state that was changed, and for an anchor that the ledger does not contain; `NoticeChanged`
    where a notice is no longer the text that was agreed to.
    """
    with database.read() as connection:
        verified = verify_ledger_within(connection, anchors)
        _check_notices(connection, catalog)
    return verified


def verify_ledger_within(connection: Connection, anchors: Sequence[Anchor] = ()) -> int:
    """Recompute chain and state, as they stand in a transaction; the number of events that hold.

    Raises `LedgerBroken`.
    """
    walk = _AnchoredWalk({anchor.seq: anchor.hash for anchor in anchors})
    state = fold(walk.events(connection))
    if state != _stored(connection):
        raise LedgerBroken(
            "the chain holds, but the state that answers obey is not what the events amount to;"
            " find out who changed it, and make it anew with `sayso consent rebuild`",
            seq=walk.seq,
        )
    return walk.seq


def rebuild_state(database: Database) -> int:
    """Make the state that answers obey anew from the events, whose chain has to hold; the number of
    events.

    Raises `LedgerBroken` where it does not; the state then stays as it is.
    """
    with database.write() as connection:
        walk = _AnchoredWalk({})
        state = fold(walk.events(connection))
        connection.execute(delete(consent_state))
        connection.execute(delete(online_features))
        rows = [
            {**dict(zip(STATE_KEY, key, strict=True)), **stands} for key, stands in state.items()
        ]
        for start in range(0, len(rows), BATCH):
            connection.execute(insert(consent_state), rows[start : start + BATCH])
    return walk.seq


class _AnchoredWalk(Walk):
    """The way along the ledger; `anchored` are hashes by sequence number that have to be met on
    it.
    """

    def __init__(self, anchored: Mapping[int, str]) -> None:
        super().__init__("event", "ledger")
        self._anchored = dict(anchored)

    def events(self, connection: Connection) -> Iterator[Mapping[str, Any]]:
        """All events in their order, each checked, up to the end that was written.

        Raises `LedgerBroken`.
        """
        self._meet_anchor()
        ordered = (
            select(consent_events).order_by(consent_events.c.seq).execution_options(yield_per=BATCH)
        )
        with connection.execute(ordered) as found:
            for row in found.mappings():
                event = dict(row)
                self.step(event, intact=fits(event, LATER_COLUMNS))
                self._meet_anchor()
                yield event
        if self._anchored:
            missing = min(self._anchored)
            raise LedgerBroken(
                f"the ledger ends at event {self.seq}, but an anchor was taken at event {missing}",
                seq=self.seq + 1,
            )
        self.arrive(connection.execute(select(ledger_head)).one_or_none())

    def _meet_anchor(self) -> None:
        if self._anchored.pop(self.seq, self.hash) != self.hash:
            raise LedgerBroken(
                f"event {self.seq} of the ledger is not the one that the anchor was taken at",
                seq=self.seq,
            )


def _stored(connection: Connection) -> dict[State, dict[str, Any]]:
    rows = connection.execute(select(consent_state)).mappings()
    return {
        (row["customer"], row["purpose"], row["category"]): {
            name: row[name] for name in STATE_COLUMNS
        }
        for row in rows
    }


def _check_notices(connection: Connection, catalog: Catalog) -> None:
    """A text that was agreed to must stay as it was; what says something else is another
    version.
    """
    column = consent_events.c
    shown = (column.purpose, column.notice_version, column.notice_language, column.notice_digest)
    query = (
        select(*shown, func.count().label("events"))
        .where(column.notice_digest.is_not(None))
        .group_by(*shown)
    )
    for row in connection.execute(query):
        notice = catalog.notice(row.purpose, row.notice_version, row.notice_language)
        if notice is None or notice.digest != row.notice_digest:
            raise NoticeChanged(
                f"{row.events:,} events rest on version {row.notice_version!r} of the notice of"
                f" `{row.purpose}` ({row.notice_language}), and its text in sayso.toml is another"
                " one now. Put the old text back, and declare the new one under a version of its"
                " own."
            )
