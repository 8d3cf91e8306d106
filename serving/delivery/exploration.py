"""Discoveries: some places of a list go to products outside the customer's usual, drawn by lot with
a known chance.

The lot is a seed that is recorded with the decision; an order by lot is the order of SHA-256
digests under it. So the same list comes out of the same record on any machine and with any version
of any library.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Draw:
    """What a draw rests on: the `share` of places that are for discoveries (0 to 0.5), the `seed`,
    and what the customer `bought`.
    """

    share: float
    seed: str
    bought: tuple[str, ...] = ()

    @classmethod
    def from_document(cls, stated: Mapping[str, Any]) -> Draw:
        """The draw that was recorded."""
        return cls(stated["share"], stated["seed"], tuple(stated["bought"]))


class Place(NamedTuple):
    """Who has a place.

    `propensity` is the chance, under the draw, that exactly this product has exactly this place.
    """

    product: str
    explored: bool
    propensity: float


def fill(ranked: Sequence[str], k: int, draw: Draw) -> list[Place]:
    """The `k` places of a list (fewer where there are fewer products), given all products that may
    be shown, best first.

    Discoveries are drawn from what is not among the best `k` and was never bought, each with the
    same chance, and their places too. The others keep the order of the ranker. The mean number of
    discoveries is `share` of the places, or all there are to discover.
    """
    if not draw.share:
        return [Place(product, explored=False, propensity=1.0) for product in ranked[:k]]
    best, usual = ranked[:k], set(draw.bought)
    pool = [product for product in ranked[k:] if product not in usual]
    numbers = _numbers(len(best), len(pool), draw.share)
    many = numbers[-1][0] if _chance(draw.seed) < numbers[-1][1] else numbers[0][0]
    explored = set(_by_lot(draw.seed, "place", range(len(best)))[:many])
    found = iter(_by_lot(draw.seed, "product", pool)[:many])
    kept = iter(enumerate(best))
    places = []
    for place in range(len(best)):
        if place in explored:
            places.append(
                Place(
                    next(found),
                    explored=True,
                    propensity=_of_discovery(numbers, len(best), len(pool)),
                )
            )
        else:
            rank, product = next(kept)
            places.append(
                Place(
                    product, explored=False, propensity=_of_ranked(numbers, len(best), rank, place)
                )
            )
    return places


Numbers = tuple[tuple[int, float], ...]
"""How many discoveries there may be, and how likely each number is."""


def _numbers(places: int, pool: int, share: float) -> Numbers:
    """Rounded by lot, so that a list too short for one discovery has one now and then."""
    fewer = math.floor(share * places)
    return (min(fewer, pool), 1 - (share * places - fewer)), (
        min(fewer + 1, pool),
        share * places - fewer,
    )


def _of_discovery(numbers: Numbers, places: int, pool: int) -> float:
    """The mean number of discoveries, spread evenly over all places and all products of the
    pool.
    """
    return sum(number * chance for number, chance in numbers) / (places * pool)


def _of_ranked(numbers: Numbers, places: int, rank: int, place: int) -> float:
    """The chance that just as many discoveries as it takes stand before `place`, and none on it
    (hypergeometric).
    """
    before = place - rank

    def given(number: int) -> float:
        after = number - before
        return (
            math.comb(place, before)
            * math.comb(places - place - 1, after)
            / math.comb(places, number)
            if after >= 0
            else 0.0
        )

    return sum(chance * given(number) for number, chance in numbers)


def _by_lot(seed: str, what: str, things: Collection[Any]) -> list[Any]:
    return sorted(
        things, key=lambda thing: hashlib.sha256(f"{seed}\n{what}\n{thing}".encode()).digest()
    )


def _chance(seed: str) -> float:
    """A number from 0 to below 1, evenly."""
    return int.from_bytes(hashlib.sha256(f"{seed}\nnumber".encode()).digest()[:6], "big") / 2**48
