"""What is known of many customers: their features through the gate, and what the churn model makes
of them. Whatever a customer withholds is `NaN`, as in an answer to one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features import clock
from features.config.audiences import HEARD_FROM, STAGE, AudienceSection
from features.consent.grants import grants
from features.definitions.frames import customer_frame
from features.definitions.needs import needs_of
from features.events.arrivals import customers_since
from features.shop.online import online_store
from features.shop.shop import Shop
from models.arrays import Floats
from models.churn.model import ChurnModel
from serving.audiences.people import Numbers, silent_for
from serving.decisions.set_bands import bands_of_all
from serving.delivery.opt_outs import opt_outs_of_all


@dataclass(frozen=True)
class Known:
    """What is known of customers (customers,) each: `features` by name, the `chance` of no order
    and the `value` to expect within the horizon, `NaN` where nothing is, and the bands that a
    person `set`, by customer.
    """

    features: Mapping[str, Floats]
    chance: Floats
    value: Floats
    set: Mapping[int, str]

    @property
    def heard_from(self) -> Floats:
        """How many days ago something was last heard of each."""
        days = [self.features[name] for name in HEARD_FROM if name in self.features]
        nothing = np.full(len(self.chance), np.nan)
        return np.fmin.reduce(days, axis=0) if days else nothing

    @property
    def stages(self) -> Floats:
        """The stage of life of each as a customer."""
        return self.features.get(STAGE, np.full(len(self.chance), np.nan))


def features_known(
    shop: Shop, audience: AudienceSection, customers: Numbers, granted: pd.DataFrame
) -> dict[str, Floats]:
    """The features that the rules of an audience rest on, for its purpose, by name."""
    names = audience.features(shop.config.catalog)
    if not names:
        return {}
    found = _features(shop, audience.purpose, names, customers, granted)
    return dict(zip(names, found.T, strict=True))


def estimates(shop: Shop, model: ChurnModel, customers: Numbers) -> tuple[Floats, Floats]:
    """The chance of no order and the value to expect of each customer, `NaN` for who may not be
    scored.
    """
    catalog, purpose = shop.config.catalog, shop.config.models.churn.purpose
    now = clock.to_text(shop.clock())
    with shop.database.read() as connection:
        stated = grants(connection, catalog, purpose, now)
        silent = silent_for(opt_outs_of_all(connection, ("all", "purpose"), now), purpose)
    granted = shop.minimum_age.admitted(stated)
    granted = granted[granted["customer"].isin(customers) & ~granted["customer"].isin(silent)]
    features = _features(shop, purpose, model.features, customers, granted)
    declared = needs_of(catalog, model.features)
    for column, name in enumerate(model.features):
        for category in declared[name] | model.needs[name]:
            theirs = granted.loc[granted["category"] == category, "customer"]
            features[~np.isin(customers, theirs.to_numpy("int64")), column] = np.nan
    known = ~np.isnan(features).all(axis=1)
    chance, value = np.full(len(customers), np.nan), np.full(len(customers), np.nan)
    if known.any():
        chance[known] = model.probability(features[known])
        if model.outlook is not None:
            value[known] = model.outlook.values(features[known])
    return chance, value


def set_by_review(shop: Shop) -> dict[int, str]:
    """The bands that reviewers set, by customer, as they hold now."""
    with shop.database.read() as connection:
        return bands_of_all(connection, clock.to_text(shop.clock()))


def _features(
    shop: Shop, purpose: str, names: Sequence[str], customers: Numbers, granted: pd.DataFrame
) -> Floats:
    """Features (customers, names) as they stand now: of those whose rows came since the last load,
    with these.
    """
    as_of = pd.Timestamp(shop.loaded_until()).as_unit("us")
    spine = pd.DataFrame({"customer": customers, "as_of": as_of})
    frame = customer_frame(shop.gate_for(purpose, granted), names, spine, shop.facts)
    found = frame[list(names)].to_numpy("float64", copy=True)
    with shop.database.read() as connection:
        newer = customers_since(connection, shop.warehouse.loaded[1])
    places = np.flatnonzero(np.isin(customers, list(newer)))
    store = online_store(shop, purpose, names)
    for place in places:
        found[place] = store.made_now(int(customers[place])).customer
    return found
