"""A small shop to serve from: a drawn world with consents of every kind, and both models trained on
them.
"""

from __future__ import annotations

from pathlib import Path

from features.catalog import Catalog
from features.consent.event import GRANTED, ConsentEvent
from features.progress import Progress, silent
from features.shop.online import refresh_online
from features.shop.shop import Shop
from serving.proofs.stage import synthetic_shop as made_up_shop
from serving.proofs.stage.synthetic_orders import customer_id

CUSTOMERS = 240
SEED = 20_240_101


def sharing_everything() -> list[str]:
    """The shop's ids of the customers who grant every category for every purpose."""
    return [customer_id(number) for number in range(CUSTOMERS) if number % 5 < 3]


def sharing_purchases() -> list[str]:
    """The shop's ids of the customers who grant what they bought, and nothing else."""
    return [customer_id(number) for number in range(CUSTOMERS) if number % 5 == 3]


def consents(catalog: Catalog) -> list[ConsentEvent]:
    """What the customers said; a fifth of them refuses everything."""
    everything, purchases = set(sharing_everything()), set(sharing_purchases())
    events = []
    for who in map(customer_id, range(CUSTOMERS)):
        for purpose in catalog.purposes:
            version = catalog.current_notice(purpose).version
            for category in catalog.askable(purpose):
                grants = who in everything or (who in purchases and category == "purchases")
                events.append(
                    ConsentEvent(
                        who,
                        purpose,
                        category,
                        GRANTED if grants else "refused",
                        "selftest",
                        version,
                    )
                )
    return events


def make_shop(folder: Path, progress: Progress = silent, *, train: bool = True) -> Shop:
    """The shop's workspace in `folder`, by the way that every shop's is made: init, ingest,
    consents, training.
    """
    progress("making a small shop", 0.0)
    folder.mkdir(parents=True, exist_ok=True)
    shop = made_up_shop.make_shop(folder, SEED, CUSTOMERS)
    shop.ledger.append_all(consents(shop.config.catalog))
    refresh_online(shop)
    if train:
        progress("training its models", 0.3)
        made_up_shop.promote_both(shop)
    progress("made a small shop", 1.0)
    return shop
