"""From the gate to feature frames: the same path for training at many moments and for serving
now.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import pandas as pd

from features.catalog import Catalog
from features.definitions.customer import CUSTOMER_DEFINITIONS
from features.definitions.definition import Definition, ShopFacts
from features.definitions.history import HISTORY_DEFINITIONS
from features.errors import FeatureError
from features.warehouse.gate import Gate

ModelName = Literal["churn", "next_purchase"]
FOR_RANKING = ("order_rhythm", "variety", "price_level", "home")
"""Customer definitions that also help to rank products."""

DEFINITION_OF: dict[str, Definition] = {
    feature: definition
    for definition in (*CUSTOMER_DEFINITIONS, *HISTORY_DEFINITIONS)
    for feature in definition.features
}


def features_for(catalog: Catalog, model: ModelName, purpose: str) -> tuple[str, ...]:
    """Names of the features that suit `model` and that the catalog permits for `purpose`."""
    if model == "churn":
        suited: Sequence[Definition] = CUSTOMER_DEFINITIONS
    else:
        suited = [d for d in CUSTOMER_DEFINITIONS if d.expression.__name__ in FOR_RANKING] + list(
            HISTORY_DEFINITIONS
        )
    return tuple(
        feature for d in suited if catalog.permits(d.reads, purpose) for feature in d.features
    )


def reads_of(feature: str) -> tuple[str, ...]:
    """Fields that a feature reads. Raises `FeatureError` for a name that no definition has."""
    try:
        return DEFINITION_OF[feature].reads
    except KeyError:
        raise FeatureError(
            f"there is no feature `{feature}`; there are {', '.join(sorted(DEFINITION_OF))}"
        ) from None


def is_of_history(feature: str) -> bool:
    """Whether the feature is about a customer and a product, rather than about a customer alone."""
    return "product_id" in DEFINITION_OF[feature].keys


def customer_frame(
    gate: Gate, features: Sequence[str], spine: pd.DataFrame, shop: ShopFacts
) -> pd.DataFrame:
    """Customer features at the moments of `spine` (columns customer int64, as_of datetime64).

    One row per row of `spine`, in its order and with its index; columns customer, as_of and
    `features` (float64), `NaN` where the customer withholds a field that the feature reads.
    """
    frame = spine[["customer", "as_of"]].astype({"as_of": "datetime64[us]"})
    for definition in _needed(features):
        frame = _joined(frame, gate, definition, spine, shop)
    return frame.reindex(columns=["customer", "as_of", *features]).set_axis(spine.index)


def history_frame(
    gate: Gate, features: Sequence[str], spine: pd.DataFrame, shop: ShopFacts
) -> pd.DataFrame:
    """What each customer bought before the moments of `spine`: customer, as_of, product_id and
    `features` (float64).

    One row per product bought; no row for a customer who withholds what was bought.
    """
    frame: pd.DataFrame | None = None
    for definition in _needed(features):
        part = _computed(gate, definition, spine, shop)
        frame = part if frame is None else frame.merge(part, how="outer", on=list(definition.keys))
    if frame is None:
        raise FeatureError(
            "no feature of a customer's history is listed in [models.next_purchase]; list at least"
            " `times_bought`"
        )
    frame = frame.sort_values(["customer", "as_of", "product_id"], ignore_index=True)
    return frame[["customer", "as_of", "product_id", *features]]


def feature_frame(
    gate: Gate, features: Sequence[str], as_of: datetime, shop: ShopFacts
) -> pd.DataFrame:
    """All features of everybody at one moment, as a model sees them: customer, as_of, then
    `features` (float64).

    One row per customer; with features of a history among them, one row per customer and product
    bought, and product_id.
    """
    spine = gate.spine(as_of)
    history = [name for name in features if is_of_history(name)]
    frame = customer_frame(gate, [name for name in features if name not in history], spine, shop)
    if not history:
        return frame
    bought = history_frame(gate, history, spine, shop)
    return frame.merge(bought, how="left", on=["customer", "as_of"])[
        ["customer", "as_of", "product_id", *features]
    ]


def _needed(features: Sequence[str]) -> list[Definition]:
    return list(dict.fromkeys(DEFINITION_OF[feature] for feature in features))


def _joined(
    frame: pd.DataFrame, gate: Gate, definition: Definition, spine: pd.DataFrame, shop: ShopFacts
) -> pd.DataFrame:
    return frame.merge(
        _computed(gate, definition, spine, shop), how="left", on=list(definition.keys)
    )


def _computed(
    gate: Gate, definition: Definition, spine: pd.DataFrame, shop: ShopFacts
) -> pd.DataFrame:
    """The features of one definition."""
    frame = gate.collect(definition.table(gate.rows(definition.reads, spine), shop))
    if frame.empty and "product_id" in frame:
        frame["product_id"] = pd.Series(
            [], dtype="object"
        )  # pandas cannot merge two empty columns of its own text type
    return frame
