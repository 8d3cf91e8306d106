"""Exports of known systems load as they are, and what they hold is found exactly."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.database.engine import Database
from features.intake.ingest import IngestReport, ingest
from features.intake.setup.guess import LAYOUT, Guess
from features.intake.setup.new_workspace import create
from features.shop.workspace import Workspace
from tests.made_up_export_list import EXPORTS
from tests.made_up_orders import NO_PURCHASES, Truth, draw

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def loaded(folder: Path, file: Path) -> tuple[list[Guess], IngestReport]:
    """What `init` guesses of a file, and what `ingest` makes of it without an edit."""
    guesses = create(folder / "shop", [file], lambda: NOW)
    workspace = Workspace.open(folder / "shop")
    database = Database.open(workspace.database_url)
    try:
        return guesses, ingest(workspace, database, clock=lambda: NOW)
    finally:
        database.close()


def check(name: str, orders: int, seed: int, folder: Path) -> None:
    """Write a shop's orders as `name` does, load them and compare with the truth."""
    export = EXPORTS[name]
    shop = draw(seed, orders, export.can)
    guesses, report = loaded(folder, export.write(shop, folder))
    known = next((guess.found for guess in guesses if guess.column == LAYOUT), None)
    held = report.purchases
    found = Truth(held.lines, held.orders, held.customers, held.units, held.gross, held.net)
    assert (known, found, report.rejected) == (export.layout, shop.truth, 0)
    states = {order.state for order in shop.orders} & {*NO_PURCHASES}
    assert states <= report.by_status.keys()


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_loads_without_an_edit(name: str, tmp_path: Path) -> None:
    """Lines, orders, customers, units, gross and net revenue equal the truth exactly."""
    check(name, 60, 7, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", EXPORTS)
def test_a_large_export_loads_without_an_edit(name: str, seed: int, tmp_path: Path) -> None:
    """The same holds of two years of a shop with two thousand orders."""
    check(name, 2_000, seed, tmp_path)
