"""The consent ledger: what customers said, in order, unaltered and obeyed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Executable, insert, select, text, update
from sqlalchemy.exc import DatabaseError

from features.catalog import Catalog, Category, Field, Notice, Purpose
from features.clock import Clock
from features.consent import ACTIONS, GRANTED, UNKNOWN, ConsentEvent, Ledger, fold, granted_to, link
from features.customers import Customers
from features.database import Database
from features.errors import ConsentError, LedgerBroken
from features.tables import consent_events, consent_state, customers, ledger_head

PURPOSES = ("advice", "forecast")
CATEGORIES = ("purchases", "location", "times")
NEVER_TOGETHER = [HealthCheck.function_scoped_fixture]
WHOLE_NUMBERS = {"seq", "customer"}


def catalog_of(purposes: Sequence[str] = PURPOSES, categories: Sequence[str] = CATEGORIES) -> Catalog:
    """A catalog in which every category is asked for every purpose."""
    fields = [Field("transactions", name, name, frozenset(purposes), "ordinary", "orders", 10, name) for name in categories]
    return Catalog(
        fields={field.name: field for field in fields},
        categories={name: Category(name, name, name) for name in categories},
        purposes={name: Purpose(name, name, name) for name in purposes},
        notices=tuple(Notice(name, version, "en", f"{name} {version}") for name in purposes for version in ("1", "2")),
    )


def said(customer: str = "ann", action: str = GRANTED, purpose: str = "advice", category: str = "purchases", **others: Any) -> ConsentEvent:
    """One thing that a customer said."""
    return ConsentEvent(customer, purpose, category, action, "web_form", "1", **others)


@pytest.fixture
def ledger(database: Database, clock: Clock) -> Ledger:
    """An empty ledger, once in each kind of database."""
    return Ledger(database, catalog_of(), clock)


def grants(database: Database, customer: str, purpose: str = "advice") -> frozenset[str]:
    """What a customer of the shop grants now."""
    pseudonym = Customers(database).find(customer)
    assert pseudonym is not None
    with database.read() as connection:
        return granted_to(connection, pseudonym, purpose)


def rows_of(database: Database, table: Any) -> list[dict[str, Any]]:
    """All rows of a table."""
    with database.read() as connection:
        return [dict(row) for row in connection.execute(select(table)).mappings()]


events = st.lists(
    st.builds(
        said,
        customer=st.sampled_from(["ann", "bob", "çelik"]),
        action=st.sampled_from(ACTIONS),
        purpose=st.sampled_from(PURPOSES),
        category=st.sampled_from(CATEGORIES),
    ),
    max_size=12,
)


@settings(max_examples=15, deadline=None, suppress_health_check=NEVER_TOGETHER)
@given(batches=st.lists(events, max_size=3))
def test_the_state_is_the_fold_of_all_events(ledger: Ledger, database: Database, batches: list[list[ConsentEvent]]) -> None:
    """After any sequence of events the stored state is what the events of the ledger amount to."""
    before = ledger.position()
    for batch in batches:
        ledger.append_all(batch)
    stored = {(row["customer"], row["purpose"], row["category"]): row["action"] for row in rows_of(database, consent_state)}
    assert stored == fold(rows_of(database, consent_events))
    assert ledger.position() == ledger.verify() == before + sum(map(len, batches))


@settings(max_examples=15, deadline=None, suppress_health_check=NEVER_TOGETHER)
@given(batch=events)
def test_only_the_newest_word_counts(ledger: Ledger, database: Database, batch: list[ConsentEvent]) -> None:
    """A category is granted exactly when the last event about it is a grant, in `granted`, `granted_to` and `state` alike."""
    everyone = ("ann", "bob", "çelik")
    ledger.append_all([said(name, "withdrawn", purpose, category) for name in everyone for purpose in PURPOSES for category in CATEGORIES])
    ledger.append_all(batch)
    newest = {(event.customer_id, event.purpose, event.category): event.action for event in batch}
    allowed = {key for key, action in newest.items() if action == GRANTED}
    for name in everyone:
        pseudonym = Customers(database).find(name)
        assert pseudonym is not None
        assert {(name, row["purpose"], row["category"]) for row in ledger.state(pseudonym) if row["action"] == GRANTED} == {
            key for key in allowed if key[0] == name
        }
        for purpose in PURPOSES:
            wanted = {category for customer, what_for, category in allowed if (customer, what_for) == (name, purpose)}
            table = ledger.granted(purpose)
            assert set(table.loc[table["customer"] == pseudonym, "category"]) == grants(database, name, purpose) == wanted


def test_unknown_is_no(ledger: Ledger, database: Database) -> None:
    """Who was never asked, and what was never asked of somebody, is granted nowhere and stands as unknown."""
    ledger.append(said("ann", "refused", category="location"))
    stranger = int(Customers(database).assign(ledger.granted("advice")["category"].reindex([0]).fillna("bob")).iloc[0])
    ann = Customers(database).find("ann")
    assert ann is not None
    assert ledger.granted("advice").empty
    assert grants(database, "ann") == grants(database, "bob") == frozenset()
    assert {row["action"] for row in ledger.state(stranger)} == {UNKNOWN}
    assert [row["action"] for row in ledger.state(ann) if row["purpose"] == "advice"] == [UNKNOWN, "refused", UNKNOWN]


def test_a_grant_delivered_late_does_not_undo_a_withdrawal(ledger: Ledger, database: Database) -> None:
    """The order of the ledger decides and not the customer's clock, in whichever batch the events arrive."""
    ledger.append(said(occurred_at="2024-01-01T10:00:00Z"))
    ledger.append(said(action="withdrawn", occurred_at="2024-03-01T10:00:00Z"))
    assert grants(database, "ann") == frozenset()
    ledger.append(said(occurred_at="2024-02-01T10:00:00Z", idempotency_key="late"))
    ledger.append_all([said(action="withdrawn", occurred_at="2023-01-01T00:00:00Z"), said("bob")])
    assert grants(database, "ann") == frozenset()
    assert grants(database, "bob") == {"purchases"}


def test_an_older_event_sent_again_does_not_undo_a_withdrawal(ledger: Ledger, database: Database) -> None:
    """A grant that is delivered a second time under its idempotency key after the withdrawal changes nothing."""
    first = ledger.append(said(idempotency_key="form-1"))
    ledger.append(said(action="withdrawn"))
    again = ledger.append(said(idempotency_key="form-1"))
    assert (again.seq, again.hash, again.repeated) == (first.seq, first.hash, True)
    assert grants(database, "ann") == frozenset()
    assert ledger.position() == ledger.verify() == 2


def test_a_key_counts_once_within_a_batch(ledger: Ledger) -> None:
    """The same event twice in one call is written once, and both receipts name it."""
    receipts = ledger.append_all([said(idempotency_key="k"), said("bob"), said(idempotency_key="k")])
    assert [receipt.seq for receipt in receipts] == [1, 2, 1]
    assert [receipt.repeated for receipt in receipts] == [False, False, True]
    assert ledger.verify() == 2


def test_a_key_of_another_statement_is_refused(ledger: Ledger) -> None:
    """A withdrawal under a key that already stands for a grant is not acknowledged."""
    ledger.append(said(idempotency_key="k"))
    with pytest.raises(ConsentError) as error:
        ledger.append(said("bob", "withdrawn", idempotency_key="k"))
    assert error.value.field == "idempotency_key"


def test_an_empty_key_is_no_key_or_refused(ledger: Ledger) -> None:
    """Two events with an empty idempotency key are both written, or the first is refused with its field."""
    try:
        ledger.append(said(idempotency_key=""))
    except ConsentError as error:
        assert error.field == "idempotency_key"  # noqa: PT017 - refusing is one of two right answers
    else:
        assert ledger.append(said("bob", idempotency_key="")).seq == 2


FAULTS = {
    "purpose": replace(said(), purpose="gossip"),
    "category": replace(said(), category="dreams"),
    "action": replace(said(), action="maybe"),
    "notice_version": replace(said(), notice_version="3"),
    "notice_version of a grant": replace(said(), notice_version=None),
    "method": replace(said(), method=""),
    "occurred_at": replace(said(), occurred_at="yesterday"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_refused_event_leaves_nothing(ledger: Ledger, database: Database, fault: str) -> None:
    """One faulty event in a batch names its field, and not one row of the whole batch is written."""
    ledger.append(said())
    tables = (consent_events, consent_state, customers, ledger_head)
    before = [rows_of(database, table) for table in tables]
    with pytest.raises(ConsentError) as error:
        ledger.append_all([said("bob"), said(action="withdrawn"), FAULTS[fault]])
    assert error.value.field == fault.split(maxsplit=1)[0]
    assert [rows_of(database, table) for table in tables] == before
    assert ledger.verify() == 1


def test_a_message_names_what_was_found_and_what_is_known(ledger: Ledger) -> None:
    """The message of a refusal holds the value that was sent and those that exist."""
    with pytest.raises(ConsentError, match=r"'gossip'.*`advice`, `forecast`"):
        ledger.append(FAULTS["purpose"])
    with pytest.raises(ConsentError, match=r"'dreams'.*'advice'.*`purchases`, `location`, `times`"):
        ledger.append(FAULTS["category"])


def test_a_fault_while_writing_leaves_nothing(database: Database) -> None:
    """When the clock fails at the third event, none of the batch is in the ledger."""
    moments = iter([datetime(2024, 1, 1), datetime(2024, 1, 2)])  # noqa: DTZ001 - taken as UTC
    ledger = Ledger(database, catalog_of(), moments.__next__)
    with pytest.raises(StopIteration):
        ledger.append_all([said("ann"), said("bob"), said("eve")])
    assert rows_of(database, consent_events) == rows_of(database, consent_state) == rows_of(database, customers) == []
    assert ledger.verify() == 0


def test_a_moment_out_of_range_is_refused(ledger: Ledger) -> None:
    """A moment that lies before the first year once it is in UTC names its field."""
    with pytest.raises(ConsentError) as error:
        ledger.append(said(occurred_at="0001-01-01T00:00:00+05:00"))
    assert error.value.field == "occurred_at"


@pytest.mark.parametrize(("field", "longest"), [("method", 128), ("actor", 64), ("idempotency_key", 128)])
def test_a_text_that_does_not_fit_its_column_is_refused(ledger: Ledger, field: str, longest: int) -> None:
    """A text longer than the ledger holds names its field."""
    ledger.append(replace(said(), **{field: "x" * longest}))
    with pytest.raises(ConsentError) as error:
        ledger.append(replace(said(), **{field: "x" * (longest + 1)}))
    assert error.value.field == field


@pytest.mark.parametrize("customer", ["", "a\x00b"])
def test_an_id_that_is_none_is_refused(ledger: Ledger, customer: str) -> None:
    """An empty id and one with a null byte name the field."""
    with pytest.raises(ConsentError) as error:
        ledger.append(said(customer))
    assert error.value.field == "customer_id"


def test_events_are_kept_as_they_were_said(ledger: Ledger, database: Database, clock: Clock) -> None:
    """A customer's history holds every event with its method, notice, actor and times in UTC, oldest first."""
    ledger.append(said(occurred_at="2024-01-01T10:00:00+02:00", actor="clerk"))
    ledger.append(replace(said(action="withdrawn"), notice_version=None))
    ledger.append(said("bob"))
    ann = Customers(database).find("ann")
    assert ann is not None
    first, second = ledger.history(ann)
    assert (first["occurred_at"], first["actor"], first["method"]) == ("2024-01-01T08:00:00.000000Z", "clerk", "web_form")
    assert (second["action"], second["notice_version"]) == ("withdrawn", None)
    assert second["occurred_at"] == second["received_at"] == f"{clock():%Y-%m-%dT%H:%M:%S.%fZ}"


def test_the_ledger_outlives_its_process(database_url: str, clock: Clock) -> None:
    """After closing and opening again the events, the state, the chain and the idempotency keys are there."""
    first = Database.open(database_url)
    receipt = Ledger(first, catalog_of(), clock).append_all([said(idempotency_key="k"), said("bob", "refused")])[0]
    first.close()
    second = Database.open(database_url)
    ledger = Ledger(second, catalog_of(), clock)
    assert ledger.verify() == 2
    assert grants(second, "ann") == {"purchases"}
    assert ledger.append(said(idempotency_key="k")) == replace(receipt, repeated=True)
    second.close()


def test_a_batch_larger_than_one_statement_is_one_chain(tmp_path: Path, clock: Clock) -> None:
    """More events than are written at a time form one chain, and a key of the first part counts in the last."""
    database = Database.open(f"sqlite:///{tmp_path / 'sayso.db'}")
    ledger = Ledger(database, catalog_of(), clock)
    many = [said(f"c{n % 700}", ACTIONS[n % 3], idempotency_key=f"k{n}") for n in (*range(5_100), *range(100))]
    receipts = ledger.append_all(many)
    assert sum(receipt.repeated for receipt in receipts) == 100
    assert ledger.verify() == 5_100
    database.close()


# ---- what must not be possible ----


def drop_triggers(connection: Connection) -> None:
    """Take away what refuses changes, as somebody with access to the database could."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("DROP TRIGGER IF EXISTS consent_events_append_only ON consent_events"))
        return
    for trigger in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all():
        connection.execute(text(f"DROP TRIGGER {trigger}"))


def tampered(database: Database, *statements: str | Executable) -> None:
    """Run statements on the ledger with its triggers gone."""
    with database.write() as connection:
        drop_triggers(connection)
        for statement in statements:
            connection.execute(text(statement) if isinstance(statement, str) else statement)


@pytest.fixture
def ten(ledger: Ledger) -> Ledger:
    """A ledger of ten events."""
    ledger.append_all([said(f"c{n % 4}", ACTIONS[n % 3], PURPOSES[n % 2], CATEGORIES[n % 3], idempotency_key=f"k{n}") for n in range(10)])
    assert ledger.verify() == 10
    return ledger


def test_an_altered_value_is_found(ten: Ledger, database: Database) -> None:
    """Whichever column of an event is changed, verifying names that event, and holds again once it is put back."""
    for column in consent_events.columns:
        event = consent_events.c.seq == (99 if column.name == "seq" else 4)
        with database.read() as connection:
            before = connection.execute(select(column).where(consent_events.c.seq == 4)).scalar_one()
        other = 99 if column.name in WHOLE_NUMBERS else "x"
        tampered(database, update(consent_events).where(consent_events.c.seq == 4).values({column: other}))
        with pytest.raises(LedgerBroken) as error:
            ten.verify()
        assert error.value.seq == 4
        tampered(database, update(consent_events).where(event).values({column: before}))
        assert ten.verify() == 10


TAMPERED: dict[str, tuple[int, list[str | Executable]]] = {
    "first removed": (1, ["DELETE FROM consent_events WHERE seq = 1"]),
    "middle removed": (5, ["DELETE FROM consent_events WHERE seq = 5"]),
    "last removed": (10, ["DELETE FROM consent_events WHERE seq = 10"]),
    "all removed": (1, ["DELETE FROM consent_events"]),
    "middle removed and the rest moved up": (
        5,
        [
            "DELETE FROM consent_events WHERE seq = 5",
            *(update(consent_events).where(consent_events.c.seq == n).values(seq=n - 1) for n in range(6, 11)),
        ],
    ),
    "two swapped": (
        3,
        [
            "UPDATE consent_events SET seq = 99 WHERE seq = 3",
            "UPDATE consent_events SET seq = 3 WHERE seq = 7",
            "UPDATE consent_events SET seq = 7 WHERE seq = 99",
        ],
    ),
    "one inserted at the end": (
        11,
        [
            (
                "INSERT INTO consent_events SELECT 11, customer, purpose, category, 'granted', notice_version, method, actor, occurred_at, "
                "received_at, 'new', (SELECT hash FROM consent_events WHERE seq = 10), hash FROM consent_events WHERE seq = 2"
            ),
        ],
    ),
    "one inserted before the first": (
        1,
        [
            (
                "INSERT INTO consent_events SELECT 0, customer, purpose, category, 'granted', notice_version, method, actor, occurred_at, "
                "received_at, 'new', '', hash FROM consent_events WHERE seq = 2"
            ),
        ],
    ),
    "a key taken away": (2, ["UPDATE consent_events SET idempotency_key = NULL WHERE seq = 2"]),
    "the head turned back": (11, ["UPDATE ledger_head SET seq = 9"]),
    "the head's hash replaced": (11, ["UPDATE ledger_head SET hash = 'x'"]),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_rows_removed_inserted_or_moved_are_found(ten: Ledger, database: Database, how: str) -> None:
    """Verifying names the first event that does not fit."""
    expected, statements = TAMPERED[how]
    tampered(database, *statements)
    with pytest.raises(LedgerBroken) as error:
        ten.verify()
    assert error.value.seq == expected


def test_an_event_recomputed_in_the_middle_is_found(ten: Ledger, database: Database) -> None:
    """Who alters an event and gives it a hash that fits it breaks the link to the next one."""
    with database.write() as connection:
        drop_triggers(connection)
        row = dict(connection.execute(select(consent_events).where(consent_events.c.seq == 4)).mappings().one())
        row.pop("hash")
        row["action"] = "refused"
        forged = {**row, "hash": link(row)}
        connection.execute(update(consent_events).where(consent_events.c.seq == 4).values(**forged))
    with pytest.raises(LedgerBroken) as error:
        ten.verify()
    assert error.value.seq == 5


def test_a_forged_event_after_the_last_is_found(ten: Ledger, database: Database) -> None:
    """An event that fits the chain but was not written by the ledger is one more than the head counts."""
    with database.write() as connection:
        row = dict(connection.execute(select(consent_events).where(consent_events.c.seq == 10)).mappings().one())
        row = {**row, "seq": 11, "action": "granted", "previous_hash": row.pop("hash"), "idempotency_key": None}
        connection.execute(insert(consent_events), {**row, "hash": link(row)})
    with pytest.raises(LedgerBroken):
        ten.verify()


@settings(max_examples=40, deadline=None, suppress_health_check=NEVER_TOGETHER)
@given(
    seq=st.integers(1, 10),
    column=st.sampled_from([c.name for c in consent_events.columns if c.name not in WHOLE_NUMBERS]),
    new=st.text("abcxyz0 é", max_size=9),
)
def test_any_altered_text_is_found(ten: Ledger, database: Database, seq: int, column: str, new: str) -> None:
    """Verifying finds any text of any event that is not the one written, and holds again once it is put back."""
    with database.write() as connection:
        drop_triggers(connection)
        where = consent_events.c.seq == seq
        before = connection.execute(select(consent_events.c[column]).where(where)).scalar_one()
        connection.execute(update(consent_events).where(where).values({column: new}))
    if new == before:
        assert ten.verify() == 10
    else:
        with pytest.raises(LedgerBroken):
            ten.verify()
    with database.write() as connection:
        connection.execute(update(consent_events).where(where).values({column: before}))
    assert ten.verify() == 10


def test_a_value_of_another_kind_is_found(tmp_path: Path, clock: Clock) -> None:
    """A text replaced by bytes is named like any other change."""
    database = Database.open(f"sqlite:///{tmp_path / 'sayso.db'}")
    ledger = Ledger(database, catalog_of(), clock)
    ledger.append(said())
    tampered(database, "UPDATE consent_events SET method = x'ff00'")
    with pytest.raises(LedgerBroken):
        ledger.verify()
    database.close()


def test_a_missing_head_is_found(ten: Ledger, database: Database) -> None:
    """A ledger whose head row was removed does not hold."""
    tampered(database, "DELETE FROM ledger_head")
    with pytest.raises(LedgerBroken):
        ten.verify()


def test_a_state_that_the_events_do_not_amount_to_is_found(ten: Ledger, database: Database) -> None:
    """A refusal turned into a grant behind the ledger's back does not pass."""
    tampered(database, "UPDATE consent_state SET action = 'granted'")
    with pytest.raises(LedgerBroken):
        ten.verify()


COPY = (
    "INTO consent_events SELECT seq, customer, purpose, category, 'granted', notice_version, method, actor, occurred_at, received_at, "
    "idempotency_key, previous_hash, hash FROM consent_events WHERE seq = 1"
)
CHANGES = {
    "sqlite": [
        "UPDATE consent_events SET action = 'granted'",
        "DELETE FROM consent_events",
        f"INSERT OR REPLACE {COPY}",
        f"REPLACE {COPY}",
    ],
    "postgresql": ["UPDATE consent_events SET action = 'granted'", "DELETE FROM consent_events", "TRUNCATE consent_events"],
}


def test_the_database_itself_refuses_changes(ten: Ledger, database: Database) -> None:
    """Neither a change nor a removal nor a replacement of events gets through, and all ten still hold."""
    for statement in CHANGES[database.engine.dialect.name]:
        with pytest.raises(DatabaseError, match="append-only"), database.write() as connection:
            connection.execute(text(statement))
    assert ten.verify() == 10


@pytest.mark.parametrize(
    "statement",
    CHANGES["sqlite"],
)
def test_another_program_cannot_change_events_either(tmp_path: Path, clock: Clock, statement: str) -> None:
    """A plain SQLite connection with default settings is refused as well."""
    file = tmp_path / "sayso.db"
    database = Database.open(f"sqlite:///{file}")
    Ledger(database, catalog_of(), clock).append(said(action="refused"))
    database.close()
    plain = sqlite3.connect(file)
    try:
        with pytest.raises(sqlite3.DatabaseError, match="append-only"):
            plain.execute(statement)
    finally:
        plain.close()


# ---- many at once ----


def test_concurrent_appends_form_one_chain(ledger: Ledger, database: Database) -> None:
    """Events from eight threads stand in one unbroken chain, each with its own number, and the state is their fold."""

    def speak(thread: int) -> list[int]:
        return [ledger.append(said(f"c{(thread + n) % 5}", ACTIONS[(thread * n) % 3])).seq for n in range(12)]

    with ThreadPoolExecutor(8) as pool:
        numbers = [seq for seqs in pool.map(speak, range(8)) for seq in seqs]
    assert sorted(numbers) == list(range(1, 97))
    assert ledger.verify() == 96
    assert {(row["customer"], row["purpose"], row["category"]): row["action"] for row in rows_of(database, consent_state)} == fold(
        rows_of(database, consent_events)
    )


def test_the_same_key_from_many_threads_is_written_once(ledger: Ledger) -> None:
    """Of eight concurrent deliveries of one event, one is new and seven are told that it is there."""
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda _: ledger.append(said(idempotency_key="k")), range(8)))
    assert {receipt.seq for receipt in receipts} == {1}
    assert sum(receipt.repeated for receipt in receipts) == 7
    assert ledger.verify() == 1


def test_received_times_follow_the_order_of_the_ledger(database: Database, ticking_clock: Callable[[], datetime]) -> None:
    """With a clock that goes on, events are stamped in the order in which they stand."""
    ledger = Ledger(database, catalog_of(), ticking_clock)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: ledger.append(said(f"c{n}")), range(20)))
    stamped = [row["received_at"] for row in sorted(rows_of(database, consent_events), key=lambda row: row["seq"])]
    assert stamped == sorted(stamped)
