"""Who withholds what, and how: drawn from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from features.catalog import Catalog
from features.consent.event import GRANTED, ConsentEvent
from features.definitions.feature import ModelName
from features.shop.shop import Shop

METHOD = "selftest"
WITHHOLDING = 0.85
"""Share of customers who withhold something for the purpose under test."""
RATES = (0.15, 0.4, 0.7, 1.0)
"""Shares of categories that such a customer withholds; each draws one of them."""


@dataclass(frozen=True)
class Kind:
    """A way of withholding: what is said `first`, and what is said `later`, once features were made
    and answers were given.
    """

    name: str
    first: tuple[str, ...]
    later: tuple[str, ...]


KINDS = (
    Kind("never asked", (), ()),
    Kind("refused", ("refused",), ()),
    Kind("withdrawn at once", (GRANTED, "withdrawn"), ()),
    Kind("withdrawn later", (GRANTED,), ("withdrawn",)),
    Kind("refused later", (GRANTED,), ("refused",)),
    Kind("granted anew and withdrawn later", ("refused", GRANTED), ("withdrawn",)),
)
NOT_WITHHELD = Kind("granted", (GRANTED,), ())


def purpose_of(shop: Shop, model: ModelName) -> str:
    """The purpose that a model serves."""
    return str(getattr(shop.config.models, model).purpose)


@dataclass(frozen=True)
class Choices:
    """What everybody chose.

    `withheld` tells by customer id (index) and category (columns) what is withheld for the purpose
    under test; `first` and `later` are the consent events of all purposes, before and after
    features were made.
    """

    withheld: pd.DataFrame
    first: list[ConsentEvent]
    later: list[ConsentEvent]


def draw_choices(
    catalog: Catalog, customer_ids: Sequence[str], purpose: str, draw: np.random.Generator
) -> Choices:
    """Choices of everybody; the first customer withholds nothing for `purpose`."""
    first: list[ConsentEvent] = []
    later: list[ConsentEvent] = []
    tables: dict[str, pd.DataFrame] = {}
    for asked in catalog.purposes:
        tables[asked] = _withheld(customer_ids, catalog.askable(asked), draw)
        if asked == purpose:
            tables[asked].iloc[0] = False
        for customer_id, category in product(customer_ids, tables[asked].columns):
            kind = (
                KINDS[draw.integers(len(KINDS))]
                if tables[asked].loc[customer_id, category]
                else NOT_WITHHELD
            )
            said = (customer_id, asked, category, catalog.current_notice(asked).version)
            first += [_event(*said, action) for action in kind.first]
            later += [_event(*said, action) for action in kind.later]
    return Choices(tables[purpose], first, later)


def _withheld(
    customer_ids: Sequence[str], categories: Sequence[str], draw: np.random.Generator
) -> pd.DataFrame:
    shape = (len(customer_ids), len(categories))
    anything = draw.random((len(customer_ids), 1)) < WITHHOLDING
    chosen = anything & (draw.random(shape) < draw.choice(RATES, size=(len(customer_ids), 1)))
    return pd.DataFrame(chosen, index=list(customer_ids), columns=list(categories))


def _event(
    customer_id: str, purpose: str, category: str, version: str, action: str
) -> ConsentEvent:
    return ConsentEvent(
        customer_id, purpose, category, action, METHOD, version if action == GRANTED else None
    )
