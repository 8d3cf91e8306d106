"""Contractual churn: a table with a row per customer and a column that says who left, as rows for
the churn model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from features.errors import TrainingError
from models.arrays import Floats
from models.churn.rows import ChurnRows
from models.churn.settings import ChurnTask
from models.masking import Masking

MOST_LEVELS = 30
"""A text column with more different values names customers or is free text; it is left out."""
MOSTLY = 0.95
"""Share of a text column's values that have to be numbers for it to be one."""
LEFT = frozenset({"yes", "true", "1", "1.0", "y", "left", "churned"})
STAYED = frozenset({"no", "false", "0", "0.0", "n", "stayed", "retained", "active"})
CATEGORY = "contract"
"""The one category that such a table is withheld under, all of it or nothing."""


@dataclass(frozen=True)
class Encoding:
    """How columns become numbers: `numbers` as they are, each value of `levels` (column, value) as
    1 or 0, unknown as `NaN`.

    Trees that split on categories by themselves cannot be explained against one reference row, so
    they never see any.
    """

    numbers: tuple[str, ...]
    levels: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Encoding:
        """For the columns of `frame` that tell customers apart without naming them."""
        kept = {
            cast("str", name): column
            for name, column in frame.items()
            if not _names_customers(str(name)) and column.nunique() > 1
        }
        numbers = tuple(name for name, column in kept.items() if _is_number(column))
        texts = {
            name: column.dropna().astype("str")
            for name, column in kept.items()
            if name not in numbers
        }
        levels = [
            (name, sorted(column.unique()))
            for name, column in texts.items()
            if column.nunique() <= MOST_LEVELS
        ]
        # of two values one says it all
        return cls(
            numbers,
            tuple(
                (name, value)
                for name, values in levels
                for value in (values if len(values) > 2 else values[1:])
            ),
        )

    @property
    def features(self) -> tuple[str, ...]:
        """A name for each column that `encode` makes, such as `Contract is One year`."""
        return (
            *map(_speakable, self.numbers),
            *(_speakable(f"{name} is {value}") for name, value in self.levels),
        )

    def encode(self, frame: pd.DataFrame) -> Floats:
        """`frame` as numbers, shape (rows, features)."""
        columns = [_numbers(frame[name]) for name in self.numbers]
        for name, value in self.levels:
            known = frame[name].notna().to_numpy()
            columns.append(
                np.where(known, (frame[name].astype("str") == value).to_numpy("float64"), np.nan)
            )
        return np.stack(columns, axis=1)


def labelled_rows(frame: pd.DataFrame, label: str) -> tuple[ChurnTask, ChurnRows]:
    """A task and rows, all of one moment, from a table with one row per customer; `label` is the
    column that says who left.

    Raises `TrainingError` where there is no such column, it holds something else than two answers,
    no other column is of use, or a customer has several rows.
    """
    if label not in frame:
        raise TrainingError(f"there is no column {label}; there are {', '.join(map(str, frame))}")
    known = frame[frame[label].notna()]
    _require_one_row_each(known)
    described = known.drop(columns=label)
    encoding = Encoding.of(described)
    if not encoding.features:
        raise TrainingError(
            "no column but the label tells customers apart: each is constant, or names them; add"
            " columns that describe them"
        )
    task = ChurnTask(
        encoding.features,
        Masking.of([{CATEGORY}] * len(encoding.features), (CATEGORY,)),
        dict.fromkeys(encoding.features, CATEGORY),
        horizon_days=0,
        definitions=None,
    )
    moments = np.zeros(len(known), dtype="datetime64[us]")
    return task, ChurnRows(encoding.encode(described), _left(known[label], label), moments)


def _require_one_row_each(frame: pd.DataFrame) -> None:
    for name in frame.columns[[_names_customers(str(column)) for column in frame]]:
        again = int(frame[name].dropna().duplicated().sum())
        if again:
            raise TrainingError(
                f"{again:,} rows repeat a customer ({name}) who has a row already, so one would be"
                " learnt from and judged by; keep one row for each customer"
            )


def folds(rows: ChurnRows, count: int, seed: int) -> Sequence[tuple[ChurnRows, ChurnRows]]:
    """Pairs (rows to learn from, rows to judge by): each row is judged once, and every fold holds
    as large a share who left.
    """
    order = np.random.default_rng(seed).permutation(len(rows.labels))
    fold = np.empty(len(order), dtype=np.int64)
    fold[order[np.argsort(rows.labels[order], kind="stable")]] = np.arange(len(order)) % count
    return [(rows.at(fold != part), rows.at(fold == part)) for part in range(count)]


def _left(values: pd.Series, label: str) -> Floats:
    said = values.astype("str").str.strip().str.lower()
    strange = sorted(set(said) - LEFT - STAYED)
    if strange:
        raise TrainingError(
            f"the column {label} holds {', '.join(strange[:5])}; it has to say yes or no, true or"
            " false, 1 or 0"
        )
    return np.asarray(said.isin(LEFT), dtype=np.float64)


def _is_number(column: pd.Series) -> bool:
    return bool(pd.to_numeric(column.dropna(), errors="coerce").notna().mean() >= MOSTLY)


def _numbers(column: pd.Series) -> Floats:
    """A column's numbers (rows,); of dates and durations too, whose gaps pandas would turn into a
    number.
    """
    numbers = pd.to_numeric(column, errors="coerce").to_numpy("float64", na_value=np.nan)
    return np.where(column.isna(), np.nan, numbers)


def _names_customers(name: str) -> bool:
    return re.sub(r"[^a-z]", "", name.lower()) in {
        "customerid",
        "customer",
        "id",
        "userid",
        "clientid",
        "accountid",
    }


def _speakable(name: str) -> str:
    """Without the characters that LightGBM does not allow in a name."""
    return re.sub(r'[\[\]{}",:]', "_", name)
