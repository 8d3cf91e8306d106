"""Made-up shops: the same from the same seed, and as their presets say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from features.synthetic.baskets import EachOnce, SomeTwice
from features.synthetic.consents import all_some_or_nothing, choices, of_every_kind
from features.synthetic.order_days import AtRandom, OwnRhythm
from features.synthetic.presets import PROVED, SEED, TESTED
from features.synthetic.shop import BEGIN, MOST_LINES, prices
from tests.made_up_consents import CATEGORIES, PURPOSES, catalog_of

PRESETS = {"tested": TESTED, "proved": PROVED}


@pytest.mark.parametrize("name", PRESETS)
def test_a_seed_is_a_shop(name):
    """The same seed gives the same lines, another one others."""
    preset = PRESETS[name]
    lines = preset.draw(SEED).lines
    pd.testing.assert_frame_equal(lines, preset.draw(SEED).lines)
    assert not lines.equals(preset.draw(SEED + 1).lines)


@pytest.mark.parametrize("name", PRESETS)
def test_lines_are_what_a_shop_records(name):
    """Everybody orders, within the days, at one moment and place an order, at the same prices."""
    preset = PRESETS[name]
    lines = preset.draw(SEED).lines
    expected = [preset.customer_id(number) for number in range(preset.customers)]
    assert preset.draw(SEED).customer_ids == expected
    assert lines["ordered_at"].between(BEGIN, preset.end).all()
    orders = lines.groupby("order_id")
    assert (orders[["customer_id", "ordered_at", "country"]].nunique() == 1).all(axis=None)
    assert orders.size().between(1, MOST_LINES).all()
    assert set(lines["country"]) == set(preset.countries)
    costs = prices(preset.baskets.products)[lines["product_id"].str[1:].astype(int)]
    assert (lines["unit_price"] == costs).all()
    assert (lines["amount"] == (lines["quantity"] * lines["unit_price"]).round(2)).all()


def test_a_written_shop_reads_back(tmp_path):
    """The export is the lines, but for the amount, which a shop does not state."""
    shop = PROVED.draw(3)
    read = pd.read_csv(shop.write(tmp_path / "orders.csv"), parse_dates=["ordered_at"])
    pd.testing.assert_frame_equal(read, shop.lines.drop(columns="amount"), check_dtype=False)


def test_proved_shops_end_alike():
    """Whatever the seed, the last day is the same, and the first customer's alone."""
    for seed in range(5):
        lines = replace(PROVED, customers=30).draw(seed).lines
        last = lines[lines["ordered_at"] >= PROVED.end - timedelta(days=1)]
        assert set(last["customer_id"]) == {PROVED.customer_id(0)}


def test_a_tenth_of_the_tested_customers_moves_once():
    """Of those with three orders and more a tenth live elsewhere from the third on."""
    lines = replace(TESTED, customers=4_000).draw(SEED).lines
    countries = lines.drop_duplicates("order_id").groupby("customer_id")["country"]
    long = countries.filter(lambda one: len(one) > 2)
    moved = long.groupby(lines["customer_id"].loc[long.index]).agg(
        lambda one: one.iloc[1] != one.iloc[2]
    )
    assert moved.mean() == pytest.approx(0.1, abs=0.02)
    assert (countries.nunique() == 2).sum() == moved.sum()


def test_no_product_is_in_an_order_twice_where_each_is_there_once():
    """Products of an order differ, and those of the customer's taste come as often as they
    weigh.
    """
    baskets = EachOnce(popularity=0.0)
    customer = np.arange(20_000)
    first = baskets.choose(np.random.default_rng(1), customer, np.ones_like(customer))
    assert (first % 4 == customer % 4).mean() == pytest.approx(12 / 15, abs=0.01)
    sizes = np.full(20_000, 4)
    drawn = baskets.choose(np.random.default_rng(1), customer, sizes).reshape(-1, 4)
    assert (np.diff(np.sort(drawn, axis=1), axis=1) > 0).all()


def test_popular_products_come_more_often():
    """Low numbers do, in both kinds of baskets, by as much as is stated."""
    customer = np.repeat(np.arange(4), 25_000)
    ones = np.ones_like(customer)
    once = EachOnce(liking=1.0).choose(np.random.default_rng(2), customer, ones)
    counts = np.bincount(once, minlength=60)
    assert counts[0] / counts[15] == pytest.approx(4.0, rel=0.1)
    twice = SomeTwice(suiting=0.0).choose(np.random.default_rng(2), customer, ones)
    assert (twice < 15).mean() == pytest.approx(0.5, abs=0.01)


def test_orders_begin_and_end_with_their_customers():
    """Each process lets everybody order at least once, within the days, and at their rate."""
    for process in (OwnRhythm(), AtRandom(on_first_day=50)):
        customer, day, rates, leaves = process.order_days(np.random.default_rng(3), 2_000, 400)
        assert set(customer) == set(range(2_000))
        assert day.min() >= 0
        assert day.max() < 400
        again = np.append(False, np.diff(customer) == 0)
        assert (day[again] < leaves[customer[again]]).all()
        often = np.bincount(customer)
        assert often[rates > np.median(rates)].mean() > often[rates < np.median(rates)].mean() + 1
    assert (day[customer < 50] < 1).sum() >= 50


def test_everybody_says_what_is_asked_in_the_order_of_a_consent_event():
    """Kinds of customers come in turn; whoever was never asked says nothing."""
    ids = [f"c{number:03}" for number in range(40)]
    said = list(choices(catalog_of(), ids, of_every_kind))
    assert {choice.customer_id for choice in said} == set(ids) - {"c019", "c039"}
    refusing = {one: [] for one in ids}
    for choice in said:
        assert (choice.method, choice.notice_version) == ("web_form", "2")
        assert choice.purpose in PURPOSES
        if choice.action == "refused" and choice.purpose == PURPOSES[0]:
            refusing[choice.customer_id].append(choice.category)
    assert [len(refusing[one]) for one in ids[:20]] == [0] * 13 + [1] * 3 + [2] * 2 + [3, 0]
    assert refusing["c013"] == ["purchases"]
    assert refusing["c033"] == ["location"]


def test_three_of_five_share_all_and_one_what_they_bought():
    """Of the proofs' small shop."""
    refused = [all_some_or_nothing(number, CATEGORIES) for number in range(5)]
    assert refused == [(), (), (), ("location", "times"), CATEGORIES]
