"""What a declaration of a table says, and what follows from it.

A table's file states its columns, what each holds, which of them a source has to give, how the
others follow from these, and how each is entered in a new catalog. Nothing else names them again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

from features.catalog import Category
from features.errors import SaysoError

if TYPE_CHECKING:
    import pandas as pd

Derivation: TypeAlias = "Callable[[pd.DataFrame], pd.Series | int]"
"""A column's values from the other columns of its rows."""

CUSTOMER_ID = "customer_id"
"""The shop's own id of a customer, as a source states it; it stays in the vault."""
CUSTOMER = "customer"
"""The pseudonym that stands for it in the warehouse."""
RECORDED_AT = "recorded_at"
"""When the shop's system wrote a row down: operational metadata, used to look back in time and
never as a feature.
"""
SOURCE = "source"
"""Name of the data source that a row came from: it decides whether the row may be read, and is no
feature either.
"""
PLUMBING = frozenset({CUSTOMER, RECORDED_AT, SOURCE})
"""Columns by which rows are found and that are no field of anybody."""
RESERVED = PLUMBING | {CUSTOMER_ID, "file", "line", "rule", "as_of", "covers_from"}
"""Names that intake and gate give to columns of their own."""

RETENTION_DAYS = 1_095
"""How long a new catalog lets fields be kept unless it says otherwise: three years."""
PERSONAL = ("recommendations", "churn_prediction")
"""The purposes that a new catalog lets a customer's fields serve."""
FAIRNESS = "fairness_audit"


class TableError(SaysoError):
    """The declaration of a table contradicts itself. `table` is its name."""

    def __init__(self, message: str, *, table: str) -> None:
        super().__init__(f"the table `{table}`: {message}")
        self.table = table


class Kind(StrEnum):
    """What the cells of a column hold, which decides how they are read and kept."""

    ID = "id"
    TEXT = "text"
    PRICE = "price"
    QUANTITY = "quantity"
    MOMENT = "moment"

    @property
    def is_number(self) -> bool:
        """Whether it can be counted with."""
        return self in (Kind.PRICE, Kind.QUANTITY)

    @property
    def arrow(self) -> str:
        """Arrow's name of the type in which such a column is kept."""
        return _ARROW[self]


_ARROW = {
    Kind.ID: "string",
    Kind.TEXT: "string",
    Kind.PRICE: "double",
    Kind.QUANTITY: "int64",
    Kind.MOMENT: "timestamp[us]",
}


@dataclass(frozen=True)
class StandardCategory(Category):
    """A category that a new catalog has; `spoken` is its name within a sentence to the customer."""

    spoken: str = ""


@dataclass(frozen=True)
class CatalogEntry:
    """A field as a new catalog declares it; the shop owner edits that in `sayso.toml`."""

    category: str
    label: str
    purposes: tuple[str, ...] = PERSONAL
    sensitivity: Literal["ordinary", "sensitive"] = "ordinary"
    retention_days: int | None = None
    """None: as long as the shop's oldest order line needs, and `RETENTION_DAYS` at least."""


@dataclass(frozen=True)
class Column:
    """A column of a table. `kind` decides how a cell is read."""

    name: str
    kind: Kind
    required: bool = False
    """Whether every source of the table has to map it."""
    may_be_empty: bool = False
    """Whether an id, a number or a moment may be missing; texts may always be. A missing number is
    0.
    """
    of_order: bool = False
    """Whether all lines of an order share it, so that an export may state it on the first alone."""
    derived: Derivation | None = None
    """The column where a source has none, from the columns that come before it."""
    if_empty: Derivation | None = None
    """What stands in an event's empty cells, once its row has the pseudonym in `customer`."""
    tells_apart: bool = True
    """Whether two rows of different files that differ in this alone are two."""
    of_kinds: frozenset[str] = frozenset()
    """In a table of rows of several kinds: the kinds whose rows fill it."""
    told_by: str | None = None
    """The stated column that it follows from, where that alone tells it."""
    entry: CatalogEntry | None = None
    """How a new catalog declares it; a column without an entry is no field there."""

    @property
    def always_known(self) -> bool:
        """Whether it has values whatever a source of its table maps."""
        follows = self.derived is not None and self.told_by is None
        return self.required or follows or self.if_empty is not None

    def filled_by(self, stated: Collection[str], kinds: Collection[str]) -> bool:
        """Whether a source that states these columns, and rows of these kinds, fills it; of kinds
        that are not known it may hold any.
        """
        of_its_kinds = not (self.of_kinds and kinds) or not self.of_kinds.isdisjoint(kinds)
        return of_its_kinds and (self.name in stated or self.told_by in stated)


@dataclass(frozen=True, kw_only=True)
class Table:
    """What all tables have."""

    name: str
    columns: tuple[Column, ...]
    """In the order in which they are kept; the plumbing is not among them."""
    one_of: tuple[tuple[str, ...], ...] = ()
    """Groups of columns of which a source has to map one at least."""
    categories: tuple[StandardCategory, ...] = ()
    """Categories that a new catalog has on account of this table."""
    only_read: tuple[Column, ...] = ()
    """Columns that a source may map and that decide what becomes of its rows, such as an order's
    status; they are not kept.
    """
    stated_in: tuple[str, ...] = ()
    """Other tables whose sources may state columns of this one too."""
    kind: str | None = None
    """The column of `only_read` that says of which kind a row is, where rows are of several kinds.

    Each kind then fills columns of its own (`Column.of_kinds`), which have a category of their
    own, and who reads a column sees the rows of its kinds alone.
    """

    def __post_init__(self) -> None:
        names = [column.name for column in (*self.columns, *self.only_read)]
        if twice := {name for name in names if names.count(name) > 1}:
            raise self.fault(f"{_list(twice)} is declared twice")
        if reserved := RESERVED.intersection(names):
            raise self.fault(f"{_list(reserved)} is a name that Sayso uses itself; choose another")
        if unknown := {name for group in self.one_of for name in group} - {*names}:
            raise self.fault(f"{_list(unknown)} is needed, and no column of it")
        if (self.kind is None) == bool(self.kinds):
            raise self.fault("`kind` names the column that says the kinds of its rows")

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds that its rows may be of; none where they are all of one."""
        return frozenset().union(*(column.of_kinds for column in self.columns))

    def fault(self, message: str) -> TableError:
        """The error that says what is wrong with this declaration."""
        return TableError(message, table=self.name)

    @property
    def personal(self) -> bool:
        """Whether its rows are some customer's, who has a say in them."""
        return True

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """Its columns by their names, without the plumbing."""
        return {column.name: column for column in self.columns}

    @property
    def stated(self) -> tuple[Column, ...]:
        """The columns that a source of the table may map."""
        return (
            Column(CUSTOMER_ID, Kind.ID, required=True, may_be_empty=True, of_order=True),
            *self.columns,
            self._recorded_at,
            *self.only_read,
        )

    @cached_property
    def stated_by_name(self) -> Mapping[str, Column]:
        """What a source of the table may map, by name."""
        return {column.name: column for column in self.stated}

    @property
    def content(self) -> tuple[str, ...]:
        """Names of the columns in which rows of different files are alike that are the same."""
        own = (column for column in self.stated if column not in self.only_read)
        return tuple(column.name for column in own if column.tells_apart)

    @property
    def kept(self) -> tuple[tuple[str, str], ...]:
        """Names and Arrow types of the columns in the warehouse, in their order."""
        return (
            (CUSTOMER, "int64"),
            *self._own,
            (RECORDED_AT, Kind.MOMENT.arrow),
            (SOURCE, "string"),
        )

    @property
    def _own(self) -> tuple[tuple[str, str], ...]:
        return tuple((column.name, column.kind.arrow) for column in self.columns)

    @property
    def _recorded_at(self) -> Column:
        return Column(RECORDED_AT, Kind.MOMENT, required=True)


@dataclass(frozen=True)
class _Same:
    """What another column says; no lambda, as tables are handed to other processes."""

    column: str

    def __call__(self, rows: pd.DataFrame) -> pd.Series:
        return rows[self.column]


@dataclass(frozen=True, kw_only=True)
class Events(Table):
    """A table in which every row is an event of its own, such as an order line."""

    happened_at: str
    """The column of the event's moment, which is when it was recorded where no source says so."""

    def __post_init__(self) -> None:
        super().__post_init__()
        moment = self.by_name.get(self.happened_at)
        if moment is None or moment.kind is not Kind.MOMENT or not moment.always_known:
            raise self.fault(f"`{self.happened_at}` has to be a moment that every source maps")

    @property
    def _recorded_at(self) -> Column:
        return Column(
            RECORDED_AT,
            Kind.MOMENT,
            derived=_Same(self.happened_at),
            tells_apart=False,
        )


@dataclass(frozen=True, kw_only=True)
class States(Table):
    """A table in which a customer's newest row replaces the older ones, such as an address.

    What a source tells without a moment holds since the customer's first order.
    """

    @property
    def _recorded_at(self) -> Column:
        return Column(RECORDED_AT, Kind.MOMENT, may_be_empty=True)


@dataclass(frozen=True, kw_only=True)
class Facts(Table):
    """A table of things that are nobody's data, one row each, such as products."""

    key: str
    """The column that tells them apart."""
    called: str
    """The column of their names; one without a name is called by its key."""
    noun: str
    """What a row is about, in words."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if unknown := {self.key, self.called} - {*self.by_name}:
            raise self.fault(f"{_list(unknown)} is no column of it")

    @property
    def personal(self) -> bool:
        """Nobody's."""
        return False

    @property
    def stated(self) -> tuple[Column, ...]:
        """Its columns; there is no customer, and no time of recording."""
        return self.columns

    @property
    def kept(self) -> tuple[tuple[str, str], ...]:
        """As stated."""
        return self._own


def _list(names: AbstractSet[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))
