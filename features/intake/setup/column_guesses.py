"""Which column of an unknown order table is what, by its name first and by its cells where the name
says nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from features.errors import SourceError
from features.intake.setup.column_facts import ColumnFacts, facts_of
from features.intake.setup.column_synonyms import SPELLINGS, named
from features.tables.declared import products, transactions
from features.tables.declared.products import PRODUCT_ID, TITLE
from features.tables.declared.transactions import AMOUNT, ORDER_ID, ORDERED_AT, QUANTITY, UNIT_PRICE
from features.tables.table import CUSTOMER_ID, Kind
from features.tables.tables import STANDARD

ORDER_COLUMNS = STANDARD.stated_in(transactions.NAME)
"""What a source of order lines may state; whatever is recognised is one of these."""
WORDS_OF_TITLE = 2
FEW_UNITS = 20
"""A shop's usual line has no more units, which tells a number of units from a sum of money."""


@dataclass(frozen=True)
class Guess:
    """What was guessed: `column` of the warehouse (or setting), what was `found`, `why`, and
    whether that is `sure`.
    """

    source: str
    column: str
    found: str
    why: str
    sure: bool


@dataclass(frozen=True)
class Recognised:
    """How a file is to be read."""

    table: str
    columns: dict[str, str]
    date_format: str | None
    guesses: tuple[Guess, ...]


def recognise(file: Path) -> Recognised:
    """The columns of a table of transactions or of products.

    Raises `SourceError` where a column without which nothing can be predicted is not there.
    """
    facts = facts_of(file)
    found = {column: _Found(name, "its name") for column, name in _by_name(facts).items()}
    if _is_products(found):
        return _recognised(
            file,
            products.NAME,
            {column: found[column] for column in products.TABLE.by_name if column in found},
            facts,
        )
    found |= _by_cells(facts, found)
    found = _put_right(facts, found)
    _check_complete(file, facts, found)
    return _recognised(file, transactions.NAME, found, facts)


@dataclass(frozen=True)
class _Found:
    name: str
    why: str
    sure: bool = True


def _by_name(facts: Mapping[str, ColumnFacts]) -> dict[str, str]:
    found: dict[str, str] = {}
    for column, spellings in SPELLINGS.items():
        free = [
            name
            for name, its in facts.items()
            if name not in found.values() and _can_be(its, column)
        ]
        if name := named(free, spellings):
            found[column] = name
    return found


def _can_be(its: ColumnFacts, column: str) -> bool:
    kind = ORDER_COLUMNS[column].kind
    if kind is Kind.MOMENT:
        return its.is_moment
    return its.is_number if kind.is_number else True


def _is_products(found: Collection[str]) -> bool:
    return PRODUCT_ID in found and CUSTOMER_ID not in found and ORDERED_AT not in found


def _by_cells(facts: Mapping[str, ColumnFacts], found: Mapping[str, _Found]) -> dict[str, _Found]:
    """Columns that no name gave, from what their cells hold."""
    new: dict[str, _Found] = {}

    def free() -> list[ColumnFacts]:
        taken = {its.name for its in (*found.values(), *new.values())}
        return [its for name, its in facts.items() if name not in taken]

    def take(column: str, candidates: list[ColumnFacts], why: str) -> None:
        if column not in {**found, **new} and candidates:
            new[column] = _Found(candidates[0].name, why, sure=False)

    take(ORDERED_AT, [its for its in free() if its.is_moment], "its cells are dates")
    if AMOUNT not in found:
        take(
            UNIT_PRICE,
            [its for its in free() if its.is_number and not its.is_whole],
            "its cells are numbers with decimals",
        )
    take(
        QUANTITY,
        [its for its in free() if its.is_whole and 0 < its.numbers.median() <= FEW_UNITS],
        "its cells are small whole numbers",
    )
    for column, name, why in _ids(free(), facts, {**found, **new}):
        take(column, [facts[name]], why)
    take(
        TITLE,
        [its for its in free() if its.words >= WORDS_OF_TITLE and _repeats(its)],
        "its cells are texts of several words",
    )
    return new


def _ids(
    free: list[ColumnFacts], facts: Mapping[str, ColumnFacts], found: Mapping[str, _Found]
) -> list[tuple[str, str, str]]:
    """Who orders what: an order has one moment and one customer, a customer several moments, and an
    order several products.
    """
    ids = [
        its
        for its in free
        if not its.is_moment
        and (its.is_whole or not its.is_number)
        and its.words < WORDS_OF_TITLE
        and _repeats(its)
    ]
    ids.sort(key=lambda its: its.values.nunique(), reverse=True)
    if ORDERED_AT not in found or not ids:
        return []
    moment = facts[found[ORDERED_AT].name].values
    guessed: list[tuple[str, str, str]] = []
    if ORDER_ID in found:
        order: pd.Series | None = facts[found[ORDER_ID].name].values
    else:
        orders = [its for its in ids if _settles(its.values, moment) and its.values.nunique() > 1]
        order = orders[0].values if orders else None
        if orders:
            guessed.append(
                (ORDER_ID, orders[0].name, "all rows that share its value share their moment")
            )
            ids = [its for its in ids if its is not orders[0]]
    within = moment if order is None else order
    for its in ids:
        column = CUSTOMER_ID if _settles(within, its.values) else PRODUCT_ID
        why = (
            "one order has one value of it"
            if column == CUSTOMER_ID
            else "one order has several values of it"
        )
        guessed.append((column, its.name, why))
    return guessed


def _repeats(its: ColumnFacts) -> bool:
    distinct = its.values.nunique()
    return bool(1 < distinct < 0.9 * len(its.values))


def _settles(one: pd.Series, other: pd.Series) -> bool:
    """Whether nearly every value of `one` stands beside a single value of `other`."""
    return bool((other.groupby(one.to_numpy()).nunique() <= 1).mean() > 0.95)


def _put_right(facts: Mapping[str, ColumnFacts], found: dict[str, _Found]) -> dict[str, _Found]:
    """Names that mislead: an `amount` of units, a `price` of the whole line."""
    amount, price, quantity = (found.get(column) for column in (AMOUNT, UNIT_PRICE, QUANTITY))
    if (
        amount
        and price
        and not quantity
        and facts[amount.name].is_whole
        and facts[amount.name].numbers.median() <= FEW_UNITS
    ):
        quantity = _Found(
            amount.name, "its cells are small whole numbers beside a price", sure=False
        )
        amount = None
    if price and quantity and not amount and _is_of_line(facts, price.name, quantity.name, found):
        amount, price = (
            _Found(
                price.name,
                "it grows with the number of units, so it is for the whole line",
                sure=False,
            ),
            None,
        )
    told = {AMOUNT: amount, UNIT_PRICE: price, QUANTITY: quantity}
    return {
        **{c: f for c, f in found.items() if c not in told},
        **{c: f for c, f in told.items() if f is not None},
    }


def _is_of_line(
    facts: Mapping[str, ColumnFacts], price: str, quantity: str, found: Mapping[str, _Found]
) -> bool:
    """Whether lines of a product with more units cost more in proportion."""
    if PRODUCT_ID not in found:
        return False
    lines = pd.DataFrame(
        {
            "product": facts[found[PRODUCT_ID].name].values,
            "price": facts[price].numbers,
            "units": facts[quantity].numbers,
        }
    )
    lines = lines[(lines["price"] > 0) & (lines["units"] > 0)]
    usual = lines[lines["units"] == 1].groupby("product")["price"].median().rename("usual")
    several = lines[lines["units"] > 1].join(usual, on="product", how="inner")
    if several.empty:
        return False
    growth = np.log(several["price"] / several["usual"]) / np.log(several["units"])
    return bool(growth.median() > 0.5)


def _check_complete(file: Path, facts: Collection[str], found: Collection[str]) -> None:
    missing = [
        name for name, column in ORDER_COLUMNS.items() if column.required and name not in found
    ]
    if UNIT_PRICE not in found and AMOUNT not in found:
        missing.append(UNIT_PRICE)
    if missing:
        raise SourceError(
            f"no column was recognised as {', '.join(missing)}; found are {', '.join(facts)}. Sayso"
            " needs one line per product bought, with the customer, the product, the time and the"
            " price; rename the columns so, or run `sayso init` without --from and write them into"
            " sayso.toml",
            file=file,
        )


def _recognised(
    file: Path, table: str, found: Mapping[str, _Found], facts: Mapping[str, ColumnFacts]
) -> Recognised:
    columns = {column: found[column].name for column in SPELLINGS if column in found}
    guesses = [
        Guess(file.stem, column, name, found[column].why, found[column].sure)
        for column, name in columns.items()
    ]
    guesses += _absences(file.stem, columns) if table == transactions.NAME else []
    form = _date_format(file.stem, facts[columns[ORDERED_AT]]) if ORDERED_AT in columns else None
    return Recognised(
        table, columns, form.found if form else None, (*guesses, *([form] if form else []))
    )


def _absences(source: str, columns: Collection[str]) -> list[Guess]:
    """What is assumed where a column is not there."""
    assumed = {
        ORDER_ID: "one order per customer and moment",
        QUANTITY: "one unit a line",
        UNIT_PRICE: "amount / quantity",
    }
    return [
        Guess(source, column, told, "no such column was found", sure=False)
        for column, told in assumed.items()
        if column not in columns
    ]


def _date_format(source: str, its: ColumnFacts) -> Guess | None:
    if not its.date_formats:
        return None
    if len(its.date_formats) == 1:
        return Guess(
            source,
            "date_format",
            its.date_formats[0],
            f"it reads the dates, such as {its.texts[0]!r}",
            sure=True,
        )
    best = max(its.date_formats, key=lambda form: _ordered(its, form))
    others = ", ".join(form for form in its.date_formats if form != best)
    why = (
        f"{its.texts[0]!r} may be {best} or {others}, and no date settles it; the rows are in"
        " better order this way"
    )
    return Guess(source, "date_format", best, why, sure=False)


def _ordered(its: ColumnFacts, form: str) -> float:
    """Share of steps from one distinct date to the next that do not go back."""
    moments = pd.to_datetime(
        pd.Series(its.texts, dtype="str"), format=form, errors="coerce", utc=True
    )
    return float((moments.diff().dropna() >= pd.Timedelta(0)).mean())
