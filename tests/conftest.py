"""What tests share: a ready workspace of a made-up shop, and databases of both kinds."""

from __future__ import annotations

import gc
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from psycopg import ClientCursor
from sqlalchemy import create_engine, event, text
from xdist.scheduler.loadscope import Producer

from features.clock import Clock
from features.consent.ledger import Ledger
from features.customers.master_keys import MasterKeys
from features.customers.vault import Vault
from features.database.engine import Database
from features.database.sqlite_file import file_of
from features.intake.ingest import ingest
from features.intake.setup.new_workspace import create
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.operations.moving import migrate
from serving.proofs.stage import postgres
from serving.proofs.stage.proof import CannotProve
from tests.made_once import made_once
from tests.made_up_consents import catalog_of
from tests.schedule import LoadServedTogether, asks_the_service
from tests.synthetic_shop import END, consents, write_orders

# As the command line does, before LightGBM is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Each worker has a processor of its own, and matrices are small.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# A busy machine is no fault: services that tests start wait for as long as the tests do.
os.environ.setdefault("SAYSO_ANSWER_SECONDS", "60")
os.environ.setdefault("SAYSO_DATABASE_SECONDS", "30")
# Nor for generated examples; the limit of each test is pytest's.
settings.register_profile("unhurried", deadline=None, max_examples=40)
settings.load_profile("unhurried")
SQLITE, POSTGRESQL = KINDS = ("sqlite", "postgresql")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that share the service, which one worker gets, then those marked
    `early`, then those of many tests: else a worker ends on a long one while the others have
    nothing.
    """
    tests = Counter(item.path for item in items)

    def turn(item: pytest.Item) -> tuple[int, int]:
        if asks_the_service(item.path):
            return 0, 0
        return (1, 0) if item.get_closest_marker("early") else (2, -tests[item.path])

    items.sort(key=turn)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadServedTogether | None:
    """Keep the tests that share the service together where files are kept together."""
    return LoadServedTogether(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A shop that tests marked `both_databases` change is on either kind of database; those on
    PostgreSQL take more time than the default suite has.
    """
    marked = metafunc.definition.get_closest_marker("both_databases")
    if marked is not None and "shop_kind" in metafunc.fixturenames:
        kinds = (SQLITE, pytest.param(POSTGRESQL, marks=pytest.mark.slow))
        metafunc.parametrize("shop_kind", kinds, indirect=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Spare every later collection of garbage a walk through all that is imported by now."""
    gc.collect()
    gc.freeze()


def stopped_clock() -> datetime:
    """A clock that stands still at the end of the made-up shop's history."""
    return END


@pytest.fixture(scope="session")
def clock() -> Clock:
    """A clock that stands still at the end of the made-up shop's history."""
    return stopped_clock


@pytest.fixture(scope="session")
def workspace_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of the made-up shop with its orders loaded and its customers' consents in the
    ledger; nobody has it open.
    """
    return made_once(tmp_path_factory, "synthetic", _make_shop) / "shop"


def _make_shop(folder: Path) -> None:
    root = folder / "shop"
    # Kept as long as the machine's own clock needs, which commands go by.
    create(root, [write_orders(folder / "orders.csv")])
    workspace = Workspace.open(root)
    database = Database.open(workspace.database_url)
    ingest(workspace, database, clock=stopped_clock)
    vault = Vault(database, workspace.master_keys)
    Ledger(database, workspace.config.catalog, vault, stopped_clock).append_all(
        consents(workspace.config.catalog)
    )
    database.close()


@pytest.fixture(scope="session")
def shop(workspace_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The made-up shop, for tests that change nothing in it."""
    root = shutil.copytree(workspace_folder, tmp_path_factory.mktemp("read") / "shop")
    opened = Shop(Workspace.open(root), stopped_clock)
    yield opened
    opened.database.close()


@pytest.fixture
def shop_kind(request: pytest.FixtureRequest) -> str:
    """Kind of database that a shop is on which a test changes."""
    return str(getattr(request, "param", SQLITE))


@pytest.fixture
def shop_copied(
    shop_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[Path], Shop]]:
    """Copies a workspace that nobody has open, for one test to change, and opens the copy."""
    with ExitStack() as closing:

        def copied(original: Path) -> Shop:
            root = shutil.copytree(original, tmp_path / "shop")
            if shop_kind == POSTGRESQL:
                migrate(Workspace.open(root), request.getfixturevalue("postgres_url"))
                for left_behind in root.glob("sayso.db*"):
                    left_behind.unlink()
            shop = Shop(Workspace.open(root), stopped_clock)
            closing.callback(shop.database.close)
            return shop

        yield copied


@pytest.fixture
def fresh_shop(workspace_folder: Path, shop_copied: Callable[[Path], Shop]) -> Shop:
    """The made-up shop, for one test to change."""
    return shop_copied(workspace_folder)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Address of a PostgreSQL server of this test run, whose data nobody needs after a crash."""
    with ExitStack() as running:
        try:
            server = running.enter_context(postgres.postgres_server(durable=False))
        except CannotProve as missing:
            pytest.skip(str(missing))
        yield server.url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file at the newest schema, to be copied."""
    file = tmp_path_factory.mktemp("template") / "sayso.db"
    Database.open(f"sqlite:///{file}").close()
    return file


@pytest.fixture(scope="session", autouse=True)
def _new_sqlite_files_are_copies(sqlite_template: Path) -> Iterator[None]:
    """Give whoever opens a new SQLite database a copy of one that the migrations made: hundreds of
    tests do so, and each would take a fifth of a second.
    """
    migrate_it = Database.migrate

    def migrated(database: Database, revision: str = "head") -> None:
        url = database.engine.url
        file = file_of(url) if database.engine.dialect.name == SQLITE else None
        if revision == "head" and file and not (file.exists() and file.stat().st_size):
            file.touch(mode=0o600)
            shutil.copyfile(sqlite_template, file)
        else:
            migrate_it(database, revision)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "migrate", migrated)
        yield


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """Address of an empty PostgreSQL schema of this test alone, which takes a third of the time of
    a database of its own.
    """
    name = f"test_{uuid.uuid4().hex}"
    engine = create_engine(postgres_server)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    yield f"{postgres_server}&options=-csearch_path%3D{name}"
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
    engine.dispose()


@pytest.fixture(scope="session")
def postgres_schema(postgres_server: str) -> str:
    """The statements that bring an empty PostgreSQL schema to the newest one, as migrating one
    sends them.
    """
    name, said = "migrated", []
    admin = create_engine(postgres_server)
    with admin.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    admin.dispose()
    migrated = Database(f"{postgres_server}&options=-csearch_path%3D{name}")

    @event.listens_for(migrated.engine, "before_cursor_execute")
    def note(connection, _cursor, statement, parameters, _context, _many) -> None:
        driver = ClientCursor(connection.connection.driver_connection)
        said.append(driver.mogrify(statement, parameters))

    migrated.migrate()
    migrated.close()
    return ";\n".join(statement for statement in said if not statement.startswith("SELECT"))


@pytest.fixture
def postgres_database(postgres_url: str, postgres_schema: str) -> Iterator[Database]:
    """A PostgreSQL database at the newest schema."""
    opened = Database(postgres_url)
    with opened.write() as connection:
        connection.connection.driver_connection.execute(postgres_schema)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """A SQLite database at the newest schema."""
    opened = Database(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'sayso.db')}")
    yield opened
    opened.close()


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty database, once of each kind."""
    url: str = (
        f"sqlite:///{tmp_path / 'sayso.db'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_url")
    )
    return url


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest) -> Database:
    """A database at the newest schema, once of each kind."""
    opened: Database = request.getfixturevalue(
        f"{request.param}_database".replace("postgresql", "postgres")
    )
    return opened


@pytest.fixture
def masters(tmp_path: Path) -> MasterKeys:
    """Master keys in a file that is made when it is first needed."""
    return MasterKeys(tmp_path / "master.keys")


@pytest.fixture
def vault(database: Database, masters: MasterKeys) -> Vault:
    """The vault of a database, once in each kind."""
    return Vault(database, masters)


@pytest.fixture
def ledger(database: Database, vault: Vault, clock: Clock) -> Ledger:
    """An empty ledger of the small catalog, once in each kind of database."""
    return Ledger(database, catalog_of(), vault, clock)


@pytest.fixture
def ticking_clock() -> Callable[[], datetime]:
    """A clock that is a second later each time it is asked."""
    asked = iter(range(1_000_000))
    return lambda: datetime.fromtimestamp(1_700_000_000 + next(asked), UTC)
