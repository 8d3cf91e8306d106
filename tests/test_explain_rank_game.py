"""The game over a list of products, and why one stands above another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explain.contrast import contrast
from explain.explanation import Explanation, FeatureContribution
from explain.game import coalitions, shapley
from explain.rank_game import Lists, rank_game

LISTS = Lists(
    now=("a", "b", "c"),
    without={"purchases": ("c", "a"), "location": ("a", "b", "c")},
    for_everybody=("c",),
)


def test_places_are_read_from_the_lists() -> None:
    """A product has the place at which it stands in each list, and none where it does not stand."""
    game = rank_game(["purchases", "location"], ["a", "b"], np.zeros((4, 2)), LISTS)
    first, second = game.products
    assert (first.place, first.place_without, first.place_for_everybody) == (
        1,
        {"purchases": 2, "location": 1},
        None,
    )
    assert (second.place, second.place_without) == (2, {"purchases": None, "location": 2})
    assert game.of("b") is second
    assert game.of("z") is None


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), players=st.integers(0, 5), products=st.integers(0, 4))
def test_each_product_plays_a_game_of_its_own(seed: int, players: int, products: int) -> None:
    """Shares are the Shapley values of the product's own scores, and `without` is the score of the
    coalition without the player.
    """
    scores = np.random.default_rng(seed).normal(size=(2**players, products))
    names = [f"c{number}" for number in range(players)]
    game = rank_game(names, [str(number) for number in range(products)], scores, LISTS)
    for column, product in zip(scores.T, game.products, strict=True):
        assert [part.contribution for part in product.score.played] == shapley(column).tolist()
        everything = len(coalitions(players)) - 1
        assert [part.without for part in product.score.played] == [
            column[everything ^ (1 << at)] for at in range(players)
        ]
        assert (product.score.base_value, product.score.output_value) == (column[0], column[-1])


def explained(base: float, *parts: tuple[str, str, float]) -> Explanation:
    """An explanation of (feature, category, contribution)."""
    made = tuple(
        FeatureContribution(feature, category, 1.0, value) for feature, category, value in parts
    )
    return Explanation(base, base + sum(part.contribution for part in made), made)


def test_a_contrast_adds_up_to_the_difference() -> None:
    """By category the parts make the whole difference of both scores; the largest comes first; what
    is only below counts against.
    """
    above = explained(
        0.5,
        ("times_bought", "purchases", 0.75),
        ("trend", "product", 0.25),
        ("overdue", "order_times", 0.5),
    )
    below = explained(
        0.5,
        ("times_bought", "purchases", 0.25),
        ("price", "spending", 1.0),
        ("orders", "purchases", 0.25),
    )
    found = contrast(above, below)
    assert found.difference == above.output_value - below.output_value
    assert found.by_category == (
        ("spending", -1.0),
        ("order_times", 0.5),
        ("product", 0.25),
        ("purchases", 0.25),
    )
    assert sum(part for _, part in found.by_category) == pytest.approx(found.difference, abs=1e-12)
    assert contrast(above, above).difference == 0
