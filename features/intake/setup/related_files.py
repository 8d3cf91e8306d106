"""Which files belong together: another file has a row for each value of a column, under the same
name or as its `id`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from features.config.sources import JoinSection
from features.intake.reading.containers import ZIP
from features.intake.reading.source_files import files_of, opened
from features.intake.setup.column_facts import MOST, ColumnFacts, facts_of
from features.intake.setup.column_synonyms import bare

LOOKED_AT = 2_000
"""Distinct values of a column that are looked for in the other file."""
IDS = ("id", "entityid")


def gathered(named: Path) -> list[tuple[Path, Path]]:
    """What a file, a folder, an archive or a pattern holds: each source's path, and the file by
    which it is recognised. Files of one header are one source.

    Raises `SourceError` where nothing that is read is there.
    """
    if named.is_file() and named.suffix.lower() != ZIP:
        return [(named, named)]
    files = files_of(str(named), Path("/"))
    if len(files) > 1 and len({tuple(opened(file).types) for file in files}) == 1:
        return [(named, files[-1])]
    return [(file, file) for file in files]


def joins_of(file: Path, others: Sequence[Path]) -> tuple[JoinSection, ...]:
    """How other files are joined to the rows of `file`, each by one shared key; one may be joined
    to what an earlier one brought.

    Raises `SourceError` where a file cannot be read.
    """
    joins: list[JoinSection] = []
    facts = facts_of(file)
    left = {other: facts_of(other) for other in others}
    while found := next(
        ((other, keys) for other, its in left.items() if (keys := _keys(facts, other, its))), None
    ):
        other, (on, key) = found
        joins.append(JoinSection(file=str(other), on=on, key=key))
        del left[other]
        facts = facts_of(file, joins=joins)
    return tuple(joins)


def _keys(
    facts: Mapping[str, ColumnFacts], other: Path, its: Mapping[str, ColumnFacts]
) -> tuple[str, str] | None:
    """The column of the rows and that of the other file that hold the same ids, one row each."""
    for key, held in its.items():
        if held.filled < 1 or not held.values.is_unique:
            continue
        for on, mine in facts.items():
            if _same_name(on, key, other) and _holds(held, mine):
                return on, key
    return None


def _same_name(on: str, key: str, other: Path) -> bool:
    name = bare(on.rsplit(".", 1)[-1])
    if name == bare(key):
        return name.endswith(("id", "number", "nr", "sku", "code", "reference", "key"))
    named = name.removesuffix("id")
    return bare(key) in IDS and name.endswith("id") and bool(named) and named in bare(other.stem)


def _holds(held: ColumnFacts, mine: ColumnFacts) -> bool:
    known = set(held.texts or held.values.astype("str"))
    wanted = mine.values.dropna().astype("str").str.strip().drop_duplicates()[:LOOKED_AT]
    return bool(len(wanted)) and bool(wanted.isin(list(known)).mean() >= MOST)
