"""Leaks on the way from the warehouse to features: gate, ledger, definitions, online store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ibis
import numpy as np
import pandas as pd
from sqlalchemy import select

import features.consent.ledger
import features.shop.online
import features.shop.shop
from features.catalog import Catalog
from features.consent.batch import LedgerBatch
from features.database.tables import consent_state, customers, online_features
from features.definitions.definition import Definition
from features.shop.online import OnlineStore
from features.warehouse.fields import AMOUNT, QUANTITY
from features.warehouse.gate import BEGINNING, Covered, Gate
from serving.proofs.withheld.leaks.leak import Leak, Swap, Wrap, opened, widened


class Disguised:
    """A warehouse whose transactions were changed on the way in."""

    def __init__(self, warehouse: Any, change: Callable[[ibis.Table], ibis.Table]) -> None:
        self._warehouse, self._change = warehouse, change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._warehouse, name)

    def collect_made(self, _key: Any, made: Any, asked: pd.DataFrame) -> pd.DataFrame:
        """What `made` makes, with no statement kept for the warehouse as it is."""
        found: pd.DataFrame = self._warehouse.collect(made(ibis.memtable(asked)))
        return found

    def table(self, name: str) -> ibis.Table:
        """The table, changed if it is the transactions."""
        table = self._warehouse.table(name)
        return self._change(table) if name == "transactions" else table


def disguising(change: Callable[[ibis.Table], ibis.Table]) -> Wrap:
    """Gates that open onto a disguised warehouse."""

    def wrap(original: Any) -> Any:
        def made(gate: Any, warehouse: Any, *others: Any, **named: Any) -> None:
            original(gate, Disguised(warehouse, change), *others, **named)

        return made

    return wrap


def any_category(_original: Any) -> Any:
    """One granted category is enough for all of a definition's fields."""

    def covered(gate: Any, fields: Any) -> Covered:
        held = gate._granted["category"].isin(gate._catalog.categories_of(fields))
        customers = np.unique(gate._granted.loc[held, "customer"].to_numpy("int64"))
        return customers, np.full(len(customers), BEGINNING.to_datetime64(), "datetime64[us]")

    return covered


def any_purpose(original: Any) -> Any:
    """What is granted for one purpose serves every other."""

    def grants(connection: Any, catalog: Any, purpose: str, *others: Any) -> pd.DataFrame:
        every = [
            original(connection, catalog, asked, *others)
            for asked in catalog.purposes
            if asked != purpose
        ]
        more = pd.MultiIndex.from_frame(
            pd.concat(every)[["customer", "category"]].drop_duplicates()
        )
        return widened(original(connection, catalog, purpose, *others), more)

    return grants


def withdrawn_is_granted(original: Any) -> Any:
    """Whoever once granted is taken at their word for ever."""

    def grants(connection: Any, catalog: Any, purpose: str, *others: Any) -> pd.DataFrame:
        column = consent_state.c
        query = select(column.customer, column.category).where(
            column.purpose == purpose, column.action == "withdrawn"
        )
        gone = [tuple(row) for row in connection.execute(query)]
        return widened(
            original(connection, catalog, purpose, *others),
            pd.MultiIndex.from_tuples(gone, names=["customer", "category"]),
        )

    return grants


def silence_is_granted(original: Any) -> Any:
    """Who was never asked is taken to agree."""

    def grants(connection: Any, catalog: Any, purpose: str, *others: Any) -> pd.DataFrame:
        column = consent_state.c
        said = connection.execute(
            select(column.customer, column.category).where(column.purpose == purpose)
        ).all()
        everybody = connection.execute(select(customers.c.customer)).scalars().all()
        possible = pd.MultiIndex.from_product([everybody, catalog.askable(purpose)])
        silent = possible.difference(pd.MultiIndex.from_tuples([tuple(row) for row in said]))
        return widened(original(connection, catalog, purpose, *others), silent)

    return grants


def amounts_are_order_times(original: Any) -> Any:
    """A field is declared under the wrong category."""

    def categories_of(catalog: Any, fields: Any) -> frozenset[str]:
        return frozenset(
            original(
                catalog,
                ["transactions.ordered_at" if field == AMOUNT else field for field in fields],
            )
        )

    return categories_of


def rows_with_amounts(original: Any) -> Any:
    """The gate hands out one column more than was asked for."""

    def collect_made(gate: Any, fields: Any, asked: pd.DataFrame, made: Any) -> pd.DataFrame:
        if QUANTITY not in fields:
            found: pd.DataFrame = original(gate, fields, asked, made)
            return found
        return opened(gate).collect(
            made(opened(gate)._seen([*fields, AMOUNT], ibis.memtable(asked)))
        )

    return collect_made


def variety_of_amounts(original: Any) -> Any:
    """A definition reads a field that it does not declare."""

    def table(definition: Any, rows: ibis.Table, shop: Any) -> ibis.Table:
        return original(
            definition,
            rows.mutate(quantity=rows.amount)
            if "amount" in rows.columns and "quantity" in rows.columns
            else rows,
            shop,
        )

    return table


def unseen_orders_count(_original: Any) -> Any:
    """Who is listed depends on orders that may not be seen."""

    def spine(gate: Any, as_of: Any) -> pd.DataFrame:
        ordered = gate.collect(gate._warehouse.table("transactions").select("customer").distinct())[
            "customer"
        ]
        present = sorted(set(gate.customers()) & set(ordered))
        return pd.DataFrame(
            {"customer": present, "as_of": pd.Timestamp(as_of).as_unit("us")}
        ).astype({"customer": "int64"})

    return spine


def rows_outlive_events(original: Any) -> Any:
    """A consent event leaves the stored features where they are."""

    def store(batch: Any) -> None:
        connection = batch._connection
        kept = [dict(row) for row in connection.execute(select(online_features)).mappings()]
        original(batch)
        left = {(row.customer, row.purpose) for row in connection.execute(select(online_features))}
        for row in kept:
            if (row["customer"], row["purpose"]) not in left:
                connection.execute(online_features.insert(), row)

    return store


def rows_kept_by_customer(original: Any) -> Any:
    """The service keeps features by customer, whatever is granted by now."""

    def ready_all(online: Any, customers: Any) -> Any:
        kept = vars(online).setdefault("kept", {})
        kept.update(original(online, [one for one in customers if one not in kept]))
        return {customer: kept[customer] for customer in customers}

    return ready_all


def averages_of_everybody(original: Any) -> Any:
    """What is missing is filled with the average of all customers, asked or not."""

    def customer_frame(gate: Any, names: Any, spine: pd.DataFrame, shop: Any) -> pd.DataFrame:
        wide = opened(gate)
        everybody = pd.DataFrame({"customer": wide.customers(), "as_of": spine["as_of"].max()})
        averages = original(wide, names, everybody, shop)[list(names)].mean()
        filled: pd.DataFrame = original(gate, names, spine, shop).fillna(averages)
        return filled

    return customer_frame


def amount_as_quantity(table: ibis.Table) -> ibis.Table:
    """The quantity carries what was paid."""
    return table.mutate(
        quantity=(table.quantity + table.amount.fill_null(0.0)).round().cast("int64")
    )


def moment_as_quantity(table: ibis.Table) -> ibis.Table:
    """The quantity carries when the row was recorded."""
    return table.mutate(quantity=table.recorded_at.epoch_seconds())


def everywhere(wrap: Wrap) -> tuple[Swap, ...]:
    """Grants read otherwise wherever they are read."""
    return tuple(
        Swap(module, "grants", wrap)
        for module in (features.consent.ledger, features.shop.online, features.shop.shop)
    )


LEAKS = (
    Leak(
        "the gate asks for any instead of all categories",
        "churn",
        (Swap(Gate, "_covered", any_category),),
    ),
    Leak(
        "the gate asks for the first field's category alone",
        "next_purchase",
        (
            Swap(
                Gate,
                "_covered",
                lambda original: lambda gate, fields: original(gate, list(fields)[:1]),
            ),
        ),
    ),
    Leak("the gate ignores the purpose", "churn", everywhere(any_purpose)),
    Leak("a withdrawn grant still counts", "next_purchase", everywhere(withdrawn_is_granted)),
    Leak("silence counts as consent", "churn", everywhere(silence_is_granted)),
    Leak(
        "a field is declared under the wrong category",
        "churn",
        (Swap(Catalog, "categories_of", amounts_are_order_times),),
    ),
    Leak(
        "a definition reads an undeclared field",
        "churn",
        (
            Swap(Gate, "collect_made", rows_with_amounts),
            Swap(Definition, "table", variety_of_amounts),
        ),
    ),
    Leak(
        "one field is filled from another",
        "churn",
        (Swap(Gate, "__init__", disguising(amount_as_quantity)),),
    ),
    Leak(
        "the time of recording is a feature",
        "churn",
        (Swap(Gate, "__init__", disguising(moment_as_quantity)),),
    ),
    Leak(
        "unseen orders decide who is listed", "churn", (Swap(Gate, "spine", unseen_orders_count),)
    ),
    Leak(
        "stored features outlive a withdrawal",
        "next_purchase",
        (Swap(LedgerBatch, "store", rows_outlive_events),),
    ),
    Leak(
        "features are kept by customer alone",
        "churn",
        (Swap(OnlineStore, "ready_all", rows_kept_by_customer),),
    ),
    Leak(
        "missing features become the average of everybody",
        "churn",
        (Swap(features.shop.online, "customer_frame", averages_of_everybody),),
    ),
)
