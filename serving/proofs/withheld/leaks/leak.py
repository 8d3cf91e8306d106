"""A leak: parts of the product swapped for ones that let withheld data through."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd

from features.definitions.feature import ModelName
from features.warehouse.gate import Gate

Wrap = Callable[[Any], Any]
"""Makes the leaking part from the real one."""


@dataclass(frozen=True)
class Swap:
    """The attribute `name` of a class or module, and what stands in for it."""

    owner: Any
    name: str
    wrap: Wrap


@dataclass(frozen=True)
class Leak:
    """What leaks, in a few words, and the `model` in whose outcomes it shows."""

    name: str
    model: ModelName
    swaps: tuple[Swap, ...]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The product leaks within the block."""
        originals = [getattr(swap.owner, swap.name) for swap in self.swaps]
        try:
            for swap, original in zip(self.swaps, originals, strict=True):
                setattr(swap.owner, swap.name, swap.wrap(original))
            yield
        finally:
            for swap, original in zip(self.swaps, originals, strict=True):
                setattr(swap.owner, swap.name, original)


def opened(gate: Gate) -> Gate:
    """A gate through which everybody's data can be seen, whatever they said."""
    catalog, warehouse = gate._catalog, gate._warehouse
    customers = warehouse.collect(warehouse.table("transactions").select("customer").distinct())[
        "customer"
    ]
    wide = copy.copy(gate)
    vars(wide).pop("_by_category", None)  # what it has worked out of the grants as they are
    wide._granted = widened(
        gate._granted, pd.MultiIndex.from_product([customers, catalog.askable(gate.purpose)])
    )
    return wide


def widened(granted: pd.DataFrame, more: pd.MultiIndex) -> pd.DataFrame:
    """`granted` with `more` pairs of customer and category, as if these were granted too."""
    extra = more.to_frame(index=False, name=["customer", "category"]).astype(
        {"customer": "int64", "category": "str"}
    )
    known = pd.MultiIndex.from_frame(granted[["customer", "category"]])
    added = (
        extra[~more.isin(known)].assign(covers_from=None).astype({"covers_from": "datetime64[us]"})
    )
    return pd.concat([granted, added], ignore_index=True)


def through_open_gate(original: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a gate (its first argument) that is given an open one."""
    return lambda gate, *others: original(opened(gate), *others)
