"""The fields, categories and words that a new workspace starts from, as the tables declare them;
the shop owner edits them in `sayso.toml`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from features.config.sources import Source
from features.tables.table import RETENTION_DAYS, StandardCategory, Table
from features.tables.tables import Tables

YEAR = 365


@dataclass(frozen=True)
class StandardField:
    """A field as it is declared unless the shop says otherwise."""

    table: str
    column: str
    category: str
    purposes: tuple[str, ...]
    label: str
    sensitivity: str
    retention_days: int | None
    source: str = ""


def standard_fields(table: Table) -> list[StandardField]:
    """The fields of `table`, those of a category together."""
    order = [category.name for category in table.categories]
    fields = [
        StandardField(
            table.name,
            column.name,
            entry.category,
            entry.purposes,
            entry.label,
            entry.sensitivity,
            entry.retention_days,
        )
        for column in table.columns
        if (entry := column.entry) is not None
    ]
    return sorted(
        fields,
        key=lambda field: order.index(field.category) if field.category in order else len(order),
    )


def filled_fields(sources: Sequence[Source], tables: Tables) -> list[StandardField]:
    """The standard fields that `sources` fill, each with the source that does: one of its own
    table where there is one.
    """
    found = []
    for table in tables.values():
        own = [source for source in sources if source.table == table.name]
        others = [source for source in sources if source.table in table.stated_in]
        for field in standard_fields(table):
            column = table.by_name[field.column]
            holders = [
                s for s in own if column.always_known or column.filled_by(s.stated, s.kinds_held)
            ]
            holders += [s for s in others if column.filled_by(s.stated, ())]
            found += [replace(field, source=source.name) for source in holders[:1]]
    return found


def retention_days(oldest: datetime | None, now: datetime) -> int:
    """How long a new workspace keeps data: three years, or as long as the oldest line and one more
    year need.
    """
    if oldest is None:
        return RETENTION_DAYS
    age = now.replace(tzinfo=None) - oldest
    return max(RETENTION_DAYS, (age.days // YEAR + 2) * YEAR)


def spoken(categories: Collection[StandardCategory]) -> str:
    """The categories within a sentence to the customer, such as "what you bought and when you
    ordered".
    """
    words = [category.spoken for category in categories]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
