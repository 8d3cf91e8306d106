"""Discoveries: some places of a list go to products outside the customer's usual, drawn by lot with
a known chance: the more the ranker thinks of a product, the likelier it is.

The ranker is trained so that a product with score s is preferred to one with score t with the
chance exp(s) / (exp(s) + exp(t)) (Bradley and Terry 1952; of several, Plackett and Luce). So a
product weighs exp(s) in the draw, to steps that are recorded with it. The products to discover are
dealt out to the discoveries of a list like cards, best first, and each discovery is drawn from its
own hand. So none comes twice, and the chance of each is that of one draw, which is exact.

The lot is a seed that is recorded with the decision; what it says is read off SHA-256 digests under
it, and weights are whole numbers. So the same list comes out of the same record on any machine and
with any version of any library.
"""

from __future__ import annotations

import base64
import hashlib
import math
import zlib
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

STEPS_PER_UNIT = 32
"""Steps of a weight in one unit of score."""
WEIGHTS = tuple(round(2**40 * math.exp(-step / STEPS_PER_UNIT)) for step in range(256))
"""By steps below the best one. The last, 1 : 2,900, is that of all further below, so that none is
so unlikely that what is learnt from it means nothing.
"""


@dataclass(frozen=True)
class Draw:
    """What a draw rests on: the `share` of places that are for discoveries (0 to 0.5), the `seed`,
    what the customer `bought`, and the `steps` of all products to discover, best first, as text
    (a byte each, zlib, Base64).

    Without steps, as was recorded before there were any, all of them are as likely.
    """

    share: float
    seed: str
    bought: tuple[str, ...] = ()
    steps: str | None = None

    @classmethod
    def from_document(cls, stated: Mapping[str, Any]) -> Draw:
        """The draw that was recorded."""
        known = stated.get("steps")
        return cls(stated["share"], stated["seed"], tuple(stated["bought"]), known)

    def weighed(self, ranked: Sequence[str], scores: Sequence[float], k: int) -> Draw:
        """The same draw for a list of `k`, with what the ranker thinks of all products that may be
        shown, best first.
        """
        score_of = dict(zip(ranked, scores, strict=True))
        pool = [score_of[product] for product in self.pool(ranked, k)]
        below = (round((pool[0] - score) * STEPS_PER_UNIT) for score in pool)
        steps = bytes(min(len(WEIGHTS) - 1, step) for step in below)
        return Draw(self.share, self.seed, self.bought, _packed(steps))

    def pool(self, ranked: Sequence[str], k: int) -> list[str]:
        """The products to discover: not among the best `k`, and never bought."""
        usual = set(self.bought)
        return [product for product in ranked[k:] if product not in usual]

    def weights(self, many: int) -> list[int]:
        """How likely each of `many` products to discover is beside the others."""
        if self.steps is None:
            return [1] * many
        return [WEIGHTS[step] for step in zlib.decompress(base64.b64decode(self.steps))]


def _packed(steps: bytes) -> str:
    return base64.b64encode(zlib.compress(steps)).decode()


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

    Discoveries are drawn from what is not among the best `k` and was never bought, as likely as
    their weights, and their places each with the same chance. The others keep the order of the
    ranker. The mean number of discoveries is `share` of the places, or all there are to discover.
    """
    if not draw.share:
        return [Place(product, explored=False, propensity=1.0) for product in ranked[:k]]
    best, pool = ranked[:k], draw.pool(ranked, k)
    numbers = _numbers(len(best), len(pool), draw.share)
    many = numbers[-1][0] if _chance(draw.seed) < numbers[-1][1] else numbers[0][0]
    explored = set(_by_lot(draw.seed, "place", range(len(best)))[:many])
    weights = draw.weights(len(pool))
    found = iter(_drawn(draw, pool, weights, many))
    kept = iter(enumerate(best))
    places = []
    for place in range(len(best)):
        if place in explored:
            number = next(found)
            chance = (
                _of_any(numbers, len(best), len(pool))
                if draw.steps is None
                else _of_discovery(numbers, weights, len(best), number, place)
            )
            places.append(Place(pool[number], explored=True, propensity=chance))
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


def _drawn(draw: Draw, pool: Sequence[str], weights: Sequence[int], many: int) -> list[int]:
    """The numbers, in the pool, of `many` discoveries in the order of their places."""
    if draw.steps is None:
        return [pool.index(one) for one in _by_lot(draw.seed, "product", pool)[:many]]
    return [_picked(draw.seed, weights, hand, many) for hand in range(many)]


def _picked(seed: str, weights: Sequence[int], hand: int, many: int) -> int:
    """Which product of a hand is drawn: of those that were dealt to discovery `hand` of `many`."""
    sums = list(accumulate(weights[hand::many]))
    lot = _lot(seed, f"discovery\n{hand}") * sums[-1] >> LOT_BITS
    return hand + many * bisect_right(sums, lot)


def _of_discovery(
    numbers: Numbers, weights: Sequence[int], places: int, number: int, place: int
) -> float:
    """The chance that a product of the pool (its `number`) is drawn from its hand, and that this
    hand's discovery stands at just this `place` of all `places`.
    """
    found = 0.0
    for many, chance in numbers:
        if not many:
            continue
        hand = number % many
        drawn = weights[number] / sum(weights[hand::many])
        standing = (
            math.comb(place, hand)
            * math.comb(places - place - 1, many - hand - 1)
            / math.comb(places, many)
        )
        found += chance * drawn * standing
    return found


def _of_any(numbers: Numbers, places: int, pool: int) -> float:
    """The chance of one of so many products that are all as likely: the mean number of discoveries,
    spread evenly over all places and all of them.
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


LOT_BITS = 128


def _lot(seed: str, what: str) -> int:
    """A whole number of so many bits, evenly."""
    digest = hashlib.sha256(f"{seed}\n{what}".encode()).digest()
    return int.from_bytes(digest[: LOT_BITS // 8], "big")


def _chance(seed: str) -> float:
    """A number from 0 to below 1, evenly."""
    return int.from_bytes(hashlib.sha256(f"{seed}\nnumber".encode()).digest()[:6], "big") / 2**48
