"""Data health: a load set against the load before, each kind of drift, and no alarm over what is
ordinary.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from features.database.engine import Database
from features.intake.health.record import HealthRecord
from features.intake.ingest import ingest
from features.intake.ingest_report import IngestReport
from features.intake.setup.new_workspace import create
from features.shop.workspace import Workspace
from features.warehouse.pauses import LEAST, usual_pause
from serving.cli import command_line
from tests.synthetic_shop import order_lines

Change = Callable[[pd.DataFrame], pd.DataFrame]
LATER = timedelta(days=30)


class Shop:
    """A workspace that loads one export after another."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.database = Database.open(f"sqlite:///{root / 'sayso.db'}")

    def load(self, lines: pd.DataFrame, now: datetime) -> IngestReport:
        """Load an export in place of the one before."""
        lines.to_csv(self.root / "orders.csv", index=False)
        return ingest(Workspace.open(self.root), self.database, clock=lambda: now)

    def odd(self, lines: pd.DataFrame, now: datetime) -> list[str]:
        """What is odd about a load, in a few words."""
        return [oddity.what for oddity in self.load(lines, now).health.oddities]


@pytest.fixture(scope="module")
def exports() -> tuple[pd.DataFrame, pd.DataFrame]:
    """An export, and the one a month later."""
    lines = order_lines()
    some = lines["customer_id"].isin(sorted(set(lines["customer_id"]))[:100])
    lines = lines[some].assign(currency="EUR", brand="Acme")
    moments = pd.to_datetime(lines["ordered_at"])
    return lines[moments < moments.max() - LATER], lines


@pytest.fixture(scope="module")
def first_loaded(exports, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which the first export is loaded."""
    root = tmp_path_factory.mktemp("health") / "shop"
    root.mkdir()
    exports[0].to_csv(root / "orders.csv", index=False)
    create(root, [root / "orders.csv"])
    settings = root / "sayso.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(f"{text}\n[shop.rates]\nGBP = 1.1\nEUR = 1.0\n", encoding="utf-8")
    shop = Shop(root)
    first = shop.load(exports[0], moment_of(exports[0])).health
    assert (first.compared_with, first.oddities) == (None, ())
    shop.database.close()
    return root


@pytest.fixture
def shop(first_loaded: Path, tmp_path: Path) -> Iterator[Shop]:
    """A shop of which the first export is loaded, for one test to go on with."""
    made = Shop(shutil.copytree(first_loaded, tmp_path / "shop"))
    yield made
    made.database.close()


def moment_of(lines: pd.DataFrame) -> datetime:
    """The evening of an export's last day."""
    last: datetime = pd.to_datetime(lines["ordered_at"]).max().to_pydatetime()
    return last.replace(hour=23, minute=59, tzinfo=UTC)


def test_two_ordinary_loads_warn_of_nothing(shop: Shop, exports) -> None:
    """A month's new orders, the very same export again, and a Christmas are not odd."""
    now = moment_of(exports[1])
    assert shop.odd(exports[1], now) == []
    assert shop.odd(exports[1], now + timedelta(hours=1)) == []
    month = exports[1][pd.to_datetime(exports[1]["ordered_at"]) > str((now - LATER).date())]
    rush = [
        month.assign(
            order_id=month["order_id"].astype("str") + f"-{again}",
            ordered_at=(pd.to_datetime(month["ordered_at"]) + LATER).astype("str"),
        )
        for again in range(5)
    ]
    assert shop.odd(pd.concat([exports[1], *rush]), now + LATER + timedelta(days=1)) == []


WHOLE: dict[str, tuple[Change, str]] = {
    "half the lines": (lambda lines: lines.iloc[len(lines) // 2 :], "lines fewer"),
    "half the customers": (
        lambda lines: lines[lines["customer_id"].isin(sorted(set(lines["customer_id"]))[::2])],
        "customers fewer",
    ),
    "twice the lines": (
        lambda lines: pd.concat(
            [lines, lines.assign(order_id=lines["order_id"].astype("str") + "x", quantity=7)]
        ),
        "lines more",
    ),
    "an older export": (lambda lines: lines.iloc[: len(lines) * 9 // 10], "newest older"),
    "an empty column": (lambda lines: lines.assign(brand=""), "products.brand empty"),
    "a lost column": (lambda lines: lines.assign(country=""), "customers gone"),
    "a column half lost": (
        lambda lines: lines.assign(country=lines["country"].where(lines["customer_id"] < "c050")),
        "customers fewer",
    ),
    "prices in cents": (
        lambda lines: lines.assign(unit_price=lines["unit_price"] * 100),
        "transactions.unit_price shifted",
    ),
    "one slip": (
        lambda lines: lines.assign(
            unit_price=lines["unit_price"].where(lines.index != lines.index[5], 9_999_999.0)
        ),
        "transactions.unit_price extreme",
    ),
    "another country": (
        lambda lines: lines.assign(country="Atlantis"),
        "rows of customers by country",
    ),
    "another currency": (lambda lines: lines.assign(currency="GBP"), "lines by currency"),
    "cancelled orders": (
        lambda lines: lines.assign(
            quantity=lines["quantity"].where(lines.index % 2 == 0, -lines["quantity"])
        ),
        "lines read by outcome",
    ),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_each_kind_of_drift_is_told(shop: Shop, exports, kind: str) -> None:
    """What changed oddly since the last load is named."""
    change, what = WHOLE[kind]
    assert what in shop.odd(change(exports[1].copy()), moment_of(exports[1]))


def test_a_few_bad_days_are_told_within_a_long_record(shop: Shop, exports) -> None:
    """What is new is set against all before, where the whole record hides it; and again the day
    after, since it is still so.
    """
    before, lines = exports
    is_new = ~lines.index.isin(before.index)
    spoilt = lines.assign(unit_price=lines["unit_price"].where(~is_new, lines["unit_price"] * 20))
    told = shop.odd(spoilt, moment_of(lines))
    assert told == ["new transactions.unit_price shifted", "new transactions.amount shifted"]


def test_a_mended_export_is_not_odd_again(shop: Shop, exports) -> None:
    """After a load that was odd the right one is as the last that was not."""
    now = moment_of(exports[1])
    assert shop.odd(exports[1].iloc[len(exports[1]) * 2 // 3 :], now)
    assert shop.odd(exports[1], now + timedelta(hours=1)) == []


def test_no_newer_record_is_told_once_the_usual_pause_is_over(shop: Shop, exports) -> None:
    """An export that nobody writes any more is odd after the shop's usual pause, and not before."""
    now = moment_of(exports[0])
    assert shop.odd(exports[0], now + timedelta(days=5)) == []
    assert shop.odd(exports[0], now + timedelta(days=9)) == ["newest standing"]


def test_the_usual_pause_is_the_shops_own() -> None:
    """Gaps between days with orders say how long a shop goes without one; a week is in step."""
    days = [date(2024, 1, 1) + timedelta(days=number) for number in range(0, 600, 20)]
    assert usual_pause(days) == timedelta(days=20)
    assert usual_pause([*days, days[-1] + timedelta(days=90)]) < timedelta(days=90)
    assert usual_pause(days[:1]) == usual_pause([]) == LEAST


def test_the_record_grows_names_nobody_and_survives_a_cut(shop: Shop, exports) -> None:
    """Each load is a line more, without an id or a rare value; one that was cut off is passed over,
    and the next begins on a line of its own.
    """
    file = shop.root / "data_health.jsonl"
    first = file.read_text(encoding="utf-8")
    file.write_text(first + first[:100], encoding="utf-8")
    lines = exports[1].copy()
    lines.loc[lines.index[-1], "country"] = "Tuvalu"
    report = shop.load(lines, moment_of(lines))
    text = file.read_text(encoding="utf-8")
    assert text.startswith(first)
    assert [load.figures.counts["lines"] for load in HealthRecord(file).loads()] == [
        len(exports[0]),
        len(lines),
    ]
    ids = {*lines["customer_id"], *lines["order_id"].astype("str"), *lines["product_id"], "Tuvalu"}
    assert [one for one in ids if f'"{one}"' in text] == []
    assert report.health.figures.counts["lines"] == len(lines)
    assert file.stat().st_mode & 0o077 == 0


def test_a_record_that_cannot_be_written_stops_no_load(shop: Shop, exports) -> None:
    """The orders are loaded, and it is told that the load could not be noted."""
    (shop.root / "data_health.jsonl").unlink()
    (shop.root / "data_health.jsonl").mkdir()
    assert shop.odd(exports[1], moment_of(exports[1])) == ["record"]


@pytest.mark.slow
def test_the_command_tells_what_is_odd_and_shows_all_loads(shop: Shop, exports) -> None:
    """`ingest` says it in a sentence and in JSON; `--health` shows the record and loads nothing."""
    halved = exports[1].iloc[len(exports[1]) // 2 :]
    halved.to_csv(shop.root / "orders.csv", index=False)
    said = called("ingest", shop)
    assert "Odd:" in said
    assert "where the last load had" in said
    loads = json.loads(called("ingest", shop, "--health", "--json"))["loads"]
    assert [load["figures"]["counts"]["lines"] for load in loads] == [len(exports[0]), len(halved)]
    assert "lines fewer" in [oddity["what"] for oddity in loads[-1]["oddities"]]
    assert "where the last load had" in called("ingest", shop, "--health")
    again = json.loads(called("ingest", shop, "--json"))
    assert again["health"]["figures"]["counts"]["lines"] == len(halved)


def called(command: str, shop: Shop, *options: str) -> str:
    """What a command prints."""
    done = CliRunner().invoke(command_line(), [command, *options, "--workspace", str(shop.root)])
    assert done.exit_code == 0, done.output
    return " ".join(done.stdout.split())
