"""A booster as data: LightGBM's own text, read without LightGBM.

Whoever answers needs the trees and not the library that grew them, which brings scikit-learn and
much of SciPy along. The text states every threshold and leaf to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from models.arrays import Bools, Floats

CATEGORICAL, DEFAULT_LEFT = 1, 2
"""Bits of a split's `decision_type`; the two bits above tell what counts as missing."""
MISSING = ("None", "Zero", "NaN")
ZERO = 1e-35
"""LightGBM takes numbers up to this size for 0."""


class Stated(Protocol):
    """A booster that states itself as LightGBM's text: this one, or LightGBM's."""

    def model_to_string(self) -> str:
        """The text."""


@dataclass(frozen=True)
class Booster:
    """The trees that a `text` of LightGBM states.

    Raises `ValueError` for a text that is cut off, or is none of LightGBM's.
    """

    text: str

    def __post_init__(self) -> None:
        if "\nend of trees" not in self.text:
            raise ValueError("it is not the whole text of a LightGBM model")

    @classmethod
    def of(cls, stated: Stated) -> Booster:
        """The booster that LightGBM trained."""
        return cls(stated.model_to_string())

    @classmethod
    def read(cls, file: Path) -> Booster:
        """The booster in `file`, as `save_model` wrote it."""
        return cls(file.read_text(encoding="utf-8"))

    def save_model(self, file: Path) -> None:
        """Write the text to `file`."""
        file.write_text(self.text, encoding="utf-8")

    def model_to_string(self) -> str:
        """The text."""
        return self.text

    @cached_property
    def _head(self) -> Mapping[str, str]:
        return _values(self.text.partition("\nTree=")[0])

    @cached_property
    def trees(self) -> Sequence[dict[str, Any]]:
        """The trees, as `tree_info` gives them."""
        return tree_info(self.text)

    def feature_name(self) -> list[str]:
        """Names of the columns, in order."""
        return self._head["feature_names"].split(" ")

    def num_feature(self) -> int:
        """How many columns the trees read."""
        return int(self._head["max_feature_idx"]) + 1

    def num_trees(self) -> int:
        """How many trees there are."""
        return len(self.trees)

    def gains(self) -> Floats:
        """What the splits of each column (columns,) gained in training, summed."""
        gained = np.zeros(self.num_feature())
        for block in _blocks(self.text):
            stated = _values(block)
            columns = [int(value) for value in stated.get("split_feature", "").split()]
            gains = [float(gain) for gain in stated.get("split_gain", "").split()]
            np.add.at(gained, columns, gains)
        return gained

    def predict(self, features: Floats) -> Floats:
        """Raw scores (rows,) of `features` (rows, features): the sum of the leaves, tree by tree.

        It asks one split after another, for any trees of numbers; `TreeScores` is the fast way.
        """
        scores = np.zeros(len(features))
        for tree in self.trees:
            scores += _leaves(tree["tree_structure"], np.asarray(features, dtype=np.float64))
        return scores


def tree_info(text: str) -> list[dict[str, Any]]:
    """The trees that LightGBM's text states, as `lightgbm.Booster.dump_model` gives them: for each
    `num_leaves`, and its `tree_structure` of nested nodes.
    """
    return [_tree(_values(block)) for block in _blocks(text)]


def _blocks(text: str) -> list[str]:
    body = text.partition("\nTree=")[2].partition("\nend of trees")[0]
    return body.split("\nTree=") if body else []


def _values(block: str) -> Mapping[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _tree(stated: Mapping[str, str]) -> dict[str, Any]:
    leaves = [float(value) for value in stated["leaf_value"].split()]
    if len(leaves) == 1:
        return {"num_leaves": 1, "tree_structure": {"leaf_value": leaves[0]}}
    columns = {name: [int(value) for value in stated[name].split()] for name in _WHOLE}
    thresholds = [float(value) for value in stated["threshold"].split()]

    def node(number: int) -> dict[str, Any]:
        if number < 0:
            return {"leaf_value": leaves[-number - 1]}
        kind = columns["decision_type"][number]
        return {
            "split_feature": columns["split_feature"][number],
            "threshold": thresholds[number],
            "decision_type": "==" if kind & CATEGORICAL else "<=",
            "default_left": bool(kind & DEFAULT_LEFT),
            "missing_type": MISSING[kind >> 2 & 3],
            "left_child": node(columns["left_child"][number]),
            "right_child": node(columns["right_child"][number]),
        }

    return {"num_leaves": len(leaves), "tree_structure": node(0)}


_WHOLE = ("split_feature", "decision_type", "left_child", "right_child")


def _leaves(node: Mapping[str, Any], features: Floats) -> Floats:
    if "split_feature" not in node:
        return np.full(len(features), node["leaf_value"])
    if node["decision_type"] != "<=":
        raise ValueError("it splits by kinds, which are to be given as numbers")
    left = _goes_left(node, features[:, node["split_feature"]])
    values = np.empty(len(features))
    values[left] = _leaves(node["left_child"], features[left])
    values[~left] = _leaves(node["right_child"], features[~left])
    return values


def _goes_left(node: Mapping[str, Any], column: Floats) -> Bools:
    """Which rows go left (rows,); where nothing was ever missing, a missing value counts as 0."""
    absent = np.isnan(column)
    known = np.where(absent, 0.0, column)
    left = known <= node["threshold"]
    if node["missing_type"] == "None":
        return np.asarray(left)
    missing = absent if node["missing_type"] == "NaN" else np.abs(known) <= ZERO
    return np.asarray(np.where(missing, node["default_left"], left))
