"""Which column of an unknown order table is what, by its name first and by its cells where the name
says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd

from features.config.sources import JoinSection, PackedSection, names
from features.errors import SourceError
from features.intake.order_statuses import KNOWN
from features.intake.order_statuses import bare as status_word
from features.intake.setup.beside_orders.interactions_file import of_purchases
from features.intake.setup.beside_orders.recognised import (
    beside_orders,
    beside_orders_by_layout,
    interactions_beside,
)
from features.intake.setup.column_checks import fault_of, repeats, settles
from features.intake.setup.column_facts import ColumnFacts, facts_of, joined
from features.intake.setup.column_synonyms import SPELLINGS, bare, rank
from features.intake.setup.guess import LAYOUT, Guess, Recognised
from features.intake.setup.layouts import Layout, layout_of
from features.intake.setup.misleading_names import FEW_UNITS, Found, put_right
from features.intake.setup.packed_columns import packed_in
from features.intake.setup.source_settings import date_guess, source_settings
from features.intake.setup.table_shape import is_filled_down, is_products
from features.tables.declared import customers, interactions, products, transactions
from features.tables.declared.customers import COUNTRY
from features.tables.declared.products import (
    AVAILABILITY,
    BRAND,
    LINK,
    PICTURE,
    PRICE,
    PRODUCT_CATEGORY,
    PRODUCT_ID,
    STOCK,
    TITLE,
)
from features.tables.declared.transactions import (
    AMOUNT,
    CANCELLED_AT,
    CURRENCY,
    CUSTOMER_EMAIL,
    DISCOUNT,
    DISCOUNT_PERCENT,
    EVENT,
    LIST_AMOUNT,
    ORDER_DISCOUNT,
    ORDER_ID,
    ORDER_REFUND,
    ORDERED_AT,
    QUANTITY,
    REFUNDED_AMOUNT,
    REFUNDED_QUANTITY,
    STATUS,
    TEST,
    UNIT_PRICE,
)
from features.tables.table import CUSTOMER_ID, RECORDED_AT
from features.tables.tables import STANDARD

ORDER_COLUMNS = STANDARD.stated_in(transactions.NAME)
"""What a source of order lines may state; whatever is recognised is one of these."""
WORDS_OF_TITLE = 2
IN_TURN = (
    ORDERED_AT,
    ORDER_ID,
    CUSTOMER_EMAIL,
    CUSTOMER_ID,
    QUANTITY,
    PRODUCT_ID,
    UNIT_PRICE,
    AMOUNT,
    LIST_AMOUNT,
    DISCOUNT,
    DISCOUNT_PERCENT,
    ORDER_DISCOUNT,
    REFUNDED_QUANTITY,
    REFUNDED_AMOUNT,
    ORDER_REFUND,
    STATUS,
    EVENT,
    CANCELLED_AT,
    TEST,
    CURRENCY,
    TITLE,
    COUNTRY,
    PRODUCT_CATEGORY,
    BRAND,
    RECORDED_AT,
)
"""Columns in the order in which they are looked for: what tells the others apart comes first."""
OF_PRODUCTS = (STOCK, AVAILABILITY, PRICE, PICTURE, LINK)
"""What a table of products tells beside."""
DESCRIPTIVE = (TITLE, COUNTRY, PRODUCT_CATEGORY, BRAND, CURRENCY)
"""Columns that may be added to what a layout says: none of them changes what was bought."""
NOT_A_PRICE = re.compile(
    r"ship|versand|freight|livraison|envio|discount|rabatt|remise|descuento|tax|mwst|steuer|tva|iva"
    r"|fee|gebuhr|frais|tip|weight|gewicht|stock|balance|refund|erstatt|total|gesamt|summe|rating",
)
"""Parts of names of numbers that are no price of an item."""


def recognise(file: Path, joins: Sequence[JoinSection] = ()) -> Recognised:
    """The columns of a table of transactions, products, interactions or customers, and of what is
    joined to it.

    Raises `SourceError` where a column without which nothing can be predicted is not there.
    """
    facts: Mapping[str, ColumnFacts] = facts_of(file, joins=joins, sampled=not joins)
    layout = layout_of(facts)
    packed = packed_in(facts) if layout is None else layout.packed
    if packed is not None:
        facts = facts_of(file, packed, joins, sampled=not joins)
    if layout is not None:
        return _by_layout(file, facts, layout)
    if (other := beside_orders(file, facts)) is not None:
        return other
    facts = of_purchases(facts)
    search = _Search(facts, {}, fill_down=is_filled_down(facts), packed=packed)
    if is_products(facts):
        wanted = set(products.TABLE.by_name)
        search.by_name([each for each in (*IN_TURN, *OF_PRODUCTS) if each in wanted])
        return _recognised(file, products.NAME, search, None)
    search.by_name(IN_TURN)
    search.by_cells()
    search.found = put_right(facts, search.found)
    _check_complete(file, facts, search)
    return _recognised(file, transactions.NAME, search, None)


def _by_layout(file: Path, facts: Mapping[str, ColumnFacts], layout: Layout) -> Recognised:
    """The columns as a layout says; of what it leaves open only what describes a line is sought."""
    if layout.refused:
        raise SourceError(f"this is an export of {layout.system}: {layout.refused}", file=file)
    if layout.table in (interactions.NAME, customers.NAME):
        return beside_orders_by_layout(file, facts, layout)
    found = {
        column: Found(name, f"the layout {layout.name} says so")
        for column, name in layout.chosen(facts).items()
    }
    search = _Search(facts, found, fill_down=layout.fill_down, packed=layout.packed)
    known = products.TABLE.by_name if layout.table == products.NAME else ORDER_COLUMNS
    open_yet = [
        column
        for column in IN_TURN
        if column in known and column not in found
        if column in DESCRIPTIVE or known[column].required
    ]
    search.by_name(open_yet)
    if layout.table == transactions.NAME:
        _check_complete(file, facts, search)
    return _recognised(file, layout.table, search, layout)


class _Search:
    """What was `found` so far among the columns of a file, and why others were passed over."""

    def __init__(
        self,
        facts: Mapping[str, ColumnFacts],
        found: dict[str, Found],
        *,
        fill_down: bool,
        packed: PackedSection | None,
    ) -> None:
        self.facts = facts
        self.found = found
        self.fill_down = fill_down
        self.packed = packed
        self.passed_over: dict[str, list[tuple[str, str]]] = {}

    def by_name(self, wanted: Collection[str]) -> None:
        """Find columns by what they are called, the most telling name whose cells fit."""
        for column in wanted:
            if column in self.found:
                continue
            ranked = sorted(
                (place, position, name)
                for position, name in enumerate(self.facts)
                if (place := rank(name, SPELLINGS[column])) is not None and self._is_free(name)
            )
            for _, _, name in ranked:
                fault = self._fault(column, name)
                if fault is None:
                    self.found[column] = Found(name, "its name")
                    break
                self.passed_over.setdefault(column, []).append((name, fault))
        if ORDERED_AT in wanted:
            self._join_times()

    def by_cells(self) -> None:
        """Find columns that no name gave, from what their cells hold."""
        self._take(ORDERED_AT, lambda its: its.is_moment, "its cells are dates")
        if AMOUNT not in self.found:
            self._take(
                UNIT_PRICE,
                lambda its: (
                    its.is_amount and not its.is_whole and not NOT_A_PRICE.search(bare(its.name))
                ),
                "its cells are numbers with decimals",
            )
        self._take(
            QUANTITY,
            lambda its: its.is_whole and 0 < its.numbers.median() <= FEW_UNITS,
            "its cells are small whole numbers",
        )
        for column, name, why in _ids(self._free(), self.facts, self.found):
            if column not in self.found and self._fault(column, name) is None:
                self.found[column] = Found(name, why, sure=False)
        self._take(
            TITLE,
            lambda its: its.words >= WORDS_OF_TITLE and not its.is_moment and repeats(its),
            "its cells are texts of several words",
        )

    def _take(self, column: str, fits: Callable[[ColumnFacts], bool], why: str) -> None:
        if column in self.found:
            return
        for its in self._free():
            if fits(its) and self._fault(column, its.name) is None:
                self.found[column] = Found(its.name, why, sure=False)
                return

    def _join_times(self) -> None:
        """Where dates have no time, a column of times beside them belongs to them."""
        date = self.found.get(ORDERED_AT)
        if date is None or not isinstance(date.name, str) or self.facts[date.name].has_times:
            return
        times = [its.name for its in self._free() if its.is_time_of_day and not its.is_amount]
        if times:
            self.found[ORDERED_AT] = Found((date.name, times[0]), date.why, date.sure)

    def _fault(self, column: str, name: str) -> str | None:
        beside = {c: self.facts[f.first] for c, f in self.found.items() if f.first in self.facts}
        its = self.facts[name]
        return fault_of(ORDER_COLUMNS[column], its, beside, fill_down=self.fill_down)

    def _is_free(self, name: str) -> bool:
        return all(
            name != f.name and (isinstance(f.name, str) or name not in f.name)
            for f in self.found.values()
        )

    def _free(self) -> list[ColumnFacts]:
        return [its for name, its in self.facts.items() if self._is_free(name)]


def _ids(
    free: list[ColumnFacts], facts: Mapping[str, ColumnFacts], found: Mapping[str, Found]
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
        and repeats(its)
        and not set(map(status_word, its.texts)) & KNOWN.keys()
    ]
    ids.sort(key=lambda its: its.distinct, reverse=True)
    if ORDERED_AT not in found or not ids:
        return []
    moment = facts[found[ORDERED_AT].first].values
    guessed: list[tuple[str, str, str]] = []
    if ORDER_ID in found:
        order: pd.Series | None = facts[found[ORDER_ID].first].values
    else:
        orders = [its for its in ids if settles(its.values, moment) and its.distinct > 1]
        order = orders[0].values if orders else None
        if orders:
            guessed.append(
                (ORDER_ID, orders[0].name, "all rows that share its value share their moment")
            )
            ids = [its for its in ids if its is not orders[0]]
    within = moment if order is None else order
    for its in ids:
        column = CUSTOMER_ID if settles(within, its.values) else PRODUCT_ID
        why = (
            "one order has one value of it"
            if column == CUSTOMER_ID
            else "one order has several values of it"
        )
        guessed.append((column, its.name, why))
    return guessed


def _check_complete(file: Path, facts: Collection[str], search: _Search) -> None:
    found = search.found
    if CUSTOMER_ID not in found and CUSTOMER_EMAIL in found:
        found[CUSTOMER_ID] = found.pop(CUSTOMER_EMAIL)
    missing = [
        name for name, column in ORDER_COLUMNS.items() if column.required and name not in found
    ]
    if not found.keys() & {UNIT_PRICE, AMOUNT, LIST_AMOUNT}:
        missing.append(UNIT_PRICE)
    if missing:
        nearly = "".join(
            f" `{name}` was not taken as {column}, since {why}."
            for column in missing
            for name, why in search.passed_over.get(column, [])
        )
        raise SourceError(
            f"no column was recognised as {', '.join(missing)}; found are {', '.join(facts)}."
            f"{nearly} Sayso needs one line per product bought, with the customer, the product, the"
            " time and the price; rename the columns so, or run `sayso init` without --from and"
            f' write them into sayso.toml, such as `{missing[0]} = "the column\'s name"`',
            file=file,
        )


def _recognised(file: Path, table: str, search: _Search, layout: Layout | None) -> Recognised:
    found, facts = search.found, search.facts
    order = (*SPELLINGS, *(column for column in found if column not in SPELLINGS))
    columns = {column: found[column].name for column in order if column in found}
    settings = source_settings(
        facts, columns, fill_down=search.fill_down, packed=search.packed, layout=layout
    )
    guesses = [
        Guess(file.stem, column, names(name), found[column].why, found[column].sure)
        for column, name in columns.items()
    ]
    if table == transactions.NAME:
        guesses += _absences(file.stem, columns)
    form = date_guess(file.stem, _dates(facts, columns)) if ORDERED_AT in columns else None
    if layout is not None:
        why = f"its headers are those of {layout.system}"
        guesses.insert(0, Guess(file.stem, LAYOUT, layout.name, why, sure=True))
    told = (*guesses, *settings.guesses(file.stem), *([form] if form else []))
    date_format = form.found if form else None
    return Recognised(
        table,
        columns,
        date_format,
        told,
        layout.name if layout else None,
        settings.of_source,
        interactions_beside(file, facts, columns, date_format) if EVENT in columns else None,
    )


def _dates(
    facts: Mapping[str, ColumnFacts], columns: Mapping[str, str | tuple[str, ...]]
) -> ColumnFacts:
    """The dates of a file; where they stand in two columns, joined."""
    mapped = columns[ORDERED_AT]
    if isinstance(mapped, str):
        return facts[mapped]
    return joined([facts[name] for name in mapped])


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
