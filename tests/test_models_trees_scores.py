"""Scores by all trees at once: LightGBM's own to the last bit, whatever the trees and the rows are
like.
"""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from models.trees.booster import Booster
from models.trees.quantising import rounded
from models.trees.scores import BLOCK, MOST_LEAVES, TreeScores

WIDTH = 12
ODD = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-35, -1e-35, 3e38, 1e-45])


def drawn(rows: int, seed: int, missing: float) -> np.ndarray:
    """Features (rows, WIDTH), with ties, and some of them missing."""
    generator = np.random.default_rng(seed)
    features = np.where(
        generator.random((rows, WIDTH)) < 0.5,
        generator.normal(size=(rows, WIDTH)),
        generator.integers(-3, 4, (rows, WIDTH)),
    )
    features[generator.random(features.shape) < missing] = np.nan
    return rounded(features)


def trained(leaves: int, missing: float, trees: int = 20, **settings: object) -> lightgbm.Booster:
    """A booster on random numbers, the last column of which never lacks a value."""
    features = drawn(3_000, 1, missing)
    features[:, -1] = np.random.default_rng(2).normal(size=len(features))
    known = np.nan_to_num(features)
    labels = known[:, 0] * known[:, 1] + known[:, -1] + np.isnan(features[:, 2])
    stated = {
        "objective": "regression",
        "num_leaves": leaves,
        "min_data_in_leaf": 3,
        "num_threads": 1,
        "verbose": -1,
        **settings,
    }
    return lightgbm.train(stated, lightgbm.Dataset(features, labels, params={"verbose": -1}), trees)


@pytest.mark.parametrize("leaves", [2, 15, MOST_LEAVES, MOST_LEAVES + 1])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_scores_are_those_of_the_library_to_the_last_bit(leaves, missing):
    """For few and many rows, blocks that are full and not, values that lack, lie on a threshold or
    are no ordinary numbers.
    """
    booster = trained(leaves, missing)
    scores = TreeScores(booster)
    thresholds = booster.trees_to_dataframe()["threshold"].dropna().to_numpy("float64")
    # One that only tells what lacks from what does not is as good as infinite.
    thresholds = thresholds[np.abs(thresholds) < 1e38]
    for rows in (0, 1, 7, BLOCK, BLOCK + 1):
        asked = drawn(rows, rows, 0.2)
        asked[::3] = rounded(np.resize(thresholds, asked[::3].shape))
        asked[::5] = rounded(np.resize(ODD, asked[::5].shape))
        expected = booster.predict(asked, raw_score=True, num_threads=1) if rows else np.zeros(0)
        np.testing.assert_array_equal(scores.of(asked), expected)


def test_trees_that_did_not_grow_score_as_well():
    """A tree without any split adds its one leaf to every row."""
    booster = trained(15, 0.0, trees=3, min_gain_to_split=1e9)
    asked = drawn(5, 3, 0.5)
    np.testing.assert_array_equal(
        TreeScores(booster).of(asked), booster.predict(asked, raw_score=True)
    )


def test_splits_by_kind_are_refused():
    """A booster with a column of kinds, which no explanation could be given of, is not asked."""
    features = np.random.default_rng(4).integers(0, 6, (500, 2)).astype(float)
    data = lightgbm.Dataset(
        features,
        np.isin(features[:, 0], (1, 4)).astype(float),
        categorical_feature=[0],
        params={"verbose": -1},
    )
    booster = lightgbm.train(
        {"objective": "regression", "num_leaves": 4, "num_threads": 1, "verbose": -1}, data, 5
    )
    with pytest.raises(ValueError, match="splits by kinds"):
        TreeScores(booster).of(features)


def test_trees_of_more_leaves_are_asked_split_by_split():
    """A tree of more leaves than a number has bits gives LightGBM's own score, to the last bit."""
    booster = trained(100, 0.2, trees=5, min_data_in_leaf=1)
    assert max(tree["num_leaves"] for tree in booster.dump_model()["tree_info"]) > MOST_LEAVES
    asked = np.random.default_rng(5).normal(size=(300, booster.num_feature()))
    asked[::3, ::2] = np.nan
    asked = rounded(asked)
    np.testing.assert_array_equal(
        TreeScores(booster).of(asked), booster.predict(asked, raw_score=True, num_threads=1)
    )


def test_the_text_says_what_the_library_says():
    """Nodes, names, counts and gains are read from the text as LightGBM dumps them, which writes
    1e300 where a threshold is infinite.
    """
    booster = trained(15, 0.2)
    read = Booster.of(booster)
    keys = ("split_feature", "decision_type", "default_left", "missing_type")

    def plain(node):
        if "split_feature" not in node:
            return node["leaf_value"]
        sides = (plain(node["left_child"]), plain(node["right_child"]))
        return (*(node[key] for key in keys), min(node["threshold"], 1e300), *sides)

    told = [plain(tree["tree_structure"]) for tree in booster.dump_model()["tree_info"]]
    assert [plain(tree["tree_structure"]) for tree in read.trees] == told
    assert read.feature_name() == booster.feature_name()
    assert (read.num_feature(), read.num_trees()) == (booster.num_feature(), booster.num_trees())
    assert read.gains() == pytest.approx(booster.feature_importance("gain"), rel=1e-5)


@pytest.mark.parametrize("left", [0.0, 0.3, 0.9, 0.99])
def test_a_text_that_was_cut_off_is_refused(left):
    """What is not whole is no booster, wherever it was cut."""
    text = trained(4, 0.1, trees=3).model_to_string()
    whole = text[: text.index("end of trees") + len("end of trees")]
    with pytest.raises(ValueError, match="not the whole text"):
        Booster(whole[: int(left * len(whole))])


def test_rows_of_another_width_are_refused():
    """What the trees would read beyond a row is never read."""
    with pytest.raises(ValueError, match="12 features, and these rows have 11"):
        TreeScores(trained(4, 0.0)).of(drawn(3, 5, 0.0)[:, :-1])
