"""Whatever is done to the ledger behind its back is found."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Executable, insert, literal, select, text, update
from sqlalchemy.exc import DatabaseError

from features.clock import Clock
from features.consent.anchors import Anchor, AnchorRefused, Anchors, make_anchor_key
from features.consent.chain import link
from features.consent.event import ACTIONS
from features.consent.grants import fold
from features.consent.ledger import LATER_COLUMNS, Ledger
from features.consent.verification import NoticeChanged, verify_ledger
from features.customers.vault import Vault
from features.database.engine import Database, upsert
from features.database.tables import consent_events, consent_state, ledger_head
from features.errors import LedgerBroken
from tests.made_up_consents import (
    CATEGORIES,
    PURPOSES,
    advice,
    catalog_of,
    drop_triggers,
    ledger_of,
    rows_of,
    said,
    tampered,
    vault_of,
)

NEVER_TOGETHER = [HealthCheck.function_scoped_fixture]
WHOLE_NUMBERS = {"seq", "customer"}
COLUMNS = [column.name for column in consent_events.columns]
TEXTS = [name for name in COLUMNS if name not in WHOLE_NUMBERS]


def verify(database: Database, anchors: Sequence[Anchor] = ()) -> int:
    """How many events of the ledger hold."""
    return verify_ledger(database, catalog_of(), anchors)


def broken_at(database: Database, anchors: Sequence[Anchor] = ()) -> int:
    """The event that verifying names as the first that does not fit."""
    with pytest.raises(LedgerBroken) as error:
        verify(database, anchors)
    return error.value.seq


@pytest.fixture
def ten(ledger: Ledger, database: Database) -> Ledger:
    """A ledger of ten events of all actions, some with evidence and an end."""
    ledger.append_all(
        [
            said(
                f"c{n % 4}",
                ACTIONS[n % len(ACTIONS)],
                PURPOSES[n % 2],
                CATEGORIES[n % 3],
                idempotency_key=f"k{n}",
                evidence=f"form {n}" if n % 3 == 0 else None,
                valid_until="2025-01-01" if n % 2 else None,
            )
            for n in range(10)
        ]
    )
    assert verify(database) == 10
    return ledger


def copied(seq: int, /, **changed: Any) -> Executable:
    """A statement that inserts a copy of an event with some columns changed."""
    columns = [
        literal(changed[name]).label(name) if name in changed else consent_events.c[name]
        for name in COLUMNS
    ]
    return insert(consent_events).from_select(
        COLUMNS, select(*columns).where(consent_events.c.seq == seq)
    )


def moved(seq: int, to: int) -> Executable:
    """A statement that gives an event another place."""
    return update(consent_events).where(consent_events.c.seq == seq).values(seq=to)


@pytest.mark.usefixtures("ten")
def test_an_altered_value_is_found(database: Database) -> None:
    """Whichever column of an event is changed, verifying names that event, and holds again once it
    is put back.
    """
    for column in consent_events.columns:
        event = consent_events.c.seq == (99 if column.name == "seq" else 4)
        with database.read() as connection:
            before = connection.execute(
                select(column).where(consent_events.c.seq == 4)
            ).scalar_one()
        for other in (
            [99]
            if column.name in WHOLE_NUMBERS
            else ["x", *([None] if column.nullable and before is not None else [])]
        ):
            tampered(
                database,
                update(consent_events).where(consent_events.c.seq == 4).values({column: other}),
            )
            assert broken_at(database) == 4
            tampered(database, update(consent_events).where(event).values({column: before}))
        assert verify(database) == 10


TAMPERED: dict[str, tuple[int, list[str | Executable]]] = {
    "first removed": (1, ["DELETE FROM consent_events WHERE seq = 1"]),
    "middle removed": (5, ["DELETE FROM consent_events WHERE seq = 5"]),
    "last removed": (10, ["DELETE FROM consent_events WHERE seq = 10"]),
    "all removed": (1, ["DELETE FROM consent_events"]),
    "middle removed and the rest moved up": (
        5,
        ["DELETE FROM consent_events WHERE seq = 5", *(moved(n, n - 1) for n in range(6, 11))],
    ),
    "two swapped": (3, [moved(3, 99), moved(7, 3), moved(99, 7)]),
    "one inserted at the end": (11, [copied(2, seq=11, idempotency_key="new")]),
    "one inserted before the first": (
        1,
        [copied(2, seq=0, idempotency_key="new", previous_hash="")],
    ),
    "a key taken away": (2, ["UPDATE consent_events SET idempotency_key = NULL WHERE seq = 2"]),
    "a notice taken away": (
        2,
        [
            (
                "UPDATE consent_events SET notice_digest = NULL, notice = NULL, notice_language ="
                " NULL WHERE seq = 2"
            )
        ],
    ),
    "the head turned back": (11, ["UPDATE ledger_head SET seq = 9"]),
    "the head's hash replaced": (11, ["UPDATE ledger_head SET hash = 'x'"]),
    "the head removed": (11, ["DELETE FROM ledger_head"]),
}


@pytest.mark.usefixtures("ten")
@pytest.mark.parametrize("how", TAMPERED)
def test_rows_removed_inserted_or_moved_are_found(database: Database, how: str) -> None:
    """Verifying names the first event that does not fit."""
    expected, statements = TAMPERED[how]
    tampered(database, *statements)
    assert broken_at(database) == expected


def forged(row: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """A row with some columns changed and the hash that then fits it."""
    made = {name: value for name, value in {**row, **changed}.items() if name != "hash"}
    return {**made, "hash": link(made, LATER_COLUMNS)}


@pytest.mark.usefixtures("ten")
def test_an_event_recomputed_in_the_middle_is_found(database: Database) -> None:
    """Who alters an event and gives it a hash that fits it breaks the link to the next one."""
    row = rows_of(database, consent_events)[3]
    tampered(
        database,
        update(consent_events)
        .where(consent_events.c.seq == 4)
        .values(forged(row, action="refused", valid_until=None)),
    )
    assert broken_at(database) == 5


@pytest.mark.usefixtures("ten")
def test_a_forged_event_after_the_last_is_found(database: Database) -> None:
    """An event that fits the chain but was not written by the ledger is one more than the head
    counts.
    """
    last = rows_of(database, consent_events)[-1]
    tampered(
        database,
        insert(consent_events).values(
            forged(last, seq=11, previous_hash=last["hash"], idempotency_key=None)
        ),
    )
    assert broken_at(database) == 12


@pytest.mark.usefixtures("ten")
@settings(max_examples=40, deadline=None, suppress_health_check=NEVER_TOGETHER)
@given(seq=st.integers(1, 10), column=st.sampled_from(TEXTS), new=st.text("abcxyz0 é", max_size=9))
def test_any_altered_text_is_found(database: Database, seq: int, column: str, new: str) -> None:
    """Verifying finds any text of any event that is not the one written, and holds again once it is
    put back.
    """
    with database.write() as connection:
        drop_triggers(connection)
        where = consent_events.c.seq == seq
        before = connection.execute(select(consent_events.c[column]).where(where)).scalar_one()
        connection.execute(update(consent_events).where(where).values({column: new}))
    if new != before:
        assert broken_at(database) == seq
    tampered(database, update(consent_events).where(where).values({column: before}))
    assert verify(database) == 10


def test_a_value_of_another_kind_is_found(
    sqlite_database: Database, tmp_path: Path, clock: Clock
) -> None:
    """A text replaced by bytes is named like any other change."""
    ledger_of(sqlite_database, vault_of(sqlite_database, tmp_path), clock).append(said())
    tampered(sqlite_database, "UPDATE consent_events SET method = x'ff00'")
    assert broken_at(sqlite_database) == 1


@pytest.mark.usefixtures("ten")
@pytest.mark.parametrize(
    "change",
    [
        "action = 'renewed'",
        "seq = seq - 1",
        "occurred_at = '2020-01-01T00:00:00.000000Z'",
        "notice_version = '2'",
        "valid_until = NULL",
        "covers_from = NULL",
    ],
)
def test_a_state_that_the_events_do_not_amount_to_is_found(database: Database, change: str) -> None:
    """Whatever of the state is changed behind the ledger's back does not pass."""
    tampered(database, f"UPDATE consent_state SET {change} WHERE action = 'granted'")  # noqa: S608 - stands above
    assert broken_at(database) == 10


@pytest.mark.usefixtures("ten")
def test_a_state_too_many_or_too_few_is_found(database: Database) -> None:
    """A grant that no event gave, and a withdrawal that is missing from the state, do not pass."""
    granted = next(row for row in rows_of(database, consent_state) if row["action"] == "granted")
    tampered(database, insert(consent_state).values({**granted, "customer": 99}))
    assert broken_at(database) == 10
    tampered(database, "DELETE FROM consent_state WHERE customer = 99")
    assert verify(database) == 10
    tampered(database, "DELETE FROM consent_state WHERE action = 'withdrawn'")
    assert broken_at(database) == 10


COPY = f"INTO consent_events SELECT {', '.join(COLUMNS)} FROM consent_events WHERE seq = 1"  # noqa: S608 - names of columns
CHANGES = {
    "sqlite": [
        "UPDATE consent_events SET action = 'granted'",
        "DELETE FROM consent_events",
        f"INSERT OR REPLACE {COPY}",
        f"REPLACE {COPY}",
    ],
    "postgresql": [
        "UPDATE consent_events SET action = 'granted'",
        "DELETE FROM consent_events",
        "TRUNCATE consent_events",
    ],
}


@pytest.mark.usefixtures("ten")
def test_the_database_itself_refuses_changes(database: Database) -> None:
    """Neither a change nor a removal nor a replacement of events gets through, and all ten still
    hold.
    """
    for statement in CHANGES[database.engine.dialect.name]:
        with pytest.raises(DatabaseError, match="append-only"), database.write() as connection:
            connection.execute(text(statement))
    assert verify(database) == 10


@pytest.mark.parametrize("statement", CHANGES["sqlite"])
def test_another_program_cannot_change_events_either(
    sqlite_database: Database, tmp_path: Path, clock: Clock, statement: str
) -> None:
    """A plain SQLite connection with default settings is refused as well."""
    ledger_of(sqlite_database, vault_of(sqlite_database, tmp_path), clock).append(
        said(action="refused")
    )
    sqlite_database.close()
    plain = sqlite3.connect(tmp_path / "sayso.db")
    try:
        with pytest.raises(sqlite3.DatabaseError, match="append-only"):
            plain.execute(statement)
    finally:
        plain.close()


# ---- notices ----


def test_a_changed_notice_is_found(database: Database, vault: Vault, clock: Clock) -> None:
    """A text that was agreed to and says something else now, or is gone, is named with its version;
    a new version is none of that.
    """
    told = [advice("1"), advice("1", language="de", text="Rat"), advice("2")]
    ledger = ledger_of(database, vault, clock, catalog_of(["advice"], notices=told))
    ledger.append_all(
        [said(), said("bob", notice_language="de"), said("eve", "refused", notice_language="de")]
    )
    for changed in ([*told, advice("3")], [*told[:2], replace(told[2], text="nobody saw this")]):
        assert verify_ledger(database, catalog_of(["advice"], notices=changed)) == 3
    for changed in ([told[0], replace(told[1], text="Rat."), told[2]], [told[0], told[2]]):
        with pytest.raises(
            NoticeChanged, match=r"2 events rest on version '1' of the notice of `advice` \(de\)"
        ):
            verify_ledger(database, catalog_of(["advice"], notices=changed))


# ---- anchors ----


def rewritten(database: Database, keep: int = 10, **changed: Any) -> None:
    """The whole ledger written anew from its first event on, hashes, head and state included; as
    whoever has the database could.
    """
    rows = rows_of(database, consent_events)[:keep]
    previous, made = "", []
    for row in rows:
        made.append(forged(row, previous_hash=previous, **(changed if row["seq"] == 4 else {})))
        previous = made[-1]["hash"]
    state = [
        {**dict(zip(("customer", "purpose", "category"), key, strict=True)), **values}
        for key, values in fold(made).items()
    ]
    with database.write() as connection:
        drop_triggers(connection)
        connection.execute(consent_events.delete())
        connection.execute(consent_state.delete())
        connection.execute(insert(consent_events), made)
        upsert(connection, consent_state, ("customer", "purpose", "category"), state)
        connection.execute(update(ledger_head).values(seq=len(made), hash=previous))


@pytest.fixture
def anchors(database: Database, tmp_path: Path, clock: Clock) -> Anchors:
    """Anchors of the ledger."""
    make_anchor_key(tmp_path / "anchor.key")
    return Anchors(database, tmp_path / "anchor.key", clock)


@pytest.mark.usefixtures("ten")
def test_a_ledger_written_anew_is_found_by_an_anchor_alone(
    database: Database, anchors: Anchors
) -> None:
    """A rewritten ledger holds by itself, and does not contain the anchor that was taken of the one
    before.
    """
    anchor = anchors.take()
    assert verify(database, [anchor]) == 10
    rewritten(database, action="refused", valid_until=None, covers_from=None)
    assert verify(database) == 10
    assert broken_at(database, [anchor]) == 10


def test_an_anchor_names_the_first_that_does_not_fit(
    ten: Ledger, database: Database, anchors: Anchors
) -> None:
    """Of several anchors those from before the change still hold, and the first after it is where
    the ledger breaks.
    """
    before = Anchor(3, rows_of(database, consent_events)[2]["hash"], "", "", "")
    middle = Anchor(7, rows_of(database, consent_events)[6]["hash"], "", "", "")
    end = anchors.take()
    ten.append(said())
    assert verify(database, [end, before, middle]) == 11
    rewritten(database, keep=11, actor="another")
    assert verify(database, [before]) == 11
    assert broken_at(database, [end, middle, before]) == 7


@pytest.mark.usefixtures("ten")
@pytest.mark.parametrize("keep", [0, 1, 9])
def test_a_cut_tail_is_found(database: Database, anchors: Anchors, keep: int) -> None:
    """A ledger that was cut and its head turned back holds by itself, and misses what the anchor
    tells.
    """
    anchor = anchors.take()
    if keep:
        rewritten(database, keep=keep)
    else:
        tampered(
            database,
            consent_events.delete(),
            consent_state.delete(),
            update(ledger_head).values(seq=0, hash=""),
        )
    assert verify(database) == keep
    assert broken_at(database, [anchor]) == keep + 1


@pytest.mark.usefixtures("ledger")
def test_an_empty_ledger_has_an_anchor_too(database: Database, anchors: Anchors) -> None:
    """An anchor of no events holds for as long as the ledger grows."""
    assert verify(database, [anchors.take()]) == 0


def anchor_file(folder: Path, anchor: Anchor, **changed: object) -> Path:
    """An anchor as a file, with some parts of it changed."""
    file = folder / "anchor.json"
    file.write_text(json.dumps({**anchor.document(), **changed}), encoding="utf-8")
    return file


@pytest.mark.usefixtures("ten")
def test_an_anchor_comes_back_from_its_file(
    database: Database, anchors: Anchors, tmp_path: Path, clock: Clock
) -> None:
    """An anchor is read as it was taken, by a later process too, and its key is the owner's
    alone.
    """
    anchor = anchors.take()
    again = Anchors(database, tmp_path / "anchor.key", clock)
    assert again.read(anchor_file(tmp_path, anchor)) == anchor
    assert (tmp_path / "anchor.key").stat().st_mode & 0o777 == 0o600
    assert (anchor.seq, anchor.hash) == (10, rows_of(database, consent_events)[-1]["hash"])


@pytest.mark.usefixtures("ten")
@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"seq": 9}, "altered"),
        ({"hash": "0" * 64}, "altered"),
        ({"taken_at": "2020-01-01T00:00:00.000000Z"}, "altered"),
        ({"signature": "00" * 64}, "altered"),
        ({"signature": "zz"}, "is no anchor"),
        ({"public_key": "00"}, "is no anchor"),
        ({"public_key": 7}, "is no anchor"),
        ({"more": 1}, "is no anchor"),
    ],
)
def test_an_altered_anchor_is_refused(
    anchors: Anchors, tmp_path: Path, changed: dict[str, object], told: str
) -> None:
    """An anchor of which anything was changed is not believed."""
    with pytest.raises(AnchorRefused, match=told):
        anchors.read(anchor_file(tmp_path, anchors.take(), **changed))


@pytest.mark.usefixtures("ten")
def test_an_anchor_of_a_foreign_key_is_refused(
    database: Database, anchors: Anchors, tmp_path: Path, clock: Clock
) -> None:
    """Somebody else's anchor is refused though its signature fits, and so is one whose key was
    swapped for the right one.
    """
    make_anchor_key(tmp_path / "their.key")
    theirs = Anchors(database, tmp_path / "their.key", clock).take()
    with pytest.raises(AnchorRefused, match="another key"):
        anchors.read(anchor_file(tmp_path, theirs))
    with pytest.raises(AnchorRefused, match="altered"):
        anchors.read(anchor_file(tmp_path, theirs, public_key=anchors.take().public_key))


@pytest.mark.parametrize("content", [None, "", "[]", "{}", "null", "\x00", "{"])
def test_what_is_no_anchor_is_refused(
    anchors: Anchors, tmp_path: Path, content: str | None
) -> None:
    """A file that is missing, empty or something else is named."""
    file = tmp_path / "anchor.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(AnchorRefused, match=r"anchor\.json"):
        anchors.read(file)


@pytest.mark.parametrize("content", ["", "00", "no key"])
def test_a_damaged_signing_key_is_said(anchors: Anchors, tmp_path: Path, content: str) -> None:
    """Where the key file holds no key, it is named, and not made anew."""
    (tmp_path / "anchor.key").write_text(content, encoding="ascii")
    with pytest.raises(AnchorRefused, match=r"anchor\.key holds no signing key"):
        anchors.take()
    assert (tmp_path / "anchor.key").read_text(encoding="ascii") == content
