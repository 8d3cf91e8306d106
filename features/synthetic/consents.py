"""What the customers of a made-up shop agreed to, by their numbers: nothing of it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from features.catalog import Catalog

Refusals = Callable[[int, tuple[str, ...]], tuple[str, ...] | None]
"""Which of some categories the customer of a number refuses; None where nobody ever asked them."""


class Choice(NamedTuple):
    """One thing that a customer said, in the order in which a consent event takes it."""

    customer_id: str
    purpose: str
    category: str
    action: str
    method: str
    notice_version: str


def choices(
    catalog: Catalog,
    customer_ids: Sequence[str],
    refusals: Refusals,
    method: str = "web_form",
) -> Iterator[Choice]:
    """What customers say of every category that they are asked for, purpose by purpose; the number
    of a customer is their place in `customer_ids`.
    """
    for number, customer_id in enumerate(customer_ids):
        for purpose in catalog.purposes:
            asked = catalog.askable(purpose)
            refused = refusals(number, asked)
            version = catalog.current_notice(purpose).version
            for category in asked if refused is not None else ():
                action = "refused" if category in (refused or ()) else "granted"
                yield Choice(customer_id, purpose, category, action, method, version)


def of_every_kind(number: int, categories: tuple[str, ...]) -> tuple[str, ...] | None:
    """Of twenty customers thirteen allow everything, three refuse one category and two another two,
    one refuses everything, and one was never asked.
    """
    kind, turn = number % 20, number // 20
    if kind < 13:
        return ()
    if kind < 18:
        refused = 1 if kind < 16 else 2
        return tuple(categories[(turn + more) % len(categories)] for more in range(refused))
    return categories if kind == 18 else None


def all_some_or_nothing(number: int, categories: tuple[str, ...]) -> tuple[str, ...]:
    """Of five customers three allow everything, one what they bought and nothing else, and one
    nothing.
    """
    kind = number % 5
    if kind < 3:
        return ()
    return tuple(one for one in categories if kind == 4 or one != "purchases")
