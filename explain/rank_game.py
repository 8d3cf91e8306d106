"""The consent game of a list of recommendations: what each category of data changed of a product's
place and score.

A product's score is played for like any answer (`explain.game`), against v(nothing), the score that
it has for everybody. It has no unit, so what a reader is told is the place, which is read from the
lists that serving would give and never derived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from explain.game import Game, game_of
from models.arrays import Floats

Products = tuple[str, ...]


@dataclass(frozen=True)
class Lists:
    """Product ids, best first: as serving would list them now, without each granted category, and
    for everybody.
    """

    now: Products
    without: Mapping[str, Products]
    for_everybody: Products


@dataclass(frozen=True)
class RankedProduct:
    """One product: its place now, without each category and for everybody, from 1 on; None where it
    is no candidate.

    `score` is the game over its ranking score, comparable within this customer only.
    """

    product_id: str
    place: int | None
    place_without: Mapping[str, int | None]
    place_for_everybody: int | None
    score: Game


@dataclass(frozen=True)
class RankGame:
    """The outcome for the products asked about, in the order asked, and the lists that their places
    are read from.
    """

    products: tuple[RankedProduct, ...]
    lists: Lists

    def of(self, product_id: str) -> RankedProduct | None:
        """The outcome for one product; None where nothing is known of it."""
        return next(
            (product for product in self.products if product.product_id == product_id), None
        )


def rank_game(
    players: Sequence[str], product_ids: Sequence[str], scores: Floats, lists: Lists
) -> RankGame:
    """The game over `players`; `scores` (2^players, products) is v of every coalition, in the order
    of `coalitions`.
    """
    games = [game_of(players, column) for column in scores.T]
    return RankGame(
        tuple(
            _ranked(product, game, lists) for product, game in zip(product_ids, games, strict=True)
        ),
        lists,
    )


def _ranked(product_id: str, score: Game, lists: Lists) -> RankedProduct:
    without = {category: _place(product_id, listed) for category, listed in lists.without.items()}
    return RankedProduct(
        product_id,
        _place(product_id, lists.now),
        without,
        _place(product_id, lists.for_everybody),
        score,
    )


def _place(product_id: str, listed: Products) -> int | None:
    return listed.index(product_id) + 1 if product_id in listed else None
