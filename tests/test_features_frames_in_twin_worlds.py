"""Worlds that differ only in what is withheld, or is yet to come, have the same features."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalog import Catalog
from features.definitions.definition import ShopFacts
from features.definitions.frames import customer_frame, history_frame, reads_of
from features.shop.shop import Shop
from features.tables.declared import customers, transactions
from features.warehouse.arrow import arrow_table
from features.warehouse.gate import Gate
from features.warehouse.store import Warehouse
from tests.feature_frames import (
    CATEGORIES,
    COLUMNS_OF,
    CUSTOMER_FEATURES,
    FACTS,
    FUTURE,
    HISTORY_FEATURES,
    MOMENTS,
    covering,
    frames,
    granted_all,
    spine_of,
)
from tests.synthetic_shop import END

pytestmark = [pytest.mark.slow, pytest.mark.early]


class World:
    """Lines and countries of many customers, drawn from a seed."""

    def __init__(self, seed: int, customers: int = 1_000) -> None:
        self.draw = np.random.default_rng(seed)
        self.customers = np.arange(1, customers + 1)
        self.lines = self._lines(np.repeat(self.customers, self.draw.integers(0, 9, customers)))
        self.moves = self._moves(np.repeat(self.customers, self.draw.integers(0, 3, customers)))
        self.withheld = self.draw.random((customers, len(CATEGORIES))) < self.draw.choice(
            [0.1, 0.5, 0.9], (customers, 1)
        )

    def _moments(
        self,
        count: int,
        begin: datetime = datetime(2024, 1, 1),  # noqa: DTZ001
        days: int = 240,
    ) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(
            pd.Timestamp(begin)
            + pd.to_timedelta(self.draw.integers(0, days * 86_400, count), unit="s")
        ).as_unit("us")

    def _lines(self, customers: np.ndarray, begin: datetime = datetime(2024, 1, 1)) -> pd.DataFrame:  # noqa: DTZ001 - naive UTC
        count = len(customers)
        moments = self._moments(count, begin)
        return pd.DataFrame(
            {
                "customer": customers,
                "order_id": [
                    f"o{customer}-{number}"
                    for customer, number in zip(
                        customers, self.draw.integers(0, 4, count), strict=True
                    )
                ],
                "product_id": [f"p{number}" for number in self.draw.integers(0, 7, count)],
                "quantity": self.draw.integers(1, 9, count),
                "unit_price": np.round(self.draw.uniform(0.1, 90, count), 2),
                "amount": np.round(self.draw.uniform(0.1, 900, count), 2),
                "source": "orders",
                "ordered_at": moments,
                "recorded_at": moments
                + pd.to_timedelta(self.draw.choice([0, 0, 3_600, 20 * 86_400], count), unit="s"),
            }
        )

    def _moves(self, customers: np.ndarray, begin: datetime = datetime(2024, 1, 1)) -> pd.DataFrame:  # noqa: DTZ001 - naive UTC
        countries = self.draw.choice(["France", "Spain", "Italy"], len(customers))
        moments = self._moments(len(customers), begin)
        return pd.DataFrame(
            {
                "customer": customers,
                "country": countries,
                "recorded_at": moments,
                "source": "orders",
            }
        )

    def granted(self) -> pd.DataFrame:
        """What the customers of this world grant."""
        rows, columns = np.nonzero(~self.withheld)
        return covering(
            pd.DataFrame(
                {
                    "customer": self.customers[rows],
                    "category": np.array(CATEGORIES, dtype=object)[columns],
                }
            )
        )

    def gate(self, folder: Path, catalog: Catalog, granted: pd.DataFrame | None = None) -> Gate:
        """A gate to this world."""
        warehouse = Warehouse(folder)
        warehouse.replace(
            {
                its.NAME: arrow_table(frame, its.TABLE)
                for frame, its in ((self.lines, transactions), (self.moves, customers))
            }
        )
        return Gate(
            warehouse,
            catalog,
            "recommendations",
            self.granted() if granted is None else granted,
            END,
        )

    def change_what_is_withheld(self) -> None:
        """Give every withheld value another one, and take away or add rows of those of whom nothing
        in the table may be seen.
        """
        hidden = {
            category: set(self.customers[self.withheld[:, at]])
            for at, category in enumerate(CATEGORIES)
        }
        other = self._lines(self.lines["customer"].to_numpy())
        for category in CATEGORIES[:3]:
            rows = self.lines["customer"].isin(hidden[category])
            for column in COLUMNS_OF[category]:
                self.lines[column] = self.lines[column].where(~rows, other[column])
        unseen = set.intersection(*(hidden[category] for category in CATEGORIES[:3]))
        dropped = self.lines["customer"].isin(unseen) & (self.draw.random(len(self.lines)) < 0.5)
        added = self._lines(self.draw.permutation(sorted(unseen)))
        self.lines = pd.concat([self.lines[~dropped], added], ignore_index=True).sample(
            frac=1, random_state=1
        )
        away = self.moves["customer"].isin(hidden["location"]) & (
            self.draw.random(len(self.moves)) < 0.5
        )
        self.moves = pd.concat(
            [self.moves[~away], self._moves(self.draw.permutation(sorted(hidden["location"])))],
            ignore_index=True,
        )

    def add_the_future(self) -> None:
        """Add orders and moves recorded at or after the last moment asked for, some of them about
        days long gone.
        """
        lines = self._lines(self.draw.choice(self.customers, 200), FUTURE)
        lines.loc[::3, "ordered_at"] = self._moments(len(lines[::3]))
        lines.loc[::5, "recorded_at"] = pd.Timestamp(FUTURE)
        self.lines = pd.concat([self.lines, lines], ignore_index=True)
        self.moves = pd.concat(
            [self.moves, self._moves(self.draw.choice(self.customers, 100), FUTURE)],
            ignore_index=True,
        )

    @property
    def spine(self) -> pd.DataFrame:
        """Every customer at every moment."""
        return spine_of(pd.Index(self.customers), MOMENTS)


@pytest.fixture(scope="module")
def catalog(shop: Shop) -> Catalog:
    """The made-up shop's catalog."""
    return shop.config.catalog


@pytest.fixture(scope="module")
def new_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Folders, each new."""
    return lambda: tmp_path_factory.mktemp("warehouse")


def assert_same(
    one: tuple[pd.DataFrame, pd.DataFrame], other: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    """The frames are equal to the last bit."""
    for first, second in zip(one, other, strict=True):
        pd.testing.assert_frame_equal(first, second, check_exact=True)


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_withheld_values_have_no_influence(
    catalog: Catalog, new_folder: Callable[[], Path], seed: int
) -> None:
    """Two worlds of a thousand customers that differ only in withheld values, and in withheld rows,
    have identical features.
    """
    world = World(seed)
    before, lines = frames(world.gate(new_folder(), catalog), world.spine), world.lines.copy()
    world.change_what_is_withheld()
    assert_same(before, frames(world.gate(new_folder(), catalog), world.spine))
    assert len(world.lines) != len(lines) or not world.lines.sort_index().equals(lines)


@settings(max_examples=1, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_same_values_have_influence_where_they_are_granted(
    catalog: Catalog, new_folder: Callable[[], Path], seed: int
) -> None:
    """When everybody grants everything, the very same two worlds have different features: the test
    above would notice.
    """
    world = World(seed)
    granted = granted_all(pd.Index(world.customers))
    before = frames(world.gate(new_folder(), catalog, granted), world.spine)
    world.change_what_is_withheld()
    after = frames(world.gate(new_folder(), catalog, granted), world.spine)
    assert all(
        (after[0][name].fillna(-1) != before[0][name].fillna(-1)).any()
        for name in CUSTOMER_FEATURES
    )


@settings(max_examples=1, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_whatever_reads_a_withheld_category_is_missing(
    catalog: Catalog, new_folder: Callable[[], Path], seed: int
) -> None:
    """For every customer the features that are there are exactly those whose categories are all
    granted.
    """
    world = World(seed)
    seen = frames(world.gate(new_folder(), catalog), world.spine)[0]
    full = frames(
        world.gate(new_folder(), catalog, granted_all(pd.Index(world.customers))), world.spine
    )[0]
    withheld = (
        pd.DataFrame(world.withheld, index=world.customers, columns=CATEGORIES)
        .loc[seen["customer"]]
        .reset_index(drop=True)
    )
    for name in CUSTOMER_FEATURES:
        hidden = withheld[list(catalog.categories_of(reads_of(name)))].any(axis=1)
        assert hidden.any()
        assert seen.loc[hidden, name].isna().all()
        pd.testing.assert_series_equal(
            seen.loc[~hidden, name], full.loc[~hidden, name], check_exact=True
        )


@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_was_recorded_later_changes_nothing(
    catalog: Catalog, new_folder: Callable[[], Path], seed: int
) -> None:
    """Rows recorded at as_of or after it, whatever day they speak of, have no influence on features
    at as_of.
    """
    world = World(seed)
    before = frames(world.gate(new_folder(), catalog), world.spine)
    world.add_the_future()
    assert_same(before, frames(world.gate(new_folder(), catalog), world.spine))


def test_a_row_counts_from_the_moment_after_it_was_recorded(
    catalog: Catalog, new_folder: Callable[[], Path]
) -> None:
    """A line recorded exactly at as_of is not seen then, and is seen a microsecond later, however
    old its order is.
    """
    world = World(1, customers=1)
    moment = datetime(2024, 5, 5, 12)  # noqa: DTZ001 - naive UTC
    world.lines = world._lines(np.array([1])).assign(
        ordered_at=pd.Timestamp(2024, 1, 2), recorded_at=pd.Timestamp(moment)
    )
    world.lines = world.lines.astype(
        {"ordered_at": "datetime64[us]", "recorded_at": "datetime64[us]"}
    )
    gate = world.gate(new_folder(), catalog, granted_all(pd.Index([1])))
    spine = spine_of(pd.Index([1]), (moment, moment + timedelta(microseconds=1)))
    assert customer_frame(gate, ["orders"], spine, FACTS)["orders"].fillna(0).tolist() == [0, 1]


def test_a_world_in_another_order_has_the_same_features(
    catalog: Catalog, new_folder: Callable[[], Path]
) -> None:
    """The order in which rows lie in the warehouse has no influence."""
    world = World(3)
    before = frames(world.gate(new_folder(), catalog), world.spine)
    world.lines, world.moves = (
        table.sample(frac=1, random_state=5) for table in (world.lines, world.moves)
    )
    assert_same(before, frames(world.gate(new_folder(), catalog), world.spine))


def test_without_a_home_country_nobody_is_at_home(
    catalog: Catalog, new_folder: Callable[[], Path]
) -> None:
    """In a shop that names no country of its own, living there is unknown of everybody."""
    world = World(4, customers=40)
    gate = world.gate(new_folder(), catalog, granted_all(pd.Index(world.customers)))
    assert (
        customer_frame(gate, ["home_country"], world.spine, ShopFacts(None))["home_country"]
        .isna()
        .all()
    )


def test_long_histories_add_up_the_same_alone_and_among_many(
    catalog: Catalog, new_folder: Callable[[], Path]
) -> None:
    """Features that sum over many orders have the same last bit for one customer as within a large
    batch.
    """
    world = World(6, customers=3_000)
    world.lines = world._lines(np.repeat(world.customers, 40)).sort_values(
        "recorded_at", ignore_index=True
    )
    world.lines["order_id"] = [f"o{number}" for number in range(len(world.lines))]
    gate = world.gate(new_folder(), catalog, granted_all(pd.Index(world.customers)))
    spine = spine_of(pd.Index(world.customers), MOMENTS[1:])
    bought = history_frame(gate, HISTORY_FEATURES, spine, FACTS)
    differing = []
    for customer in range(1, 3_000, 300):
        alone = history_frame(gate, HISTORY_FEATURES, spine[spine["customer"] == customer], FACTS)
        among_many = bought.loc[bought["customer"] == customer, HISTORY_FEATURES].reset_index(
            drop=True
        )
        same = (alone[list(HISTORY_FEATURES)] == among_many) | (
            alone[list(HISTORY_FEATURES)].isna() & among_many.isna()
        )
        differing.append((~same).sum())
    assert pd.DataFrame(differing).sum().to_dict() == dict.fromkeys(HISTORY_FEATURES, 0)
