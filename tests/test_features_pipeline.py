"""Feature frames: what a definition says, at the right moment, from nothing that was withheld."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalog import Catalog
from features.definition import ShopFacts
from features.errors import FeatureError
from features.gate import Gate
from features.intake.warehouse_tables import CUSTOMERS, TRANSACTIONS
from features.pipeline import DEFINITION_OF, customer_frame, features_for, history_frame, is_of_history, reads_of
from features.shop import Shop
from features.warehouse import Warehouse

CATEGORIES = ("purchases", "order_times", "spending", "location")
COLUMNS_OF = {
    "purchases": ("order_id", "product_id", "quantity"),
    "order_times": ("ordered_at",),
    "spending": ("unit_price", "amount"),
    "location": ("country",),
}
CUSTOMER_FEATURES = tuple(name for name in DEFINITION_OF if not is_of_history(name))
HISTORY_FEATURES = tuple(name for name in DEFINITION_OF if is_of_history(name))
FACTS = ShopFacts("France")
MOMENTS = (datetime(2024, 3, 1), datetime(2024, 7, 1))  # noqa: DTZ001 - the warehouse's times are naive UTC
FUTURE = MOMENTS[-1]
DAY = pd.Timedelta(days=1)


# ---- a plain reading of what each feature means ----


def plain_customer(lines: pd.DataFrame, countries: pd.DataFrame, as_of: pd.Timestamp, home: str | None) -> dict[str, float]:
    """All features of one customer at one moment, from their own lines (at least one) and the countries they lived in."""
    age = (as_of - lines["ordered_at"]).dt.floor("s") / DAY
    days = lines["ordered_at"].dt.date
    wait = (age.max() - age.min()) / (days.nunique() - 1) if days.nunique() > 1 else np.nan
    orders = lines["order_id"].nunique()
    return {
        "days_since_last_order": age.min(),
        "days_since_first_order": age.max(),
        "order_days": days.nunique(),
        "order_days_last_30_days": days[age <= 30].nunique(),
        "order_days_last_90_days": days[age <= 90].nunique(),
        "days_between_orders": wait,
        "overdue": age.min() / (wait + 1),
        "orders": orders,
        "products": lines["product_id"].nunique(),
        "items": lines["quantity"].sum(),
        "lines_per_order": len(lines) / orders,
        "products_last_90_days": lines.loc[age <= 90, "product_id"].nunique(),
        "total_spent": lines["amount"].sum(),
        "highest_amount": lines["amount"].max(),
        "spent_last_90_days": lines.loc[age <= 90, "amount"].sum(),
        "average_order_value": lines["amount"].sum() / orders,
        "usual_price": lines["unit_price"].mean(),
        "home_country": float(countries.sort_values("recorded_at")["country"].iloc[-1] == home) if len(countries) and home else np.nan,
    }


def plain_history(lines: pd.DataFrame, as_of: pd.Timestamp) -> dict[str, dict[str, float]]:
    """The history features of one customer at one moment by product."""
    placed = lines.groupby("order_id")["ordered_at"].min().reset_index().sort_values(["ordered_at", "order_id"], ascending=False)
    orders_ago = {order: position for position, order in enumerate(placed["order_id"])}
    found = {}
    for product, part in lines.groupby("product_id"):
        age = (as_of - part["ordered_at"]).dt.floor("s") / DAY
        ago = sorted(orders_ago[order] for order in part["order_id"].unique())
        found[str(product)] = {
            "times_bought": float(len(ago)),
            "days_since_last_bought": age.min(),
            "days_since_first_bought": age.max(),
            "orders_since_last_bought": float(ago[0]),
            "recent_frequency": sum(0.9**n for n in ago),
        }
    return found


def granted_all(customers: pd.Index) -> pd.DataFrame:
    """Grants of every category by every customer."""
    return pd.DataFrame([(customer, category) for customer in customers for category in CATEGORIES], columns=["customer", "category"])


def spine_of(customers: pd.Index, moments: tuple[datetime, ...]) -> pd.DataFrame:
    """Every customer at every moment."""
    parts = [pd.DataFrame({"customer": customers, "as_of": pd.Timestamp(moment).as_unit("us")}) for moment in moments]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def everything(shop: Shop) -> Gate:
    """A gate to the made-up shop through which everything may be seen."""
    lines = shop.warehouse.table("transactions").to_pandas()
    return Gate(shop.warehouse, shop.config.catalog, "churn_prediction", granted_all(pd.Index(lines["customer"].unique())))


MOMENTS_OF_SHOP = tuple(datetime(2024, month, 3, 12) for month in (2, 5, 8, 10))  # noqa: DTZ001 - naive UTC as in the warehouse


def test_customer_features_are_what_they_say(shop: Shop, everything: Gate) -> None:
    """Every customer feature of a third of all customers at four moments equals a plain computation from the customer's own lines."""
    lines, moves = (shop.warehouse.table(name).to_pandas() for name in ("transactions", "customers"))
    spine = spine_of(everything.customers()[::3], MOMENTS_OF_SHOP)
    frame = customer_frame(everything, CUSTOMER_FEATURES, spine, shop.facts)
    assert frame.columns.tolist() == ["customer", "as_of", *CUSTOMER_FEATURES]
    expected = []
    for customer, as_of in spine.itertuples(index=False):
        mine, lived = (table[(table["customer"] == customer) & (table["recorded_at"] < as_of)] for table in (lines, moves))
        expected.append(
            plain_customer(mine, lived, as_of, shop.facts.home_country) if len(mine) else dict.fromkeys(CUSTOMER_FEATURES, np.nan)
        )
    wanted = pd.DataFrame(expected)[list(CUSTOMER_FEATURES)].astype("float64")
    pd.testing.assert_frame_equal(frame[list(CUSTOMER_FEATURES)], wanted, rtol=1e-9, atol=1e-9)
    assert 50 < wanted["home_country"].isna().sum() < 200


def test_history_features_are_what_they_say(shop: Shop, everything: Gate) -> None:
    """Every history feature of every product in a third of all histories equals a plain computation, and no other product has a row."""
    lines = shop.warehouse.table("transactions").to_pandas()
    spine = spine_of(everything.customers()[::3], MOMENTS_OF_SHOP[1:3])
    frame = history_frame(everything, HISTORY_FEATURES, spine, shop.facts)
    expected = []
    for customer, as_of in spine.itertuples(index=False):
        mine = lines[(lines["customer"] == customer) & (lines["recorded_at"] < as_of)]
        expected += [
            {"customer": customer, "as_of": as_of, "product_id": product, **values}
            for product, values in plain_history(mine, as_of).items()
        ]
    wanted = pd.DataFrame(expected).sort_values(["customer", "as_of", "product_id"], ignore_index=True)
    assert len(wanted) > 1_000
    pd.testing.assert_frame_equal(frame, wanted[frame.columns], rtol=1e-9, atol=1e-9, check_dtype=False)


def test_frames_keep_the_order_and_index_of_the_spine(shop: Shop, everything: Gate) -> None:
    """A customer frame has one row per row of its spine, in its order, under its index, with its dtypes."""
    spine = spine_of(everything.customers(), MOMENTS_OF_SHOP).sample(frac=0.5, random_state=1)
    frame = customer_frame(everything, CUSTOMER_FEATURES, spine, shop.facts)
    pd.testing.assert_frame_equal(frame[["customer", "as_of"]], spine)
    assert set(frame[list(CUSTOMER_FEATURES)].dtypes.astype(str)) == {"float64"}


def test_an_empty_spine_gives_an_empty_frame(shop: Shop, everything: Gate) -> None:
    """Nobody asked for is nobody answered for, with all columns there."""
    spine = spine_of(everything.customers()[:0], MOMENTS_OF_SHOP[:1])
    assert customer_frame(everything, CUSTOMER_FEATURES, spine, shop.facts).shape == (0, 2 + len(CUSTOMER_FEATURES))
    assert history_frame(everything, HISTORY_FEATURES, spine, shop.facts).shape == (0, 3 + len(HISTORY_FEATURES))


def test_a_row_that_stands_twice_is_the_same_twice(shop: Shop, everything: Gate) -> None:
    """A spine that repeats a row gets that row's features again, not twice as much."""
    once = spine_of(everything.customers()[:20], MOMENTS_OF_SHOP[2:3])
    single = customer_frame(everything, CUSTOMER_FEATURES, once, shop.facts)
    twice = customer_frame(everything, CUSTOMER_FEATURES, pd.concat([once, once], ignore_index=True), shop.facts)
    pd.testing.assert_frame_equal(twice, pd.concat([single, single], ignore_index=True), check_exact=True)


def frames(gate: Gate, spine: pd.DataFrame, facts: ShopFacts = FACTS) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Customer and history features of a spine."""
    return customer_frame(gate, CUSTOMER_FEATURES, spine, facts), history_frame(gate, HISTORY_FEATURES, spine, facts)


def test_a_customer_alone_has_the_same_features_as_among_many(shop: Shop, everything: Gate) -> None:
    """Asked for alone, a customer's features are those of the whole batch to the last bit."""
    spine = spine_of(everything.customers(), MOMENTS_OF_SHOP[2:3])
    known, bought = frames(everything, spine, shop.facts)
    for position in range(0, len(spine), 80):
        alone = spine.iloc[[position]]
        mine, my_products = frames(everything, alone, shop.facts)
        pd.testing.assert_frame_equal(mine, known.iloc[[position]], check_exact=True)
        theirs = bought[bought["customer"] == alone["customer"].iloc[0]].reset_index(drop=True)
        pd.testing.assert_frame_equal(my_products, theirs, check_exact=True)


def test_many_moments_at_once_are_the_same_as_one_at_a_time(shop: Shop, everything: Gate) -> None:
    """Features at four moments together are those of each moment to the last bit, and the same on every run."""
    together = frames(everything, spine_of(everything.customers(), MOMENTS_OF_SHOP), shop.facts)
    again = frames(everything, spine_of(everything.customers(), MOMENTS_OF_SHOP), shop.facts)
    each = [frames(everything, spine_of(everything.customers(), (moment,)), shop.facts) for moment in MOMENTS_OF_SHOP]
    pd.testing.assert_frame_equal(together[0], pd.concat([one[0] for one in each], ignore_index=True), check_exact=True)
    order = ["customer", "as_of", "product_id"]
    pd.testing.assert_frame_equal(together[1], pd.concat([one[1] for one in each]).sort_values(order, ignore_index=True), check_exact=True)
    for first, second in zip(together, again, strict=True):
        pd.testing.assert_frame_equal(first, second, check_exact=True)


# ---- worlds ----


class World:
    """Lines and countries of many customers, drawn from a seed."""

    def __init__(self, seed: int, customers: int = 1_000) -> None:
        self.draw = np.random.default_rng(seed)
        self.customers = np.arange(1, customers + 1)
        self.lines = self._lines(np.repeat(self.customers, self.draw.integers(0, 9, customers)))
        self.moves = self._moves(np.repeat(self.customers, self.draw.integers(0, 3, customers)))
        self.withheld = self.draw.random((customers, len(CATEGORIES))) < self.draw.choice([0.1, 0.5, 0.9], (customers, 1))

    def _moments(self, count: int, begin: datetime = datetime(2024, 1, 1), days: int = 240) -> pd.DatetimeIndex:  # noqa: DTZ001 - naive UTC
        return pd.DatetimeIndex(pd.Timestamp(begin) + pd.to_timedelta(self.draw.integers(0, days * 86_400, count), unit="s")).as_unit("us")

    def _lines(self, customers: np.ndarray, begin: datetime = datetime(2024, 1, 1)) -> pd.DataFrame:  # noqa: DTZ001 - naive UTC
        count = len(customers)
        moments = self._moments(count, begin)
        return pd.DataFrame(
            {
                "customer": customers,
                "order_id": [f"o{customer}-{number}" for customer, number in zip(customers, self.draw.integers(0, 4, count), strict=True)],
                "product_id": [f"p{number}" for number in self.draw.integers(0, 7, count)],
                "quantity": self.draw.integers(1, 9, count),
                "unit_price": np.round(self.draw.uniform(0.1, 90, count), 2),
                "amount": np.round(self.draw.uniform(0.1, 900, count), 2),
                "ordered_at": moments,
                "recorded_at": moments + pd.to_timedelta(self.draw.choice([0, 0, 3_600, 20 * 86_400], count), unit="s"),
            }
        )

    def _moves(self, customers: np.ndarray, begin: datetime = datetime(2024, 1, 1)) -> pd.DataFrame:  # noqa: DTZ001 - naive UTC
        countries = self.draw.choice(["France", "Spain", "Italy"], len(customers))
        return pd.DataFrame({"customer": customers, "country": countries, "recorded_at": self._moments(len(customers), begin)})

    def granted(self) -> pd.DataFrame:
        """What the customers of this world grant."""
        rows, columns = np.nonzero(~self.withheld)
        return pd.DataFrame({"customer": self.customers[rows], "category": np.array(CATEGORIES, dtype=object)[columns]}).astype(
            {"category": "str"}
        )

    def gate(self, folder: Path, catalog: Catalog, granted: pd.DataFrame | None = None) -> Gate:
        """A gate to this world."""
        warehouse = Warehouse(folder)
        tables = {"transactions": (self.lines, TRANSACTIONS), "customers": (self.moves, CUSTOMERS)}
        warehouse.replace({name: pa.Table.from_pandas(frame, schema, preserve_index=False) for name, (frame, schema) in tables.items()})
        return Gate(warehouse, catalog, "recommendations", self.granted() if granted is None else granted)

    def change_what_is_withheld(self) -> None:
        """Give every withheld value another one, and take away or add rows of those of whom nothing in the table may be seen."""
        hidden = {category: set(self.customers[self.withheld[:, at]]) for at, category in enumerate(CATEGORIES)}
        other = self._lines(self.lines["customer"].to_numpy())
        for category in CATEGORIES[:3]:
            rows = self.lines["customer"].isin(hidden[category])
            for column in COLUMNS_OF[category]:
                self.lines[column] = self.lines[column].where(~rows, other[column])
        unseen = set.intersection(*(hidden[category] for category in CATEGORIES[:3]))
        dropped = self.lines["customer"].isin(unseen) & (self.draw.random(len(self.lines)) < 0.5)
        added = self._lines(self.draw.permutation(sorted(unseen)))
        self.lines = pd.concat([self.lines[~dropped], added], ignore_index=True).sample(frac=1, random_state=1)
        away = self.moves["customer"].isin(hidden["location"]) & (self.draw.random(len(self.moves)) < 0.5)
        self.moves = pd.concat([self.moves[~away], self._moves(self.draw.permutation(sorted(hidden["location"])))], ignore_index=True)

    def add_the_future(self) -> None:
        """Add orders and moves recorded at or after the last moment asked for, some of them about days long gone."""
        lines = self._lines(self.draw.choice(self.customers, 200), FUTURE)
        lines.loc[::3, "ordered_at"] = self._moments(len(lines[::3]))
        lines.loc[::5, "recorded_at"] = pd.Timestamp(FUTURE)
        self.lines = pd.concat([self.lines, lines], ignore_index=True)
        self.moves = pd.concat([self.moves, self._moves(self.draw.choice(self.customers, 100), FUTURE)], ignore_index=True)

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


def assert_same(one: tuple[pd.DataFrame, pd.DataFrame], other: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """The frames are equal to the last bit."""
    for first, second in zip(one, other, strict=True):
        pd.testing.assert_frame_equal(first, second, check_exact=True)


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_withheld_values_have_no_influence(catalog: Catalog, new_folder: Callable[[], Path], seed: int) -> None:
    """Two worlds of a thousand customers that differ only in withheld values, and in withheld rows, have identical features."""
    world = World(seed)
    before, lines = frames(world.gate(new_folder(), catalog), world.spine), world.lines.copy()
    world.change_what_is_withheld()
    assert_same(before, frames(world.gate(new_folder(), catalog), world.spine))
    assert len(world.lines) != len(lines) or not world.lines.sort_index().equals(lines)


@settings(max_examples=1, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_same_values_have_influence_where_they_are_granted(catalog: Catalog, new_folder: Callable[[], Path], seed: int) -> None:
    """When everybody grants everything, the very same two worlds have different features: the test above would notice."""
    world = World(seed)
    granted = granted_all(pd.Index(world.customers))
    before = frames(world.gate(new_folder(), catalog, granted), world.spine)
    world.change_what_is_withheld()
    after = frames(world.gate(new_folder(), catalog, granted), world.spine)
    assert all((after[0][name].fillna(-1) != before[0][name].fillna(-1)).any() for name in CUSTOMER_FEATURES)


@settings(max_examples=1, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_whatever_reads_a_withheld_category_is_missing(catalog: Catalog, new_folder: Callable[[], Path], seed: int) -> None:
    """For every customer the features that are there are exactly those whose categories are all granted."""
    world = World(seed)
    seen = frames(world.gate(new_folder(), catalog), world.spine)[0]
    full = frames(world.gate(new_folder(), catalog, granted_all(pd.Index(world.customers))), world.spine)[0]
    withheld = pd.DataFrame(world.withheld, index=world.customers, columns=CATEGORIES).loc[seen["customer"]].reset_index(drop=True)
    for name in CUSTOMER_FEATURES:
        hidden = withheld[list(catalog.categories_of(reads_of(name)))].any(axis=1)
        assert hidden.any()
        assert seen.loc[hidden, name].isna().all()
        pd.testing.assert_series_equal(seen.loc[~hidden, name], full.loc[~hidden, name], check_exact=True)


@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_was_recorded_later_changes_nothing(catalog: Catalog, new_folder: Callable[[], Path], seed: int) -> None:
    """Rows recorded at as_of or after it, whatever day they speak of, have no influence on features at as_of."""
    world = World(seed)
    before = frames(world.gate(new_folder(), catalog), world.spine)
    world.add_the_future()
    assert_same(before, frames(world.gate(new_folder(), catalog), world.spine))


def test_a_row_counts_from_the_moment_after_it_was_recorded(catalog: Catalog, new_folder: Callable[[], Path]) -> None:
    """A line recorded exactly at as_of is not seen then, and is seen a microsecond later, however old its order is."""
    world = World(1, customers=1)
    moment = datetime(2024, 5, 5, 12)  # noqa: DTZ001 - naive UTC
    world.lines = world._lines(np.array([1])).assign(ordered_at=pd.Timestamp(2024, 1, 2), recorded_at=pd.Timestamp(moment))
    world.lines = world.lines.astype({"ordered_at": "datetime64[us]", "recorded_at": "datetime64[us]"})
    gate = world.gate(new_folder(), catalog, granted_all(pd.Index([1])))
    spine = spine_of(pd.Index([1]), (moment, moment + timedelta(microseconds=1)))
    assert customer_frame(gate, ["orders"], spine, FACTS)["orders"].fillna(0).tolist() == [0, 1]


def test_a_world_in_another_order_has_the_same_features(catalog: Catalog, new_folder: Callable[[], Path]) -> None:
    """The order in which rows lie in the warehouse has no influence."""
    world = World(3)
    before = frames(world.gate(new_folder(), catalog), world.spine)
    world.lines, world.moves = (table.sample(frac=1, random_state=5) for table in (world.lines, world.moves))
    assert_same(before, frames(world.gate(new_folder(), catalog), world.spine))


def test_without_a_home_country_nobody_is_at_home(catalog: Catalog, new_folder: Callable[[], Path]) -> None:
    """In a shop that names no country of its own, living there is unknown of everybody."""
    world = World(4, customers=40)
    gate = world.gate(new_folder(), catalog, granted_all(pd.Index(world.customers)))
    assert customer_frame(gate, ["home_country"], world.spine, ShopFacts(None))["home_country"].isna().all()


def test_long_histories_add_up_the_same_alone_and_among_many(catalog: Catalog, new_folder: Callable[[], Path]) -> None:
    """Features that sum over many orders have the same last bit for one customer as within a large batch."""
    world = World(6, customers=3_000)
    world.lines = world._lines(np.repeat(world.customers, 40)).sort_values("recorded_at", ignore_index=True)
    world.lines["order_id"] = [f"o{number}" for number in range(len(world.lines))]
    gate = world.gate(new_folder(), catalog, granted_all(pd.Index(world.customers)))
    spine = spine_of(pd.Index(world.customers), MOMENTS[1:])
    bought = history_frame(gate, HISTORY_FEATURES, spine, FACTS)
    differing = []
    for customer in range(1, 3_000, 300):
        alone = history_frame(gate, HISTORY_FEATURES, spine[spine["customer"] == customer], FACTS)
        among_many = bought.loc[bought["customer"] == customer, HISTORY_FEATURES].reset_index(drop=True)
        differing.append((alone[list(HISTORY_FEATURES)] != among_many).sum())
    assert pd.DataFrame(differing).sum().to_dict() == dict.fromkeys(HISTORY_FEATURES, 0)


# ---- names ----


def test_a_feature_without_a_definition_is_named() -> None:
    """Asking what an unknown feature reads names it and those that there are."""
    with pytest.raises(FeatureError, match=r"`shoe_size`.*`?days_since_last_order"):
        reads_of("shoe_size")


def test_a_frame_of_no_history_features_is_refused(shop: Shop, everything: Gate) -> None:
    """A next-purchase model without a feature of the history is told to list one."""
    with pytest.raises(FeatureError, match="times_bought"):
        history_frame(everything, [], spine_of(everything.customers()[:1], MOMENTS_OF_SHOP[:1]), shop.facts)


def test_a_model_is_offered_what_suits_it_and_is_permitted(catalog: Catalog) -> None:
    """Churn gets all customer features and ranking some of them with all of the history, but only what the purpose may use."""
    assert set(features_for(catalog, "churn", "churn_prediction")) == set(CUSTOMER_FEATURES)
    ranking = features_for(catalog, "next_purchase", "recommendations")
    assert set(HISTORY_FEATURES) < set(ranking)
    assert "total_spent" not in ranking
    assert features_for(catalog, "churn", "fairness_audit") == ("home_country",)
    assert features_for(catalog, "churn", "gossip") == ()
