"""How a file without orders is to be read, and the interactions that stand among orders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from features.config.sources import names
from features.errors import SourceError
from features.intake.setup.beside_orders.customers_file import customers_in
from features.intake.setup.beside_orders.interactions_file import (
    beside,
    interactions_in,
    stated_kinds,
)
from features.intake.setup.column_facts import ColumnFacts
from features.intake.setup.guess import LAYOUT, Guess, Recognised
from features.intake.setup.layouts import Layout
from features.intake.setup.source_settings import date_guess
from features.tables.declared import customers, interactions
from features.tables.declared.interactions import KIND, OCCURRED_AT, PRODUCT_ID
from features.tables.declared.transactions import EVENT, ORDERED_AT
from features.tables.table import CUSTOMER_ID, Kind
from features.tables.tables import STANDARD

Columns = Mapping[str, str | tuple[str, ...]]
Facts = Mapping[str, ColumnFacts]
BY_NAME = "its name"
IN_ORDERS = {CUSTOMER_ID: CUSTOMER_ID, KIND: EVENT, OCCURRED_AT: ORDERED_AT, PRODUCT_ID: PRODUCT_ID}
"""The columns of interactions by those of order lines that hold the same."""


def beside_orders(file: Path, facts: Facts) -> Recognised | None:
    """A file of interactions or of customers, by the names and words of its columns; None where it
    is neither.
    """
    if (found := interactions_in(facts)) is not None:
        return _of_interactions(file, facts, found, BY_NAME)
    if (found := customers_in(facts)) is not None:
        return _recognised(file, customers.NAME, facts, found, BY_NAME)
    return None


def beside_orders_by_layout(file: Path, facts: Facts, layout: Layout) -> Recognised:
    """The same as a layout says.

    Raises `SourceError` where it lacks what every such file needs, or tells nothing.
    """
    table, columns = STANDARD[layout.table], layout.chosen(facts)
    moments = layout.moments_in(facts)
    stated = {*columns, *((KIND, OCCURRED_AT) if moments else ())}
    lacking = [name for name, its in table.stated_by_name.items() if its.required]
    lacking = [name for name in (CUSTOMER_ID, *lacking) if name not in stated]
    lacking += [" or ".join(group) for group in table.one_of if stated.isdisjoint(group)]
    if lacking:
        heads = ", ".join(names(each) for each in layout.columns.get(lacking[0], ()))
        raise SourceError(
            f"this is an export of {layout.system}, and no column of it that is filled says"
            f" {lacking[0]}{f' (it may be called {heads})' if heads else ''}. Export it with that,"
            " or leave it out: customers are told apart by the order lines of your shop system",
            file=file,
        )
    why = f"the layout {layout.name} says so"
    if layout.table == interactions.NAME:
        return _of_interactions(file, facts, columns, why, layout, moments)
    return _recognised(file, layout.table, facts, columns, why, layout)


def interactions_beside(
    file: Path, facts: Facts, orders: Columns, date_format: str | None
) -> Recognised | None:
    """The views, carts and the like in a file of order lines that has a column of kinds; None where
    all of its events are purchases.
    """
    shared = {own: orders[other] for own, other in IN_ORDERS.items() if other in orders}
    event = shared[KIND]
    kinds = stated_kinds(facts[event].texts if isinstance(event, str) else (), {})
    if not kinds:
        return None
    taken = {column: name for column, name in shared.items() if isinstance(name, str)}
    columns = {**shared, **beside(facts, taken)}
    why = "events that are no purchases stand among the orders"
    told = Guess(file.stem, "table", interactions.NAME, why, sure=True)
    return Recognised(interactions.NAME, columns, date_format, (told,), settings={"kinds": kinds})


def _of_interactions(
    file: Path,
    facts: Facts,
    columns: Columns,
    why: str,
    layout: Layout | None = None,
    moments: Mapping[str, str] | None = None,
) -> Recognised:
    settings: dict[str, object] = {}
    guesses: list[Guess] = []
    if moments:
        settings["moments"] = dict(moments)
        guesses = [
            Guess(file.stem, f"moments.{kind}", name, why, sure=True)
            for kind, name in moments.items()
        ]
    elif isinstance(kind_column := columns[KIND], str):
        kinds = stated_kinds(facts[kind_column].texts, {})
        settings["kinds"] = kinds
        guesses = [
            Guess(file.stem, f"kinds.{kind}", ", ".join(words), "its words are known", sure=True)
            for kind, words in kinds.items()
        ]
    return _recognised(
        file, interactions.NAME, facts, columns, why, layout, settings, tuple(guesses)
    )


def _recognised(
    file: Path,
    table: str,
    facts: Facts,
    columns: Columns,
    why: str,
    layout: Layout | None = None,
    settings: Mapping[str, object] | None = None,
    more: tuple[Guess, ...] = (),
) -> Recognised:
    guesses = [Guess(file.stem, LAYOUT, layout.name, why, sure=True)] if layout else []
    guesses += [
        Guess(file.stem, column, names(name), why, sure=True) for column, name in columns.items()
    ]
    form = _form(file, table, facts, columns, settings or {})
    return Recognised(
        table,
        dict(columns),
        form.found if form else None,
        (*guesses, *more, *([form] if form else [])),
        layout.name if layout else None,
        settings or {},
    )


def _form(
    file: Path, table: str, facts: Facts, columns: Columns, settings: Mapping[str, object]
) -> Guess | None:
    """How the dates of a file are written, by the first of its moments."""
    declared = STANDARD[table].stated_by_name
    moments = [name for column, name in columns.items() if declared[column].kind is Kind.MOMENT]
    stated = settings.get("moments")
    more = [*stated.values()] if isinstance(stated, Mapping) else []
    first = next((name for name in (*moments, *more) if isinstance(name, str)), None)
    return None if first is None else date_guess(file.stem, facts[first])
