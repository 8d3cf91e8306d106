"""The database: one schema on SQLite and PostgreSQL, and transactions that are all or nothing."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, insert, inspect, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from features.database.engine import Database, _journal, _sqlite_module
from features.database.sqlite_file import DatabaseGone
from features.database.tables import api_keys, customers, ledger_head, metadata

ROW = {"customer": 1, "external_id": "ann"}


def count(database: Database) -> int:
    """How many customers the database knows."""
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(customers)).scalar_one())


def test_migrations_give_the_schema_of_the_tables(database_url: str) -> None:
    """After the migrations nothing is left that a comparison with `features.database.tables` would
    change.
    """
    database = Database.open(database_url)
    with database.read() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
        assert connection.execute(select(ledger_head)).one() == (1, 0, "")
    database.close()


def test_migrating_again_keeps_what_is_stored(database_url: str) -> None:
    """Opening a database a second time changes neither its schema nor its rows."""
    first = Database.open(database_url)
    with first.write() as connection:
        connection.execute(insert(customers), ROW)
    first.close()
    second = Database.open(database_url)
    assert count(second) == 1
    second.close()


def test_a_database_is_untouched_until_it_is_opened(tmp_path: Path) -> None:
    """Naming a database makes no file; one that is gone is not begun anew in silence."""
    database = Database(f"sqlite:///{tmp_path / 'sayso.db'}")
    with pytest.raises(DatabaseGone, match="put it back"):
        inspect(database.engine)
    assert list(tmp_path.iterdir()) == []
    database.close()


def test_a_connection_follows_the_file_and_not_what_was_moved_away(
    sqlite_database: Database, tmp_path: Path
) -> None:
    """With the file moved away nothing is read or committed; once it is back, everything goes
    on.
    """
    file, away = tmp_path / "sayso.db", tmp_path / "elsewhere"
    assert count(sqlite_database) == 0

    def write_while_it_is_moved() -> None:
        with sqlite_database.write() as connection:
            connection.execute(insert(customers), ROW)
            file.rename(away)

    with pytest.raises(DatabaseGone, match="not committed"):
        write_while_it_is_moved()
    with pytest.raises(DatabaseGone):
        count(sqlite_database)
    away.rename(file)
    assert count(sqlite_database) == 0


def test_a_write_is_all_or_nothing(database: Database) -> None:
    """When the second of two statements fails, the first is undone too."""

    def write_twice() -> None:
        with database.write() as connection:
            connection.execute(insert(customers), ROW)
            connection.execute(insert(customers), ROW)

    with pytest.raises(IntegrityError):
        write_twice()
    assert count(database) == 0


def test_an_exception_of_the_caller_undoes_the_write(database: Database) -> None:
    """An error that has nothing to do with the database undoes the transaction as well."""

    def fail() -> None:
        with database.write() as connection:
            connection.execute(insert(customers), ROW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert count(database) == 0


def test_what_was_written_is_there_after_reopening(database_url: str) -> None:
    """A committed row is read by the next process."""
    database = Database.open(database_url)
    with database.write() as connection:
        connection.execute(insert(customers), ROW)
    database.close()
    again = Database(database_url)
    assert count(again) == 1
    again.close()


def test_a_write_in_progress_is_seen_by_nobody(database: Database) -> None:
    """Other connections see the rows of a transaction once it is committed, and not before."""
    with database.write() as connection:
        connection.execute(insert(customers), ROW)
        assert count(database) == 0
    assert count(database) == 1


def read_twice(database: Database) -> tuple[int, int]:
    """How many customers a reader counts before and after another connection adds one."""
    query = select(func.count()).select_from(customers)
    with database.read() as connection:
        before = connection.execute(query).scalar_one()
        writer = threading.Thread(target=add_one, args=(database,))
        writer.start()
        writer.join()
        return before, connection.execute(query).scalar_one()


def add_one(database: Database) -> None:
    """Commit one more customer."""
    with database.write() as connection:
        connection.execute(insert(customers), ROW)


def test_a_reader_sees_one_state_on_sqlite(sqlite_database: Database) -> None:
    """What is committed while a SQLite transaction reads does not appear in it."""
    assert read_twice(sqlite_database) == (0, 0)
    assert count(sqlite_database) == 1


def test_a_reader_sees_one_state_on_postgresql(postgres_database: Database) -> None:
    """What is committed while a PostgreSQL transaction reads does not appear in it."""
    assert read_twice(postgres_database) == (0, 0)


def test_two_writers_take_turns(database: Database) -> None:
    """Twenty threads that each read a locked row and write it back plus one reach twenty."""

    def add() -> None:
        with database.write() as connection:
            seen = connection.execute(select(ledger_head.c.seq).with_for_update()).scalar_one()
            connection.execute(update(ledger_head).values(seq=seen + 1))

    threads = [threading.Thread(target=add) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert connection.execute(select(ledger_head.c.seq)).scalar_one() == 20


def test_a_reader_cannot_write_over_a_writer_in_sqlite(sqlite_database: Database) -> None:
    """Within a write the lock is held from the beginning, before anything was read."""
    with sqlite_database.write(), sqlite_database.engine.connect() as other:
        other.exec_driver_sql("PRAGMA busy_timeout = 0")
        with pytest.raises(OperationalError, match="locked"):
            other.exec_driver_sql("INSERT INTO customers VALUES (2, 'bob')")


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        ((3, 40, 1), "DELETE"),
        ((3, 44, 5), "DELETE"),
        ((3, 44, 6), "WAL"),
        ((3, 45, 0), "DELETE"),
        ((3, 50, 6), "DELETE"),
        ((3, 50, 7), "WAL"),
        ((3, 51, 2), "DELETE"),
        ((3, 51, 3), "WAL"),
        ((3, 53, 4), "WAL"),
        ((4, 0, 0), "WAL"),
    ],
)
def test_only_safe_versions_of_sqlite_log_ahead(version: tuple[int, int, int], mode: str) -> None:
    """Releases that can lose a commit in write-ahead logging keep the rollback journal, and each
    syncs as its journal needs.
    """
    assert _journal(version) == (
        f"journal_mode={mode}",
        "synchronous=FULL" if mode == "WAL" else "synchronous=EXTRA",
    )


def test_every_connection_has_its_settings(sqlite_database: Database) -> None:
    """Journal, syncing and secure deletion hold on each of several connections."""
    mode, syncing = (
        setting.partition("=")[2] for setting in _journal(_sqlite_module().sqlite_version_info)
    )
    connections = [sqlite_database.engine.connect() for _ in range(3)]
    names = ("journal_mode", "synchronous", "secure_delete")
    seen = [
        tuple(one.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names)
        for one in connections
    ]
    for one in connections:
        one.close()
    assert seen == [(mode.lower(), {"FULL": 2, "EXTRA": 3}[syncing], 1)] * 3


def test_a_number_of_62_bits_fits(database: Database) -> None:
    """A pseudonym of the largest size comes back as it was."""
    largest = 2**62 - 1
    with database.write() as connection:
        connection.execute(insert(customers), {"customer": largest, "external_id": "ann"})
    with database.read() as connection:
        assert connection.execute(select(customers.c.customer)).scalar_one() == largest


def test_two_keys_with_one_digest_are_refused(database: Database) -> None:
    """The schema's unique constraints hold in both kinds of database."""
    row = {"digest": "d", "scopes": "", "created_at": "2024"}
    with database.write() as connection:
        connection.execute(insert(api_keys), {"id": "a", **row})
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(insert(api_keys), {"id": "b", **row})


def test_what_a_writer_reads_does_not_change_under_it(database: Database) -> None:
    """Between two looks of one who writes nobody else writes, in either kind of database."""
    begun = threading.Event()

    def other() -> None:
        begun.set()
        with database.write() as connection:
            connection.execute(insert(customers), ROW)

    with database.write() as connection:
        connection.execute(select(func.count()).select_from(customers)).scalar_one()
        late = threading.Thread(target=other)
        late.start()
        begun.wait()
        late.join(0.3)
        assert late.is_alive()
        assert connection.execute(select(func.count()).select_from(customers)).scalar_one() == 0
    late.join()
    assert count(database) == 1


def test_what_is_joined_is_one_transaction(database: Database) -> None:
    """What a block does with the database is part of its transaction: it sees what it wrote, what
    failed within it alone is undone, and nobody sees any of it before its end.
    """
    key = {"id": "k", "digest": "-", "scopes": "", "created_at": "-"}

    def count() -> int:
        with database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(customers)).scalar_one())

    def write(customer: int) -> None:
        row = {"customer": customer, "external_id": str(customer)}
        with database.write() as connection:
            connection.execute(insert(customers).values(**row))

    def broken() -> None:
        with database.joined():
            write(72)
            raise ZeroDivisionError

    before, seen = count(), []
    with database.joined():
        write(71)
        with pytest.raises(IntegrityError):
            write(71)
        database.write_together(lambda connection: connection.execute(insert(api_keys), key))
        other = threading.Thread(target=lambda: seen.append(count()))
        other.start()
        other.join()
        assert count() == before + 1
    assert (seen, count()) == ([before], before + 1)
    with pytest.raises(ZeroDivisionError):
        broken()
    assert count() == before + 1
