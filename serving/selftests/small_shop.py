"""A made-up shop for selftests: always the same orders, consents of every kind, and both models trained on them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from experiments.churn import train_churn
from experiments.next_purchase import train_next_purchase
from features.catalog import Catalog
from features.consent_event import GRANTED, ConsentEvent
from features.intake.ingest import ingest
from features.intake.new_workspace import create
from features.online import refresh_online
from features.progress import Progress, silent
from features.shop import Shop
from features.workspace import Workspace
from models.churn import ChurnSettings
from models.next_purchase import NextPurchaseSettings
from models.tracking import Tracking

CUSTOMERS = 240
PRODUCTS = 40
DAYS = 300
BEGIN = datetime(2024, 1, 1, 9)  # noqa: DTZ001 - the shop's own time, as its export states it
RHYTHMS = (6, 14, 28, 45)
"""Days between two orders, by kind of customer."""
SEED = 20_240_101
COLUMNS = ("customer_id", "order_id", "product_id", "ordered_at", "quantity", "unit_price", "title", "country")
CHURN = ChurnSettings(most_trees=50, rows_per_leaf=20, threads=1)
NEXT_PURCHASE = NextPurchaseSettings(trees=40, rows_per_leaf=20, threads=1)


def write_orders(file: Path) -> Path:
    """The shop's export of its orders as CSV."""
    with file.open("w", encoding="utf-8", newline="") as handle:
        lines = csv.writer(handle, lineterminator="\n")
        lines.writerow(COLUMNS)
        lines.writerows(order_lines())
    return file


def order_lines() -> list[tuple[object, ...]]:
    """Order lines in the columns `COLUMNS`, oldest first."""
    draw = np.random.default_rng(SEED)
    lines = [line for customer in range(CUSTOMERS) for line in _lines_of(customer, draw)]
    return sorted(lines, key=lambda line: str(line[3]))


def _lines_of(customer: int, draw: np.random.Generator) -> Iterator[tuple[object, ...]]:
    """A customer buys mostly products of one kind, at their own rhythm, until they leave."""
    day = draw.uniform(0, 200)
    leaves = min(DAYS - 1.0, day + draw.exponential(150))
    suits = np.where(np.arange(PRODUCTS) % len(RHYTHMS) == customer % len(RHYTHMS), 12.0, 1.0)
    number = 0
    while day < leaves:
        moment = BEGIN + timedelta(days=int(day), minutes=int(draw.integers(600)))
        for product in draw.choice(PRODUCTS, size=int(draw.integers(1, 5)), replace=False, p=suits / suits.sum()).tolist():
            units, price = int(draw.integers(1, 6)), 1.25 + product
            yield f"c{customer:03}", f"o{customer:03}-{number}", f"p{product:02}", moment, units, price, f"Product {product}", "France"
        number += 1
        day += 1 + draw.exponential(RHYTHMS[customer % len(RHYTHMS)])


def sharing_everything() -> list[str]:
    """The shop's ids of the customers who grant every category for every purpose."""
    return [f"c{number:03}" for number in range(CUSTOMERS) if number % 5 < 3]


def sharing_purchases() -> list[str]:
    """The shop's ids of the customers who grant what they bought, and nothing else."""
    return [f"c{number:03}" for number in range(CUSTOMERS) if number % 5 == 3]


def consents(catalog: Catalog) -> list[ConsentEvent]:
    """What the customers said; a fifth of them refuses everything."""
    everything, purchases = set(sharing_everything()), set(sharing_purchases())
    events = []
    for customer_id in (f"c{number:03}" for number in range(CUSTOMERS)):
        for purpose in catalog.purposes:
            version = catalog.current_notice(purpose).version
            for category in catalog.askable(purpose):
                grants = customer_id in everything or (customer_id in purchases and category == "purchases")
                events.append(ConsentEvent(customer_id, purpose, category, GRANTED if grants else "refused", "selftest", version))
    return events


def make_shop(folder: Path, progress: Progress = silent, *, train: bool = True) -> Shop:
    """The shop's workspace in `folder`, by the way that every shop's is made: init, ingest, consents, training."""
    root = folder / "small-shop"
    progress("making a small shop", 0.0)
    folder.mkdir(parents=True, exist_ok=True)
    create(root, [write_orders(folder / "orders.csv")])
    shop = Shop(Workspace.open(root))
    ingest(shop.workspace, shop.database)
    shop.ledger.append_all(consents(shop.config.catalog))
    refresh_online(shop)
    if train:
        progress("training its models", 0.3)
        _train(shop)
    progress("made a small shop", 1.0)
    return shop


def _train(shop: Shop) -> None:
    tracking = Tracking.of(shop.workspace)
    for run in (train_churn(shop, tracking, settings=CHURN), train_next_purchase(shop, tracking, settings=NEXT_PURCHASE)):
        tracking.promote(run.version, {"selftest": "a shop this small proves nothing of a model's quality"})
