"""Shapley values of a sum of trees against the row in which every feature is missing, exact and in
double precision.

With one reference, a coalition's answer is that of a row whose features are each the customer's or
missing (the interventional form: Lundberg et al., Nature Machine Intelligence 2020). At a split
where the two go different ways, both are followed: a leaf that is reached with `own` features taken
from the row and `other` ones left missing is worth its value times (own - 1)! other! / (own +
other)! to each of the first, and minus own! (other - 1)! / (own + other)! to each of the others.

The `shap` library computes the same in C++, but in single precision and in two to four times the
time.
"""

from __future__ import annotations

from math import factorial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.errors import ModelUnavailable
from models.arrays import Floats
from models.trees.booster import Booster
from models.trees.jit import compiled

Integers = NDArray[np.int32]
FREE, OWN, OTHER = 0, 1, 2
"""Whose value a feature has on the way to a leaf: not decided, the row's, the reference's."""


class Trees(NamedTuple):
    """All trees of an ensemble side by side.

    A node that is not negative is a split; leaf n is node -n - 1.

    `roots` (trees,); `splits` (splits, 4) int32: the feature, the node to go to where it is
    missing, the other node, and whether the first of these is the left one; `thresholds` (splits,);
    `leaves` (leaves,) values; `weights` by the sizes of both sides; `depth` of the deepest tree.
    """

    roots: Integers
    splits: Integers
    thresholds: Floats
    leaves: Floats
    weights: Floats
    depth: int


def trees_of(booster: Booster) -> Trees:
    """The trees of a booster.

    Raises `ModelUnavailable` where a split was made without ever seeing a missing value: it takes
    that for 0.
    """
    names, roots, depth = booster.feature_name(), [], 1
    splits: list[list[Any]] = []
    leaves: list[float] = []
    for tree in booster.trees:
        roots.append(_laid_out(tree["tree_structure"], names, splits, leaves))
        depth = max(depth, tree["num_leaves"])
    table = np.array([split[:4] for split in splits], dtype=np.int32).reshape(-1, 4)
    thresholds = np.array([split[4] for split in splits], dtype=np.float64)
    return Trees(
        np.array(roots, dtype=np.int32),
        table,
        thresholds,
        np.array(leaves, dtype=np.float64),
        _weights(depth),
        depth,
    )


def _laid_out(
    node: dict[str, Any], names: list[str], splits: list[list[Any]], leaves: list[float]
) -> int:
    """Append a node of LightGBM's dump and all below it; its number."""
    if "split_feature" not in node:
        leaves.append(node["leaf_value"])
        return -len(leaves)
    if node["decision_type"] != "<=" or node["missing_type"] != "NaN":
        raise ModelUnavailable(
            f"the model was never shown a row without `{names[node['split_feature']]}`, or takes it"
            " for a category, so an answer without it could not be explained; train it with masked"
            " copies, on numbers"
        )
    number = len(splits)
    splits.append([])
    below = [_laid_out(node[side], names, splits, leaves) for side in ("left_child", "right_child")]
    left = node["default_left"]
    splits[number] = [
        node["split_feature"],
        *(below if left else below[::-1]),
        left,
        node["threshold"],
    ]
    return number


def _weights(most: int) -> Floats:
    """What a leaf is worth to each of `mine` features that have to be there, with `theirs` that
    must not: [mine, theirs].
    """
    weights = np.zeros((most + 1, most + 1))
    for mine in range(1, most + 1):
        for theirs in range(most + 1 - mine):
            weights[mine, theirs] = (
                factorial(mine - 1) * factorial(theirs) / factorial(mine + theirs)
            )
    return weights


def shapley_values(trees: Trees, features: Floats) -> Floats:
    """What each feature adds to the score of the row in which all are missing: shape of `features`
    (rows, features).
    """
    shares = np.zeros(features.shape)
    _add_shares(np.ascontiguousarray(features), *trees, shares)
    return shares


@compiled
def _begin(values: Floats, side: Integers) -> None:
    """Nothing is decided but for what a row lacks, which is as in the reference whoever is
    asked.
    """
    for feature in range(len(values)):
        side[feature] = OTHER if np.isnan(values[feature]) else FREE


@compiled
def _add_shares(
    features: Floats,
    roots: Integers,
    splits: Integers,
    thresholds: Floats,
    leaves: Floats,
    weights: Floats,
    depth: int,
    shares: Floats,
) -> None:
    """Visit every leaf that a coalition comes to, on the row's side first; where the reference goes
    waits until that is done.
    """
    side = np.empty(features.shape[1], dtype=np.int32)
    path = np.empty(depth, dtype=np.int32)
    waiting = np.empty((depth, 3), dtype=np.int32)
    for row in range(features.shape[0]):
        values, gained = features[row], shares[row]
        _begin(values, side)
        for root in roots:
            node, decided, own, left = root, 0, 0, 0
            while True:
                while node >= 0:
                    feature = splits[node, 0]
                    whose = side[feature]
                    if whose == OTHER or (values[feature] <= thresholds[node]) == (
                        splits[node, 3] == 1
                    ):
                        node = splits[node, 1]
                        continue
                    if whose == FREE:
                        waiting[left, 0], waiting[left, 1], waiting[left, 2] = (
                            splits[node, 1],
                            decided,
                            own,
                        )
                        path[decided], side[feature] = feature, OWN
                        decided, own, left = decided + 1, own + 1, left + 1
                    node = splits[node, 2]
                gain, loss = (
                    leaves[-node - 1] * weights[own, decided - own],
                    leaves[-node - 1] * weights[decided - own, own],
                )
                for at in range(decided):
                    feature = path[at]
                    gained[feature] += gain if side[feature] == OWN else -loss
                keep = waiting[left - 1, 1] if left else -1
                for at in range(keep + 1, decided):
                    side[path[at]] = FREE
                if left == 0:
                    break
                left -= 1
                side[path[keep]] = OTHER
                node, decided, own = waiting[left, 0], keep + 1, waiting[left, 2]
