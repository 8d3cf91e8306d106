"""A database of the first revision goes on under the newest: nothing is lost, and nothing is in
force that should not be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from features.clock import Clock
from features.consent.verification import verify_ledger
from features.database.engine import Database
from features.database.tables import (
    api_keys,
    consent_events,
    consent_state,
    customers,
    online_features,
    opt_outs,
)
from features.errors import ConsentError
from features.shop.consent_import import _once
from tests.first_revision import (
    ANN,
    BOB,
    EVE,
    FEBRUARY,
    JANUARY,
    MARCH,
    SPOKEN,
    database_of_first_revision,
    fill,
    old_ledger,
)
from tests.made_up_consents import catalog_of, granting, ledger_of, rows_of, said, vault_of

Upgraded = Callable[..., Database]


@pytest.fixture
def upgraded(database_url: str) -> Iterator[Upgraded]:
    """Makes a database of the first revision with these events in its ledger, and brings it to the
    newest schema.
    """
    opened = []

    def make(
        *spoken: tuple[Any, ...], before: Callable[[Database], None] = lambda _: None
    ) -> Database:
        old = database_of_first_revision(database_url)
        opened.append(old)
        if spoken:
            old_ledger(old, *spoken)
        before(old)
        opened.append(Database.open(database_url))
        return opened[-1]

    yield make
    for database in opened:
        database.close()


def test_the_ledger_holds_after_the_upgrade(upgraded: Upgraded) -> None:
    """Every event is there with its hash, the chain and the state verify, and what withheld
    withholds.
    """
    database = upgraded(*SPOKEN)
    assert verify_ledger(database, catalog_of()) == len(SPOKEN)
    state = {(row["customer"], row["category"]): row for row in rows_of(database, consent_state)}
    assert {key: row["action"] for key, row in state.items()} == {
        (ANN, "purchases"): "granted",
        (ANN, "times"): "granted",
        (BOB, "purchases"): "withdrawn",
        (EVE, "location"): "refused",
    }
    assert (state[ANN, "times"]["occurred_at"], state[ANN, "times"]["notice_version"]) == (
        JANUARY,
        "2",
    )


def test_grants_from_before_are_in_force(upgraded: Upgraded, clock: Clock) -> None:
    """Who granted under the first revision grants still, and who withdrew does not."""
    database = upgraded(*SPOKEN)
    assert granting(database, clock, "ann") == {"purchases", "times"}
    assert (
        granting(database, clock, "bob")
        == granting(database, clock, "eve", "forecast")
        == frozenset()
    )


def test_a_late_grant_of_before_is_not_in_force(upgraded: Upgraded, clock: Clock) -> None:
    """A grant that the first revision let undo a later withdrawal no longer does, and the ledger
    verifies.
    """
    told = (
        (ANN, "advice", "purchases", "withdrawn", None, MARCH, None),
        (ANN, "advice", "purchases", "granted", "1", FEBRUARY, None),
    )
    database = upgraded(*told)
    assert granting(database, clock, "ann") == frozenset()
    assert verify_ledger(database, catalog_of()) == 2


def test_new_events_join_the_old_chain(upgraded: Upgraded, tmp_path: Path, clock: Clock) -> None:
    """Events of all kinds are appended behind the old ones, and obeyed."""
    database = upgraded(*SPOKEN)
    ledger = ledger_of(database, vault_of(database, tmp_path), clock)
    told = [
        said(action="withdrawn"),
        said("bob", evidence="form 3"),
        said(action="renewed", category="times", valid_until="2025-01-01"),
        said("new"),
    ]
    assert [receipt.seq for receipt in ledger.append_all(told)] == [6, 7, 8, 9]
    assert verify_ledger(database, catalog_of()) == 9
    assert (
        rows_of(database, consent_events)[5]["previous_hash"]
        == rows_of(database, consent_events)[4]["hash"]
    )
    assert granting(database, clock, "ann") == {"times"}
    assert granting(database, clock, "bob") == granting(database, clock, "new") == {"purchases"}


def test_a_key_of_before_is_recognised(upgraded: Upgraded, tmp_path: Path, clock: Clock) -> None:
    """An event sent again under the key that it had then is not written twice, also among new ones;
    another statement is refused.
    """
    database = upgraded(*SPOKEN)
    ledger = ledger_of(database, vault_of(database, tmp_path), clock)
    hashes = [row["hash"] for row in rows_of(database, consent_events)]
    receipts = ledger.append_all(
        [
            said(idempotency_key="form-1"),
            said("new", idempotency_key="k"),
            said(idempotency_key="form-1"),
        ]
    )
    assert [(receipt.seq, receipt.repeated) for receipt in receipts] == [
        (1, True),
        (6, False),
        (1, True),
    ]
    assert receipts[0].hash == hashes[0]
    again = ledger.append(
        said("eve", "refused", "forecast", "location", idempotency_key="zoë's form")
    )
    assert (again.seq, again.repeated) == (5, True)
    with pytest.raises(ConsentError) as error:
        ledger.append(said("bob", "withdrawn", idempotency_key="form-1"))
    assert error.value.field == "idempotency_key"
    assert verify_ledger(database, catalog_of()) == 6


def test_a_file_of_before_imported_again_adds_nothing(
    upgraded: Upgraded, tmp_path: Path, clock: Clock
) -> None:
    """The key that a file's row was given then is the one that it is given now."""
    said_then = (str(ANN), "advice", "purchases", "granted", "1", JANUARY)
    key = "file:" + hashlib.sha256("\n".join(said_then).encode()).hexdigest()
    database = upgraded((ANN, "advice", "purchases", "granted", "1", JANUARY, key))
    receipt = ledger_of(database, vault_of(database, tmp_path), clock).append(
        _once(said(occurred_at=JANUARY), ANN)
    )
    assert (receipt.seq, receipt.repeated) == (1, True)


def test_the_upgraded_ledger_refuses_changes(upgraded: Upgraded) -> None:
    """The triggers are there after the upgrade."""
    database = upgraded(*SPOKEN)
    for statement in ("UPDATE consent_events SET notice = 'x'", "DELETE FROM consent_events"):
        with pytest.raises(DatabaseError, match="append-only"), database.write() as connection:
            connection.execute(text(statement))


def test_everything_else_is_kept(upgraded: Upgraded) -> None:
    """Customers, opt-outs and keys of callers are those of before, to the letter."""
    opt_out = {
        "id": "opt_1",
        "customer": ANN,
        "scope": "brand",
        "value": "Zoë",
        "until": None,
        "created_at": MARCH,
    }
    caller = {
        "id": "key_1",
        "digest": "d",
        "scopes": "all",
        "created_at": MARCH,
        "revoked_at": None,
    }

    def before(old: Database) -> None:
        fill(old, "opt_outs", opt_out)
        fill(old, "api_keys", caller)

    database = upgraded(*SPOKEN, before=before)
    assert [row | opt_out for row in rows_of(database, opt_outs)] == rows_of(database, opt_outs)
    assert [row | caller for row in rows_of(database, api_keys)] == rows_of(database, api_keys)
    assert {row["customer"]: row["external_id"] for row in rows_of(database, customers)} == {
        ANN: "ann",
        BOB: "bob",
        EVE: "eve",
    }


def test_features_prepared_before_are_not_read(upgraded: Upgraded) -> None:
    """Rows that lay in the database in plain bytes are gone: they are made anew, and sealed."""
    row = {
        "customer": ANN,
        "purpose": "advice",
        "as_of": MARCH,
        "layout": "x",
        "content": b"\x00\x00\x00\x00canary",
    }
    database = upgraded(*SPOKEN, before=lambda old: fill(old, "online_features", row))
    assert rows_of(database, online_features) == []


def test_an_empty_database_is_upgraded_too(
    upgraded: Upgraded, tmp_path: Path, clock: Clock
) -> None:
    """A ledger without events is one after the upgrade, and takes its first."""
    database = upgraded()
    assert ledger_of(database, vault_of(database, tmp_path), clock).append(said()).seq == 1
    assert verify_ledger(database, catalog_of()) == 1
