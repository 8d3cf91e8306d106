"""The consent ledger: what customers said, in order, each with what it rests on, and refused where
it breaks a rule.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

import features.consent.ledger
from features.clock import Clock
from features.consent.event import ACTIONS, CLOCKS_DIFFER
from features.consent.ledger import Ledger
from features.consent.verification import verify_ledger
from features.customers.master_keys import MasterKeys
from features.customers.pseudonyms import Customers
from features.customers.vault import Vault
from features.database.engine import Database
from features.database.tables import (
    consent_events,
    consent_state,
    customers,
    evidence,
    ledger_head,
    payload_keys,
)
from features.errors import ConsentError
from tests.made_up_consents import (
    CATEGORIES,
    NOON,
    PURPOSES,
    Moments,
    advice,
    catalog_of,
    granting,
    ledger_of,
    pseudonym_of,
    rows_of,
    said,
    tampered,
    vault_of,
)

SECRET_KEY = "order 4711 of ann@example.com"  # noqa: S105 - what a shop might put into a key


def verify(database: Database) -> int:
    """How many events of the ledger hold."""
    return verify_ledger(database, catalog_of())


# ---- one event ----


def test_events_are_kept_as_they_were_said(
    ledger: Ledger, database: Database, clock: Clock
) -> None:
    """A customer's history holds every event with its method, notice, actor and times in UTC,
    oldest first.
    """
    ledger.append(said(occurred_at="2024-01-01T10:00:00+02:00", actor="clerk"))
    ledger.append(said(action="withdrawn", notice_version=None))
    ledger.append(said("bob"))
    first, second = ledger.history(pseudonym_of(database, "ann"))
    assert (first["occurred_at"], first["actor"], first["method"]) == (
        "2024-01-01T08:00:00.000000Z",
        "clerk",
        "web_form",
    )
    assert (second["action"], second["notice_version"]) == ("withdrawn", None)
    assert second["occurred_at"] == second["received_at"] == f"{clock():%Y-%m-%dT%H:%M:%S.%fZ}"


def test_the_very_text_that_was_shown_is_recorded(database: Database, vault: Vault) -> None:
    """An event carries the notice's id, language and SHA-256: of the language named, else of the
    one declared first.
    """
    german = replace(advice("1", language="de", text="Rat"), id="advice-de")
    ledger = ledger_of(
        database,
        vault,
        Moments(),
        catalog_of(["advice"], notices=[advice("1", text="Advice"), german]),
    )
    for language in (None, "en", "de"):
        ledger.append(said(notice_language=language))
    ledger.append(said(action="withdrawn", notice_version=None))
    rows = [
        tuple(row[name] for name in ("notice", "notice_language", "notice_digest"))
        for row in rows_of(database, consent_events)
    ]
    english = ("advice", "en", hashlib.sha256(b"Advice").hexdigest())
    assert rows == [
        english,
        english,
        ("advice-de", "de", hashlib.sha256(b"Rat").hexdigest()),
        (None, None, None),
    ]


def test_a_language_that_the_notice_does_not_have_is_refused(ledger: Ledger) -> None:
    """A grant under a text that was never published in that language names the field."""
    with pytest.raises(ConsentError, match=r"version '1'.*'fr'") as error:
        ledger.append(said(notice_language="fr"))
    assert error.value.field == "notice_language"


FAULTS = {
    "purpose": said(purpose="gossip"),
    "category": said(category="dreams"),
    "action": said(action="maybe"),
    "notice_version": said(notice_version="3"),
    "notice_version of a grant": said(notice_version=None),
    "notice_version of a renewal": said(action="renewed", notice_version=None),
    "method": said(method=""),
    "occurred_at": said(occurred_at="yesterday"),
    "valid_until": said(valid_until="soon"),
    "evidence": said(evidence="a\x00b"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_refused_event_leaves_nothing(ledger: Ledger, database: Database, fault: str) -> None:
    """One faulty event in a batch names its field, and not one row of the whole batch is
    written.
    """
    ledger.append(said(evidence="form 1"))
    tables = (consent_events, consent_state, customers, ledger_head, evidence, payload_keys)
    before = [rows_of(database, table) for table in tables]
    with pytest.raises(ConsentError) as error:
        ledger.append_all([said("bob", evidence="form 2"), said(action="withdrawn"), FAULTS[fault]])
    assert error.value.field == fault.split(maxsplit=1)[0]
    assert [rows_of(database, table) for table in tables] == before
    assert verify(database) == 1


def test_a_message_names_what_was_found_and_what_is_known(ledger: Ledger) -> None:
    """The message of a refusal holds the value that was sent and those that exist."""
    with pytest.raises(ConsentError, match=r"'gossip'.*`advice`, `forecast`"):
        ledger.append(FAULTS["purpose"])
    with pytest.raises(ConsentError, match=r"'dreams'.*'advice'.*`purchases`, `location`, `times`"):
        ledger.append(FAULTS["category"])
    with pytest.raises(
        ConsentError, match=f"'maybe'.*{', '.join(f'`{action}`' for action in ACTIONS)}"
    ):
        ledger.append(FAULTS["action"])


def test_a_fault_while_writing_leaves_nothing(
    ledger: Ledger, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When writing fails at the third event, none of the batch is in the ledger."""
    links = iter(["1", "2"])
    monkeypatch.setattr(features.consent.ledger, "link", lambda *_arguments: next(links))
    with pytest.raises(RuntimeError, match="StopIteration"):
        ledger.append_all([said("ann"), said("bob"), said("eve")])
    assert (
        rows_of(database, consent_events)
        == rows_of(database, consent_state)
        == rows_of(database, customers)
        == []
    )
    assert verify(database) == 0


@pytest.mark.parametrize("field", ["occurred_at", "valid_until"])
def test_a_moment_out_of_range_is_refused(ledger: Ledger, field: str) -> None:
    """A moment that lies before the first year once it is in UTC names its field."""
    with pytest.raises(ConsentError) as error:
        ledger.append(replace(said(), **{field: "0001-01-01T00:00:00+05:00"}))
    assert error.value.field == field


@pytest.mark.parametrize("action", ["granted", "withdrawn"])
def test_an_event_of_the_future_is_refused(database: Database, vault: Vault, action: str) -> None:
    """A client's clock may be ahead by a day, which is recorded as our own moment; an event beyond
    that names its field.
    """
    ledger = ledger_of(database, vault, Moments(NOON))
    ledger.append(said(action=action, occurred_at=(NOON + CLOCKS_DIFFER).isoformat()))
    with pytest.raises(ConsentError, match="future") as error:
        ledger.append(
            said(
                action=action,
                occurred_at=(NOON + CLOCKS_DIFFER + timedelta(microseconds=1)).isoformat(),
            )
        )
    assert error.value.field == "occurred_at"
    (row,) = rows_of(database, consent_events)
    assert row["occurred_at"] == row["received_at"] == "2024-06-01T12:00:00.000000Z"


@pytest.mark.parametrize(
    ("field", "longest"),
    [("method", 128), ("actor", 64), ("idempotency_key", 128), ("evidence", 4_000)],
)
def test_a_text_that_does_not_fit_is_refused(ledger: Ledger, field: str, longest: int) -> None:
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


# ---- keys and evidence ----


def test_an_older_event_sent_again_does_not_undo_a_withdrawal(
    ledger: Ledger, database: Database, clock: Clock
) -> None:
    """A grant that is delivered a second time under its idempotency key after the withdrawal
    changes nothing.
    """
    first = ledger.append(said(idempotency_key="form-1"))
    ledger.append(said(action="withdrawn"))
    again = ledger.append(said(idempotency_key="form-1"))
    assert (again.seq, again.hash, again.repeated) == (first.seq, first.hash, True)
    assert granting(database, clock) == frozenset()
    assert ledger.position() == verify(database) == 2


def test_a_key_counts_once_within_a_batch(ledger: Ledger, database: Database) -> None:
    """The same event twice in one call is written once, and both receipts name it."""
    receipts = ledger.append_all(
        [said(idempotency_key="k"), said("bob"), said(idempotency_key="k")]
    )
    assert [receipt.seq for receipt in receipts] == [1, 2, 1]
    assert [receipt.repeated for receipt in receipts] == [False, False, True]
    assert verify(database) == 2


@pytest.mark.parametrize(
    "other",
    [said("bob"), said(action="withdrawn"), said(category="times"), said(notice_version="2")],
)
def test_a_key_of_another_statement_is_refused(ledger: Ledger, other: Any) -> None:
    """An event under a key that already stands for something else is not acknowledged."""
    ledger.append(said(idempotency_key="k"))
    with pytest.raises(ConsentError) as error:
        ledger.append(replace(other, idempotency_key="k"))
    assert error.value.field == "idempotency_key"


def test_an_empty_key_is_refused(ledger: Ledger) -> None:
    """An empty idempotency key names its field."""
    with pytest.raises(ConsentError) as error:
        ledger.append(said(idempotency_key=""))
    assert error.value.field == "idempotency_key"


def test_a_key_and_evidence_stand_nowhere_in_plain_text(tmp_path: Path, clock: Clock) -> None:
    """What a shop puts into keys and evidence is in no file of the database, and a key's tag is
    another one elsewhere.
    """
    tags = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        database = Database.open(f"sqlite:///{folder / 'sayso.db'}")
        ledger_of(database, vault_of(database, folder), clock).append(
            said(idempotency_key=SECRET_KEY, evidence="signature of Ann Bell")
        )
        tags.append(rows_of(database, consent_events)[0]["idempotency_key"])
        database.close()
        for file in folder.iterdir():
            assert SECRET_KEY.encode() not in file.read_bytes()
            assert b"Ann Bell" not in file.read_bytes()
    assert len(set(tags)) == 2
    assert hashlib.sha256(SECRET_KEY.encode()).hexdigest() not in tags


def test_evidence_is_sealed_and_its_digest_stands_in_the_chain(
    ledger: Ledger, database: Database, vault: Vault
) -> None:
    """Evidence opens with its customer's key alone, for its own event alone; the event carries the
    digest of what was sealed.
    """
    ledger.append_all([said(), said("bob", evidence="form 2"), said(evidence="form 3")])
    kept = rows_of(database, evidence)
    assert [row["seq"] for row in kept] == [2, 3]
    digests = [row["evidence_digest"] for row in rows_of(database, consent_events)]
    assert digests == [None, *(hashlib.sha256(row["content"]).hexdigest() for row in kept)]
    with database.read() as connection:
        opened = [
            vault.opened(connection, row["customer"], row["content"], f"evidence:{row['seq']}")
            for row in kept
        ]
    assert opened == [b"form 2", b"form 3"]


def test_the_chain_holds_when_evidence_and_key_are_deleted(
    ledger: Ledger, database: Database, vault: Vault
) -> None:
    """A ledger without its evidence verifies as before, and goes on, with a new key where that was
    destroyed too.
    """
    ledger.append(said(evidence="form 1"))
    tampered(database, evidence.delete())
    assert verify(database) == 1
    with database.write() as connection:
        vault.destroy(connection, pseudonym_of(database, "ann"))
    assert verify(database) == 1
    ledger.append(said(action="withdrawn", evidence="form 2"))
    assert verify(database) == 2


def test_evidence_of_a_repeated_event_is_not_kept_twice(ledger: Ledger, database: Database) -> None:
    """An event that is there already adds no evidence."""
    event = said(idempotency_key="k", evidence="form 1")
    ledger.append_all([event, event])
    ledger.append(event)
    assert len(rows_of(database, evidence)) == 1


# ---- many events ----


def test_the_ledger_outlives_its_process(database_url: str, tmp_path: Path, clock: Clock) -> None:
    """After closing and opening again the events, the state, the chain and the idempotency keys are
    there.
    """
    first = Database.open(database_url)
    receipt = ledger_of(first, vault_of(first, tmp_path), clock).append_all(
        [said(idempotency_key="k"), said("bob", "refused")]
    )[0]
    first.close()
    second = Database.open(database_url)
    ledger = ledger_of(second, vault_of(second, tmp_path), clock)
    assert verify(second) == 2
    assert granting(second, clock) == {"purchases"}
    assert ledger.append(said(idempotency_key="k")) == replace(receipt, repeated=True)
    second.close()


def test_a_batch_larger_than_one_statement_is_one_chain(
    sqlite_database: Database, masters: MasterKeys, clock: Clock
) -> None:
    """More events than are written at a time form one chain, and a key of the first part counts in
    the last.
    """
    ledger = ledger_of(sqlite_database, Vault(sqlite_database, masters), clock)
    many = [
        said(f"c{n % 700}", ACTIONS[n % 3], idempotency_key=f"k{n}")
        for n in (*range(5_100), *range(100))
    ]
    receipts = ledger.append_all(many)
    assert sum(receipt.repeated for receipt in receipts) == 100
    assert verify(sqlite_database) == 5_100


def test_unknown_customers_are_made_known_by_their_consent(
    ledger: Ledger, database: Database, vault: Vault
) -> None:
    """Somebody may consent before the first order, and is the same customer afterwards."""
    ledger.append(said("newcomer"))
    assert Customers(database, vault).find("newcomer") == pseudonym_of(database, "newcomer")


def test_concurrent_appends_form_one_chain(ledger: Ledger, database: Database) -> None:
    """Events from eight threads stand in one unbroken chain, each with its own number, and the
    state is their fold.
    """

    def speak(thread: int) -> list[int]:
        spoken = [
            said(
                f"c{(thread + n) % 5}",
                ACTIONS[(thread * n) % len(ACTIONS)],
                evidence=f"{thread} {n}",
            )
            for n in range(12)
        ]
        return [ledger.append(event).seq for event in spoken]

    with ThreadPoolExecutor(8) as pool:
        numbers = [seq for seqs in pool.map(speak, range(8)) for seq in seqs]
    assert sorted(numbers) == list(range(1, 97))
    assert verify(database) == 96


def test_the_same_key_from_many_threads_is_written_once(ledger: Ledger, database: Database) -> None:
    """Of eight concurrent deliveries of one event, one is new and seven are told that it is
    there.
    """
    with ThreadPoolExecutor(8) as pool:
        receipts = list(
            pool.map(lambda _: ledger.append(said(idempotency_key="k", evidence="e")), range(8))
        )
    assert {receipt.seq for receipt in receipts} == {1}
    assert sum(receipt.repeated for receipt in receipts) == 7
    assert verify(database) == len(rows_of(database, evidence)) == 1


def test_received_times_follow_the_order_of_the_ledger(
    database: Database, vault: Vault, ticking_clock: Callable[[], datetime]
) -> None:
    """With a clock that goes on, events are stamped in the order in which they stand."""
    ledger = ledger_of(database, vault, ticking_clock)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: ledger.append(said(f"c{n}")), range(20)))
    stamped = [row["received_at"] for row in rows_of(database, consent_events)]
    assert stamped == sorted(stamped)


def test_a_catalog_asks_for_every_category(ledger: Ledger, database: Database) -> None:
    """Every purpose and category of the catalog can be spoken about, and each stands on its own."""
    ledger.append_all(
        [
            said(purpose=purpose, category=category)
            for purpose in PURPOSES
            for category in CATEGORIES
        ]
    )
    with database.read() as connection:
        assert len(connection.execute(select(consent_state)).all()) == len(PURPOSES) * len(
            CATEGORIES
        )
