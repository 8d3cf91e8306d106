"""The privacy signal of a browser that opens a customer's page: noted, obeyed and confirmed
there.
"""

from __future__ import annotations

from dataclasses import replace

from serving.access.privacy_signal import SAID, record_signal
from serving.bootstrap import Sayso
from serving.pages.reader import Reader


def purposes_of_pages(sayso: Sayso) -> tuple[str, ...]:
    """What the pages work something out about a customer for."""
    models = sayso.shop.config.models
    return tuple(dict.fromkeys((models.churn.purpose, models.next_purchase.purpose)))


def with_signal(sayso: Sayso, reader: Reader, customer: int | None, header: str | None) -> Reader:
    """The reader of a page about `customer`, whose browser sent the header `Sec-GPC`.

    Where it is a signal it is in the ledger once this returns, and the page works nothing out.
    """
    if header != SAID:
        return reader
    return replace(reader, signal=note(sayso, customer))


def note_before_a_choice(sayso: Sayso, customer: int, header: str | None) -> None:
    """Write the signal of a browser by which a customer chooses on their page, so that what they
    choose comes after it and stands.
    """
    if header == SAID:
        note(sayso, customer, before_a_choice=True)


def note(sayso: Sayso, customer: int | None, *, before_a_choice: bool = False) -> str:
    """Write the signal of a browser about `customer`: `stopped` where it stopped anything, `noted`
    where nothing was left to stop.
    """
    shop = sayso.shop
    known = {} if customer is None else shop.customers.external_ids([customer])
    new = [
        record_signal(
            shop.ledger,
            shop.customers,
            customer_id,
            purposes_of_pages(sayso),
            before_a_choice=before_a_choice,
        )
        for customer_id in known.values()
    ]
    return "stopped" if any(new) else "noted"
