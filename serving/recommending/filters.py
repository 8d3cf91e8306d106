"""Which products may stand in a list: what is hidden, and what stands in for a personal list."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

from features.config.schema import ContactPolicySection
from models.next_purchase.basket_complements import Complement, complements
from models.next_purchase.product_statistics import ProductStatistics
from serving.contract.requests import RecommendationRequest
from serving.decisions.permissions import Permissions
from serving.delivery.sensitive import unasked
from serving.live.assortment import Assortment


def hidden_products(
    policy: ContactPolicySection,
    request: RecommendationRequest,
    permissions: Permissions,
    assortment: Assortment,
) -> tuple[str, ...]:
    """Products that must not appear: opted out, excluded, in the basket, sensitive, or outside the
    categories asked for.
    """
    hidden = {*request.basket, *request.exclude, *permissions.values("product")}
    hidden |= assortment.hidden_by(
        permissions.values("product_category"), permissions.values("brand")
    )
    hidden |= assortment.hidden_by(unasked(policy.sensitive, request.product_categories), ())
    if request.product_categories is not None:
        hidden |= assortment.outside(request.product_categories)
    return tuple(sorted(hidden))


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
