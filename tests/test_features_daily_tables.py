"""A day's load of interactions, customers' facts, products and rows sent over HTTP: the warehouse
is as after a load of everything.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from features.consent.event import ConsentEvent
from features.consent.ledger import Ledger
from features.customers.vault import Vault
from features.intake.over_http.door import Door
from features.intake.over_http.statements import Statement
from features.intake.setup.new_workspace import create
from features.shop.workspace import Workspace
from tests.made_up_days import BEGIN, HEADER, NOW, MadeUpDays, Pair, replace_files

pytest_plugins = ["tests.load_fixtures"]

FILES = {
    "orders": HEADER + "1,c1,m1@example.org,2024-01-01 10:00:00,p1,Pot,1,2.50,Spain\n",
    "events": "customer_id,kind,occurred_at,product_id,session\n"
    "c1,view,2024-01-01 09:00:00,p1,s1\nc1,return,2024-01-01 09:30:00,p1,s1\n",
    "people": "customer_id,first_seen,segment,told_at\nc1,2023-01-01,gold,2024-01-01\n",
    "goods": "product_id,title,brand\np1,Pot,Acme\n",
}
PEOPLE = [*(f"c{number}" for number in range(8)), "m3@example.org", "m5@example.org", "new1", "x2"]
CONSENTING = PEOPLE[:4]


class FullPair(Pair):
    """Two workspaces of sources of all tables, and doors for rows over HTTP."""

    def __init__(self, root: Path, kept_days: int) -> None:
        self._kept_days = kept_days
        self._first = root / "first"
        self._first.mkdir()
        for name, text in FILES.items():
            (self._first / f"{name}.csv").write_text(text)
        super().__init__(root)

    def _create(self, root: Path) -> None:
        create(root, [self._first / f"{one}.csv" for one in FILES])
        config = root / "sayso.toml"
        text = config.read_text(encoding="utf-8")
        for name in ("orders", "events"):
            pattern = f"{self.files}/{name}-*.csv"
            text = text.replace(f'file = "{self._first}/{name}.csv"', f'file = "{pattern}"')
        text = text.replace(str(self._first), str(self.files))
        text = text.replace('segment = "segment"', 'segment = "segment"\nrecorded_at = "told_at"')
        text = text.replace('# cancellation_prefix = "C" ', 'cancellation_prefix = "C" #')
        text = re.sub(r"retention_days = \d+", f"retention_days = {self._kept_days}", text)
        config.write_text(text, encoding="utf-8")

    def write(self, name: str, text: str, now: datetime, *, more: bool = False) -> None:
        """Write a file, or put lines behind the others of it; it is of the moment `now`."""
        file = self.files / f"{name}.csv"
        if more and file.exists():
            text = file.read_text() + text.partition("\n")[2]
        file.write_text(text)
        os.utime(file, (now.timestamp(), now.timestamp()))

    def consent(self) -> None:
        """Some allow everything."""
        for name, database in self.databases.items():
            workspace = Workspace.open(self.root / name)
            catalog = workspace.config.catalog
            vault = Vault(database, workspace.master_keys)
            said = [
                ConsentEvent(person, purpose, category, "granted", "page", "1")
                for person in CONSENTING
                for purpose in catalog.purposes
                for category in catalog.askable(purpose)
            ]
            Ledger(database, catalog, vault, lambda: NOW).append_all(said)

    def send(self, table: str, statement: Statement, now: datetime) -> None:
        """Send a statement to both; both take it."""
        for name, database in self.databases.items():
            workspace = Workspace.open(self.root / name)
            vault = Vault(database, workspace.master_keys)
            door = Door(workspace.config, workspace.tables, database, vault, lambda: now)
            received = door.take(table, [statement], "key:crm")
            assert received.accepted == 1, received


class MadeUpNews:
    """What beside order lines comes to a shop, drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._sent = 0
        self._people = dict.fromkeys(PEOPLE[:6], ("2023-01-01", "gold", "2024-01-01"))

    def events(self, day: int) -> str:
        """Interactions of a day: some of nobody, some unreadable, some of the day before."""
        draw, lines = self._draw, []
        for _ in range(draw.randint(0, 6)):
            late = draw.random() < 0.1
            at = BEGIN + timedelta(days=day - late, seconds=draw.randrange(86_000))
            person = draw.choice([*PEOPLE, "m1@example.org", ""])
            kind = draw.choice(["view", "view", "return", "nonsense"])
            moment = "soon" if draw.random() < 0.05 else f"{at}"
            lines.append(f"{person},{kind},{moment},p{draw.randrange(6)},s{draw.randrange(9)}\n")
        return FILES["events"].partition("\n")[0] + "\n" + "".join(lines)

    def people(self, day: int) -> str:
        """The file of facts, in which some changed."""
        draw = self._draw
        for person in draw.sample(PEOPLE, 2):
            told = draw.choice(["", "", f"{BEGIN + timedelta(days=day)}"])
            segment = draw.choice(["gold", "silver", ""])
            self._people[person] = (f"2023-01-{draw.randint(1, 28):02}", segment, told)
        rows = (",".join((person, *facts)) for person, facts in self._people.items())
        return FILES["people"].partition("\n")[0] + "\n" + "\n".join(rows) + "\n"

    def goods(self) -> str:
        """The file of products, in which some changed."""
        draw = self._draw
        rows = (f"p{n},{draw.choice(['Pot', 'Pan', ''])},{draw.choice('AB')}\n" for n in range(4))
        return FILES["goods"].partition("\n")[0] + "\n" + "".join(rows)

    def statements(self, day: int, order: int) -> list[tuple[str, Statement]]:
        """Statements of a day; `order` is the number of an order that a file will hold soon."""
        draw, found = self._draw, []
        for _ in range(draw.randint(0, 3)):
            self._sent += 1
            kind = draw.choice(["line", "line", "whole", "view", "product", "back"])
            at = f"{BEGIN + timedelta(days=day, seconds=draw.randrange(80_000))}"
            person, product = draw.choice(CONSENTING), f"p{draw.randrange(8)}"
            number = str(draw.choice([order, order + 1, 9_000 + self._sent, 9_000]))
            line = {
                "customer_id": person,
                "order_id": number,
                "product_id": product,
                "ordered_at": at,
                "quantity": str(draw.randint(1, 3)),
                "unit_price": "2.5",
                "country": draw.choice(["Spain", "Italy"]),
            }
            found.append(self._statement(kind, f"i{self._sent}", line, number))
        return found

    def _statement(
        self, kind: str, id: str, line: Mapping[str, str], number: str
    ) -> tuple[str, Statement]:
        if kind == "view":
            view = {name: line[name] for name in ("customer_id", "product_id")}
            moment = {"kind": "view", "occurred_at": line["ordered_at"]}
            return "interactions", Statement(id, [{**view, **moment}])
        if kind == "product":
            said = {"product_id": line["product_id"], "brand": f"Sent {id}", "stock": "0"}
            return "products", Statement(id, [said])
        if kind == "whole":
            return "transactions", Statement(f"shop:{id}", [line], number, "1")
        back = {"quantity": "-1", "order_id": f"R{id}"} if kind == "back" else {}
        return "transactions", Statement(id, [{**line, **back}])


SEEDS = pytest.mark.parametrize(
    ("seed", "days"),
    [(0, 2), *(pytest.param(seed, 6, marks=pytest.mark.slow) for seed in (3, 4))],
)


@SEEDS
def test_days_of_all_tables_come_to_the_same_as_everything(
    tmp_path: Path, loads: list[str], seed: int, days: int
) -> None:
    """However files of all tables and rows over HTTP come, after each load of what is new rows,
    figures and refused lines are those of a load of everything.
    """
    draw, shop, news = random.Random(seed), MadeUpDays(seed), MadeUpNews(seed)
    pair = FullPair(tmp_path, 165 if seed % 2 else 1_000)
    orders = "".join(text for day in range(20) for text in shop.day(day))
    pair.write("orders-000", HEADER + orders, NOW)
    pair.write("events-000", news.events(19), NOW)
    pair.write("people", news.people(19), NOW)
    pair.write("goods", news.goods(), NOW)
    pair.consent()
    for day in range(20, 20 + days):
        now = NOW + timedelta(days=day)
        if day > 20:
            new = f"{day:03}" if draw.random() < 0.4 else "000"
            if draw.random() < 0.7:
                pair.write(f"orders-{new}", HEADER + "".join(shop.day(day)), now, more=True)
            if draw.random() < 0.7:
                pair.write(f"events-{new}", news.events(day), now, more=True)
            if draw.random() < 0.5:
                pair.write("people", news.people(day), now)
            if draw.random() < 0.3:
                pair.write("goods", news.goods(), now)
            for table, statement in news.statements(day, shop.next_order):
                pair.send(table, statement, now)
        assert pair.load("day", now) == replace_files(pair.load("whole", now), pair.root)
        assert pair.tables("day") == pair.tables("whole")
        assert pair.rejected("day") == pair.rejected("whole")
    assert loads.count("DayLoad") >= (days - 1) / 2
    pair.close()
