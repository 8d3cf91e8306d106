"""The consent game: exact Shapley values over categories, and answers read from the game itself."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explain.game import MOST_PLAYERS, coalitions, play, shapley
from models.arrays import Bools, Floats

EXACT = 1e-9
seeds = st.integers(0, 2**32)


def some_game(seed: int, players: int) -> Floats:
    """V of every coalition, drawn at random, between 0 and 1 as probabilities are."""
    return np.asarray(np.random.default_rng(seed).random(2**players))


def by_permutations(values: Floats) -> Floats:
    """Shapley values as the mean gain of a player over all orders of joining."""
    players = len(values).bit_length() - 1
    gains = np.zeros(players)
    orders = list(permutations(range(players)))
    for order in orders:
        coalition = 0
        for player in order:
            gains[player] += values[coalition | 1 << player] - values[coalition]
            coalition |= 1 << player
    return gains / len(orders)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, players=st.integers(0, 6))
def test_shares_are_the_mean_over_all_orders(seed: int, players: int) -> None:
    """Shapley values equal the mean gain over all permutations of up to six players."""
    values = some_game(seed, players)
    np.testing.assert_allclose(shapley(values), by_permutations(values), rtol=0, atol=EXACT)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, players=st.integers(0, MOST_PLAYERS))
def test_shares_add_up_to_the_whole(seed: int, players: int) -> None:
    """The shares lead from v(nothing) to v(everything)."""
    values = some_game(seed, players)
    assert values[0] + shapley(values).sum() == pytest.approx(values[-1], abs=EXACT)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, players=st.integers(1, 8), dummy=st.integers(0, 7))
def test_who_changes_nothing_has_exactly_nothing(seed: int, players: int, dummy: int) -> None:
    """A category that changes no answer has a share of exactly 0."""
    player = dummy % players
    values = some_game(seed, players)
    numbers = np.arange(len(values))
    values = values[numbers & ~(1 << player)]
    assert shapley(values)[player] == 0.0


@settings(max_examples=60, deadline=None)
@given(seed=seeds, players=st.integers(2, 7), one=st.integers(0, 6), other=st.integers(0, 6))
def test_equals_have_equal_shares(seed: int, players: int, one: int, other: int) -> None:
    """Two categories that may be exchanged in every coalition have the same share."""
    first, second = one % players, other % players
    values, numbers = some_game(seed, players), np.arange(2**players)
    has_first, has_second = numbers >> first & 1, numbers >> second & 1
    swapped = numbers & ~(1 << first) & ~(1 << second) | has_first << second | has_second << first
    shares = shapley((values + values[swapped]) / 2)
    assert shares[first] == pytest.approx(shares[second], abs=EXACT)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, players=st.integers(1, 7))
def test_shares_of_a_sum_are_sums_of_shares(seed: int, players: int) -> None:
    """Two games played together give each player the sum of both."""
    one, other = some_game(seed, players), some_game(seed + 1, players)
    np.testing.assert_allclose(
        shapley(one + 3 * other), shapley(one) + 3 * shapley(other), rtol=0, atol=EXACT
    )


def test_coalitions_are_all_of_them() -> None:
    """Row n holds the players whose bits are set in n, each coalition once."""
    members = coalitions(4)
    assert members.shape == (16, 4)
    assert (members @ (1 << np.arange(4)) == np.arange(16)).all()
    assert coalitions(0).shape == (1, 0)


def test_the_outcome_is_read_from_the_answers() -> None:
    """Base, output and each number without a category are the very answers, in the players' order,
    from a single call.
    """
    calls = []

    def answers(granted: Bools) -> Floats:
        calls.append(granted.shape)
        return np.asarray(
            0.11 + granted @ np.array([0.2, -0.05, 0.0]) + 0.3 * granted[:, 0] * granted[:, 1]
        )

    game = play(["purchases", "location", "spending"], answers)
    everything = answers(np.array([[True, True, True]]))[0]
    assert (game.base_value, game.output_value) == (0.11, everything)
    assert [part.category for part in game.played] == ["purchases", "location", "spending"]
    assert [part.without for part in game.played] == [
        answers(np.array([present]))[0]
        for present in ([False, True, True], [True, False, True], [True, True, False])
    ]
    assert [part.contribution for part in game.played] == pytest.approx([0.35, 0.1, 0.0], abs=EXACT)
    assert game.played[2].contribution == 0.0
    assert calls[0] == (8, 3)


def test_nobody_plays_alone() -> None:
    """Who grants nothing gets what everybody gets, with no parts."""
    game = play([], lambda granted: np.full(len(granted), 0.4))
    assert (game.base_value, game.output_value, game.played) == (0.4, 0.4, ())


def test_too_many_players_are_refused() -> None:
    """Ten categories can be played; with eleven the error says how many answers that would need,
    and none is asked for.
    """
    assert (
        len(play([str(n) for n in range(10)], lambda granted: granted.sum(axis=1) / 10).played)
        == 10
    )
    with pytest.raises(ValueError, match=r"11 categories.*2048.*at most 10"):
        play([str(n) for n in range(11)], lambda _granted: pytest.fail("an answer was asked for"))
