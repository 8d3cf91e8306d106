"""What is known of a customer: their features as the consent of one moment allows them, made into
what the ranker is shown.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from explain.coalition_scores import Allowed
from features.definitions.history import DAYS_SINCE_LAST_BOUGHT
from features.shop.online import OnlineRow, OnlineStore
from features.shop.withholding import Withholding
from models.arrays import Bools, Floats
from models.next_purchase.candidates import CandidateMaker
from models.next_purchase.histories import Baskets, Histories, together
from models.next_purchase.model import NextPurchaseModel
from models.next_purchase.product_statistics import ProductStatistics
from models.trees.quantising import rounded
from serving.decisions.permissions import Permissions
from serving.live.champions import Loaded
from serving.live.statistics import LiveStatistics
from serving.recommending.filters import Hidden

CELLS = 1 << 16
"""Customers times products that are set against each other at once: what the processor keeps near.
"""
MOST_KEPT = 8
"""Sets of products whose positions are kept."""
NOTHING: NDArray[np.int64] = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Seen:
    """What the ranker `model` is shown of one customer, under several permissions."""

    model: NextPurchaseModel
    allowed: Sequence[Allowed]

    def knows(self, product_id: str) -> bool:
        """Whether there are statistics of a product under every one of the permissions."""
        return all(part.statistics.positions([product_id])[0] >= 0 for part in self.allowed)


@dataclass(frozen=True)
class Asked:
    """A known customer to answer: where they stand, and the products hidden from them."""

    permissions: Permissions
    hidden: Hidden

    @property
    def customer(self) -> int:
        """Their pseudonym.

        Raises `ValueError` where nobody knows them, who get no personal answer.
        """
        if self.permissions.customer is None:
            raise ValueError("a personal answer is for somebody who is known")
        return self.permissions.customer


@dataclass(frozen=True)
class Candidates:
    """The products to rank for one customer: their ids (str), what the ranker sees of each
    (products, features) and the score that it gives each (products,); `bought` (products,) tells
    which of them the customer has bought.
    """

    products: NDArray[np.str_]
    features: Floats
    scores: Floats
    bought: Bools


@dataclass
class Positions:
    """Where products stand in statistics. Those of a set that comes again, such as what cannot be
    bought now, are looked up once, as long as it is one of the last that came.
    """

    _kept: dict[tuple[int, int], tuple[ProductStatistics, frozenset[str], NDArray[np.int64]]] = (
        field(default_factory=dict)
    )

    def hidden_of_each(
        self,
        hidden: Sequence[tuple[ProductStatistics, Hidden]],
        more: Sequence[NDArray[np.int64]],
    ) -> list[NDArray[np.int64]]:
        """The positions of what is hidden from each customer: `hidden` by name, with `more` by
        position.
        """
        return [
            np.concatenate(
                [
                    _looked_up(statistics, one.own),
                    others,
                    *(self._shared(statistics, names) for names in one.shared),
                ]
            )
            for (statistics, one), others in zip(hidden, more, strict=True)
        ]

    def _shared(self, statistics: ProductStatistics, names: frozenset[str]) -> NDArray[np.int64]:
        asked = (id(statistics), id(names))
        known = self._kept.get(asked)
        if known is None:  # what is kept keeps its parts, so that no other has their ids
            known = (statistics, names, _looked_up(statistics, names))
        others = [(key, kept) for key, kept in self._kept.items() if key != asked]
        self._kept = {**dict(others[1 - MOST_KEPT :]), asked: known}
        return known[2]


def _looked_up(statistics: ProductStatistics, names: Collection[str]) -> NDArray[np.int64]:
    positions = statistics.positions(names).astype(np.int64)
    return positions[positions >= 0]


@dataclass(frozen=True)
class Knowledge:
    """Where customers' features come from, and what a product is set against; `declared` is what
    the catalog says may be used.
    """

    online: OnlineStore
    statistics: LiveStatistics
    declared: Withholding
    _rules: dict[int, tuple[NextPurchaseModel, Withholding]] = field(default_factory=dict)
    """The rule of the model that was asked for last, as it takes longer to make than to apply."""
    positions: Positions = field(default_factory=Positions)

    def rule(self, model: NextPurchaseModel) -> Withholding:
        """What a model may see of a customer: what the catalog says now, and what the model was
        trained under.
        """
        known = self._rules.get(id(model))
        if known is None or known[0] is not model:
            self._rules.clear()
            known = (model, self.declared.also(model.needs, model.masking.entries))
            self._rules[id(model)] = known
        return known[1]

    def allowed(
        self,
        row: OnlineRow,
        rule: Withholding,
        champion: Loaded[NextPurchaseModel],
        permissions: Permissions,
        basket: Collection[str],
        sensitive: Collection[str],
    ) -> Allowed:
        """What the consent of this moment allows of a customer, whose `row` it left, and of their
        basket, and the statistics to set it against.

        Nothing is concluded from `sensitive` products in either.
        """
        statistics = self.statistics.imagined(champion, permissions)
        may_count = rule.entries_allowed(permissions.granted)
        buying = set(basket).difference(sensitive) if may_count else ()
        known = without(row, sensitive)
        return Allowed(history(known, rule, champion.model, statistics, buying), statistics)


def candidates_of(
    model: NextPurchaseModel, allowed: Sequence[Allowed], hidden: Sequence[NDArray[np.int64]]
) -> list[Candidates]:
    """The products that a model ranks for each of some customers, none of them `hidden` from them
    (positions).

    As many customers are taken together as `CELLS` allow who are set against the same statistics.
    """
    found: list[Candidates] = []
    while len(found) < len(allowed):
        first = len(found)
        statistics = allowed[first].statistics
        most = first + max(1, CELLS // max(1, len(statistics.product_ids)))
        last = first + 1
        while last < min(most, len(allowed)) and allowed[last].statistics is statistics:
            last += 1
        histories = together([one.histories for one in allowed[first:last]])
        found += _candidates(model, statistics, histories, hidden[first:last])
    return found


def _candidates(
    model: NextPurchaseModel,
    statistics: ProductStatistics,
    histories: Histories,
    hidden: Sequence[NDArray[np.int64]],
) -> list[Candidates]:
    """The candidates of each row of `histories`."""
    maker = replace(model.maker, statistics=statistics)
    made = maker.make(histories, (), hidden)
    products, features = statistics.product_ids[made.products], rounded(made.features)
    scores, count = model.score(features), len(statistics.product_ids)
    kept = histories.bought(maker.looks)
    own = kept.rows * count + kept.products
    bought = np.isin(made.rows * count + made.products, own, assume_unique=True)
    bounds = np.searchsorted(made.rows, np.arange(len(histories) + 1)).tolist()
    return [
        Candidates(products[begin:end], features[begin:end], scores[begin:end], bought[begin:end])
        for begin, end in pairwise(bounds)
    ]


def bought_lately(model: NextPurchaseModel, allowed: Allowed, days: float) -> NDArray[np.int64]:
    """The products (positions) that a customer bought within so many `days` before their features
    were made, as far as they let that be known.
    """
    histories, columns = allowed.histories, model.maker.history
    if DAYS_SINCE_LAST_BOUGHT.name not in columns:
        return histories.products[:0]
    since = histories.columns[:, columns.index(DAYS_SINCE_LAST_BOUGHT.name)]
    return histories.products[since <= days]


def bought_ever(maker: CandidateMaker, allowed: Allowed) -> NDArray[np.int64]:
    """The products (positions) that a customer has bought, as far as they let that be known; what
    they only looked at is none of them.
    """
    return allowed.histories.bought(maker.looks).products


def without(row: OnlineRow, products: Collection[str]) -> OnlineRow:
    """A customer's features as if they had never met these products, so that nothing is concluded
    from them.
    """
    kept = [position for position, product in enumerate(row.products) if product not in products]
    if len(kept) == len(row.products):
        return row
    return replace(
        row, products=tuple(row.products[position] for position in kept), columns=row.columns[kept]
    )


def history(
    row: OnlineRow,
    rule: Withholding,
    model: NextPurchaseModel,
    statistics: ProductStatistics,
    basket: Collection[str],
) -> Histories:
    """A customer's features and their basket as the ranker takes them; products without statistics
    are passed over.

    `row` and `basket` are what the consent of this moment allows of them, by `rule`.
    """
    layout, maker = rule.layout, model.maker
    customer = row.customer[[layout.customer.index(name) for name in maker.customer]]
    positions, buying = statistics.positions(row.products), statistics.positions(sorted(basket))
    known = np.flatnonzero(positions >= 0)
    order = known[np.argsort(positions[known], kind="stable")]
    columns = row.columns[order][:, [layout.history.index(name) for name in maker.history]]
    return Histories(
        np.array([0, len(order)]),
        positions[order].astype(np.int64),
        columns,
        customer[None, :],
        Baskets.of_one(buying[buying >= 0]),
    )
