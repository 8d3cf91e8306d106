"""What `sayso.toml` says of a source of data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import PurePath

from pydantic import Field

from features.config.section import (
    Currency,
    Days,
    InteractionKind,
    Section,
    TableName,
    Text,
    Zone,
)
from features.tables.declared.interactions import KIND, OCCURRED_AT


def names(mapped: str | Iterable[str]) -> str:
    """The file's name or names of a column, as they stand in a sentence."""
    return mapped if isinstance(mapped, str) else " and ".join(mapped)


def in_file(mapped: str | Iterable[str]) -> tuple[str, ...]:
    """The file's name or names of a column."""
    return (mapped,) if isinstance(mapped, str) else tuple(mapped)


class Cleaning(Section):
    """Which lines of a transactions source are no purchase of a customer.

    Each is counted when it is set aside.
    """

    cancellation_prefix: str | None = None
    """Orders whose number starts so are cancellations."""
    non_products: tuple[str, ...] = ()
    """Product codes (case-blind; `*` stands for any characters) that are postage, fees, vouchers or
    corrections.
    """
    wholesale_units: int | None = Field(default=None, gt=0)
    """A line of more units than this is a reseller's."""


class StatusesSection(Section):
    """What the words in a source's column `status` mean: whether an order was a purchase.

    Words that stand here nowhere are read as most shops mean them, where they are known
    (`features.intake.order_statuses`).
    """

    bought: tuple[Text, ...] = ()
    pending: tuple[Text, ...] = ()
    failed: tuple[Text, ...] = ()
    cancelled: tuple[Text, ...] = ()
    refunded: tuple[Text, ...] = ()
    returned: tuple[Text, ...] = ()
    test: tuple[Text, ...] = ()


class PackedSection(Section):
    """Several items of an order within one cell, such as `name:Mug|quantity:2;name:Tea|quantity:1`.

    Each item becomes a row, and each of its parts a column named `column.part`. A cell may be a
    list of JSON objects too.
    """

    column: Text
    names: tuple[Text, ...] = Field(min_length=2)
    """The names of the parts; the first begins an item."""
    sign: Text = ":"
    """What stands between a name and its value."""
    between: Text = "|;,"
    """Characters that stand between parts and between items; elsewhere a backslash precedes
    them.
    """

    @property
    def columns(self) -> dict[str, str]:
        """The names of the columns that it becomes, by the names of the parts."""
        return {name: f"{self.column}.{name}" for name in self.names}


class JoinSection(Section):
    """Another file that says more of a source's rows, such as the order or the customer of a line.

    Its columns are named `file.column`, by the file's name without its ending.
    """

    file: Text
    on: Text
    """The column of the rows that holds the key."""
    key: Text
    """The column of the other file that holds it, once for each of its rows."""

    def column(self, name: str) -> str:
        """What a column of the other file is called among those of the rows."""
        return f"{PurePath(self.file).stem}.{name}"


class Source(Section):
    """A file of the shop, or a table of a database of its own, and how its columns are called in
    the warehouse.
    """

    name: Text
    file: str = ""
    """A file, folder or pattern; a source has either this or a `url`."""
    url: Text | None = None
    """Address of a database, `postgres://reader:${SHOP_PASSWORD}@host/shop` for example, whose
    rows `query` gives or `database_table` holds; what stands in `${}` is a variable of the
    environment.
    """
    query: Text | None = None
    database_table: Text | None = None
    watermark: Text | None = None
    """The column of a database that grows with every row that is new or changed: the next load
    reads those rows alone in which it is larger.
    """
    table: TableName
    columns: dict[str, Text | tuple[Text, ...]]
    """Each column of the warehouse by the file's name for it; several names are joined, such as
    those of a date and a time.
    """
    date_format: str | None = None
    fill_down: bool = False
    """Whether what all lines of an order share stands on its first line alone."""
    only_with: Text | None = None
    """A row is a line only where this column of the file holds something; others, such as those of
    totals, are passed over.
    """
    currency: Currency | None = None
    """The currency of its prices where no column and no sign says it; the shop's where it is not
    given.
    """
    packed: PackedSection | None = None
    """How one cell holds several items of an order, where one does."""
    joins: tuple[JoinSection, ...] = ()
    """Other files that say more of its rows."""
    guests: tuple[str, ...] = ()
    """Customer ids that stand for anybody who has no account; their e-mail address tells them
    apart.
    """
    statuses: StatusesSection = StatusesSection()
    kinds: dict[InteractionKind, tuple[Text, ...]] = Field(default_factory=dict)
    """What the words in the column `kind` of interactions mean; rows of other words are set aside.
    Where none are stated, words are read as most systems mean them.
    """
    moments: dict[InteractionKind, Text] = Field(default_factory=dict)
    """Where a row tells of several interactions: by their kind, the file's column of the moment of
    each. An empty cell tells of none.
    """
    time_zone: Zone | None = None
    """In which a time without an offset is read; the shop's where none is stated."""
    cleaning: Cleaning = Cleaning()
    third_party: bool = False
    """Whether somebody other than the shop collected the data.

    Then it is read only with the evidence that its customers consented to that, and while somebody
    has looked at this evidence lately.
    """
    evidence: Text | None = None
    checked_on: date | None = None
    check_every_days: Days = 365

    @property
    def file_columns(self) -> tuple[str, ...]:
        """The names of all columns of the file that are read."""
        mapped = self.columns.values()
        read = [n for each in mapped for n in ([each] if isinstance(each, str) else each)]
        return (*read, *self.moments.values(), *([self.only_with] if self.only_with else []))

    @property
    def stated(self) -> frozenset[str]:
        """The columns of the warehouse that it states."""
        return frozenset((*self.columns, *((KIND, OCCURRED_AT) if self.moments else ())))

    @property
    def kinds_held(self) -> frozenset[str]:
        """The kinds of interactions that it may hold; none where that is not said."""
        return frozenset((*self.kinds, *self.moments))

    def faults(self) -> Iterator[tuple[str, str]]:
        """Which key contradicts others, and how."""
        if not self.file and self.url is None:
            yield "", f"the source `{self.name}` needs a `file`, or a `url` with a `query`"
        if self.file and self.url is not None:
            yield "url", f"the source `{self.name}` has a `file` and a `url`; remove one"
        of_database = ("query", "database_table", "watermark")
        if self.url is None:
            for key in of_database:
                if getattr(self, key) is not None:
                    yield key, f"`{key}` belongs to a database; add its `url`, or remove it"
        elif (self.query is None) == (self.database_table is None):
            yield "url", f"the source `{self.name}` needs either a `query` or a `database_table`"
        elif self.joins:
            yield "joins", "rows of a database are joined in its `query`; remove `joins`"
