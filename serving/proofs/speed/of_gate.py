"""What the gate adds to a feature run over many transactions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from sqlalchemy import insert

from features import clock
from features.consent.event import GRANTED
from features.database.tables import consent_state
from features.definitions.frames import customer_frame, history_frame, is_of_history
from features.progress import Progress
from features.shop.shop import Shop
from features.tables.declared import customers, transactions
from features.tables.declared.transactions import UNIT_PRICE
from features.warehouse.arrow import arrow_table
from features.warehouse.gate import Gate
from serving.proofs.speed.limits import Measured
from serving.proofs.speed.open_door import OpenDoor
from serving.proofs.stage.empty_shop import make_empty_shop, opened

LINES, WHO = 1_000_000, 50_000
PRODUCTS, DAYS, LINES_PER_ORDER = 2_000, 300, 4
ADDED_AT_MOST = 0.3
RUNS = 5
DAY_SECONDS = 86_400
Frames = tuple[pd.DataFrame, pd.DataFrame]


class FramesDiffer(AssertionError):
    """With everything granted the gate gave other features than the door without one, so that their
    times say nothing.
    """


def measure(folder: Path, share: float, progress: Progress) -> Iterator[Measured]:
    """Measure it, once with the reading of everybody's grants and once without."""
    root = make_empty_shop(folder / "gate")
    lines, who = round(LINES * share), round(WHO * share)
    with opened(root) as shop:
        progress("making transactions", 0.0)
        as_of = shop.clock().replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
        _fill_warehouse(shop, lines, who, as_of)
        _grant_everything(shop, who)
        plain, gated = _alternating(shop, as_of, progress)
        yield Measured(
            f"time that the gate adds to the features of {lines:,} transactions of {who:,}"
            f" customers (without it {plain:.2f} seconds)",
            gated / plain - 1,
            ADDED_AT_MOST,
            "of the run without it",
        )


def _alternating(shop: Shop, as_of: datetime, progress: Progress) -> tuple[float, float]:
    """Typical seconds of a run without the gate and of one with it, which take turns in going
    first.
    """
    purpose = shop.config.models.next_purchase.purpose
    doors: dict[str, Callable[[], Gate]] = {
        "plain": lambda: OpenDoor(shop),
        "gated": lambda: shop.gate(purpose),
    }
    seconds: dict[str, list[float]] = {name: [] for name in doors}
    for number in range(RUNS + 1):  # the first one warms up
        progress(f"making features, {number + 1} of {RUNS + 1}", number / (RUNS + 1))
        made: dict[str, Frames] = {}
        for name in sorted(doors, reverse=number % 2 == 0):
            began = time.perf_counter()
            made[name] = _features(doors[name](), as_of, shop)
            seconds[name].append(time.perf_counter() - began)
        _require_same(*made.values())
    return median(seconds["plain"][1:]), median(seconds["gated"][1:])


def _features(door: Gate, as_of: datetime, shop: Shop) -> Frames:
    features = shop.config.models.next_purchase.features
    spine = door.spine(as_of)
    customers = customer_frame(
        door, [name for name in features if not is_of_history(name)], spine, shop.facts
    )
    return customers, history_frame(
        door, [name for name in features if is_of_history(name)], spine, shop.facts
    )


def _require_same(one: Frames, other: Frames) -> None:
    if not all(a.equals(b) for a, b in zip(one, other, strict=True)):
        raise FramesDiffer(
            "the features made through the gate differ from those made without it, though"
            " everything is granted"
        )


def _fill_warehouse(shop: Shop, lines: int, who: int, as_of: datetime) -> None:
    draw = np.random.default_rng(lines)
    order = np.sort(draw.integers(lines // LINES_PER_ORDER, size=lines))
    begun = as_of - timedelta(days=DAYS)
    moments = begun + pd.to_timedelta(
        order * (DAYS * DAY_SECONDS / order.size * LINES_PER_ORDER), unit="s"
    )
    units, price = draw.integers(1, 6, lines), np.round(draw.uniform(1, 40, lines), 2)
    bought = {
        "customer": draw.integers(1, who + 1, lines // LINES_PER_ORDER)[order],
        "order_id": [f"o{number}" for number in order],
        "product_id": [f"p{number}" for number in (PRODUCTS * draw.random(lines) ** 2).astype(int)],
        "quantity": units,
        UNIT_PRICE: price,
        "amount": units * price,
        "ordered_at": moments.as_unit("us"),
        "recorded_at": moments.as_unit("us"),
        "source": "orders",
    }
    lives = {
        "customer": np.arange(1, who + 1),
        "country": "France",
        "recorded_at": pd.Timestamp(begun).as_unit("us"),
        "source": "orders",
    }
    shop.warehouse.replace(
        {
            transactions.NAME: arrow_table(pd.DataFrame(bought), transactions.TABLE),
            customers.NAME: arrow_table(pd.DataFrame(lives), customers.TABLE),
        }
    )


def _grant_everything(shop: Shop, who: int) -> None:
    """Everybody's state, as if they had granted every category."""
    catalog, purpose = shop.config.catalog, shop.config.models.next_purchase.purpose
    version, now = catalog.current_notice(purpose).version, clock.to_text(shop.clock())
    stated = {
        "purpose": purpose,
        "action": GRANTED,
        "seq": 1,
        "occurred_at": now,
        "notice_version": version,
    }
    rows = [
        {"customer": customer, "category": name, **stated}
        for customer in range(1, who + 1)
        for name in catalog.askable(purpose)
    ]
    with shop.database.write() as connection:
        connection.execute(insert(consent_state), rows)
