"""From the gate to feature frames: the same path for training at many moments and for serving
now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.catalog import Catalog
from features.definitions.definition import Computed, Definition, ShopFacts
from features.definitions.definitions import STANDARD, Definitions
from features.definitions.feature import ModelName
from features.definitions.history import TIMES_BOUGHT
from features.engines.columns import Rows
from features.errors import FeatureError
from features.tables.declared import transactions
from features.warehouse.gate import Gate, GateOfOne, GateView

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OneCustomer:
    """Features of one customer by name; one that is withheld is missing. `histories` are those of
    the `products` bought (products,) float64.
    """

    features: Mapping[str, float]
    products: tuple[str, ...]
    histories: Mapping[str, Floats]

    def row(self, names: Sequence[str]) -> Floats:
        """Features of the customer (names,) float64, `NaN` for those that are missing."""
        return np.array([self.features.get(name, np.nan) for name in names], dtype=np.float64)

    def columns(self, names: Sequence[str]) -> Floats:
        """Features of the histories (products, names) float64."""
        missing = np.full(len(self.products), np.nan)
        columns = [self.histories.get(name, missing) for name in names]
        return np.column_stack(columns) if columns else np.empty((len(self.products), 0))


def features_for(
    catalog: Catalog,
    model: ModelName,
    purpose: str,
    definitions: Definitions = STANDARD,
    *,
    unlisted: bool = False,
) -> tuple[str, ...]:
    """Names of the features that suit `model` and that the catalog permits for `purpose`: those
    that a new workspace lists, and with `unlisted` those too that a shop may list itself.
    """
    return tuple(
        feature.name
        for feature in definitions.used_by(model)
        if (unlisted or feature.listed)
        and catalog.permits(definitions.of(feature.name).reads, purpose)
    )


def reads_of(feature: str, definitions: Definitions = STANDARD) -> tuple[str, ...]:
    """Fields that a feature reads. Raises `FeatureError` for a name that no definition has."""
    return definitions.of(feature).reads


def is_of_history(feature: str, definitions: Definitions = STANDARD) -> bool:
    """Whether the feature is about a customer and a product, rather than about a customer alone."""
    return "product_id" in definitions.of(feature).keys


def are_of_looks(features: Sequence[str], definitions: Definitions = STANDARD) -> NDArray[np.bool_]:
    """Which features of a history (features,) tell of other things than purchases, such as looks at
    products that may never have been bought.
    """
    orders = f"{transactions.NAME}."
    known = [definitions.by_feature.get(name) for name in features]
    return np.array(
        [its is not None and not its.reads[0].startswith(orders) for its in known], bool
    )


def customer_frame(
    gate: Gate,
    features: Sequence[str],
    spine: pd.DataFrame,
    shop: ShopFacts,
    definitions: Definitions = STANDARD,
) -> pd.DataFrame:
    """Customer features at the moments of `spine` (columns customer int64, as_of datetime64).

    One row per row of `spine`, in its order and with its index; columns customer, as_of and
    `features` (float64), `NaN` where the customer withholds a field that the feature reads.
    """
    frame = spine[["customer", "as_of"]].astype({"as_of": "datetime64[us]"})
    view = gate.over(spine)
    for definition in definitions.needed(features):
        part = _computed(view, definition, shop)
        frame = frame.merge(part, how="left", on=list(definition.keys))
    return frame.reindex(columns=["customer", "as_of", *features]).set_axis(spine.index)


def history_frame(
    gate: Gate,
    features: Sequence[str],
    spine: pd.DataFrame,
    shop: ShopFacts,
    definitions: Definitions = STANDARD,
) -> pd.DataFrame:
    """What each customer bought or looked at before the moments of `spine`: customer, as_of,
    product_id and `features` (float64).

    One row per product bought or, where a feature is of looks, looked at; no row for what the
    customer withholds, and `NaN` in the features of purchases for what was only looked at.
    """
    frame: pd.DataFrame | None = None
    view = gate.over(spine)
    for definition in definitions.needed(features):
        part = _computed(view, definition, shop)
        frame = part if frame is None else frame.merge(part, how="outer", on=list(definition.keys))
    if frame is None:
        raise FeatureError(
            "no feature of a customer's history is listed in [models.next_purchase]; list at least"
            f" `{TIMES_BOUGHT.name}`"
        )
    frame = frame.sort_values(["customer", "as_of", "product_id"], ignore_index=True)
    return frame[["customer", "as_of", "product_id", *features]]


def features_of_one(
    door: GateOfOne,
    features: Sequence[str],
    as_of: datetime,
    shop: ShopFacts,
    definitions: Definitions = STANDARD,
) -> OneCustomer:
    """All `features` of one customer at one moment, equal to the bit to what `customer_frame` and
    `history_frame` give for them among others.
    """
    needed = definitions.needed(features)
    found = door.collect([(each.reads, Computed(each, shop)) for each in needed], as_of)
    made = [(one, rows) for one, rows in zip(needed, found, strict=True) if rows is not None]
    of_customer = {
        name: rows.columns[name].floats()[0]
        for definition, rows in made
        if "product_id" not in definition.keys and rows.count
        for name in definition.features
    }
    bought = [(definition, rows) for definition, rows in made if "product_id" in definition.keys]
    products = sorted({product for _, rows in bought for product in _products(rows)})
    place = {product: at for at, product in enumerate(products)}
    histories = dict[str, Floats]()
    for definition, rows in bought:
        at = [place[product] for product in _products(rows)]
        for name in definition.features:
            histories[name] = column = np.full(len(products), np.nan)
            column[at] = rows.columns[name].floats()
    return OneCustomer(of_customer, tuple(products), histories)


def feature_frame(
    gate: Gate,
    features: Sequence[str],
    as_of: datetime,
    shop: ShopFacts,
    definitions: Definitions = STANDARD,
) -> pd.DataFrame:
    """All features of everybody at one moment, as a model sees them: customer, as_of, then
    `features` (float64).

    One row per customer; with features of a history among them, one row per customer and product
    bought, and product_id.
    """
    spine = gate.spine(as_of)
    history = [name for name in features if is_of_history(name, definitions)]
    of_customers = [name for name in features if name not in history]
    frame = customer_frame(gate, of_customers, spine, shop, definitions)
    if not history:
        return frame
    bought = history_frame(gate, history, spine, shop, definitions)
    return frame.merge(bought, how="left", on=["customer", "as_of"])[
        ["customer", "as_of", "product_id", *features]
    ]


def _computed(view: GateView, definition: Definition, shop: ShopFacts) -> pd.DataFrame:
    """The features of one definition."""
    frame = view.collect(definition.reads, Computed(definition, shop))
    if frame.empty and "product_id" in frame:
        # Pandas cannot merge two empty columns of its own text type.
        frame["product_id"] = pd.Series([], dtype="object")
    return frame


def _products(rows: Rows) -> list[str]:
    return [str(product) for product in rows.columns["product_id"].texts()]
