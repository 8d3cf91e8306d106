"""Feature frames: what a definition says, at the right moment."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from features.catalog import Catalog
from features.definitions.frames import customer_frame, features_for, history_frame, reads_of
from features.errors import FeatureError
from features.shop.shop import Shop
from features.warehouse.gate import Gate
from tests.feature_frames import (
    CUSTOMER_FEATURES,
    DAY,
    HISTORY_FEATURES,
    frames,
    granted_all,
    spine_of,
)
from tests.synthetic_shop import END

pytestmark = pytest.mark.early

# ---- a plain reading of what each feature means ----


def plain_customer(
    lines: pd.DataFrame, countries: pd.DataFrame, as_of: pd.Timestamp, home: str | None
) -> dict[str, float]:
    """All features of one customer at one moment, from their own lines (at least one) and the
    countries they lived in.
    """
    age = (as_of - lines["ordered_at"]).dt.floor("s") / DAY
    days = lines["ordered_at"].dt.date
    wait = (age.max() - age.min()) / (days.nunique() - 1) if days.nunique() > 1 else np.nan
    orders, latest = lines["order_id"].nunique(), age.groupby(days).min()
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
        **{f"order_days_fading_over_{n}_days": np.exp(-latest / n).sum() for n in (30, 90, 270)},
        "wait_as_share_of_time_known": age.min() / age.max() if age.max() else np.nan,
        "lines_per_order": len(lines) / orders,
        "products_last_90_days": lines.loc[age <= 90, "product_id"].nunique(),
        "total_spent": lines["amount"].sum(),
        "highest_amount": lines["amount"].max(),
        "spent_last_90_days": lines.loc[age <= 90, "amount"].sum(),
        **{
            f"spent_fading_over_{n}_days": (lines["amount"] * np.exp(-age / n)).round(4).sum()
            for n in (90, 270)
        },
        "average_order_value": lines["amount"].sum() / orders,
        "usual_price": lines["unit_price"].mean(),
        "home_country": float(countries.sort_values("recorded_at")["country"].iloc[-1] == home)
        if len(countries) and home
        else np.nan,
        **plain_segments(lines, age),
    }


def plain_segments(lines: pd.DataFrame, age: pd.Series) -> dict[str, float]:
    """Scores, stage and discounts of one customer, by hand."""
    ages = sorted(age.groupby(lines["ordered_at"].dt.date).min())
    count, last = len(ages), ages[0]
    usual = (age.groupby(lines["ordered_at"].dt.date).min().max() - last) / (count - 1 or np.nan)
    pause = ages[1] - last if count > 1 else np.nan
    earlier = (ages[-1] - ages[1]) / (count - 2) if count > 2 else np.nan
    limit = 60 if np.isnan(usual) else usual
    if last > 3 * limit:
        stage = 4
    elif count == 1 and last <= 60:
        stage = 1
    elif last > 1.5 * limit:
        stage = 3
    elif earlier > 0 and pause > 3 * earlier:
        stage = 5
    else:
        stage = 3 if count == 1 else 2
    spent = lines.loc[age <= 365, "amount"].sum()
    whole = (lines["quantity"] * lines["unit_price"]).sum()
    return {
        "discount_share": min(max(1 - lines["amount"].sum() / whole, 0.0), 1.0),
        "recency_score": 5.0 - sum(last > bound for bound in (30, 90, 180, 365)),
        "frequency_score": 1.0 + sum(count >= bound for bound in (2, 3, 5, 10)),
        "value_score": 1.0 + sum(spent >= bound for bound in (30, 100, 300, 1_000)),
        "lifecycle_stage": float(stage),
    }


def plain_history(lines: pd.DataFrame, as_of: pd.Timestamp) -> dict[str, dict[str, float]]:
    """The history features of one customer at one moment by product."""
    placed = (
        lines.groupby("order_id")["ordered_at"]
        .min()
        .reset_index()
        .sort_values(["ordered_at", "order_id"], ascending=False)
    )
    orders_ago = {order: position for position, order in enumerate(placed["order_id"])}
    found = {}
    for product, part in lines.groupby("product_id"):
        age = (as_of - part["ordered_at"]).dt.floor("s") / DAY
        ago = sorted(orders_ago[order] for order in part["order_id"].unique())
        days = part["ordered_at"].dt.date.nunique()
        found[str(product)] = {
            "times_bought": float(len(ago)),
            "days_since_last_bought": age.min(),
            "days_since_first_bought": age.max(),
            "orders_since_last_bought": float(ago[0]),
            "recent_frequency": sum(0.9**n for n in ago),
            "days_between_purchases": (age.max() - age.min()) / (days - 1) if days > 1 else np.nan,
            "purchase_due": age.min() / ((age.max() - age.min()) / (days - 1) + 1)
            if days > 1
            else np.nan,
        }
    return found


@pytest.fixture(scope="module")
def everything(shop: Shop) -> Gate:
    """A gate to the made-up shop through which everything may be seen."""
    lines = shop.warehouse.table("transactions").to_pandas()
    return Gate(
        shop.warehouse,
        shop.config.catalog,
        "churn_prediction",
        granted_all(pd.Index(lines["customer"].unique())),
        END,
    )


MOMENTS_OF_SHOP = tuple(datetime(2024, month, 3, 12) for month in (2, 5, 8, 10))  # noqa: DTZ001 - naive UTC as in the warehouse


def test_customer_features_are_what_they_say(shop: Shop, everything: Gate) -> None:
    """Every customer feature of a third of all customers at four moments equals a plain computation
    from the customer's own lines.
    """
    lines, moves = (
        shop.warehouse.table(name).to_pandas() for name in ("transactions", "customers")
    )
    spine = spine_of(everything.customers()[::3], MOMENTS_OF_SHOP)
    frame = customer_frame(everything, CUSTOMER_FEATURES, spine, shop.facts)
    assert frame.columns.tolist() == ["customer", "as_of", *CUSTOMER_FEATURES]
    expected = []
    for customer, as_of in spine.itertuples(index=False):
        mine, lived = (
            table[(table["customer"] == customer) & (table["recorded_at"] < as_of)]
            for table in (lines, moves)
        )
        expected.append(
            plain_customer(mine, lived, as_of, shop.facts.home_country)
            if len(mine)
            else dict.fromkeys(CUSTOMER_FEATURES, np.nan)
        )
    wanted = pd.DataFrame(expected)[list(CUSTOMER_FEATURES)].astype("float64")
    pd.testing.assert_frame_equal(frame[list(CUSTOMER_FEATURES)], wanted, rtol=1e-9, atol=1e-9)
    assert 50 < wanted["home_country"].isna().sum() < 200


def test_history_features_are_what_they_say(shop: Shop, everything: Gate) -> None:
    """Every history feature of every product in a third of all histories equals a plain
    computation, and no other product has a row.
    """
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
    wanted = pd.DataFrame(expected).sort_values(
        ["customer", "as_of", "product_id"], ignore_index=True
    )
    assert len(wanted) > 1_000
    pd.testing.assert_frame_equal(
        frame, wanted[frame.columns], rtol=1e-9, atol=1e-9, check_dtype=False
    )


def test_frames_keep_the_order_and_index_of_the_spine(shop: Shop, everything: Gate) -> None:
    """A customer frame has one row per row of its spine, in its order, under its index, with its
    dtypes.
    """
    spine = spine_of(everything.customers(), MOMENTS_OF_SHOP).sample(frac=0.5, random_state=1)
    frame = customer_frame(everything, CUSTOMER_FEATURES, spine, shop.facts)
    pd.testing.assert_frame_equal(frame[["customer", "as_of"]], spine)
    assert set(frame[list(CUSTOMER_FEATURES)].dtypes.astype(str)) == {"float64"}


def test_an_empty_spine_gives_an_empty_frame(shop: Shop, everything: Gate) -> None:
    """Nobody asked for is nobody answered for, with all columns there."""
    spine = spine_of(everything.customers()[:0], MOMENTS_OF_SHOP[:1])
    assert customer_frame(everything, CUSTOMER_FEATURES, spine, shop.facts).shape == (
        0,
        2 + len(CUSTOMER_FEATURES),
    )
    assert history_frame(everything, HISTORY_FEATURES, spine, shop.facts).shape == (
        0,
        3 + len(HISTORY_FEATURES),
    )


def test_a_row_that_stands_twice_is_the_same_twice(shop: Shop, everything: Gate) -> None:
    """A spine that repeats a row gets that row's features again, not twice as much."""
    once = spine_of(everything.customers()[:20], MOMENTS_OF_SHOP[2:3])
    single = customer_frame(everything, CUSTOMER_FEATURES, once, shop.facts)
    twice = customer_frame(
        everything, CUSTOMER_FEATURES, pd.concat([once, once], ignore_index=True), shop.facts
    )
    pd.testing.assert_frame_equal(
        twice, pd.concat([single, single], ignore_index=True), check_exact=True
    )


@pytest.mark.slow
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


@pytest.mark.slow
def test_many_moments_at_once_are_the_same_as_one_at_a_time(shop: Shop, everything: Gate) -> None:
    """Features at four moments together are those of each moment to the last bit, and the same on
    every run.
    """
    together = frames(everything, spine_of(everything.customers(), MOMENTS_OF_SHOP), shop.facts)
    again = frames(everything, spine_of(everything.customers(), MOMENTS_OF_SHOP), shop.facts)
    each = [
        frames(everything, spine_of(everything.customers(), (moment,)), shop.facts)
        for moment in MOMENTS_OF_SHOP
    ]
    pd.testing.assert_frame_equal(
        together[0], pd.concat([one[0] for one in each], ignore_index=True), check_exact=True
    )
    order = ["customer", "as_of", "product_id"]
    pd.testing.assert_frame_equal(
        together[1],
        pd.concat([one[1] for one in each]).sort_values(order, ignore_index=True),
        check_exact=True,
    )
    for first, second in zip(together, again, strict=True):
        pd.testing.assert_frame_equal(first, second, check_exact=True)


# ---- names ----


def test_a_feature_without_a_definition_is_named() -> None:
    """Asking what an unknown feature reads names it and those that there are."""
    with pytest.raises(FeatureError, match=r"`shoe_size`.*`?days_since_last_order"):
        reads_of("shoe_size")


def test_a_frame_of_no_history_features_is_refused(shop: Shop, everything: Gate) -> None:
    """A next-purchase model without a feature of the history is told to list one."""
    with pytest.raises(FeatureError, match="times_bought"):
        history_frame(
            everything, [], spine_of(everything.customers()[:1], MOMENTS_OF_SHOP[:1]), shop.facts
        )


def test_a_model_is_offered_what_suits_it_and_is_permitted(shop: Shop) -> None:
    """Churn gets all customer features and ranking some of them with all of the history, but only
    what the purpose may use.
    """
    catalog: Catalog = shop.config.catalog
    churn = features_for(catalog, "churn", "churn_prediction", unlisted=True)
    assert set(churn) == set(CUSTOMER_FEATURES)
    ranking = features_for(catalog, "next_purchase", "recommendations", unlisted=True)
    assert set(HISTORY_FEATURES) < set(ranking)
    assert "total_spent" not in ranking
    assert features_for(catalog, "churn", "fairness_audit") == ("home_country",)
    assert features_for(catalog, "churn", "gossip") == ()
