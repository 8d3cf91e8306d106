"""Statistics that answers use: nobody who has withdrawn is behind a pair of products."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from features.consent.event import ConsentEvent
from features.shop.shop import Shop
from models.next_purchase.orders import orders, statistics_at
from models.next_purchase.product_statistics import MATRICES, ProductStatistics
from serving.live.statistics import LiveStatistics

PURPOSE = "recommendations"
LEAVING, OTHER = "c000", "c004"


def fresh(shop: Shop) -> ProductStatistics:
    """Statistics of everybody who allows it now."""
    gate, now = shop.gate(PURPOSE), shop.loaded_until()
    return statistics_at(
        gate, orders(gate, now), now, shop.config.models.next_purchase.sold_within_days, shop.facts
    )


def same(one: ProductStatistics, other: ProductStatistics) -> bool:
    """Whether all arrays are alike."""
    return all(
        np.array_equal(value, other.arrays[name], equal_nan=value.dtype.kind == "f")
        for name, value in one.arrays.items()
    )


def say(shop: Shop, name: str, action: str, category: str = "purchases") -> int:
    """A customer says something; where the ledger is then."""
    return shop.ledger.append(ConsentEvent(name, PURPOSE, category, action, "page", "1")).seq


def products_of(shop: Shop, name: str, statistics: ProductStatistics) -> np.ndarray:
    """Positions of what a customer bought, as the shop recorded it."""
    rows = shop.warehouse.rows_of(shop.customers.pseudonym(name))["transactions"]
    positions = statistics.positions(sorted(set(rows["product_id"].to_pylist())))
    return positions[positions >= 0]


@pytest.fixture
def loaded(fresh_shop: Shop) -> Any:
    """A champion whose own statistics are those of its training."""
    return SimpleNamespace(
        model=SimpleNamespace(maker=SimpleNamespace(statistics=fresh(fresh_shop)))
    )


@pytest.fixture
def live(fresh_shop: Shop, loaded: Any) -> LiveStatistics:
    """The statistics kept up with the shop, made once."""
    made = LiveStatistics(fresh_shop, SimpleNamespace(current=loaded))
    made.look()
    return made


def test_before_they_are_made_no_pair_is_used(fresh_shop, loaded):
    """A service that has not looked yet does not know who is behind a pair, and uses none."""
    statistics = LiveStatistics(fresh_shop, SimpleNamespace(current=loaded)).at(loaded, 0)
    assert all(not getattr(statistics, name).data.any() for name in MATRICES)
    assert same(statistics, loaded.model.maker.statistics.unpaired)


def test_while_nobody_withdraws_they_are_those_of_the_shop(fresh_shop, live, loaded):
    """They equal statistics made now, and a grant or another category leaves them as they are."""
    before = live.at(loaded, fresh_shop.ledger.position())
    assert same(before, fresh(fresh_shop))
    assert all(getattr(before, name).data.any() for name in MATRICES)
    assert live.at(loaded, say(fresh_shop, OTHER, "granted")) is before
    assert live.at(loaded, say(fresh_shop, OTHER, "withdrawn", "location")) is before


def test_the_next_answer_uses_no_pair_that_a_withdrawn_customer_is_behind(fresh_shop, live, loaded):
    """In every matrix the pairs of the customer's products are 0 at once, and all other entries are
    what they were.
    """
    before = live.at(loaded, fresh_shop.ledger.position())
    mine = products_of(fresh_shop, LEAVING, before)
    after = live.at(loaded, say(fresh_shop, LEAVING, "withdrawn"))
    dropped = 0
    for name in MATRICES:
        old, new = getattr(before, name).toarray(), getattr(after, name).toarray()
        dropped += np.count_nonzero(old[np.ix_(mine, mine)])
        assert not new[np.ix_(mine, mine)].any(), name
        old[np.ix_(mine, mine)] = 0
        assert np.array_equal(old, new), name
    assert dropped > len(MATRICES)


def test_those_who_withdraw_one_after_the_other_stay_out(fresh_shop, live, loaded):
    """The second withdrawal does not bring the pairs of the first customer back."""
    first = say(fresh_shop, LEAVING, "withdrawn")
    live.at(loaded, first)
    after = live.at(loaded, say(fresh_shop, OTHER, "withdrawn"))
    for customer in (LEAVING, OTHER):
        mine = products_of(fresh_shop, customer, after)
        assert not any(
            getattr(after, name).toarray()[np.ix_(mine, mine)].any() for name in MATRICES
        )


def test_made_anew_they_are_those_of_who_is_left(fresh_shop, live, loaded):
    """After the rest the background makes them without the customer, and pairs with enough others
    behind them are back.
    """
    withdrawn = say(fresh_shop, LEAVING, "withdrawn")
    live.look()
    assert not same(live.at(loaded, withdrawn), fresh(fresh_shop))
    live._rest_until = 0.0
    live.look()
    assert same(live.at(loaded, withdrawn), fresh(fresh_shop))


def test_every_matrix_of_pairs_is_among_those_that_are_reduced():
    """A matrix that is added to the statistics cannot be forgotten."""
    assert set(MATRICES) == {"similar", "fitting", "following", "ordered_next"}
