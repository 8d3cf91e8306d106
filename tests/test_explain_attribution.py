"""Contributions per feature: exact against brute force, additive, and nothing of what is
missing.
"""

from __future__ import annotations

from itertools import product
from math import factorial

import lightgbm
import numpy as np
import pytest
import shap
from hypothesis import given, settings
from hypothesis import strategies as st

from explain.attribution import Attribution
from explain.explanation import explanations
from explain.game import play
from features.errors import ModelUnavailable
from models.arrays import Bools, Floats
from models.trees.quantising import rounded

FEATURES = 6
ADDITIVE = 1e-6
AGREEMENT = 1e-9
SINGLE_PRECISION = 1e-7
"""The library keeps the values of leaves in single precision: a few hundred-millionths are what
thirty trees add up to.
"""


def boost(
    features: Floats, labels: Floats, trees: int = 30, **parameters: object
) -> lightgbm.Booster:
    """A small booster."""
    settings = {
        "objective": "binary",
        "num_leaves": 8,
        "min_data_in_leaf": 5,
        "seed": 1,
        "num_threads": 1,
        "verbose": -1,
        "deterministic": True,
    }
    data = lightgbm.Dataset(features, labels, params={"verbose": -1})
    return lightgbm.train(settings | parameters, data, num_boost_round=trees)


def some_rows(seed: int, rows: int, missing: float = 0.25) -> Floats:
    """Rows of numbers of very different sizes as the trees see them, with some of them missing."""
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(rows, FEATURES)) * [1, 100, 0.01, 1, 1e6, 1]
    features[:, 3] = np.round(features[:, 3])
    features[draw.random(features.shape) < missing] = np.nan
    return rounded(features)


@pytest.fixture(scope="module")
def booster() -> lightgbm.Booster:
    """A booster in which features interact and may be missing."""
    features = some_rows(1, 2_000)
    known = np.nan_to_num(features)
    score = (
        known[:, 0] * np.sign(known[:, 1])
        + known[:, 2] * 50
        + (known[:, 3] > 0)
        - known[:, 4] / 1e6
    )
    return boost(features, (score + np.random.default_rng(2).normal(size=2_000) > 0).astype(float))


@pytest.fixture(scope="module")
def attribution(booster: lightgbm.Booster) -> Attribution:
    """Its explainer."""
    return Attribution(booster)


def brute_force(booster: lightgbm.Booster, row: Floats) -> Floats:
    """Shapley values by their definition: a feature outside a coalition is missing."""
    count = len(row)
    coalitions = np.array(list(product([False, True], repeat=count)))
    scores = np.asarray(booster.predict(np.where(coalitions, row, np.nan), raw_score=True))
    value = {
        tuple(coalition): score
        for coalition, score in zip(coalitions.tolist(), scores, strict=True)
    }
    shares = np.zeros(count)
    for player in range(count):
        for coalition, score in value.items():
            if not coalition[player]:
                size = sum(coalition)
                joined = (*coalition[:player], True, *coalition[player + 1 :])
                shares[player] += (
                    factorial(size)
                    * factorial(count - size - 1)
                    / factorial(count)
                    * (value[joined] - score)
                )
    return shares


def test_contributions_add_up_to_the_score(
    booster: lightgbm.Booster, attribution: Attribution
) -> None:
    """For a thousand rows the base value and the contributions are the booster's raw score within a
    millionth.
    """
    rows = some_rows(3, 1_000)
    total = attribution.base_value + attribution.contributions(rows).sum(axis=1)
    np.testing.assert_allclose(total, booster.predict(rows, raw_score=True), rtol=0, atol=ADDITIVE)


def test_the_base_value_is_the_answer_without_any_feature(
    booster: lightgbm.Booster, attribution: Attribution
) -> None:
    """What everybody gets is the score of the row in which everything is missing, and that row has
    no contributions.
    """
    nothing = np.full((1, FEATURES), np.nan)
    assert attribution.base_value == booster.predict(nothing, raw_score=True)[0]
    assert not attribution.contributions(nothing).any()


def test_a_missing_feature_contributes_exactly_nothing(attribution: Attribution) -> None:
    """Wherever a feature is missing its contribution is 0 and not merely small; somewhere else the
    same feature counts.
    """
    rows = some_rows(4, 1_000, missing=0.5)
    parts = attribution.contributions(rows)
    assert not parts[np.isnan(rows)].any()
    assert (np.abs(parts).max(axis=0) > 0.01).all()


def test_contributions_are_shapley_values(
    booster: lightgbm.Booster, attribution: Attribution
) -> None:
    """For forty rows each contribution equals the sum over all 64 coalitions of features within a
    billionth.
    """
    rows = some_rows(5, 40)
    expected = np.array([brute_force(booster, row) for row in rows])
    np.testing.assert_allclose(attribution.contributions(rows), expected, rtol=0, atol=AGREEMENT)


def test_contributions_are_those_of_the_shap_library(
    booster: lightgbm.Booster, attribution: Attribution
) -> None:
    """The library's explainer, asked for the same game, says the same as exactly as it can."""
    nothing = np.full((1, FEATURES), np.nan)
    library = shap.TreeExplainer(booster, data=nothing, feature_perturbation="interventional")
    rows = some_rows(13, 500)
    expected = library.shap_values(rows, check_additivity=False)
    np.testing.assert_allclose(
        attribution.contributions(rows), expected, rtol=0, atol=SINGLE_PRECISION
    )


def test_trees_as_deep_as_they_have_leaves_are_explained() -> None:
    """A tree that is one long branch, and an ensemble of a single leaf, agree with brute force."""
    chain = np.tile(np.arange(40.0), 30)
    rows = np.column_stack(
        [
            chain,
            *(np.where(np.arange(1_200) % (n + 2) == 0, np.nan, chain % (n + 3)) for n in range(5)),
        ]
    )
    rows[::7, 0] = np.nan
    deep = boost(
        rounded(rows),
        1.5 ** np.nan_to_num(chain),
        3,
        objective="regression",
        num_leaves=60,
        min_data_in_leaf=1,
        learning_rate=1.0,
    )
    some = rounded(rows[:60])
    scale = np.abs(deep.predict(some, raw_score=True)).max()
    np.testing.assert_allclose(
        Attribution(deep).contributions(some) / scale,
        [brute_force(deep, row) / scale for row in some],
        atol=AGREEMENT,
    )
    stump = boost(some_rows(1, 30), np.ones(30), 2, objective="regression")
    assert not Attribution(stump).contributions(some).any()


def test_a_booster_that_takes_a_number_for_a_category_is_refused() -> None:
    """Native categorical splits cannot be explained against a missing value, and no explainer is
    made of them.
    """
    features = np.column_stack([np.arange(600) % 7, np.arange(600) % 5]).astype(float)
    features[::9] = np.nan
    data = lightgbm.Dataset(
        features,
        (features[:, 0] % 3 == 0).astype(float),
        categorical_feature=[0],
        params={"verbose": -1},
    )
    booster = lightgbm.train(
        {"objective": "binary", "verbose": -1, "min_data_in_leaf": 5, "num_threads": 1}, data, 3
    )
    with pytest.raises(ModelUnavailable, match="takes it for a category"):
        Attribution(booster)


def test_a_row_is_explained_alone_as_among_many(attribution: Attribution) -> None:
    """The contributions of one row do not depend on the rows beside it, to the last bit."""
    rows = some_rows(6, 50)
    together = attribution.contributions(rows)
    alone = np.vstack([attribution.contributions(rows[[at]]) for at in range(len(rows))])
    assert together.tobytes() == alone.tobytes()


def test_the_order_of_trees_is_of_no_account(
    booster: lightgbm.Booster, attribution: Attribution
) -> None:
    """The same trees in reverse give the same contributions."""
    rows = some_rows(8, 100)
    order = list(range(booster.num_trees()))[::-1]
    reversed_trees = reorder(booster, order)
    assert (
        reversed_trees.dump_model()["tree_info"][0]["tree_structure"]
        == booster.dump_model()["tree_info"][-1]["tree_structure"]
    )
    np.testing.assert_allclose(
        Attribution(reversed_trees).contributions(rows),
        attribution.contributions(rows),
        rtol=0,
        atol=AGREEMENT,
    )


def reorder(booster: lightgbm.Booster, order: list[int]) -> lightgbm.Booster:
    """The booster with its trees in another order."""
    head, *rest = booster.model_to_string().split("\nTree=")
    last, tail = rest[-1].split("\nend of trees", 1)
    trees = [part.split("\n", 1)[1].rstrip("\n") + "\n\n" for part in [*rest[:-1], last]]
    body = [f"Tree={number}\n{trees[old]}\n" for number, old in enumerate(order)]
    sizes = " ".join(str(len(part)) for part in body)
    lines = [
        f"tree_sizes={sizes}" if line.startswith("tree_sizes=") else line
        for line in head.split("\n")
    ]
    return lightgbm.Booster(
        model_str="\n".join(lines).rstrip("\n") + "\n\n" + "".join(body) + "end of trees" + tail
    )


def test_contributions_add_over_trees(booster: lightgbm.Booster, attribution: Attribution) -> None:
    """What the first ten trees and the others contribute adds up to what all do."""
    rows = some_rows(9, 50)
    first = lightgbm.Booster(model_str=booster.model_to_string(num_iteration=10))
    others = lightgbm.Booster(model_str=booster.model_to_string(start_iteration=10))
    parts = Attribution(first).contributions(rows) + Attribution(others).contributions(rows)
    np.testing.assert_allclose(parts, attribution.contributions(rows), rtol=0, atol=AGREEMENT)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), trees=st.integers(1, 6), ranked=st.booleans())
def test_any_small_booster_is_explained_exactly(seed: int, trees: int, ranked: bool) -> None:
    """Boosters for classes and for ranks, of random data, agree with brute force, and a feature
    that no tree uses has exactly 0.
    """
    draw = np.random.default_rng(seed)
    features = some_rows(seed, 200, missing=float(draw.choice([0.1, 0.6])))
    features[:, 5] = 1.0
    labels = (np.nan_to_num(features[:, 0]) + draw.normal(size=200) > 0).astype(float)
    if ranked:
        data = lightgbm.Dataset(features, labels, group=[20] * 10, params={"verbose": -1})
        booster = lightgbm.train(
            {
                "objective": "lambdarank",
                "num_leaves": 6,
                "min_data_in_leaf": 3,
                "verbose": -1,
                "num_threads": 1,
            },
            data,
            trees,
        )
    else:
        booster = boost(features, labels, trees)
    rows = some_rows(seed + 1, 4)
    parts = Attribution(booster).contributions(rows)
    np.testing.assert_allclose(
        parts, [brute_force(booster, row) for row in rows], rtol=0, atol=AGREEMENT
    )
    assert not parts[:, 5].any()


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32), one=st.integers(0, FEATURES - 1), other=st.integers(0, FEATURES - 1)
)
def test_features_that_may_be_exchanged_have_equal_contributions(
    seed: int, one: int, other: int
) -> None:
    """Where a booster treats two features alike, and a row has the same value of both, both
    contribute the same.
    """
    features = some_rows(seed, 200)
    labels = (np.nan_to_num(features[:, one]) * np.nan_to_num(features[:, 2]) > 0).astype(float)
    exchange = list(range(FEATURES))
    exchange[one], exchange[other] = other, one
    booster = boost(features, labels, 4)
    rows = some_rows(seed + 1, 20)
    rows[:, other] = rows[:, one]
    parts = Attribution(booster).contributions(rows) + Attribution(
        renamed(booster, exchange)
    ).contributions(rows)
    np.testing.assert_allclose(parts[:, one], parts[:, other], rtol=0, atol=AGREEMENT)


def renamed(booster: lightgbm.Booster, names: list[int]) -> lightgbm.Booster:
    """The booster with feature n of every split replaced by `names[n]`."""
    lines = booster.model_to_string().split("\n")
    for at, line in enumerate(lines):
        if line.startswith("split_feature="):
            numbers = line.removeprefix("split_feature=").split()
            lines[at] = "split_feature=" + " ".join(str(names[int(number)]) for number in numbers)
    return lightgbm.Booster(model_str="\n".join(lines))


def test_a_booster_that_never_saw_anything_missing_is_refused() -> None:
    """Where no training row missed a feature, no explainer is made, since its contributions could
    not add up.
    """
    features = some_rows(10, 500, missing=0)
    booster = boost(features, (features[:, 0] + features[:, 1] / 100 > 0.5).astype(float))
    with pytest.raises(ModelUnavailable, match="masked copies"):
        Attribution(booster)


# ---- the golden case: f = AND of two ----

CASES = np.array([[1, 1]] * 40 + [[1, 0]] * 10 + [[0, 1]] * 5 + [[0, 0]] * 45, dtype=float)
BOTH = (CASES.min(axis=1) == 1).astype(float)


def tree_of_and(first: int) -> lightgbm.Booster:
    """One tree that is the AND of two variables, with `first` at its root."""
    layout = {
        "objective": "regression",
        "num_leaves": 3,
        "min_data_in_leaf": 1,
        "min_data_in_bin": 1,
        "learning_rate": 1.0,
        "num_threads": 1,
    }
    favoured = {
        "feature_contri": [1.0, 0.01] if first == 0 else [0.01, 1.0],
        "boost_from_average": False,
        "verbose": -1,
    }
    return lightgbm.train(
        layout | favoured,
        lightgbm.Dataset(CASES, BOTH, params={"verbose": -1, "min_data_in_bin": 1}),
        1,
    )


def test_the_golden_case() -> None:
    """AND at (1, 1) is shared evenly by the game whichever variable is split first; LightGBM's own
    contributions are not.
    """
    trees = [tree_of_and(first) for first in (0, 1)]
    row = np.ones((1, 2))
    for tree in trees:
        np.testing.assert_array_equal(tree.predict(np.unique(CASES, axis=0)), [0, 0, 0, 1])
    assert [
        tree.dump_model()["tree_info"][0]["tree_structure"]["split_feature"] for tree in trees
    ] == [0, 1]

    def outcome(tree: lightgbm.Booster) -> list[float]:
        def answers(present: Bools) -> Floats:
            return np.asarray(tree.predict(np.where(present, row, 0.0)))

        return [part.contribution for part in play(["first", "second"], answers).played]

    assert outcome(trees[0]) == outcome(trees[1]) == [0.5, 0.5]
    first, second = (np.asarray(tree.predict(row, pred_contrib=True))[0, :2] for tree in trees)
    assert np.abs(first - second).max() > 0.1


# ---- the explanation of one row ----


def test_an_explanation_leaves_out_what_adds_nothing(
    booster: lightgbm.Booster, attribution: Attribution
) -> None:
    """The parts are those of known features that add something, the largest first, and lead from
    base to output.
    """
    names = [f"f{n}" for n in range(FEATURES)]
    categories = {name: "odd" if at % 2 else "even" for at, name in enumerate(names)}
    for row in some_rows(12, 50, missing=0.4):
        (parts,) = every = attribution.contributions(row[None])
        output = float(booster.predict(row[None], raw_score=True)[0])
        base = attribution.base_value
        (made,) = explanations(names, categories, row[None], every, base, [output])
        assert {part.feature for part in made.contributions} == {
            name for name, part in zip(names, parts, strict=True) if part
        }
        assert not {names[at] for at in np.flatnonzero(np.isnan(row))} & {
            part.feature for part in made.contributions
        }
        sizes = [abs(part.contribution) for part in made.contributions]
        assert sizes == sorted(sizes, reverse=True)
        assert made.base_value + sum(
            part.contribution for part in made.contributions
        ) == pytest.approx(made.output_value, abs=ADDITIVE)
        assert all(part.category == categories[part.feature] for part in made.contributions)
