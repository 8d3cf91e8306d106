"""Sources that are tables of a shop's own database: read alone, and the newer rows alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from features.config.reading import ConfigError
from features.database.engine import Database
from features.errors import SourceError
from features.intake.ingest import ingest
from features.intake.ingest_report import IngestReport
from features.intake.loading.day.load import DayLoad
from features.intake.setup.new_workspace import create
from features.shop.workspace import Workspace

pytestmark = pytest.mark.slow

NOW = datetime(2024, 6, 1, tzinfo=UTC)
COLUMNS = "id, customer_id, order_id, product_id, ordered_at, quantity, unit_price, title, country"
TABLE = (
    "CREATE TABLE shop_orders (id integer, customer_id text, order_id text, product_id text,"
    " ordered_at timestamp, quantity text, unit_price numeric(10, 2), title text, country text)"
)
ROWS = (
    (1, "ann", "1", "mug", "2024-01-05 10:00:00", "2", 3.5, "Mug", "France"),
    (2, "bob", "2", "mug", "2024-01-06 12:00:00", "1", 3.5, "Mug", "Spain"),
    (3, "cyd", "3", "cup", "2024-01-07 12:00:00", "many", 2.25, "Cup", "Spain"),
)
NEW = (4, "ann", "4", "cup", "2024-01-08 12:00:00", "3", 2.25, "Cup", "Italy")
Execute = Callable[[str], None]


class DatabaseShop:
    """A workspace whose orders are in a database, and that database."""

    def __init__(self, root: Path, url: str, execute: Execute) -> None:
        create(root)
        self.root = root
        self.url = url
        self.execute = execute
        self.database = Database.open(f"sqlite:///{root / 'sayso.db'}")
        self.config = (root / "sayso.toml").read_text(encoding="utf-8")
        execute(TABLE)
        for row in ROWS:
            self.insert(row)

    def insert(self, row: tuple[object, ...]) -> None:
        """Put an order line there."""
        self.execute(f"INSERT INTO shop_orders ({COLUMNS}) VALUES {row!r}")  # noqa: S608 - rows of the test

    def ingest(self, **stated: str) -> IngestReport:
        """Load with these settings of the source."""
        keys = {"url": self.url, "database_table": "shop_orders", "watermark": "id", **stated}
        told = "\n".join(f"{key} = {value!r}" for key, value in keys.items() if value)
        said = self.config.replace('file = "transactions.csv"', told)
        (self.root / "sayso.toml").write_text(said, encoding="utf-8")
        return ingest(Workspace.open(self.root), self.database, clock=lambda: NOW)


def _sqlite(folder: Path) -> tuple[str, Execute]:
    file = folder / "shop.db"

    def execute(statement: str) -> None:
        with sqlite3.connect(file) as connection:
            connection.execute(statement)
        connection.close()

    return f"sqlite:///{file}", execute


def _duckdb(folder: Path) -> tuple[str, Execute]:
    file = folder / "shop.duckdb"

    def execute(statement: str) -> None:
        with duckdb.connect(str(file)) as connection:
            connection.execute(statement)

    return f"duckdb:///{file}", execute


def _postgres(url: str) -> tuple[str, Execute]:
    engine = create_engine(url, poolclass=NullPool)

    def execute(statement: str) -> None:
        with engine.begin() as connection:
            connection.execute(text(statement))

    shown = make_url(url).set(drivername="postgres").render_as_string(hide_password=False)
    return shown, execute


@pytest.fixture(params=["sqlite", "duckdb", "postgres"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseShop]:
    """A shop whose orders are in a database of each kind."""
    if request.param == "postgres":
        url, execute = _postgres(request.getfixturevalue("postgres_url"))
    else:
        url, execute = {"sqlite": _sqlite, "duckdb": _duckdb}[request.param](tmp_path)
    made = DatabaseShop(tmp_path / "shop", url, execute)
    yield made
    made.database.close()


@pytest.fixture
def days(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """A True for each load that read what is new alone."""
    told: list[bool] = []
    run = DayLoad.run

    def spied(self: DayLoad, *args: object) -> None:
        run(self, *args)  # type: ignore[arg-type]
        told.append(True)

    monkeypatch.setattr(DayLoad, "run", spied)
    return told


def test_rows_of_a_database_load_like_those_of_a_file(shop: DatabaseShop) -> None:
    """Rows are recognised, cleaned and refused as a file's are, and a refused one is named by its
    source and number.
    """
    report = shop.ingest()
    assert (report.read, report.kept, report.rejected) == (3, 2, 1)
    assert report.purchases.net == 10.5
    refused = (shop.root / "rejected" / "orders.csv").read_text(encoding="utf-8").splitlines()
    assert refused[1].startswith("orders,3,\"quantity is 'many', which is no number\"")
    asked = shop.ingest(database_table="", query="SELECT * FROM shop_orders WHERE id < 3;")
    assert (asked.read, asked.rejected) == (2, 0)


def test_only_newer_rows_are_read(shop: DatabaseShop, days: list[bool]) -> None:
    """The next load reads the rows beyond the watermark; one that changed before it has all read
    anew, and without a watermark any change has.
    """
    shop.ingest()
    assert shop.ingest().read == 3
    shop.insert(NEW)
    report = shop.ingest()
    assert (report.read, report.orders, report.purchases.net, len(days)) == (4, 3, 17.25, 2)
    shop.execute("UPDATE shop_orders SET quantity = '4' WHERE id = 4")
    assert shop.ingest().purchases.net == 19.5
    assert len(days) == 2
    assert shop.ingest(watermark="").purchases.net == 19.5
    shop.execute("UPDATE shop_orders SET quantity = '1' WHERE id = 1")
    assert shop.ingest(watermark="").purchases.net == 16.0


FAULTS: tuple[tuple[dict[str, str], str], ...] = (
    ({"database_table": "orders_of_yore"}, "refuses: .*orders_of_yore"),
    ({"watermark": "changed"}, "has no column `changed`; found are `id`"),
    ({"database_table": "", "query": "SELECT id, title FROM shop_orders"}, "has no column"),
    ({"database_table": "", "query": "DELETE FROM shop_orders"}, "refuses: .*"),
    ({"database_table": "", "query": "SELECT nothing at all"}, "refuses: .*"),
    ({"url": "oracle://reader@host/shop"}, "begins with 'oracle'; known are duckdb"),
    ({"url": "postgres://reader:${NO_SUCH_VARIABLE}@host/shop"}, "no variable 'NO_SUCH_VAR"),
    ({"url": "sqlite:////nowhere/shop.db"}, "no database file /nowhere/shop.db"),
)


def test_a_faulty_source_is_refused_in_a_sentence(shop: DatabaseShop) -> None:
    """What is wrong with an address, a query or a column is said, and nothing changes."""
    report = shop.ingest()
    for stated, words in FAULTS:
        with pytest.raises(SourceError, match=words):
            shop.ingest(**stated)
    assert shop.ingest() == report


def test_a_password_is_read_from_the_environment_and_told_to_nobody(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is not there, or refuses the reader, is named without the password."""
    url, execute = _postgres(postgres_url)
    shop = DatabaseShop(tmp_path / "shop", url, execute)
    monkeypatch.setenv("SHOP_PASSWORD", "open-sesame")
    for address in ("reader:${SHOP_PASSWORD}@127.0.0.1:1", "nobody:${SHOP_PASSWORD}@127.0.0.1:1"):
        with pytest.raises(SourceError, match=r"127\.0\.0\.1 refuses") as refused:
            shop.ingest(url=f"postgres://{address}/shop")
        assert "open-sesame" not in str(refused.value)
    shop.database.close()


def test_a_query_that_writes_is_refused(postgres_url: str, tmp_path: Path) -> None:
    """What a function would change stays as it is."""
    url, execute = _postgres(postgres_url)
    shop = DatabaseShop(tmp_path / "shop", url, execute)
    execute(
        "CREATE FUNCTION emptied() RETURNS bigint LANGUAGE sql AS"
        " 'WITH gone AS (DELETE FROM shop_orders RETURNING 1) SELECT count(*) FROM gone'"
    )
    with pytest.raises(SourceError, match="read-only"):
        shop.ingest(database_table="", query="SELECT *, emptied() FROM shop_orders")
    assert shop.ingest().read == 3
    shop.database.close()


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"database_table": ""}, "needs either a `query` or a `database_table`"),
        ({"file": "orders.csv"}, "has a `file` and a `url`"),
        ({"url": ""}, "needs a `file`"),
    ],
)
def test_a_source_says_one_thing(tmp_path: Path, stated: dict[str, str], words: str) -> None:
    """A source is a file or a table of a database, and says which table."""
    url, execute = _sqlite(tmp_path)
    shop = DatabaseShop(tmp_path / "shop", url, execute)
    with pytest.raises(ConfigError, match=words):
        shop.ingest(**stated)
    shop.database.close()


def test_a_missing_driver_is_named_with_what_to_install(tmp_path: Path) -> None:
    """Where the driver of MySQL is missing the extra is named that brings it."""
    url, execute = _sqlite(tmp_path)
    shop = DatabaseShop(tmp_path / "shop", url, execute)
    with pytest.raises(SourceError, match=r"pip install 'sayso\[mysql\]'"):
        shop.ingest(url="mysql://reader@127.0.0.1:1/shop")
    shop.database.close()
