"""The consent game: what each category of data changed, exact over all coalitions.

The players are the categories that a customer grants; v(S) is the answer that serving would give
with S alone. A category's contribution is its Shapley value (Shapley 1953), and what happens
without it is read from v itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import factorial

import numpy as np

from features.catalog import MOST_CATEGORIES
from models.arrays import Bools, Floats

MOST_PLAYERS = MOST_CATEGORIES


@dataclass(frozen=True)
class CategoryContribution:
    """A category's Shapley value, and the answer without it."""

    category: str
    contribution: float
    without: float


@dataclass(frozen=True)
class Game:
    """The outcome: from `base_value`, v(nothing), to `output_value`, v(everything granted)."""

    base_value: float
    output_value: float
    played: tuple[CategoryContribution, ...]


def play(players: Sequence[str], answers: Callable[[Bools], Floats]) -> Game:
    """Play the game over `players`.

    `answers` takes granted categories (coalitions, players) bool and gives v of each, in one call.
    Raises `ValueError` for more than ten players.
    """
    count = len(players)
    if count > MOST_PLAYERS:
        raise ValueError(
            f"{count} categories would need {2**count} answers; at most {MOST_PLAYERS} can be"
            " played"
        )
    return game_of(players, answers(coalitions(count)))


def game_of(players: Sequence[str], values: Floats) -> Game:
    """The outcome of a game given by v of its coalitions (2^players,), in the order of
    `coalitions`.
    """
    shares = shapley(values)
    count, everything = len(players), len(values) - 1
    without = [float(values[everything ^ (1 << player)]) for player in range(count)]
    played = tuple(
        CategoryContribution(name, float(share), rest)
        for name, share, rest in zip(players, shares, without, strict=True)
    )
    return Game(float(values[0]), float(values[everything]), played)


@lru_cache
def coalitions(count: int) -> Bools:
    """All coalitions of `count` players, shape (2^count, count); bit p of a row's number says
    whether player p is in it.
    """
    return np.asarray((np.arange(2**count)[:, None] >> np.arange(count)) & 1 == 1)


@lru_cache
def _weights(count: int) -> Floats:
    """Weight of joining a coalition by its size: s! (n - s - 1)! / n!."""
    return np.array(
        [factorial(size) * factorial(count - size - 1) / factorial(count) for size in range(count)]
    )


def shapley(values: Floats) -> Floats:
    """Exact Shapley values (players,) of a game given by v of its coalitions (2^players,), in the
    order of `coalitions`.
    """
    count = len(values).bit_length() - 1
    if count == 0:
        return np.zeros(0)
    members = coalitions(count)
    sizes = members.sum(axis=1)
    shares = []
    for player in range(count):
        outside = np.flatnonzero(~members[:, player])
        gains = values[outside | (1 << player)] - values[outside]
        shares.append(float(_weights(count)[sizes[outside]] @ gains))
    return np.array(shares)
