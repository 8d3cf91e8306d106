"""A made-up shop day by day, and two workspaces of the same files: one that loads what is new, and
one that loads everything.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import select

from features.database.engine import Database
from features.database.tables import customers
from features.intake.ingest import ingest
from features.intake.ingest_report import IngestReport
from features.intake.setup.new_workspace import create
from features.shop.workspace import Workspace
from features.warehouse.store import Warehouse

NOW = datetime(2024, 6, 1, tzinfo=UTC)
BEGIN = datetime(2024, 1, 1)  # noqa: DTZ001 - a shop's own time
HEADER = "order_id,customer_id,email,ordered_at,product_id,title,quantity,unit_price,country\n"


class Pair:
    """Two workspaces of the same source files: `day` loads what is new, `whole` everything."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = root / "in"
        self.files.mkdir(parents=True)
        self.databases: dict[str, Database] = {}
        for name in ("day", "whole"):
            self._create(root / name)
            self._open(name)

    def _create(self, root: Path) -> None:
        create(root)
        config = root / "sayso.toml"
        text = config.read_text(encoding="utf-8")
        text = text.replace('file = "transactions.csv"', f"file = '{self.files}/*.csv'")
        text = text.replace(
            'order_id = "order_id"', 'order_id = "order_id"\ncustomer_email = "email"'
        )
        text = text.replace('# cancellation_prefix = "C" ', 'cancellation_prefix = "C" #')
        config.write_text(text, encoding="utf-8")

    def _open(self, name: str) -> None:
        self.databases[name] = Database.open(f"sqlite:///{self.root / name / 'sayso.db'}")

    def load(self, name: str, now: datetime = NOW) -> IngestReport:
        """Load one of them."""
        workspace = Workspace.open(self.root / name)
        return ingest(workspace, self.databases[name], clock=lambda: now, whole=name == "whole")

    def tables(self, name: str) -> dict[str, list[tuple[object, ...]]]:
        """All rows of all tables, without their order, customers by the shop's ids."""
        warehouse = Warehouse(self.root / name / "warehouse")
        with self.databases[name].read() as connection:
            ids = {row.customer: row.external_id for row in connection.execute(select(customers))}
        found = {}
        for table in sorted(warehouse.names):
            rows = pa.concat_tables([pq.read_table(file) for file in warehouse.files(table)])
            frame = rows.to_pandas()
            frame = frame.drop(columns=[c for c in frame if c in ("_customers", "_products")])
            if "customer" in frame:
                frame["customer"] = frame["customer"].map(ids)
            plain = frame.astype(object).where(frame.notna(), None)
            found[table] = sorted(plain.itertuples(index=False, name=None), key=repr)
        return found

    def rejected(self, name: str) -> list[str]:
        """All refused rows."""
        folder = self.root / name / "rejected"
        return [line for file in sorted(folder.glob("*")) for line in file.read_text().splitlines()]

    def close(self) -> None:
        """Let go of the databases."""
        for database in self.databases.values():
            database.close()


def replace_files(report: IngestReport, root: Path) -> IngestReport:
    """The report with the files of the other workspace."""
    files = [root / "day" / file.relative_to(root / "whole") for file in report.rejected_files]
    return replace(report, rejected_files=tuple(files))


@dataclass(frozen=True)
class Bought:
    """A line that somebody bought, as a file holds it."""

    order: int
    who: str
    mail: str
    at: datetime
    product: int
    units: int
    cents: int
    country: str
    title: str

    def text(self, number: str | None = None) -> str:
        """The line."""
        price = f"{self.cents / 100:.2f}"
        cells = (number or self.order, self.who, self.mail, self.at, f"p{self.product}", self.title)
        return ",".join(map(str, (*cells, self.units, price, self.country))) + "\n"


class MadeUpDays:
    """The days of a made-up shop, drawn from a seed: orders of customers and guests, cancellations,
    returns, equal lines, bad lines, and lines of nobody.
    """

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._order = 100
        self._bought: list[Bought] = []

    @property
    def next_order(self) -> int:
        """The number of the order that comes next."""
        return self._order + 1

    def day(self, number: int) -> list[str]:
        """The lines of a day."""
        draw, lines = self._draw, list[tuple[datetime, str]]()
        for _ in range(draw.randint(1, 6)):
            lines += self._one(BEGIN + timedelta(days=number, seconds=draw.randrange(80_000)))
        return [text for _, text in sorted(lines, key=lambda line: line[0])]

    def _one(self, at: datetime) -> list[tuple[datetime, str]]:
        draw = self._draw
        kind = draw.random()
        earlier = [line for line in self._bought if line.at < at]
        if kind < 0.25 and earlier:
            line = draw.choice(earlier)
            units = draw.randint(1, line.units)
            back = replace(line, at=at, units=-units)
            self._order += 1
            return [(at, back.text(f"C{self._order}" if kind < 0.15 else f"R{self._order}"))]
        if kind < 0.3:
            return [(at, f"x{at:%j%S},c1,,soon,p1,Pot,1,2.50,Spain\n")]
        if kind < 0.35:
            return [(at, f"y{at:%j%S},,,{at},p1,Pot,1,2.50,Spain\n")]
        return self._bought_at(at)

    def _bought_at(self, at: datetime) -> list[tuple[datetime, str]]:
        draw = self._draw
        self._order += 1
        number = draw.randrange(8)
        guest, mail = draw.random() < 0.2, f"m{number}@example.org"
        who = "" if guest else f"c{number}"
        country = draw.choice(["Spain", "Spain", "France"])
        lines = []
        for _ in range(draw.randint(1, 3)):
            product = draw.randrange(6)
            title = draw.choice([f"Pot {product}", f"A pot {product}", ""])
            cents = draw.choice([250, 333, 1099])
            units = draw.randint(1, 4)
            line = Bought(self._order, who, mail, at, product, units, cents, country, title)
            lines += [line] * draw.choice([1, 1, 1, 2])
        self._bought += lines
        return [(at, line.text()) for line in lines]
