"""A small shop to serve from, with consents of every kind, and both models trained on it."""

from __future__ import annotations

from itertools import starmap
from pathlib import Path

from features.catalog import Catalog
from features.consent.event import ConsentEvent
from features.progress import Progress, silent
from features.shop.online import refresh_online
from features.shop.shop import Shop
from features.synthetic.consents import all_some_or_nothing, choices
from features.synthetic.presets import PROVED, SEED
from serving.proofs.stage import synthetic_shop

METHOD = "selftest"
IDS = [PROVED.customer_id(number) for number in range(PROVED.customers)]


def sharing_everything() -> list[str]:
    """The shop's ids of the customers who grant every category for every purpose."""
    return [id for number, id in enumerate(IDS) if number % 5 < 3]


def sharing_purchases() -> list[str]:
    """The shop's ids of the customers who grant what they bought, and nothing else."""
    return [id for number, id in enumerate(IDS) if number % 5 == 3]


def consents(catalog: Catalog) -> list[ConsentEvent]:
    """What the customers said; a fifth of them refuses everything."""
    return list(starmap(ConsentEvent, choices(catalog, IDS, all_some_or_nothing, METHOD)))


def make_shop(folder: Path, progress: Progress = silent, *, train: bool = True) -> Shop:
    """The shop's workspace in `folder`, by the way that every shop's is made: init, ingest,
    consents, training.
    """
    progress("making a small shop", 0.0)
    folder.mkdir(parents=True, exist_ok=True)
    shop = synthetic_shop.make_shop(folder, SEED, PROVED.customers)
    shop.ledger.append_all(consents(shop.config.catalog))
    refresh_online(shop)
    if train:
        progress("training its models", 0.3)
        synthetic_shop.promote_both(shop)
    progress("made a small shop", 1.0)
    return shop
