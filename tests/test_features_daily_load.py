"""A day's load: only what is new is read, and the warehouse is as after a load of everything."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.made_up_days import HEADER, NOW, MadeUpDays, Pair, replace_files

pytest_plugins = ["tests.load_fixtures"]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Two workspaces of one folder of files."""
    made = Pair(tmp_path)
    yield made
    made.close()


DAYS = pytest.mark.parametrize(
    ("seed", "days"),
    [(0, 5), *(pytest.param(seed, 20, marks=pytest.mark.slow) for seed in range(1, 9))],
)


@DAYS
def test_days_come_to_the_same_as_everything(
    pair: Pair, loads: list[str], seed: int, days: int
) -> None:
    """However a shop's export comes in files and lines put behind others, after each load of what
    is new rows, figures and refused lines are those of a load of everything.
    """
    draw, shop = random.Random(1_000 + seed), MadeUpDays(seed)
    file = pair.files / "000.csv"
    file.write_text(HEADER + "".join(text for day in range(20) for text in shop.day(day)))
    for step, day in enumerate(range(20, 20 + days)):
        if step:
            lines = "".join(shop.day(day))
            if draw.random() < 0.4:
                file = pair.files / f"{day:03}.csv"
                file.write_text(HEADER + lines)
            else:
                with file.open("a") as out:
                    out.write(lines)
        now = NOW + timedelta(days=day)
        assert pair.load("day", now) == replace_files(pair.load("whole", now), pair.root)
        assert pair.tables("day") == pair.tables("whole")
        assert pair.rejected("day") == pair.rejected("whole")
    assert loads.count("DayLoad") >= (days - 1) / 2
