"""Twins: two shops with the same customers, consents and models, which differ in nothing but what
is withheld.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from features.consent.ledger import ConsentEvent
from features.definitions.feature import ModelName
from features.shop.shop import Shop
from serving.proofs.stage.synthetic_shop import draw_shop, open_shop
from serving.proofs.withheld.alterations import Recorded
from serving.proofs.withheld.choices import draw_choices, purpose_of


@dataclass(frozen=True)
class Twin:
    """One of two shops: opened, filled, and with what was said `first` in its ledger.

    What is to be said `later` is not yet.
    """

    shop: Shop
    model: ModelName
    later: list[ConsentEvent]

    @property
    def purpose(self) -> str:
        """The purpose under test."""
        return purpose_of(self.shop, self.model)

    @property
    def features(self) -> tuple[str, ...]:
        """Features of the model under test."""
        features: tuple[str, ...] = getattr(self.shop.config.models, self.model).features
        return features


@dataclass(frozen=True)
class Twins:
    """Two shops, and the `pairs`: customers (pseudonyms) of whom the two recorded different things,
    all of them withheld.
    """

    one: Twin
    other: Twin
    pairs: frozenset[int]


@contextmanager
def twins(
    template: Path, folder: Path, model: ModelName, seed: int, customers: int
) -> Iterator[Twins]:
    """The twins of `seed`, with the `sayso.toml` of the workspace `template`; they are in `folder`
    and gone afterwards.
    """
    roots = folder / "one", folder / "other"
    try:
        roots[0].mkdir(parents=True)
        shutil.copy(template / "sayso.toml", roots[0])
        shop = open_shop(roots[0])
        draw = np.random.default_rng(seed)
        world = draw_shop(seed, customers)
        choices = draw_choices(
            shop.config.catalog, world.customer_ids, purpose_of(shop, model), draw
        )
        pseudonyms = shop.customers.assign(pd.Series(world.customer_ids, index=world.customer_ids))
        shop.ledger.append_all(choices.first)
        shop.database.close()
        shutil.copytree(roots[0], roots[1])
        recorded = Recorded.of(world, pseudonyms)
        altered = recorded.altered(
            shop.config.catalog, choices.withheld.rename(index=dict(pseudonyms)), draw
        )
        one, other = (
            Twin(_filled(root, part), model, choices.later)
            for root, part in zip(roots, (recorded, altered), strict=True)
        )
        yield Twins(one, other, frozenset(recorded.differing(altered)))
        one.shop.database.close()
        other.shop.database.close()
    finally:
        shutil.rmtree(folder)


def _filled(root: Path, recorded: Recorded) -> Shop:
    shop = open_shop(root)
    shop.warehouse.replace(recorded.tables)
    return shop
