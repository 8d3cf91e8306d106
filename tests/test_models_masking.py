"""Masking: withholding a category from arrays is what the gate does with rows."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.definitions.frames import customer_frame, reads_of
from features.shop.shop import Shop
from models.masking import RATES, Masking
from models.next_purchase.examples import PurchaseData, history_masking
from models.next_purchase.histories import Baskets, Histories, HistoryMasking, together
from models.next_purchase.orders import orders
from tests.feature_frames import covering

PURPOSE = "recommendations"
CATEGORIES = ("a", "b", "c")


@st.composite
def maskings(draw: st.DrawFn) -> Masking:
    """Maskings of up to six features over three categories; a feature may need none."""
    return Masking.of(draw(st.lists(st.sets(st.sampled_from(CATEGORIES)), max_size=6)), CATEGORIES)


@settings(max_examples=80, deadline=None)
@given(masking=maskings(), seed=st.integers(0, 2**32))
def test_exactly_what_needs_a_withheld_category_is_missing(masking: Masking, seed: int) -> None:
    """Withholding makes a feature missing where it needs one of the withheld categories, and
    changes nothing else nor its input.
    """
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(5, len(masking.needs)))
    withheld = draw.random((5, 3)) < 0.5
    before = features.copy()
    result = masking.withhold(features, withheld)
    for row, feature in product(range(5), range(len(masking.needs))):
        hidden = any(withheld[row] & masking.needs[feature])
        assert (
            np.isnan(result[row, feature])
            if hidden
            else result[row, feature] == features[row, feature]
        )
    assert (features == before).all()


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    masking=maskings(),
    granted=st.sets(st.sampled_from(CATEGORIES)),
    more=st.sets(st.sampled_from(CATEGORIES)),
)
def test_allowing_is_withholding_the_rest(
    masking: Masking, granted: set[str], more: set[str]
) -> None:
    """Allowing twice leaves what both allow; allowing everything changes nothing."""
    features = np.arange(4.0 * len(masking.needs)).reshape(4, -1)
    withheld = np.tile([name not in granted for name in CATEGORIES], (4, 1))
    np.testing.assert_array_equal(
        masking.allow(features, granted), masking.withhold(features, withheld)
    )
    np.testing.assert_array_equal(
        masking.allow(masking.allow(features, granted), more),
        masking.allow(features, granted & more),
    )
    np.testing.assert_array_equal(masking.allow(features, CATEGORIES), features)


def test_draws_withhold_at_each_rate() -> None:
    """Every row draws one of the rates: the shares withheld are as mixed as the rates, and a seed
    repeats itself.
    """
    masking = Masking.of([["a"]], [f"c{n}" for n in range(200)])
    drawn = masking.draw(3_000, np.random.default_rng(1))
    assert drawn.shape == (3_000, 200)
    assert drawn.dtype == bool
    nearest = np.abs(drawn.mean(axis=1)[:, None] - np.array(RATES)).argmin(axis=1)
    assert np.abs(np.bincount(nearest) / 3_000 - 1 / 3).max() < 0.05
    np.testing.assert_array_equal(drawn, masking.draw(3_000, np.random.default_rng(1)))


# ---- the gate and the mask say the same ----


@pytest.fixture(scope="module")
def data(shop: Shop) -> PurchaseData:
    """The next-purchase model's data with everything granted by all who ordered."""
    ids = shop.warehouse.table("transactions").customer.to_pandas().unique()[:60]
    return data_of(shop, ids, set(shop.config.catalog.categories))


def data_of(shop: Shop, customers: np.ndarray, granted: set[str]) -> PurchaseData:
    """The data of customers who all grant the same."""
    grants = pd.DataFrame(
        [(customer, category) for customer in customers for category in sorted(granted)],
        columns=["customer", "category"],
    )
    gate = shop.gate_for(PURPOSE, covering(grants))
    section = shop.config.models.next_purchase
    return PurchaseData(
        gate,
        orders(gate, shop.loaded_until()) if granted else pd.DataFrame(),
        section.features,
        shop.facts,
        section.sold_within_days,
    )


SUBSETS: list[set[str]] = [
    set(),
    {"order_times", "spending", "location"},
    {"purchases", "spending", "location"},
]


@pytest.mark.slow
@pytest.mark.parametrize("granted", SUBSETS, ids=lambda names: "+".join(sorted(names)) or "nothing")
def test_a_masked_row_is_the_row_that_the_gate_would_give(
    shop: Shop, data: PurchaseData, granted: set[str]
) -> None:
    """Features and histories masked to some categories are, to the last bit, those made by a gate
    where only these are granted.
    """
    now = shop.loaded_until()
    customers = data.gate.customers()
    spine = pd.DataFrame({"customer": customers, "as_of": pd.Timestamp(now).as_unit("us")})
    statistics = data.maker(now).statistics
    masking = history_masking(data, shop.config.catalog.askable(PURPOSE))
    masked = masking.allow(data.histories(spine, statistics), granted)
    gated = data_of(shop, customers.to_numpy(), granted).histories(spine, statistics)
    for name in ("starts", "products", "columns", "customers"):
        np.testing.assert_array_equal(getattr(masked, name), getattr(gated, name))
    features = shop.config.models.churn.features
    churn = Masking.of(
        [shop.config.catalog.categories_of(reads_of(name)) for name in features],
        shop.config.catalog.askable(PURPOSE),
    )
    everything = customer_frame(data.gate, features, spine, shop.facts)[list(features)].to_numpy(
        "float64"
    )
    only = customer_frame(
        data_of(shop, customers.to_numpy(), granted).gate, features, spine, shop.facts
    )[list(features)].to_numpy("float64")
    np.testing.assert_array_equal(churn.allow(everything, granted), only)


def some_histories(seed: int, rows: int) -> Histories:
    """Histories of random lengths."""
    draw = np.random.default_rng(seed)
    counts = draw.integers(0, 5, rows)
    products = (
        np.concatenate([np.sort(draw.choice(9, count, replace=False)) for count in counts])
        if rows
        else np.empty(0)
    )
    return Histories(
        np.concatenate([[0], np.cumsum(counts)]),
        products.astype(np.int64),
        draw.normal(size=(counts.sum(), 2)),
        draw.normal(size=(rows, 3)),
        Baskets(np.sort(draw.integers(0, rows, 2 * rows)), draw.integers(0, 9, 2 * rows)),
    )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), rows=st.integers(1, 12), cut=st.integers(0, 12))
def test_histories_come_apart_and_together(seed: int, rows: int, cut: int) -> None:
    """Slices put together again are the whole, entry by entry."""
    whole, at = some_histories(seed, rows), min(cut, rows)
    joined = together([whole.slice(0, at), whole.slice(at, rows)])
    for name in ("starts", "products", "columns", "customers"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
    for name in ("rows", "products"):
        np.testing.assert_array_equal(getattr(joined.baskets, name), getattr(whole.baskets, name))
    assert len(joined) == rows
    assert whole.slice(0, at).baskets.rows.max(initial=-1) < at


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), rows=st.integers(1, 12))
def test_a_withheld_history_has_no_entries(seed: int, rows: int) -> None:
    """Entries go with their category, columns and customer features become missing with theirs, row
    by row.
    """
    histories = some_histories(seed, rows)
    masking = HistoryMasking(
        frozenset({"a"}),
        Masking.of([{"a"}, {"a", "b"}], CATEGORIES),
        Masking.of([{"c"}, {"b"}, set()], CATEGORIES),
    )
    withheld = np.random.default_rng(seed).random((rows, 3)) < 0.4
    masked = masking.withhold(histories, withheld)
    for row in range(rows):
        before, after = histories.slice(row, row + 1), masked.slice(row, row + 1)
        assert len(after.products) == (0 if withheld[row, 0] else len(before.products))
        assert np.isnan(after.columns[:, 1]).all() == (
            bool(withheld[row, 1]) or not len(after.products)
        )
        np.testing.assert_array_equal(after.columns[:, 0], before.columns[: len(after.products), 0])
        hidden = np.array([withheld[row, 2], withheld[row, 1], False])
        np.testing.assert_array_equal(
            after.customers[0], np.where(hidden, np.nan, before.customers[0])
        )
