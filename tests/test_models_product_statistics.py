"""Product statistics: popular, similar, and never about fewer than five customers."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from features.shop.shop import Shop
from models.next_purchase import item_pairs as product_pairs
from models.next_purchase.item_pairs import DOUBT, FEWEST, NEIGHBOURS, RIDGE, fitting, largest
from models.next_purchase.orders import orders, prices, statistics_at
from models.next_purchase.product_statistics import (
    PRODUCT_FEATURES,
    ProductStatistics,
    product_statistics,
)
from models.targets import everybody

AS_OF = datetime(2024, 6, 1)  # noqa: DTZ001 - naive UTC as in the warehouse


def some_orders(
    seed: int, customers: int = 25, products: int = 12
) -> tuple[pd.DataFrame, pd.Series]:
    """Orders of the year before `AS_OF` and a little after, and whether customers live at home (of
    some it is unknown).
    """
    draw = np.random.default_rng(seed)
    count = int(draw.integers(1, 150))
    likes = 1 / (1 + np.arange(products))
    customer = draw.integers(0, customers, count)
    number = draw.integers(0, 4, count)
    placed = {
        key: AS_OF - timedelta(seconds=int(draw.integers(-20, 200)) * 86_400)
        for key in zip(customer, number, strict=True)
    }
    frame = pd.DataFrame(
        {
            "customer": customer,
            "order_id": [f"o{c}-{n}" for c, n in zip(customer, number, strict=True)],
            "product_id": [f"p{n:02}" for n in draw.choice(products, count, p=likes / likes.sum())],
            "ordered_at": pd.DatetimeIndex(
                [placed[key] for key in zip(customer, number, strict=True)]
            ).as_unit("us"),
        }
    ).drop_duplicates(["order_id", "product_id"])
    frame.loc[len(frame)] = [0, "first", "p00", pd.Timestamp(AS_OF - timedelta(days=250))]
    homes = pd.Series(draw.choice([0.0, 1.0], customers), index=np.arange(customers))
    return frame, homes[draw.random(customers) < 0.8]


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_statistics_by_brute_force(seed: int) -> None:
    """Every fact, share and similarity equals a count with loops, and is absent where fewer than
    five customers are behind it.
    """
    frame, homes = some_orders(seed)
    made = product_statistics(frame, AS_OF, 90, homes)
    past = frame[frame["ordered_at"] < AS_OF]
    assert made.product_ids.tolist() == sorted(past["product_id"].unique())
    buyers = {product: set(part["customer"]) for product, part in past.groupby("product_id")}
    for at, product in enumerate(made.product_ids.tolist()):
        mine = past[past["product_id"] == product]
        age = (AS_OF - mine["ordered_at"]).dt.total_seconds() / 86_400
        assert made.sold[at] == (age.min() <= 90)
        ever, month, quarter = (
            mine.loc[age <= within, "customer"].nunique() for within in (np.inf, 30, 90)
        )
        if ever < FEWEST:
            assert np.isnan(made.facts[at]).all()
        else:
            again = (mine.groupby("customer")["order_id"].nunique() > 1).sum()
            month, quarter, again = (
                0 if count < FEWEST else count for count in (month, quarter, again)
            )
            expected = [
                ever,
                month,
                quarter,
                (month + 1) / (quarter / 3 + 1),
                again / ever,
                age.max(),
            ]
            np.testing.assert_allclose(made.facts[at], expected)
        for shares, home in ((made.at_home, 1.0), (made.abroad, 0.0)):
            live = set(homes.index[homes == home]) & set(past["customer"])
            bought = len(live & buyers[product])
            assert (
                np.isnan(shares[at])
                if bought < FEWEST
                else shares[at] == pytest.approx(bought / len(live))
            )
        for other, name in enumerate(made.product_ids.tolist()):
            both = len(buyers[product] & buyers[name])
            cosine = (
                both / np.sqrt(len(buyers[product]) * len(buyers[name]))
                if both >= FEWEST and other != at
                else 0.0
            )
            assert made.similar[at, other] == pytest.approx(cosine, abs=1e-6)
            assert made.fitting[at, other] == 0 or (both >= FEWEST and other != at)
    followed, next_ = following_by_loops(past), ordered_next_by_loops(past)
    for at, product in enumerate(made.product_ids.tolist()):
        for other, name in enumerate(made.product_ids.tolist()):
            assert made.following[at, other] == pytest.approx(
                followed.get((product, name), 0.0), abs=1e-6
            )
            assert made.ordered_next[at, other] == pytest.approx(
                next_.get((product, name), 0.0), abs=1e-6
            )


def following_by_loops(past: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Of customers who ordered within 30 days and had bought one product before their last order,
    the share with another in that.
    """
    had: dict[str, int] = {}
    both: dict[tuple[str, str], int] = {}
    for _, mine in past.groupby("customer"):
        newest = mine.sort_values(["ordered_at", "order_id"])["order_id"].iloc[-1]
        if (AS_OF - mine["ordered_at"].max()).total_seconds() > 30 * 86_400:
            continue
        last = set(mine.loc[mine["order_id"] == newest, "product_id"])
        for product in set(mine.loc[mine["order_id"] != newest, "product_id"]):
            had[product] = had.get(product, 0) + 1
            for name in last:
                both[product, name] = both.get((product, name), 0) + 1
    return {pair: count / (had[pair[0]] + DOUBT) for pair, count in both.items() if count >= FEWEST}


def ordered_next_by_loops(past: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Of customers who ordered one product and then again, the share with another in the order
    right after.
    """
    had: dict[str, set[int]] = {}
    both: dict[tuple[str, str], set[int]] = {}
    for customer, mine in past.groupby("customer"):
        orders_ = [set(part["product_id"]) for _, part in mine.groupby(["ordered_at", "order_id"])]
        for one, after in pairwise(orders_):
            for product in one:
                had.setdefault(product, set()).add(customer)
                for name in after:
                    both.setdefault((product, name), set()).add(customer)
    return {
        pair: len(who) / (len(had[pair[0]]) + DOUBT)
        for pair, who in both.items()
        if len(who) >= FEWEST
    }


def test_counting_in_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many products are counted at a time, the statistics are the same."""
    frame, _ = some_orders(2)
    made = product_statistics(frame, AS_OF, 90)
    for most in (1, 7, 60):
        monkeypatch.setattr(product_pairs, "ROWS_AT_ONCE", most)
        np.testing.assert_array_equal(
            product_statistics(frame, AS_OF, 90).similar.toarray(), made.similar.toarray()
        )
    assert made.similar.nnz


def test_the_largest_of_a_row_are_kept_and_of_equal_ones_the_first() -> None:
    """Of every row as many as asked for, as sorting it would have it."""
    draw = np.random.default_rng(5)
    dense = draw.integers(0, 6, (40, 30)) * (draw.random((40, 30)) < 0.7)
    kept = largest(sp.csr_matrix(dense), 4).toarray()
    for row, found in zip(dense, kept, strict=True):
        first = [at for at in np.argsort(-row, kind="stable")[:4] if row[at] > 0]
        np.testing.assert_array_equal(found, np.where(np.isin(np.arange(30), first), row, 0))


def test_nothing_was_ordered_yet() -> None:
    """Before the first order there are statistics, of no product."""
    frame, _ = some_orders(2)
    assert not len(product_statistics(frame, AS_OF - timedelta(days=300), 90).product_ids)


def test_fitting_is_ease_where_enough_customers_are_behind_it() -> None:
    """Weights are those of the closed form of EASE where five customers bought both and it speaks
    for the product, else nothing.
    """
    draw = np.random.default_rng(5)
    bought = (
        draw.random((200, 30)) < 0.1 + 0.3 * (np.arange(30) % 3 == np.arange(200)[:, None] % 3)
    ).astype(float)
    gram = bought.T @ bought
    inverse = np.linalg.inv(gram + RIDGE * np.eye(30))
    expected = np.where(
        (gram >= FEWEST) & ~np.eye(30, dtype=bool), np.clip(-inverse / np.diag(inverse), 0, None), 0
    )
    assert (expected > 0).sum() > 100
    np.testing.assert_allclose(fitting(sp.csr_matrix(bought)).toarray(), expected, atol=1e-12)


def test_only_the_nearest_are_kept() -> None:
    """Of many similar products each keeps the most similar sixty."""
    draw = np.random.default_rng(3)
    frame = pd.DataFrame(
        [
            (c, f"o{c}", f"p{p:03}")
            for c in range(60)
            for p in np.flatnonzero(draw.random(90) < 0.6)
        ],
        columns=["customer", "order_id", "product_id"],
    )
    made = product_statistics(
        frame.assign(ordered_at=pd.Timestamp(AS_OF) - pd.Timedelta(days=1)), AS_OF, 90
    )
    bought = pd.crosstab(frame["customer"], frame["product_id"]).to_numpy(float)
    cosine = bought.T @ bought / np.sqrt(np.outer(bought.sum(0), bought.sum(0)))
    np.fill_diagonal(cosine, 0)
    kept = made.similar.toarray()
    assert ((kept > 0).sum(axis=1) == NEIGHBOURS).all()
    for row in range(90):
        np.testing.assert_allclose(
            np.sort(kept[row][kept[row] > 0]), np.sort(cosine[row])[-NEIGHBOURS:], rtol=1e-5
        )


def test_what_came_later_is_not_known(shop: Shop) -> None:
    """Orders at or after as_of have no influence."""
    gate, moment = shop.gate("recommendations"), datetime(2024, 7, 1)  # noqa: DTZ001 - naive UTC as in the warehouse
    all_orders = orders(gate, shop.loaded_until())
    past = all_orders[all_orders["ordered_at"] < moment]
    one, other = (
        statistics_at(gate, frame, moment, 90, shop.facts) for frame in (all_orders, past)
    )
    for name in (
        "product_ids",
        "facts",
        "sold",
        "at_home",
        "abroad",
        "prices",
        "similar_data",
        "similar_indices",
    ):
        np.testing.assert_array_equal(one.arrays[name], other.arrays[name])


def test_best_sellers_are_sold_and_in_order() -> None:
    """Most buyers of the last 30 days first, then of ever, then by id; what is no longer sold is
    not among them.
    """
    frame, homes = some_orders(11, customers=60)
    made = product_statistics(frame, AS_OF, 30, homes)
    assert made.sold[made.best_sellers].all()
    assert len(made.best_sellers) == made.sold.sum() < len(made.sold)
    recent, ever = (
        np.nan_to_num(made.facts[made.best_sellers, 1], nan=-1),
        np.nan_to_num(made.facts[made.best_sellers, 0], nan=-1),
    )
    keys = list(zip(-recent, -ever, made.product_ids[made.best_sellers].tolist(), strict=True))
    assert keys == sorted(keys)


def test_positions_name_products() -> None:
    """Positions are found for ids in any order, and -1 for an id without statistics."""
    made = product_statistics(some_orders(4)[0], AS_OF, 90)
    ids = made.product_ids.tolist()
    assert made.positions([ids[2], "unheard", ids[0]]).tolist() == [2, -1, 0]
    assert made.positions([]).tolist() == []


def test_saving_and_loading_changes_nothing(tmp_path: Path) -> None:
    """All arrays come back equal to the last bit, without pickles."""
    made = product_statistics(
        *some_orders(5)[:1], AS_OF, 90, some_orders(5)[1], pd.Series({"p00": 1.25})
    )
    made.save(tmp_path / "statistics.npz")
    loaded = ProductStatistics.load(tmp_path / "statistics.npz")
    for name in (
        "product_ids",
        "facts",
        "sold",
        "at_home",
        "abroad",
        "prices",
        "similar_data",
        "similar_indices",
        "similar_indptr",
    ):
        one, other = made.arrays[name], loaded.arrays[name]
        assert (one.dtype, one.tobytes()) == (other.dtype, other.tobytes())
    assert made.facts.shape[1] == len(PRODUCT_FEATURES)


def test_prices_are_medians_of_those_who_allow_them(shop: Shop) -> None:
    """A price is the median over customers who allow what they bought and paid to be used, where at
    least five bought.
    """
    gate = shop.gate("recommendations")
    allowed = gate.customers_granting(("transactions.product_id", "transactions.unit_price"))
    lines = shop.warehouse.table("transactions").to_pandas()
    groups = lines[lines["customer"].isin(allowed)].groupby("product_id")
    expected = groups["unit_price"].median()[groups["customer"].nunique() >= FEWEST]
    assert prices(gate, everybody(gate, shop.loaded_until())).to_dict() == expected.to_dict()


def test_prices_are_of_customers_whose_orders_count(shop: Shop) -> None:
    """What is made of somebody's prices is on record as made of them: who is in no order is in no
    price either.
    """
    gate, until = shop.gate("recommendations"), shop.loaded_until()
    past = orders(gate, until)
    few = past[past["customer"].isin(past["customer"].unique()[:40])]
    mine = pd.DataFrame(
        {"customer": few["customer"].unique(), "as_of": pd.Timestamp(until).as_unit("us")}
    )
    made = statistics_at(gate, few, until, 90, shop.facts)
    expected = prices(gate, mine).reindex(made.product_ids).to_numpy("float64")
    np.testing.assert_array_equal(made.prices, expected)
    assert not np.array_equal(
        expected,
        prices(gate, everybody(gate, until)).reindex(made.product_ids).to_numpy("float64"),
        equal_nan=True,
    )


def test_no_count_is_of_fewer_than_five_customers() -> None:
    """A product with six buyers of whom one bought lately, and again, does not tell of that one."""
    rows = [(n, f"o{n}", "mug", pd.Timestamp(AS_OF) - pd.Timedelta(days=60)) for n in range(6)] + [
        (0, "o9", "mug", pd.Timestamp(AS_OF) - pd.Timedelta(days=2))
    ]
    made = product_statistics(
        pd.DataFrame(rows, columns=["customer", "order_id", "product_id", "ordered_at"]), AS_OF, 90
    )
    facts = dict(zip(PRODUCT_FEATURES, made.facts[0].tolist(), strict=True))
    assert facts["buyers"] == 6
    assert facts["buyers_last_30_days"] != 1
    assert facts["repeat_rate"] != pytest.approx(1 / 6)
