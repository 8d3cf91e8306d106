"""The process that is killed, traced and starved: it writes what customers say, and acknowledges
each only once that is durable.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from features.consent.event import ConsentEvent
from features.shop.shop import Shop
from serving.delivery.opt_outs import OptOuts
from serving.proofs.stage.empty_shop import opened, said

Acknowledged = tuple[int | str, str]
"""Of a consent event its place in the ledger and its hash, of an opt-out its id and nothing else.
"""
EVENTS_BETWEEN_OPT_OUTS = 4
STDOUT = 1


def write(
    root: Path,
    database_url: str | None,
    who: str,
    most: int,
    acknowledge: Callable[[Acknowledged], None],
) -> int:
    """Write up to `most` consent events of customers whose ids begin with `who`, and opt-outs
    between them; how many were refused.
    """
    refused = 0
    with opened(root, database_url) as shop:
        for number, event in enumerate(islice(said(shop.config.catalog, who), most)):
            try:
                for acknowledged in _written(shop, event, number):
                    acknowledge(acknowledged)
            except (SQLAlchemyError, OSError):
                refused += 1
    return refused


def _written(shop: Shop, event: ConsentEvent, number: int) -> Iterator[Acknowledged]:
    receipt = shop.ledger.append(event)
    yield receipt.seq, receipt.hash
    customer = shop.customers.find(event.customer_id)
    if customer is not None and number % EVENTS_BETWEEN_OPT_OUTS == 0:
        yield (
            OptOuts(shop.database, shop.clock)
            .add(customer, "product", f"product {number}", None)
            .id,
            "",
        )


def _say(acknowledged: Acknowledged) -> None:
    os.write(STDOUT, json.dumps(acknowledged).encode() + b"\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]), None, sys.argv[2], int(sys.argv[3]), _say)
