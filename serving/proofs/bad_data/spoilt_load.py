"""Workspaces of which one thing is spoilt at a time: it is named with its file and the reason, what
is good is loaded exactly or nothing is, and what is mended loads all.
"""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Protocol

import pandas as pd

from features.errors import SaysoError
from features.intake.ingest import ingest
from features.intake.ingest_report import IngestReport
from features.intake.setup.new_workspace import create
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.proofs.bad_data.loaded_rows import OWN, VALUES, loaded, same

Cell = str | int | float | datetime | None
Cells = tuple[Cell, ...]
COLUMNS = ("client", "order", "sku", "day", "units", "price", "name")
CLIENT, ORDER, SKU, DAY, UNITS, PRICE, NAME = range(len(COLUMNS))
ROWS: tuple[Cells, ...] = tuple(
    (
        f"c{number}",
        f"A{number}",
        f"p{number}",
        datetime(2024, 1, number, 10, 30),  # noqa: DTZ001  as cells of files hold it
        number,
        number + 0.5,
        f"Mug {number}",
    )
    for number in range(1, 7)
)
"""Good order lines, as a program holds them."""
SPOILT = 2
"""Position of the row that is spoilt where one is."""
EXPORTS, SETTINGS = "exports", "sayso.toml"
WRITTEN = f"{EXPORTS}/orders.csv"


class Group(Protocol):
    """Kinds of bad data that come in the same way."""

    @property
    def kinds(self) -> Mapping[str, object]:
        """The kinds by their names."""

    def faults(self, folder: Path) -> Iterator[str]:
        """What is wrong with how they are met, in a sentence each; `folder` is empty."""


@dataclass(frozen=True)
class Spoilt:
    """One kind: `spoil` changes the files of a workspace, and what is then refused has to name
    `file`, the `line` where there is one (a number, or a text that stands on it), and what is
    `told`.

    Where it spoils a `row` (its position) that is refused and the others load; else nothing is.
    """

    spoil: Callable[[Path], None]
    told: str
    file: str
    line: int | str | None = None
    row: int | None = None
    along: int = 0
    """How many rows are refused along with what is named, since they need it."""


@dataclass(frozen=True)
class ExportGroup:
    """Exports in `files` (by their names), each kind spoilt in turn in the same workspace.

    `rows` are what the good ones hold.
    """

    files: Mapping[str, bytes]
    kinds: Mapping[str, Spoilt]
    rows: Sequence[Cells] = ROWS
    settle: Callable[[Path], None] = field(default=lambda _root: None)
    """Changes the settings of the workspace once it is made."""

    def faults(self, folder: Path) -> Iterator[str]:
        """What is wrong with how the kinds are met."""
        root = folder / "shop"
        exports = root / EXPORTS
        exports.mkdir(parents=True)
        told = f"{EXPORTS}/{next(iter(self.files))}"
        (root / SETTINGS).write_text(_settings().replace(WRITTEN, told), encoding="utf-8")
        self.settle(root)
        for name, content in self.files.items():
            (exports / name).write_bytes(content)
        shutil.copytree(exports, folder / "good" / EXPORTS)
        shutil.copy(root / SETTINGS, folder / "good")
        shop = Shop(Workspace.open(root, OWN))
        try:
            ingest(shop.workspace, shop.database)
            if not same(loaded(shop), frame_of(self.rows)):
                yield f"the good rows of {', '.join(self.files)} are not loaded as they are"
            for name, kind in self.kinds.items():
                yield from (f"{name}: {fault}" for fault in self._of_kind(shop, folder, kind))
            yield from self._mended(shop)
        finally:
            shop.database.close()

    def _of_kind(self, shop: Shop, folder: Path, kind: Spoilt) -> Iterator[str]:
        """Spoil, load, and put back what was."""
        root = shop.workspace.root
        before = _state(root)
        kind.spoil(root)
        kind = replace(kind, line=_line(root, kind))
        try:
            report = ingest(Workspace.open(root, OWN), shop.database)
        except SaysoError as error:
            yield from _faults_of_refusal(kind, str(error), before, _state(root))
        except Exception as error:  # noqa: BLE001  whatever else is raised is what is looked for
            yield f"it ends in {type(error).__name__}: {error}"
        else:
            yield from self._faults_of_load(shop, kind, report)
        finally:
            shutil.rmtree(root / EXPORTS)
            shutil.copytree(folder / "good", root, dirs_exist_ok=True)

    def _faults_of_load(self, shop: Shop, kind: Spoilt, report: IngestReport) -> Iterator[str]:
        if kind.row is None:
            yield f"it was loaded: {report.kept} of {report.read} rows"
            return
        refused = [row for file in report.rejected_files for row in _rejected(file)]
        told = [
            kind.told in reason
            for file, line, reason in refused
            if (Path(file).name, line) == (kind.file, kind.line)
        ]
        if told != [True] or len(refused) != 1 + kind.along:
            yield f"refused is {refused}, and not {kind.file}, line {kind.line}: {kind.told!r}"
        good = [row for position, row in enumerate(self.rows) if position != kind.row]
        if not same(loaded(shop), frame_of(good)):
            yield "what is loaded is not the good rows with their exact values"

    def _mended(self, shop: Shop) -> Iterator[str]:
        report = ingest(shop.workspace, shop.database)
        if report.rejected or not same(loaded(shop), frame_of(self.rows)):
            yield f"the mended {', '.join(self.files)} do not load what was missing"


def _state(root: Path) -> dict[str, bytes]:
    """Every file of the warehouse and of what is rejected."""
    files = [*(root / "warehouse").rglob("*"), *(root / "rejected").rglob("*")]
    return {str(file): file.read_bytes() for file in files if file.is_file()}


@cache
def _settings() -> str:
    """The settings of a workspace that was made of the good rows as CSV."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "shop" / WRITTEN
        file.parent.mkdir(parents=True)
        file.write_text(text_of(ROWS), encoding="utf-8")
        create(Path(folder) / "shop", [file])
        return (Path(folder) / "shop" / SETTINGS).read_text(encoding="utf-8")


def text_of(rows: Sequence[Cells], columns: Sequence[str] = COLUMNS) -> str:
    """Rows as CSV with a header."""
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return made.getvalue()


def frame_of(rows: Sequence[Cells]) -> pd.DataFrame:
    """What a warehouse holds of good rows."""
    return pd.DataFrame([_value(*row) for row in rows], columns=VALUES)


def _value(
    client: Cell, order: Cell, sku: Cell, day: Cell, units: Cell, price: Cell, name: Cell
) -> tuple[object, ...]:
    if not isinstance(units, int) or not isinstance(price, float):
        raise TypeError(units, price)
    return client, order, sku, pd.Timestamp(str(day)), units, price, units * price, name


def _faults_of_refusal(
    kind: Spoilt, told: str, before: dict[str, bytes], after: dict[str, bytes]
) -> Iterator[str]:
    if kind.row is not None:
        yield f"all was refused for one row: {told}"
    where = kind.file if kind.line is None else f"{kind.file}, line {kind.line}"
    if where not in told or kind.told not in told:
        yield f"it is told as {told!r}, which does not name {where!r} and {kind.told!r}"
    if before != after:
        yield "it was refused, and the warehouse or what is rejected changed"


def _line(root: Path, kind: Spoilt) -> int | None:
    """The line that has to be named."""
    if not isinstance(kind.line, str):
        return kind.line
    lines = (root / kind.file).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if kind.line in line)


def _rejected(file: Path) -> Iterator[tuple[str, int, str]]:
    rows = pd.read_csv(file, dtype=str, keep_default_na=False)
    for name, line, reason in rows[["file", "line", "reason"]].itertuples(index=False, name=None):
        yield name, int(line), reason


def with_cells(rows: Sequence[Cells], **cells: Cell) -> list[Cells]:
    """The rows with other cells in the one that is spoilt."""
    changed = tuple(cells.get(name, cell) for name, cell in zip(COLUMNS, rows[SPOILT], strict=True))
    return [*rows[:SPOILT], changed, *rows[SPOILT + 1 :]]


def writing(name: str, content: bytes) -> Callable[[Path], None]:
    """Puts another content into one of the exports."""

    def spoil(root: Path) -> None:
        (root / EXPORTS / name).write_bytes(content)

    return spoil


def changing(old: str, new: str) -> Callable[[Path], None]:
    """Replaces a text of `sayso.toml`."""

    def spoil(root: Path) -> None:
        settings = root / SETTINGS
        text = settings.read_text(encoding="utf-8")
        if old not in text:
            raise ValueError(old)
        settings.write_text(text.replace(old, new, 1), encoding="utf-8")

    return spoil
