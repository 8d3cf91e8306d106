"""The rows of one source by what becomes of them: kept, set aside or rejected."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from features.catalog import CustomerIds
from features.config.schema import Shop as ShopSection
from features.config.sources import Source
from features.errors import SourceError
from features.intake.cleaning import RULES, Cleaned, clean, judged, of_customers
from features.intake.health.figures import currency_counts
from features.intake.ingest_report import Counted, counted
from features.intake.purchases import accounts_of
from features.intake.reading.checking.absent import same_text
from features.intake.reading.rejected import rejections
from features.intake.reading.sources import SourceRows
from features.tables.declared import transactions
from features.tables.table import SOURCE, Facts, Table
from features.tables.tables import Tables

QUOTED = r"""(?<= is )('[^']*'|"[^"]*"|[-0-9.e+]+)"""
KINDS = 5


@dataclass(frozen=True)
class SortedRows:
    """The rows of one source: `kept`, `aside` (with a column `rule`) and `rejected`; `found` says
    how they were read, without them, `accounts` which stand beside e-mail addresses, and
    `currencies` how many lines name each.
    """

    source: Source
    table: Table
    found: SourceRows
    kept: pd.DataFrame
    aside: pd.DataFrame
    rejected: pd.DataFrame
    accounts: dict[str, str]
    currencies: dict[str, int]

    @property
    def set_aside(self) -> dict[str, int]:
        """Rows set aside, by rule."""
        return {str(rule): int(rows) for rule, rows in self.aside["rule"].value_counts().items()}

    @property
    def by_status(self) -> dict[str, Counted]:
        """Order lines set aside and their orders, by rule."""
        return counted(self.aside) if self.table.name == transactions.NAME else {}

    @property
    def read(self) -> int:
        """How many rows there were."""
        return len(self.kept) + len(self.aside) + len(self.rejected)


def in_a_zone(source: Source, of_shop: str) -> Source:
    """The source with the zone of its times without an offset: its own, else the shop's."""
    return source.model_copy(update={"time_zone": source.time_zone or of_shop})


def sort_rows(
    found: SourceRows,
    source: Source,
    tables: Tables,
    shop: ShopSection,
    ids: CustomerIds,
    accounts: Mapping[str, str] | None = None,
) -> SortedRows:
    """What becomes of the rows that were `found` in a source.

    Where they go on with rows that were read before, whose `accounts` are stated by e-mail address,
    purchases are still whole of which something came back.
    """
    table, mails = tables[source.table], {}
    if table.name == transactions.NAME and transactions.CUSTOMER_EMAIL in source.columns:
        mails = accounts_of(found.rows, source)
    if isinstance(table, Facts):
        kept, repeated = _each_once(found.rows, table)
        nothing = found.rows[:0].assign(rule=pd.Series(dtype="str"))
        cleaned = Cleaned(kept, nothing, repeated)
    elif table.name == transactions.NAME:
        cleaned = (
            clean(found.rows, source, shop.currency, shop.rates, ids)
            if accounts is None
            else judged(found.rows, source, shop.currency, shop.rates, ids, accounts)
        )
    else:
        cleaned = of_customers(found.rows, table)
    rejected = pd.concat([found.rejected, cleaned.rejected])
    read = replace(found, rows=pd.DataFrame())  # a slice would hold all of them
    said = currency_counts(found.rows) if table.name == transactions.NAME else {}
    return SortedRows(source, table, read, cleaned.kept, cleaned.set_aside, rejected, mails, said)


def rows_of(parts: Iterable[SortedRows], name: str, tables: Tables) -> pd.DataFrame:
    """The rows that were kept for a table, with their `source`."""
    frames = [
        part.kept.assign(**{SOURCE: same_text(part.source.name, part.kept.index)})
        for part in parts
        if part.table.name == name
    ]
    deciding = {column.name for column in tables[name].only_read}
    stated = (column for column in tables.stated_in(name) if column not in deciding)
    columns = ("file", "line", *stated, SOURCE)
    nothing = pd.DataFrame({column: pd.Series(dtype="str") for column in columns})
    if len(frames) == 1:
        return frames[0].reset_index(drop=True)
    return pd.concat(frames, ignore_index=True) if frames else nothing


def _each_once(rows: pd.DataFrame, table: Facts) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The first row of each thing, and the others as rejected."""
    again = rows[table.key].duplicated()
    first = rows[~again].set_index(table.key)["line"]
    repeated = rows.loc[again, ["file", "line", table.key]].itertuples(index=False, name=None)
    return rows[~again], rejections(
        (file, line, f"the {table.noun} {key!r} stands already in line {first[key]}")
        for file, line, key in repeated
    )


def refuse_many(part: SortedRows, accept: float) -> None:
    """Raise `SourceError` where more than the share `accept` of a source's lines is rejected."""
    rejected, read = part.rejected, part.read
    if len(rejected) <= accept * read:
        return
    kinds = rejected["reason"].str.replace(QUOTED, "...", regex=True).value_counts()
    told = "; ".join(f"{count:,} because {kind}" for kind, count in kinds.head(KINDS).items())
    first = rejected.iloc[0]
    share = len(rejected) / read
    raise SourceError(
        f"{len(rejected):,} of {read:,} lines ({share:.1%}) of the source `{part.source.name}`"
        f" would be rejected: {told}. The first is line {first['line']}, since {first['reason']}."
        f" Correct the file or the source in sayso.toml, or load the rest with"
        f" `sayso ingest --accept {math.ceil(share * 100) / 100:g}`",
        file=Path(str(first["file"])),
    )


def nothing_left(
    parts: Sequence[SortedRows], left_out: Mapping[str, int], faults: Mapping[str, str]
) -> SourceError:
    """The error that says what became of every line, and shows one rejected row."""
    aside = Counter(dict.fromkeys(RULES, 0))
    for part in parts:
        aside.update(part.set_aside)
    set_aside = {**aside, **left_out}
    counts = [f"{count:,} {rule.replace('_', ' ')}" for rule, count in set_aside.items() if count]
    counts += faults.values()
    rejected = pd.concat([part.rejected for part in parts]) if parts else rejections()
    if len(rejected):
        first = rejected.iloc[0]
        counts.append(
            f"{len(rejected):,} rejected, the first in {first['file']}, line {first['line']},"
            f" because {first['reason']}"
        )
    files = ", ".join(f"`{part.source.file}`" for part in parts)
    told = "; ".join(counts) or f"{files} has no row below its header"
    return SourceError(
        f"no purchase is left to load: {told}. Correct the file, or `columns` and `cleaning` of the"
        " source",
        file=Path("sayso.toml"),
    )
