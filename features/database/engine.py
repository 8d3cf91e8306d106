"""The database: an embedded SQLite file or a PostgreSQL server behind the same SQLAlchemy Core
code.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, inspect, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from features.database.caller import CallerGone, current_caller, has_given_up
from features.database.group_commit import GroupCommit, Job, Result
from features.database.prepared import run
from features.database.sqlite_file import file_of, hold_to
from features.database.turns import WriteTurns

MIGRATIONS = Path(__file__).parents[1] / "migrations"
WAL_SAFE = ((3, 51, 3), (3, 50, 7), (3, 44, 6))
"""First SQLite releases of each line in which write-ahead logging cannot lose a commit with two
connections.
"""
WRITE_AHEAD = ("journal_mode=WAL", "synchronous=FULL")
STEPS_BETWEEN_LOOKS = 100_000
"""Instructions of SQLite's machine, about a millisecond, after which a statement looks whether
anybody still waits for it.
"""
ONE_WRITER = 0x5A150
"""PostgreSQL's lock that a transaction which writes holds to its end, as it holds the whole file in
SQLite.
"""


@dataclass(frozen=True)
class Patience:
    """How long a transaction waits, in seconds: for a connection, for a lock, and for a statement
    (None is for as long as it takes); and how many `connections` there are at most.
    """

    connect: float = 10.0
    lock: float = 30.0
    statement: float | None = None
    connections: int = 16


UNHURRIED = Patience()
"""For commands, behind which nobody waits."""


GONE = "the caller gave up before this was written"
_JOINED: ContextVar[tuple[Database, Connection] | None] = ContextVar("joined", default=None)
"""The transaction that what a thread does at the moment is part of."""


class Database:
    """Connections to the database.

    `read` sees one consistent state; `write` is all or nothing, and durable once left.
    """

    def __init__(self, url: str, patience: Patience = UNHURRIED) -> None:
        self.url = url
        self.engine = _engine(url, patience)
        self._for_reading, self._for_writing = _of_both_kinds(self.engine)
        self._for_what_is_made_anew = self._for_writing.execution_options(sayso_durable=False)
        self._patience = patience
        self._turns = WriteTurns()
        self._together = GroupCommit(self._commit)

    @classmethod
    def open(cls, url: str, patience: Patience = UNHURRIED) -> Database:
        """The database at `url`, brought to the newest schema."""
        database = cls(url, patience)
        database.migrate()
        return database

    def migrate(self, revision: str = "head") -> None:
        """Bring the schema to `revision`, keeping what is stored."""
        self._begin()
        if revision == "head" and self._revisions() == [newest_revision()]:
            return
        from alembic import command, config  # noqa: PLC0415 - 9 MB that a worker can spare

        settings = config.Config()
        settings.set_main_option("script_location", str(MIGRATIONS))
        with self.write() as connection:
            settings.attributes["connection"] = connection
            command.upgrade(settings, revision)

    def shrink(self) -> None:
        """Give back the room of what was removed, so that no bytes of it stay in a SQLite file;
        PostgreSQL does so by itself.
        """
        if self.engine.dialect.name != "sqlite":
            return
        self.engine.dispose()
        with closing(
            _sqlite_module().connect(self.engine.url.database, isolation_level=None)
        ) as file:
            file.execute("VACUUM")
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _revisions(self) -> list[str]:
        """What Alembic noted last; nothing in a database that is new."""
        with self.read() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return []
            noted = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
            return [row.version_num for row in noted]

    def _begin(self) -> None:
        """Make the file of a SQLite database that is not there yet; only here, as any other time it
        would be one that is lost.
        """
        if self.engine.dialect.name == "sqlite" and (file := file_of(self.engine.url)):
            file.touch(mode=0o600)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads, and sees the same state throughout."""
        if (joined := self._joined()) is not None:
            yield joined
            return
        with self._for_reading.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """A transaction that writes.

        What can be made anew at any time need not be `durable`: then a machine that loses its power
        right after may lose it, and nothing else.

        There is one at a time, from its first moment, so that what it reads cannot change under it.

        Raises `CallerGone`, and writes nothing, where the caller gave up meanwhile, and
        `DatabaseBusy` where others write for too long.
        """
        if (joined := self._joined()) is not None:
            with joined.begin_nested():
                yield joined
            return
        caller, committed = current_caller(), False
        urgent = caller is not None and caller.urgent
        try:
            with self._writing(urgent=urgent, durable=durable) as connection:
                yield connection
                if has_given_up():
                    raise CallerGone(GONE)
            committed = True
        finally:
            if caller is not None:
                caller.settle(committed=committed)

    def write_together(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` gives, in a transaction that writes and may be shared with what other threads
        write at the same time; durable once this returns.

        Raises what `work` raises, of which nothing is written then, and what `write` raises.
        """
        if self._joined() is not None:
            with self.write() as connection:
                return work(connection)
        return self._together.run(work)

    @contextmanager
    def joined(self) -> Iterator[Connection]:
        """A transaction that writes, as `write`, of which everything is a part that the block does
        with this database in its thread.
        """
        with self.write() as connection:
            token = _JOINED.set((self, connection))
            try:
                yield connection
            finally:
                _JOINED.reset(token)

    def _joined(self) -> Connection | None:
        at_hand = _JOINED.get()
        return at_hand[1] if at_hand is not None and at_hand[0] is self else None

    def _commit(self, jobs: list[Job]) -> None:
        """Do all jobs in one transaction.

        Where one of them fails, each is done in one of its own; where the database does, all have
        failed.
        """
        begun = False
        try:
            with self._writing() as connection:
                begun = True
                for job in jobs:
                    job.do(connection)
                if any(job.is_unwanted for job in jobs):
                    raise CallerGone(GONE)
        except Exception as error:  # noqa: BLE001 - each who waits raises it
            for job in jobs:
                job.settle(committed=False)
            if begun and len(jobs) > 1 and not isinstance(error, DBAPIError):
                for job in jobs:
                    self._commit([job])
            else:
                for job in jobs:
                    job.error = error
        else:
            for job in jobs:
                job.settle(committed=True)

    @contextmanager
    def _writing(self, *, urgent: bool = False, durable: bool = True) -> Iterator[Connection]:
        engine = self._for_writing if durable else self._for_what_is_made_anew
        with (
            self._turns.take(self._patience.lock, urgent=urgent),
            engine.connect() as connection,
            connection.begin(),
        ):
            yield connection

    def scrub(self) -> None:
        """Have deleted content leave the files, as far as others who are reading let it."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if self.engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            else:
                connection.exec_driver_sql("SET statement_timeout = 0")
                connection.exec_driver_sql("VACUUM")

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def newest_revision() -> str:
    """The newest revision of the schema, as the names of the migrations' files tell it."""
    return max(file.name.split("_")[1] for file in (MIGRATIONS / "versions").glob("rev_*.py"))


def insert_missing(
    connection: Connection, table: Table, keys: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Put `rows` into `table`, but for those whose `keys` are there already."""
    connection.execute(
        _dialect(connection).insert(table).on_conflict_do_nothing(index_elements=list(keys)), rows
    )


def upsert(
    connection: Connection, table: Table, keys: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Put `rows` into `table`, in place of those with the same `keys`."""
    statement = _dialect(connection).insert(table)
    others = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column.name not in keys
    }
    connection.execute(
        statement.on_conflict_do_update(index_elements=list(keys), set_=others), rows
    )


def _of_both_kinds(engine: Engine) -> tuple[Engine, Engine]:
    """The same engine for transactions that only read, which see one state throughout, and for
    those that write.
    """
    sees_one_state = (
        {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    )
    return engine.execution_options(**sees_one_state), engine.execution_options(sayso_write=True)


def _dialect(connection: Connection) -> Any:
    return postgresql if connection.dialect.name == "postgresql" else sqlite


def _engine(url: str, patience: Patience) -> Engine:
    return (
        _sqlite_engine(url, patience)
        if make_url(url).get_backend_name() == "sqlite"
        else _postgresql_engine(url, patience)
    )


def _pool(patience: Patience) -> dict[str, Any]:
    """A pool that never grows beyond its connections, and does not let anybody wait for long."""
    return {
        "pool_size": patience.connections,
        "max_overflow": 0,
        "pool_timeout": patience.lock,
        "pool_use_lifo": True,
    }


def _postgresql_engine(url: str, patience: Patience) -> Engine:
    stated = make_url(url).query.get("options", "")
    options = f"{stated} -c lock_timeout={int(patience.lock * 1_000)}".lstrip()
    if patience.statement is not None:
        options += f" -c statement_timeout={int(patience.statement * 1_000)}"
    engine = create_engine(
        url,
        pool_pre_ping=True,
        connect_args={"connect_timeout": max(1, round(patience.connect)), "options": options},
        **_pool(patience),
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("sayso_write", False):
            if not options.get("sayso_durable", True):
                run(connection, "SET LOCAL synchronous_commit = off")
            run(connection, f"SELECT pg_advisory_xact_lock({ONE_WRITER})")

    return engine


def _sqlite_engine(url: str, patience: Patience) -> Engine:
    module = _sqlite_module()
    pool = _pool(patience) if file_of(make_url(url)) else {}
    engine = create_engine(
        url,
        module=module,
        connect_args={"timeout": patience.lock, "check_same_thread": False},
        **pool,
    )
    journal = _journal(module.sqlite_version_info)
    strict = journal[1]
    # Only in write-ahead logging does a commit that is not waited for harm no other one.
    relaxed = "synchronous=NORMAL" if journal == WRITE_AHEAD else None
    if file := file_of(engine.url):
        hold_to(engine, file)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = (
            None  # the driver's own BEGIN comes too late; ours is sent below
        )
        # SQLite has no timeout for statements: one is broken off once its caller has given up
        connection.set_progress_handler(has_given_up, STEPS_BETWEEN_LOOKS)
        for pragma in (*journal, "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        writes = options.get("sayso_write", False)
        if writes and relaxed is not None:
            run(connection, f"PRAGMA {strict if options.get('sayso_durable', True) else relaxed}")
        run(connection, "BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _sqlite_module() -> ModuleType:
    """The newer SQLite where its wheel exists for this platform, else Python's own."""
    try:
        import pysqlite3  # noqa: PLC0415 - absent on platforms without a wheel, so its import may fail
    except ImportError:
        return sqlite3
    return pysqlite3  # type: ignore[no-any-return]  # the wheel carries no types


def _journal(version: tuple[int, int, int]) -> tuple[str, ...]:
    """Settings under which an acknowledged commit survives a crash with this version of SQLite.

    Write-ahead logging is quicker; versions that can lose a commit in it (3.7.0 to 3.51.2 but for
    the fixed releases of older lines) keep the rollback journal.
    """
    safe = version >= WAL_SAFE[0] or any(
        fixed[:2] == version[:2] and version >= fixed for fixed in WAL_SAFE[1:]
    )
    return WRITE_AHEAD if safe else ("journal_mode=DELETE", "synchronous=EXTRA")
