"""Leaks at the moment of answering: masks, explanations, filters, answers that are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

import serving.decisions.deciding
from features.shop.online import OnlineStore
from features.shop.withholding import Withholding
from serving.churn.estimator import ChurnEstimator
from serving.proofs.withheld.leaks.leak import Leak, Swap
from serving.recommending.gathering import Gatherer


def first_column_stays(original: Any) -> Any:
    """The mask forgets one column."""

    def allow(rule: Any, row: Any, granted: Any) -> Any:
        allowed = original(rule, row, granted)
        return replace(allowed, customer=np.append(row.customer[:1], allowed.customer[1:]))

    return allow


def products_need_nothing(original: Any) -> Any:
    """The products of a history are shown whatever is withheld."""

    def allow(rule: Any, row: Any, granted: Any) -> Any:
        allowed = original(rule, row, granted)
        hidden = [not rule.needs[name] <= granted for name in rule.layout.history]
        return replace(
            allowed, products=row.products, columns=np.where(hidden, np.nan, row.columns)
        )

    return allow


def history_needs_nothing(original: Any) -> Any:
    """The columns of a history are not masked."""

    def allow(rule: Any, row: Any, granted: Any) -> Any:
        allowed = original(rule, row, granted)
        known = slice(None) if rule.entries_allowed(granted) else slice(0)
        return replace(allowed, products=row.products[known], columns=row.columns[known])

    return allow


def warehouse_of(online: OnlineStore) -> Any:
    """The warehouse behind a store, past its gate."""
    return online._gate_for(online.purpose, pd.DataFrame())._warehouse


def any_purpose(original: Any) -> Any:
    """The answer takes what was granted for another purpose."""

    def permissions_of(
        connection: Any, catalog: Any, customer_ids: Any, purpose: str, now: str, young: Any
    ) -> Any:
        permissions = original(connection, catalog, customer_ids, purpose, now, young)
        swapped = "recommendations" if purpose == "churn_prediction" else "churn_prediction"
        others = original(connection, catalog, customer_ids, swapped, now)
        return [
            replace(one, granted=one.granted | other.granted)
            for one, other in zip(permissions, others, strict=True)
        ]

    return permissions_of


def looks_the_country_up(original: Any) -> Any:
    """An explanation fills in what is missing."""

    def make(estimator: Any, permissions: Any, language: str | None = None, **said: Any) -> Any:
        warehouse = warehouse_of(estimator._online)
        homes = warehouse.table("customers")
        every = []
        for made, one in zip(
            original(estimator, permissions, language, **said), permissions, strict=True
        ):
            found = (
                warehouse.collect(homes.filter(homes.customer == one.customer))["country"]
                .fillna("nowhere")
                .tolist()
            )
            told = f"{made.answer.disclosure} {sorted(found)}"
            every.append(replace(made, answer=replace(made.answer, disclosure=told)))
        return every

    return make


def hides_what_was_bought(original: Any) -> Any:
    """Nobody is shown again what they bought, even where that is withheld."""

    def personal(gatherer: Any, request: Any, asked: Any, *others: Any) -> Any:
        warehouse = warehouse_of(gatherer._known.online)
        lines = warehouse.table("transactions")

        def bought(customer: int) -> list[str]:
            own = lines.filter(lines.customer == customer).select("product_id").distinct()
            return list(warehouse.collect(own)["product_id"])

        more = [
            replace(one, hidden=one.hidden.also(bought(one.permissions.customer))) for one in asked
        ]
        return original(gatherer, request, more, *others)

    return personal


def answers_kept_by_customer(original: Any) -> Any:
    """Who asks again gets the answer of the last time."""

    def make(estimator: Any, permissions: Any, language: str | None = None, **said: Any) -> Any:
        kept = vars(estimator._online).setdefault("kept", {})
        for one in permissions:
            if one.customer not in kept:
                (kept[one.customer],) = original(estimator, [one], language, **said)
        return [kept[one.customer] for one in permissions]

    return make


LEAKS = (
    Leak(
        "the mask forgets a column",
        "churn",
        (Swap(Withholding, "allow", first_column_stays),),
    ),
    Leak(
        "the mask forgets which products were bought",
        "next_purchase",
        (Swap(Withholding, "allow", products_need_nothing),),
    ),
    Leak(
        "the mask forgets the history's columns",
        "next_purchase",
        (Swap(Withholding, "allow", history_needs_nothing),),
    ),
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
        (Swap(Gatherer, "_personal", hides_what_was_bought),),
    ),
    Leak(
        "answers are kept by customer alone",
        "churn",
        (Swap(ChurnEstimator, "_make", answers_kept_by_customer),),
    ),
)
