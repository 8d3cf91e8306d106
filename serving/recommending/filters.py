"""Which products may stand in a list: what is hidden, what too few would want, and what stands in
for a personal list.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

from features.config.schema import ContactPolicySection
from models.arrays import Bools, Floats
from models.next_purchase.basket_complements import Complement, complements
from models.next_purchase.product_statistics import ProductStatistics
from serving.contract.requests import RecommendationRequest
from serving.decisions.permissions import Permissions
from serving.live.assortment import Assortment


@dataclass(frozen=True)
class Hidden:
    """Products that must not appear: some for one answer alone (`own`), and whole sets that others
    have too (`shared`), so that what is worked out from one of these is so once.
    """

    own: frozenset[str]
    shared: tuple[frozenset[str], ...] = ()

    def __contains__(self, product: object) -> bool:
        return product in self.own or any(product in some for some in self.shared)

    def __iter__(self) -> Iterator[str]:
        return chain(self.own, *self.shared)

    def __len__(self) -> int:
        return len(self.own.union(*self.shared))

    def also(self, products: Collection[str]) -> Hidden:
        """These and more."""
        return Hidden(self.own.union(products), self.shared)


def hidden_from_all(
    policy: ContactPolicySection,
    request: RecommendationRequest,
    assortment: Assortment,
    excluded: frozenset[str],
) -> tuple[frozenset[str], ...]:
    """Products that must not appear whoever is answered: not available, `excluded` by a list of the
    shop's, sensitive, or outside the categories asked for.
    """
    unasked_for = unasked(policy.sensitive, request.product_categories)
    asked_for = request.product_categories
    sets = (
        assortment.unavailable,
        excluded,
        frozenset(assortment.hidden_by(unasked_for, ())) if unasked_for else frozenset[str](),
        frozenset[str]() if asked_for is None else frozenset(assortment.outside(asked_for)),
    )
    return tuple(some for some in sets if some)


def hidden_products(
    request: RecommendationRequest,
    permissions: Permissions,
    assortment: Assortment,
    shared: tuple[frozenset[str], ...],
) -> Hidden:
    """Products that must not appear: opted out, excluded, in the basket, or one of those that are
    hidden from all (`shared`).
    """
    own = {*request.basket, *request.exclude, *permissions.values("product")}
    own |= assortment.hidden_by(permissions.values("product_category"), permissions.values("brand"))
    return Hidden(frozenset(own), shared)


def first_best_sellers(
    assortment: Assortment, hidden: Collection[str], k: int
) -> tuple[tuple[str, int], ...]:
    """As many best sellers as an answer can need; `hidden` is quick to look up in."""
    shown = (best for best in assortment.best_sellers if best.product_id not in hidden)
    return tuple((best.product_id, best.buyers) for best in islice(shown, k))


def basket_complements(
    request: RecommendationRequest,
    statistics: ProductStatistics,
    sensitive: Collection[str],
    hidden: Collection[str],
) -> tuple[Complement, ...]:
    """What goes with a basket that nobody's name is on; nothing is concluded from a `sensitive`
    product in it.
    """
    basket = set(request.basket) - set(sensitive)
    return complements(statistics, basket, hidden, request.k) if basket else ()


def unasked(sensitive: Collection[str], asked_for: Collection[str] | None) -> frozenset[str]:
    """The sensitive product categories that must not be shown, given those that the request names
    (none: None): never recommended unless they are asked for.
    """
    return frozenset(sensitive) - frozenset(asked_for or ())


def worth_showing(scores: Floats, nothing_known: float, floor: float) -> Bools:
    """Which products (scores, any shape) are preferred to `nothing_known`, the score of the
    all-withheld row, with a chance of `floor`.

    A ranking score has no unit, but the difference of two has one: the ranker is trained so that a
    product with score s is preferred to one with score t with the chance 1 / (1 + exp(t - s))
    (RankNet and LambdaRank, Burges 2010, MSR-TR-2010-82). That row is a product of which nothing is
    known and a customer of whom nothing is known.

    `floor` is from 0 (everything is worth showing) to below 1; 0.5 asks for a score of at least
    `nothing_known`.
    """
    margin = math.log(floor / (1 - floor)) if floor else -math.inf
    return np.asarray(scores - nothing_known >= margin)
