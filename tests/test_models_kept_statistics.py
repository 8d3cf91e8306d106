"""Product statistics that are kept: the same orders give what lies there, any others do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.next_purchase import kept_statistics
from models.next_purchase.kept_statistics import KeptStatistics
from models.next_purchase.product_statistics import ProductStatistics, product_statistics
from tests.test_models_product_statistics import AS_OF, some_orders


@pytest.fixture
def kept(tmp_path: Path) -> KeptStatistics:
    """Keeps them in a folder of this test."""
    return KeptStatistics(tmp_path / "statistics.npz")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[ProductStatistics]:
    """What was made and not read."""
    all_made: list[ProductStatistics] = []

    def noted(*told: object) -> ProductStatistics:
        all_made.append(product_statistics(*told))
        return all_made[-1]

    monkeypatch.setattr(kept_statistics.product_statistics, "product_statistics", noted)
    return all_made


def same(one: ProductStatistics, other: ProductStatistics) -> bool:
    """Whether both hold the same bytes."""
    return {name: array.tobytes() for name, array in one.arrays.items()} == {
        name: array.tobytes() for name, array in other.arrays.items()
    }


def test_the_same_orders_are_counted_once(kept: KeptStatistics, made: list) -> None:
    """The second time they are read, to the last bit what was made; nobody else may read them."""
    orders, homes = some_orders(3)
    first, second = (kept(orders, AS_OF, 90, homes) for _ in range(2))
    assert len(made) == 1
    assert same(first, second)
    assert kept.file.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in kept.file.parent.iterdir()] == [kept.file.name]


def test_whatever_else_it_is_made_of_is_made_anew(kept: KeptStatistics, made: list) -> None:
    """One line less, another moment, home, price or span."""
    orders, homes = some_orders(3)
    prices = pd.Series({"p00": 2.5})
    told = (
        (orders, AS_OF, 90, homes),
        (orders[1:], AS_OF, 90, homes),
        (orders, AS_OF + pd.Timedelta(days=1), 90, homes),
        (orders, AS_OF, 91, homes),
        (orders, AS_OF, 90, 1 - homes),
        (orders, AS_OF, 90, None),
        (orders, AS_OF, 90, homes, prices),
        (orders, AS_OF, 90, homes, prices + 1),
        (orders, AS_OF, 90, prices),
    )
    for number, asked in enumerate(told, 1):
        kept(*asked)
        assert len(made) == number


@pytest.mark.parametrize("damage", [b"", b"PK", None])
def test_a_damaged_file_is_made_anew(
    kept: KeptStatistics, made: list, damage: bytes | None
) -> None:
    """Cut off, empty, or of an older kind."""
    orders, homes = some_orders(3)
    kept(orders, AS_OF, 90, homes)
    whole = kept.file.read_bytes()
    kept.file.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    assert same(kept(orders, AS_OF, 90, homes), made[0])
    assert len(made) == 2


def test_where_nothing_can_be_written_it_is_made(made: list, tmp_path: Path) -> None:
    """A folder that is not there."""
    orders, homes = some_orders(3)
    kept = KeptStatistics(tmp_path / "away" / "statistics.npz")
    assert same(kept(orders, AS_OF, 90, homes), kept(orders, AS_OF, 90, homes))
    assert len(made) == 2
    assert np.isfinite(made[0].facts).any()
