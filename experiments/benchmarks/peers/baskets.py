"""A shop as baskets without dates: what next-basket studies are made on, read from a folder and
checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import SourceError

Rows = NDArray[np.int64]
PARTS = ("train", "validate", "test")


@dataclass(frozen=True)
class Known:
    """What a method may learn from in one fold; the baskets to be predicted are not in it.

    `histories` holds each customer's baskets, oldest first, as positions in `items` (each once in a
    basket); `futures` the next basket of the customers `train` and `validate` (positions in
    `histories`). Methods learn from the futures of `train` and choose their settings by those of
    `validate`, which may be empty.
    """

    items: tuple[str, ...]
    histories: Sequence[Sequence[Rows]]
    futures: Mapping[int, Rows]
    train: Rows
    validate: Rows


@dataclass(frozen=True)
class Baskets:
    """All customers' histories and next baskets, and the folds: customers by part."""

    items: tuple[str, ...]
    histories: Sequence[Sequence[Rows]]
    futures: Mapping[int, Rows]
    folds: Sequence[Mapping[str, Rows]]

    def known(self, fold: int) -> Known:
        """What is known in a fold."""
        train, validate, _test = (self.folds[fold][part] for part in PARTS)
        futures = {row: self.futures[row] for row in (*train.tolist(), *validate.tolist())}
        return Known(self.items, self.histories, futures, train, validate)

    def asked(self, fold: int) -> tuple[Rows, list[Rows]]:
        """The customers whose next basket is to be predicted in a fold, and these baskets."""
        test = self.folds[fold]["test"]
        return test, [self.futures[row] for row in test.tolist()]


def read_baskets(folder: Path) -> Baskets:
    """Read `history.json` {customer: [basket, ...]}, `future.json` {customer: basket} and
    `folds.json` [{train, validate, test}].

    Ids of items may be numbers or text. Customers without a next basket are left out of the folds.
    Raises `SourceError` for a file that is missing or of another form.
    """
    history, future, folds = (
        _read(folder / f"{name}.json", form)
        for name, form in (("history", dict), ("future", dict), ("folds", list))
    )
    try:
        return _indexed(history, future, folds)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise SourceError(
            "history.json has to be {customer: [basket, ...]}, future.json {customer: basket}"
            " and folds.json [{train, validate, test}] of lists of customers, and something in"
            f" them is not ({type(error).__name__}: {error})",
            file=folder,
        ) from None


def _read(file: Path, form: type) -> Any:
    try:
        stated = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise SourceError(f"this is not JSON: {error}", file=file) from None
    except FileNotFoundError:
        raise SourceError(
            "there is no such file; a folder of baskets holds history.json, future.json and"
            " folds.json",
            file=file,
        ) from None
    if not isinstance(stated, form) or not stated:
        raise SourceError(
            f"a {'JSON object' if form is dict else 'JSON list'} with something in it is needed"
            " here",
            file=file,
        )
    return stated


def _indexed(history: dict[str, Any], future: dict[str, Any], folds: list[Any]) -> Baskets:
    customers = sorted({*history, *future})
    row_of = {customer: row for row, customer in enumerate(customers)}
    items = sorted(
        {
            str(item)
            for baskets in (*history.values(), list(future.values()))
            for basket in baskets
            for item in basket
        }
    )
    position = {item: at for at, item in enumerate(items)}

    def basket(stated: Sequence[Any]) -> Rows:
        if isinstance(stated, str):
            raise TypeError(f"the basket {stated!r} is no list")
        return np.array(sorted({position[str(item)] for item in stated}), dtype=np.int64)

    histories = [
        [made for stated in history.get(customer, ()) if len(made := basket(stated))]
        for customer in customers
    ]
    futures = {
        row_of[customer]: made for customer, stated in future.items() if len(made := basket(stated))
    }

    def part(stated: Mapping[str, Any], name: str) -> Rows:
        rows = (row_of.get(str(customer)) for customer in stated.get(name, ()))
        return np.array(sorted({row for row in rows if row in futures}), dtype=np.int64)

    return Baskets(
        tuple(items),
        histories,
        futures,
        [{name: part(fold, name) for name in PARTS} for fold in folds],
    )
