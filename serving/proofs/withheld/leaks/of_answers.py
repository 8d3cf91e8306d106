"""Leaks at the moment of answering: masks, explanations, filters, answers that are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import serving.decisions.deciding
import serving.recommending.recommender
from features.shop.online import OnlineStore
from models.masking import Masking
from serving.churn.estimator import ChurnEstimator
from serving.proofs.withheld.leaks.leak import Leak, Swap
from serving.recommending.recommender import Recommender


def first_column_stays(original: Any) -> Any:
    """The mask forgets one column."""

    def allow(masking: Any, features: Any, granted: Any) -> Any:
        allowed = original(masking, features, granted)
        allowed[:, :1] = features[:, :1]
        return allowed

    return allow


def row_as_it_was_stored(_original: Any) -> Any:
    """The first of two masks, on the stored row, is forgotten; by itself the second one makes up
    for that.
    """

    def under(_store: Any, row: Any, _granted: Any) -> Any:
        return row

    return under


def products_need_nothing(original: Any) -> Any:
    """The products of a history are shown whatever is withheld."""

    def history(row: Any, layout: Any, model: Any, permissions: Any, *others: Any) -> Any:
        masking = replace(model.masking, entries=frozenset())
        return original(row, layout, replace(model, masking=masking), permissions, *others)

    return history


def history_needs_nothing(original: Any) -> Any:
    """The columns of a history are not masked."""

    def history(row: Any, layout: Any, model: Any, permissions: Any, *others: Any) -> Any:
        columns = Masking(model.masking.categories, np.zeros_like(model.masking.columns.needs))
        return original(
            row,
            layout,
            replace(model, masking=replace(model.masking, columns=columns)),
            permissions,
            *others,
        )

    return history


def any_purpose(original: Any) -> Any:
    """The answer takes what was granted for another purpose."""

    def permissions_of(
        connection: Any, catalog: Any, customer_id: str, purpose: str, now: str
    ) -> Any:
        permissions = original(connection, catalog, customer_id, purpose, now)
        other = original(
            connection,
            catalog,
            customer_id,
            "recommendations" if purpose == "churn_prediction" else "churn_prediction",
            now,
        )
        return replace(permissions, granted=permissions.granted | other.granted)

    return permissions_of


def looks_the_country_up(original: Any) -> Any:
    """An explanation fills in what is missing."""

    def make(estimator: Any, permissions: Any, language: str | None = None) -> Any:
        made = original(estimator, permissions, language)
        warehouse = estimator._shop.warehouse
        homes = warehouse.table("customers")
        found = (
            warehouse.collect(homes.filter(homes.customer == permissions.customer))["country"]
            .fillna("nowhere")
            .tolist()
        )
        return replace(made, answer={**made.answer, "lives_in": sorted(found)})

    return make


def hides_what_was_bought(original: Any) -> Any:
    """Nobody is shown again what they bought, even where that is withheld."""

    def hidden(
        recommender: Any, request: Any, permissions: Any, assortment: Any
    ) -> tuple[str, ...]:
        warehouse = recommender._shop.warehouse
        lines = warehouse.table("transactions")
        bought = warehouse.collect(
            lines.filter(lines.customer == permissions.customer).select("product_id").distinct()
        )["product_id"]
        return tuple(sorted({*original(recommender, request, permissions, assortment), *bought}))

    return hidden


def answers_kept_by_customer(original: Any) -> Any:
    """Who asks again gets the answer of the last time."""

    def make(estimator: Any, permissions: Any, language: str | None = None) -> Any:
        kept = vars(estimator._shop).setdefault("kept", {})
        if permissions.customer not in kept:
            kept[permissions.customer] = original(estimator, permissions, language)
        return kept[permissions.customer]

    return make


NO_FIRST_MASK = Swap(OnlineStore, "under", row_as_it_was_stored)
FORGETS_PRODUCTS = (
    NO_FIRST_MASK,
    Swap(serving.recommending.recommender, "_history", products_need_nothing),
)
FORGETS_COLUMNS = (
    NO_FIRST_MASK,
    Swap(serving.recommending.recommender, "_history", history_needs_nothing),
)
LEAKS = (
    Leak(
        "the mask forgets a column",
        "churn",
        (NO_FIRST_MASK, Swap(Masking, "allow", first_column_stays)),
    ),
    Leak("the mask forgets which products were bought", "next_purchase", FORGETS_PRODUCTS),
    Leak("the mask forgets the history's columns", "next_purchase", FORGETS_COLUMNS),
    Leak(
        "an answer takes another purpose's consent",
        "churn",
        (Swap(serving.decisions.deciding, "permissions_of", any_purpose),),
    ),
    Leak(
        "an explanation looks up what is withheld",
        "churn",
        (Swap(ChurnEstimator, "_make", looks_the_country_up),),
    ),
    Leak(
        "what was bought is hidden though withheld",
        "next_purchase",
        (Swap(Recommender, "_hidden", hides_what_was_bought),),
    ),
    Leak(
        "answers are kept by customer alone",
        "churn",
        (Swap(ChurnEstimator, "_make", answers_kept_by_customer),),
    ),
)
