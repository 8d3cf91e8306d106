"""What is odd about a load beside the one before it. Ordinary growth, seasons and retention are
not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from features.intake.health.figures import Figures, Range, TableFigures
from features.tables.declared import products, transactions
from features.warehouse.pauses import is_old

FEWER = 0.2
"""Loads hold what the ones before held; retention and erasures take away a few parts in a hundred
at a time, a cut-off export or a lost source more than this.
"""
MORE = 1.8
"""Times as many lines for each day covered: a Christmas does that to a week and never to the whole
record, while an export that is loaded twice under other numbers does.
"""
EMPTIED = 0.2
"""Share of a column's cells that may become empty: forms and exports change a little at a time."""
SHIFTED = 3.0
"""Times the usual number, in the middle and at the upper end: sales and other products stay below,
cents for euros and another currency do not.
"""
EXTREME = 50.0
"""Times the largest number so far: such a one is a slip of a finger."""
MOVED = 0.4
"""By how much a value's share of a column may change: seasons and campaigns stay below."""
ENOUGH = 30
"""Rows from which shares and quantiles mean something."""
COUNTED = (transactions.NAME, products.NAME)
"""Tables whose rows are lines and products, which are counted as such."""


@dataclass(frozen=True)
class Oddity:
    """Something odd: `what` it is about, and `told` in a sentence with its likely cause."""

    what: str
    told: str


def drift(before: Figures, after: Figures) -> list[Oddity]:
    """What is odd about the whole record `after` a load, beside that `before`."""
    return [
        *_counts(before, after),
        *_gone_back(before, after),
        *_moved("lines read", "outcome", before.outcomes, after.outcomes),
        *_moved("lines", "currency", before.currencies, after.currencies),
        *(
            oddity
            for name, table in before.tables.items()
            for oddity in _table(name, table, after.tables.get(name))
        ),
    ]


def drift_of_added(
    before: Mapping[str, TableFigures], added: Mapping[str, TableFigures]
) -> list[Oddity]:
    """What is odd about the rows that came since, beside all rows before: within a long record a
    few bad days are lost.
    """
    return [
        Oddity(f"new {oddity.what}", f"of what is new: {oddity.told}")
        for name, table in added.items()
        if name in before
        for oddity in _columns(name, before[name], table)
    ]


def standing(newest: datetime, since: datetime, now: datetime, pause: timedelta) -> list[Oddity]:
    """Whether nothing newer than `newest` came, over loads `since` a moment, for longer than the
    shop's usual pause.
    """
    if not (is_old(newest, now, pause) and is_old(since, now, pause)):
        return []
    return [
        Oddity(
            "newest standing",
            f"nothing newer than {newest:%Y-%m-%d} has come since the load of {since:%Y-%m-%d}: is"
            " the export still written, and to this place?",
        )
    ]


def _counts(before: Figures, after: Figures) -> Iterator[Oddity]:
    for name, count in before.counts.items():
        found = after.counts.get(name, 0)
        if count >= ENOUGH and found < count * (1 - FEWER):
            yield Oddity(
                f"{name} fewer",
                f"{found:,} {name} where the last load had {count:,}: an export that was cut off, a"
                " source that is gone, or another rule of what a purchase is?",
            )
    density, was = (one.counts["lines"] / _days(one) for one in (after, before))
    if before.counts["lines"] >= ENOUGH and density > MORE * was:
        yield Oddity(
            "lines more",
            f"{density:,.1f} lines a day where the last load had {was:,.1f}: were orders loaded"
            " twice, under other numbers?",
        )


def _days(of: Figures) -> int:
    return (of.newest - of.oldest).days + 1


def _gone_back(before: Figures, after: Figures) -> Iterator[Oddity]:
    if after.newest < before.newest:
        yield Oddity(
            "newest older",
            f"the newest record is of {after.newest:%Y-%m-%d %H:%M} and was of"
            f" {before.newest:%Y-%m-%d %H:%M} at the last load: an older export in place of a newer"
            " one?",
        )


def _table(name: str, before: TableFigures, after: TableFigures | None) -> Iterator[Oddity]:
    if after is None or not after.rows:
        if before.rows:
            yield Oddity(
                f"{name} gone",
                f"the table {name} is empty and had {before.rows:,} rows at the last load: was its"
                " source taken out of sayso.toml?",
            )
        return
    if name not in COUNTED and before.rows >= ENOUGH and after.rows < before.rows * (1 - FEWER):
        yield Oddity(
            f"{name} fewer",
            f"the table {name} has {after.rows:,} rows and had {before.rows:,} at the last load:"
            " was a column or a source of it left out of the export?",
        )
    yield from _columns(name, before, after)


def _columns(name: str, before: TableFigures, after: TableFigures) -> Iterator[Oddity]:
    if min(before.rows, after.rows) < ENOUGH:
        return
    for column, was in before.empty.items():
        found = after.empty.get(column, 1.0)
        if found - was > EMPTIED:
            yield Oddity(
                f"{name}.{column} empty",
                f"{name}.{column} is empty in {_percent(found)} of the rows and was in"
                f" {_percent(was)}: is its column still in the export, under the same name?",
            )
    for column, was_range in before.ranges.items():
        if column in after.ranges:
            yield from _range(f"{name}.{column}", was_range, after.ranges[column])
    for column, were in before.shares.items():
        told = after.empty.get(column, 1.0)
        if told - before.empty.get(column, 0.0) <= EMPTIED:
            yield from _moved(f"rows of {name}", column, were, after.shares.get(column, {}))


def _range(column: str, before: Range, after: Range) -> Iterator[Oddity]:
    middle, upper = _times(after.middle, before.middle), _times(after.upper, before.upper)
    if min(middle, upper) > SHIFTED or max(middle, upper) < 1 / SHIFTED:
        yield Oddity(
            f"{column} shifted",
            f"{column} is {after.middle:,.2f} in the middle and was {before.middle:,.2f}: another"
            " unit, currency or way to write numbers?",
        )
    elif before.most > 0 and after.most > EXTREME * before.most:
        yield Oddity(
            f"{column} extreme",
            f"the largest {column} is {after.most:,.2f} and was {before.most:,.2f}: a slip in one"
            " line?",
        )


def _times(after: float, before: float) -> float:
    """How many times as large; 1 where nothing can be said."""
    return after / before if before > 0 and after > 0 else 1.0


def _moved(
    rows: str, column: str, before: Mapping[str, float], after: Mapping[str, float]
) -> Iterator[Oddity]:
    """A value whose share changed much: of several the one that came to have most."""
    if not before or not after:
        return
    changes = {value: after.get(value, 0.0) - before.get(value, 0.0) for value in {*before, *after}}
    value = max(sorted(changes), key=lambda one: (abs(changes[one]), changes[one]))
    if abs(changes[value]) > MOVED:
        yield Oddity(
            f"{rows} by {column}",
            f"{_percent(after.get(value, 0.0))} of the {rows} have the {column} {value!r}, which"
            f" {_percent(before.get(value, 0.0))} had before: another source, or another rule?",
        )


def _percent(share: float) -> str:
    return f"{share:.0%}" if share in (0, 1) or 0.01 <= share <= 0.99 else f"{share:.1%}"
