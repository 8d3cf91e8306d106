"""The record of decisions: sealed, chained, and honest about what can no longer be read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Executable, insert, literal, select, text, update

from features.consent.chain import link
from features.customers.vault import Vault
from features.database.engine import Database
from features.database.tables import decision_head, decisions
from features.errors import LedgerBroken, NotFound
from serving.decisions.record import Decision, DecisionDamaged, read, record, verify_decisions
from tests.first_revision import ANN, BOB, database_of_first_revision, fill, old_decision
from tests.made_up_consents import rows_of, vault_of

COLUMNS = [column.name for column in decisions.columns]
WHEN = "2024-06-01T12:00:00.000000Z"


def decision(number: int, customer: int | None = ANN) -> Decision:
    """A decision about a customer."""
    answer = f'{{"decision_id":"dec_{number}","said":"Zqx-Canary {number}"}}'
    return Decision(
        f"dec_{number}", customer, "test", WHEN, number, "churn", "3", f'{{"n":{number}}}', answer
    )


def write(database: Database, vault: Vault, *made: Decision) -> None:
    """Record decisions, each in a transaction of its own."""
    for one in made:
        with database.write() as connection:
            record(connection, vault, [one])


@pytest.fixture
def five(database: Database, vault: Vault) -> Database:
    """A database of five decisions, about two customers and somebody unknown."""
    write(
        database, vault, *(decision(number, (ANN, BOB, None)[number % 3]) for number in range(1, 6))
    )
    assert verified(database) == 5
    return database


def verified(database: Database) -> int:
    """How many decisions hold."""
    with database.read() as connection:
        return verify_decisions(connection)


def broken_at(database: Database) -> int:
    """The decision that verifying names as the first that does not fit."""
    with pytest.raises(LedgerBroken) as error:
        verified(database)
    return error.value.seq


def found(database: Database, vault: Vault, number: int) -> Decision:
    """A decision as it is read."""
    with database.read() as connection:
        return read(connection, vault, f"dec_{number}")


def tampered(database: Database, *statements: str | Executable) -> None:
    """Change the records behind the service's back."""
    with database.write() as connection:
        for statement in statements:
            connection.execute(text(statement) if isinstance(statement, str) else statement)


# ---- what is written ----


def test_a_decision_is_read_as_it_was_written(five: Database, vault: Vault) -> None:
    """Every part of a decision comes back, with its place in the chain, for somebody unknown too;
    one that is not there is not found.
    """
    for number in range(1, 6):
        one = found(five, vault, number)
        assert replace(one, hash="") == decision(number, (ANN, BOB, None)[number % 3])
        assert one.hash == rows_of(five, decisions)[number - 1]["hash"]
        assert one.document() == {"decision_id": f"dec_{number}", "said": f"Zqx-Canary {number}"}
    with pytest.raises(NotFound):
        found(five, vault, 6)


def test_decisions_are_sealed(five: Database) -> None:
    """What was said and what it was made from stand nowhere in plain text."""
    for row in rows_of(five, decisions):
        assert b"Canary" not in row["content"]
        assert b'"n"' not in row["content"]
        assert row["content_digest"] == hashlib.sha256(row["content"]).hexdigest()


def test_a_write_that_is_undone_leaves_the_chain_as_it_was(five: Database, vault: Vault) -> None:
    """A fault after a decision was recorded takes it back, and the next one joins where the last
    one stood.
    """

    def fail() -> None:
        with five.write() as connection:
            record(connection, vault, [decision(6)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    write(five, vault, decision(7))
    assert [row["id"] for row in rows_of(five, decisions)][-1] == "dec_7"
    assert verified(five) == 6


def test_decisions_of_many_at_once_form_one_chain(database: Database, vault: Vault) -> None:
    """Decisions about few customers from eight threads stand in one unbroken chain."""
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(lambda number: write(database, vault, decision(number, number % 3)), range(48))
        )
    assert verified(database) == 48
    assert all(
        found(database, vault, number).document()["said"] == f"Zqx-Canary {number}"
        for number in range(48)
    )


# ---- what is done to it ----


def test_an_altered_value_is_found(five: Database, vault: Vault) -> None:
    """Whichever column of a decision is changed, verifying names it, reading says so, and both are
    well once it is put back.
    """
    for column in decisions.columns:
        before = rows_of(five, decisions)[2][column.name]
        other: Any = {"seq": 99, "customer": 77, "ledger_seq": 77, "content": b"\x01x"}.get(
            column.name, "x"
        )
        where = decisions.c.seq == 3
        tampered(five, update(decisions).where(where).values({column.name: other}))
        assert broken_at(five) == 3
        if column.name != "id":
            one = found(five, vault, 3)
            assert not one.intact
            with pytest.raises(DecisionDamaged, match="changed"):
                one.document()
        tampered(
            five,
            update(decisions)
            .where(decisions.c.seq == 99 if column.name == "seq" else where)
            .values({column.name: before}),
        )
        assert verified(five) == 5
        assert found(five, vault, 3).intact


def copied(seq: int, /, **changed: Any) -> Executable:
    """A statement that inserts a copy of a decision with some columns changed."""
    columns = [
        literal(changed[name]).label(name) if name in changed else decisions.c[name]
        for name in COLUMNS
    ]
    return insert(decisions).from_select(COLUMNS, select(*columns).where(decisions.c.seq == seq))


def moved(seq: int, to: int) -> Executable:
    """A statement that gives a decision another place."""
    return update(decisions).where(decisions.c.seq == seq).values(seq=to)


TAMPERED: dict[str, tuple[int, list[str | Executable]]] = {
    "first removed": (1, ["DELETE FROM decisions WHERE seq = 1"]),
    "middle removed": (3, ["DELETE FROM decisions WHERE seq = 3"]),
    "last removed": (5, ["DELETE FROM decisions WHERE seq = 5"]),
    "all removed": (1, ["DELETE FROM decisions"]),
    "middle removed and the rest moved up": (
        3,
        ["DELETE FROM decisions WHERE seq = 3", moved(4, 3), moved(5, 4)],
    ),
    "two swapped": (2, [moved(2, 99), moved(4, 2), moved(99, 4)]),
    "contents swapped": (
        1,
        [
            (
                "UPDATE decisions SET content = (SELECT content FROM decisions AS other WHERE"
                " other.seq = 4) WHERE seq = 1"
            )
        ],
    ),
    "one inserted at the end": (6, [copied(2, seq=6, id="dec_x")]),
    "one inserted before the first": (1, [copied(2, seq=0, id="dec_x", previous_hash="")]),
    "the head turned back": (6, ["UPDATE decision_head SET seq = 4"]),
    "the head's hash replaced": (6, ["UPDATE decision_head SET hash = 'x'"]),
    "the head removed": (6, ["DELETE FROM decision_head"]),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_decisions_removed_inserted_or_moved_are_found(five: Database, how: str) -> None:
    """Verifying names the first decision that does not fit."""
    expected, statements = TAMPERED[how]
    tampered(five, *statements)
    assert broken_at(five) == expected


def test_a_decision_recomputed_in_the_middle_is_found(five: Database) -> None:
    """Who alters a decision and gives it a hash that fits it breaks the link to the next one."""
    row = {
        name: value
        for name, value in rows_of(five, decisions)[2].items()
        if name not in ("hash", "content")
    } | {"kind": "other"}
    tampered(
        five, update(decisions).where(decisions.c.seq == 3).values(kind="other", hash=link(row))
    )
    assert broken_at(five) == 4


# ---- what is forgotten ----


def test_a_deleted_content_leaves_the_chain_whole(five: Database, vault: Vault) -> None:
    """A decision whose content was deleted verifies, is intact, and says that its content is gone;
    the others are read as before.
    """
    tampered(five, "UPDATE decisions SET content = NULL WHERE seq IN (2, 4)")
    assert verified(five) == 5
    one = found(five, vault, 2)
    assert (one.intact, one.inputs, one.answer) == (True, "", "")
    with pytest.raises(DecisionDamaged, match="deleted"):
        one.document()
    assert found(five, vault, 3).document()
    write(five, vault, decision(6))
    assert verified(five) == 6


def test_a_destroyed_key_leaves_the_chain_whole(five: Database, vault: Vault) -> None:
    """All decisions about a customer whose key was destroyed are gone and verify; those about
    others are read as before.
    """
    with five.write() as connection:
        vault.destroy(connection, BOB)
    assert verified(five) == 5
    for number in range(1, 6):
        one = found(five, vault, number)
        assert one.intact
        if one.customer == BOB:
            with pytest.raises(DecisionDamaged, match="deleted"):
                one.document()
        else:
            assert one.document()


# ---- decisions of the first revision ----

OLD = [
    old_decision("dec_b", BOB, "2024-03-02"),
    old_decision("dec_a", ANN, "2024-03-01"),
    old_decision("dec_c", None, "2024-03-02"),
]


@pytest.fixture
def upgraded(database_url: str) -> Iterator[Database]:
    """A database with decisions of the first revision, one of which had been altered, at the newest
    schema.
    """
    old = database_of_first_revision(database_url)
    altered = old_decision(
        "dec_x", ANN, "2024-02-01", answer='{"decision_id":"dec_x","said":"something else"}'
    )
    fill(old, "decisions", *OLD, altered)
    new = Database.open(database_url)
    yield new
    old.close()
    new.close()


def test_decisions_of_before_are_read_and_chained(upgraded: Database, tmp_path: Any) -> None:
    """Decisions of the first revision stand in the chain in the order in which they were made, can
    be read, and new ones follow.
    """
    vault = vault_of(upgraded, tmp_path)
    assert [row["id"] for row in rows_of(upgraded, decisions)][-3:] == ["dec_a", "dec_b", "dec_c"]
    for old in OLD:
        with upgraded.read() as connection:
            one = read(connection, vault, old["id"])
        assert {name: getattr(one, name) for name in old if name != "digest"} == {
            name: old[name] for name in old if name != "digest"
        }
        assert one.document()["said"] == "schön"
    write(upgraded, vault, decision(1))
    assert rows_of(upgraded, decision_head)[0]["seq"] == 5
    assert verified(upgraded) == 5


def test_an_upgrade_does_not_make_an_altered_decision_good(
    upgraded: Database, tmp_path: Any
) -> None:
    """A decision that did not fit its digest before the upgrade is not shown after it as if it
    did.
    """
    with upgraded.read() as connection, pytest.raises(DecisionDamaged):
        read(connection, vault_of(upgraded, tmp_path), "dec_x").document()


def test_old_content_in_plain_bytes_can_be_deleted(upgraded: Database, tmp_path: Any) -> None:
    """What the first revision kept unsealed is gone once its content is, and the chain holds."""
    tampered(upgraded, "UPDATE decisions SET content = NULL")
    assert verified(upgraded) == 4
    with upgraded.read() as connection, pytest.raises(DecisionDamaged):
        read(connection, vault_of(upgraded, tmp_path), "dec_a").document()
