"""What a run of ingest found, so that an owner sees at once whether it is their shop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pandas as pd

from features.intake.health.look import Health
from features.tables.declared import transactions
from features.tables.declared.interactions import KIND, KINDS


@dataclass(frozen=True)
class Counted:
    """How many lines, and orders with such lines."""

    lines: int
    orders: int


@dataclass(frozen=True)
class Purchases:
    """The purchases in the warehouse: lines, orders, customers, units; `gross` is quantity times
    price as sold, before discounts and refunds, and `net` after both.
    """

    lines: int
    orders: int
    customers: int
    units: float
    gross: float
    net: float
    currency: str


@dataclass(frozen=True)
class IngestReport:
    """What a run of ingest found.

    `purchases` says what the warehouse holds now, and `by_status` what was set aside from order
    lines, by rule. Rows of all sources were `read`; each of them was `kept`, `set_aside` (by rule)
    or `rejected`. `first` and `last` are the moments (naive UTC) of the first and the last order.
    `copies` are files left out as they repeat another, `not_read` says which sources may not be
    read, and why. `health` sets the load against the one before.
    """

    read: int
    kept: int
    set_aside: dict[str, int]
    rejected: int
    rejected_files: tuple[Path, ...]
    copies: tuple[str, ...]
    not_read: dict[str, str]
    purchases: Purchases
    by_status: dict[str, Counted]
    customers: int
    products: int
    orders: int
    first: datetime
    last: datetime
    health: Health | None = field(default=None, compare=False)
    """Two runs that find the same are set against different loads."""
    interactions: Mapping[str, int] = field(default_factory=dict)
    """How many of each kind the warehouse holds."""
    over_http: int = 0
    """Rows that were sent over HTTP and are in the warehouse now."""


def counted(set_aside: pd.DataFrame) -> dict[str, Counted]:
    """Lines that were set aside and their orders, by rule."""
    return {
        str(rule): Counted(len(part), int(part[transactions.ORDER_ID].nunique()))
        for rule, part in set_aside.groupby("rule")
    }


def kinds_in(rows: pd.DataFrame) -> dict[str, int]:
    """How many interactions there are of each kind, in the order in which kinds are listed."""
    if KIND not in rows:
        return {}
    found = rows[KIND].value_counts()
    return {kind: int(found[kind]) for kind in KINDS if kind in found}
