"""What is known of a customer: their features as the consent of one moment allows them, made into
what the ranker is shown.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from explain.coalition_scores import Allowed
from features.definitions.history import DAYS_SINCE_LAST_BOUGHT
from features.shop.online import OnlineRow, OnlineStore
from features.shop.withholding import Withholding
from models.arrays import Floats
from models.next_purchase.histories import Baskets, Histories
from models.next_purchase.model import NextPurchaseModel
from models.next_purchase.product_statistics import ProductStatistics
from models.trees.quantising import rounded
from serving.decisions.permissions import Permissions
from serving.live.champions import Loaded
from serving.live.statistics import LiveStatistics


@dataclass(frozen=True)
class Seen:
    """What the ranker `model` is shown of one customer, under several permissions."""

    model: NextPurchaseModel
    allowed: Sequence[Allowed]

    def knows(self, product_id: str) -> bool:
        """Whether there are statistics of a product under every one of the permissions."""
        return all(part.statistics.positions([product_id])[0] >= 0 for part in self.allowed)


@dataclass(frozen=True)
class Candidates:
    """Ids of the products to rank, what the ranker sees of each (products, features), and those of
    them that the customer has bought.
    """

    products: tuple[str, ...]
    features: Floats
    bought: tuple[str, ...]


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


def candidates_of(model: NextPurchaseModel, allowed: Allowed, hidden: Sequence[str]) -> Candidates:
    """The products that a model ranks for a customer, none of them `hidden`."""
    statistics = allowed.statistics
    positions = statistics.positions(hidden)
    made = replace(model.maker, statistics=statistics).make(
        allowed.histories, positions[positions >= 0]
    )
    own = allowed.histories.bought(model.maker.looks)
    bought = np.intersect1d(made.products, own.products)
    ids = statistics.product_ids
    return Candidates(
        tuple(ids[made.products].tolist()),
        rounded(made.features),
        tuple(ids[bought].tolist()),
    )


def bought_lately(model: NextPurchaseModel, allowed: Allowed, days: float) -> list[str]:
    """The products that a customer bought within so many `days` before their features were made, as
    far as they let that be known.
    """
    histories, columns = allowed.histories, model.maker.history
    if DAYS_SINCE_LAST_BOUGHT.name not in columns:
        return []
    since = histories.columns[:, columns.index(DAYS_SINCE_LAST_BOUGHT.name)]
    found: list[str] = allowed.statistics.product_ids[histories.products[since <= days]].tolist()
    return found


def bought_ever(allowed: Allowed) -> list[str]:
    """The products that a customer has bought, as far as they let that be known."""
    found: list[str] = allowed.statistics.product_ids[allowed.histories.products].tolist()
    return found


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
