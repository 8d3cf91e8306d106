"""Layouts of the exports of known systems, one small file each (`layouts/*.toml`).

A layout says by which headers it is known, which column is what, and where that is documented. A
shop or a partner adds one by adding a file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files as resources

from pydantic import BaseModel, ConfigDict

from features.config.sources import PackedSection, StatusesSection
from features.intake.setup.column_facts import ColumnFacts
from features.intake.setup.column_synonyms import bare
from features.tables.declared.products import PRODUCT_ID

FILLED = 0.5
"""Of the columns that may be something, the first is taken of which so many cells are filled; of
those that may name the product, of which all are.
"""

Choice = str | tuple[str, ...]


class Layout(BaseModel):
    """How the export of a system is read.

    `needs` are the headers by which it is known; of a list within it one must be there. `columns`
    gives for each of the warehouse's columns the headers that may hold it, the best first; several
    headers in one entry are joined. `moments` gives, where a row tells of several interactions, the
    headers that may hold the moment of each kind. `packed` says how one cell holds several items,
    `statuses` what words of this system mean that others use otherwise, `only_with` what a row must
    have to be a line. An export without order lines is refused with the sentence `refused`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    system: str
    cites: str
    table: str = "transactions"
    needs: tuple[Choice, ...]
    fill_down: bool = False
    only_with: str | None = None
    packed: PackedSection | None = None
    statuses: StatusesSection = StatusesSection()
    refused: str = ""
    columns: dict[str, tuple[Choice, ...]] = {}
    moments: dict[str, tuple[str, ...]] = {}

    def fits(self, headers: Mapping[str, str]) -> bool:
        """Whether a file with these headers (by their bare names) is such an export."""
        return all(
            any(bare(name) in headers for name in ([need] if isinstance(need, str) else need))
            for need in self.needs
        )

    def chosen(self, facts: Mapping[str, ColumnFacts]) -> dict[str, Choice]:
        """The file's columns by the warehouse's, those that are there and filled."""
        headers = by_bare_name(facts)
        found: dict[str, Choice] = {}
        for column, choices in self.columns.items():
            present = [c for choice in choices if (c := _present(choice, headers)) is not None]
            least = 1.0 if column == PRODUCT_ID else FILLED
            filled = [c for c in present if _filled(c, facts) >= least]
            used = [c for c in present if _filled(c, facts) > 0]
            if filled or used:
                found[column] = filled[0] if filled else max(used, key=lambda c: _filled(c, facts))
        return found

    def moments_in(self, facts: Mapping[str, ColumnFacts]) -> dict[str, str]:
        """The file's column of the moment of each kind, of those that are there and filled."""
        headers = by_bare_name(facts)
        found = {
            kind: [name for choice in choices if (name := headers.get(bare(choice))) is not None]
            for kind, choices in self.moments.items()
        }
        used = {kind: [n for n in named if facts[n].filled] for kind, named in found.items()}
        return {kind: named[0] for kind, named in used.items() if named}


def layout_of(facts: Mapping[str, ColumnFacts]) -> Layout | None:
    """The layout that needs most of the headers that are there; None where no layout fits."""
    headers = by_bare_name(facts)
    fitting = [layout for layout in layouts() if layout.fits(headers)]
    return max(fitting, key=lambda layout: len(layout.needs), default=None)


@cache
def layouts() -> tuple[Layout, ...]:
    """All layouts there are, by their names."""
    folder = resources("features.intake.setup").joinpath("layouts")
    found = sorted((file for file in folder.iterdir()), key=lambda file: file.name)
    return tuple(
        Layout.model_validate(
            {"name": file.name.removesuffix(".toml"), **tomllib.loads(file.read_text("utf-8"))}
        )
        for file in found
        if file.name.endswith(".toml")
    )


def by_bare_name(facts: Mapping[str, ColumnFacts]) -> dict[str, str]:
    """The file's headers by their bare names."""
    return {bare(name): name for name in reversed(list(facts))}


def _present(choice: Choice, headers: Mapping[str, str]) -> Choice | None:
    if isinstance(choice, str):
        return headers.get(bare(choice))
    found = tuple(headers[bare(name)] for name in choice if bare(name) in headers)
    return found if len(found) == len(choice) else None


def _filled(choice: Choice, facts: Mapping[str, ColumnFacts]) -> float:
    return facts[choice if isinstance(choice, str) else choice[0]].filled
