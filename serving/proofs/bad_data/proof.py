"""The promise that bad data is named: no corrupt row gets in, none is lost in silence, and a mended
file loads what was missing; and so it is with files, settings and consents that are bad as a whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from features.intake.ingest import ingest
from features.intake.ingest_report import IngestReport
from features.intake.setup.new_workspace import create
from features.progress import Progress, part_of
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.proofs.bad_data.corrupt_rows import KINDS, Row
from serving.proofs.bad_data.kinds.every import GROUPS
from serving.proofs.bad_data.loaded_rows import OWN, VALUES, loaded, same
from serving.proofs.bad_data.spoilt_exports import (
    DIALECTS,
    PLACES,
    SET_ASIDE,
    Export,
    Planted,
    exports,
)
from serving.proofs.stage.proof import TENTH, Finding, Proof


@dataclass
class Tally:
    """What was counted and what was wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


ROWS = 0.8
"""What part of the time corrupt rows take."""


def prove(folder: Path, share: float, progress: Progress) -> Finding:
    """Corrupt rows of CSV, and then every other kind."""
    rows = prove_rows(folder / "rows", share, part_of(progress, 0.0, ROWS))
    others = prove_others(folder / "others", part_of(progress, ROWS, 1.0))
    kinds = len(KINDS) + sum(len(group.kinds) for group in GROUPS.values())
    return Finding(
        {"kinds": kinds, **rows.figures, **others.figures}, (*rows.faults, *others.faults)
    )


def prove_others(folder: Path, progress: Progress) -> Finding:
    """Spoil workspaces in every kind that is no corrupt row of CSV, one at a time."""
    faults: list[str] = []
    for position, (name, group) in enumerate(GROUPS.items()):
        progress(name, position / len(GROUPS))
        (folder / str(position)).mkdir(parents=True)
        faults += group.faults(folder / str(position))
    return Finding(
        {f"kinds of {name}": len(group.kinds) for name, group in GROUPS.items()}, tuple(faults)
    )


def prove_rows(folder: Path, share: float, progress: Progress) -> Finding:
    """Load spoilt exports in as many ways of writing CSV as `share` asks for, mend them, and load
    them again.
    """
    dialects = DIALECTS[:: max(1, round(1 / share))]
    places = PLACES if share >= 1 / TENTH else PLACES[1:2]
    tally = Tally()
    for position, dialect in enumerate(dialects):
        progress(f"way of writing {position + 1} of {len(dialects)}", position / len(dialects))
        _prove_one(folder / str(position), exports(dialect, places), tally)
    return Finding(
        {"kinds of corrupt rows": len(KINDS), "ways of writing CSV": len(dialects), **tally.counts},
        tuple(tally.faults),
    )


def _prove_one(folder: Path, files: Sequence[Export], tally: Tally) -> None:
    never_bad, shop = _shop(folder / "never-bad", files), _shop(folder / "mended", files)
    ingest(never_bad.workspace, never_bad.database)
    _write(shop, {export.name: export.spoilt for export in files})
    first = ingest(shop.workspace, shop.database)
    tally.faults += _faults_of_first(shop, files, first)
    before = loaded(shop)
    _write(shop, {export.name: export.mended for export in files})
    second = ingest(shop.workspace, shop.database)
    tally.faults += _faults_of_second(shop, second, before, loaded(never_bad))
    planted = sum(len(export.planted) for export in files)
    tally.counts.update(
        {
            "files": len(files),
            "corrupt rows planted": planted,
            "named with file, line and reason": first.rejected,
        }
        | {
            "good rows loaded exactly": len(before),
            "rows loaded after the fix": second.kept - first.kept,
        }
    )
    for opened in (never_bad, shop):
        opened.database.close()


def _shop(root: Path, files: Sequence[Export]) -> Shop:
    """A workspace made from one mended file, that reads all of them."""
    (root / "exports").mkdir(parents=True)
    for export in files:
        (root / "exports" / export.name).write_bytes(export.mended)
    create(root, [root / "exports" / files[-1].name])
    stated = root / "sayso.toml"
    stated.write_text(
        stated.read_text(encoding="utf-8").replace(f"exports/{files[-1].name}", "exports/*.csv"),
        encoding="utf-8",
    )
    return Shop(Workspace.open(root, OWN))


def _write(shop: Shop, contents: dict[str, bytes]) -> None:
    for name, content in contents.items():
        (shop.workspace.root / "exports" / name).write_bytes(content)


def _faults_of_first(shop: Shop, files: Sequence[Export], report: IngestReport) -> Iterator[str]:
    """What is wrong with a load of spoilt files."""
    planted = {(f"exports/{p.file}", p.line): p for export in files for p in export.planted}
    rejected = pd.read_csv(
        shop.workspace.rejected / "orders-together.csv", dtype=str, keep_default_na=False
    )
    cells = rejected[["file", "line", "reason", "raw"]].to_numpy().tolist()
    named = [(file, int(line), reason, raw) for file, line, reason, raw in cells]
    yield from _unnamed(planted, named)
    good = [row for export in files for row in export.good]
    if report.read != len(good) + len(planted) + len(SET_ASIDE) * len(files):
        yield (
            f"{report.read} rows were read of"
            f" {len(good) + len(planted) + len(SET_ASIDE) * len(files)} in the files"
        )
    if report.kept + sum(report.set_aside.values()) + report.rejected != report.read:
        yield "rows kept, set aside and rejected do not add up to the rows read"
    if {rule: count for rule, count in report.set_aside.items() if count} != dict.fromkeys(
        SET_ASIDE, len(files)
    ):
        yield f"other rows were set aside than {', '.join(SET_ASIDE)}: {report.set_aside}"
    if not same(loaded(shop), _expected(good)):
        yield "the warehouse holds something else than the good rows with their exact values"


def _unnamed(
    planted: dict[tuple[str, int], Planted], named: Sequence[tuple[str, int, str, str]]
) -> Iterator[str]:
    found = {(file, line): reason for file, line, reason, _ in named}
    if len(found) != len(named):
        yield "a row was rejected twice"
    for place, corrupt in planted.items():
        if place not in found:
            yield f"{corrupt.kind}: {place[0]}, line {place[1]}, was not rejected"
        elif corrupt.told not in found[place]:
            yield f"{corrupt.kind}: the reason says {found[place]!r} and not {corrupt.told!r}"
    for file, line in found.keys() - planted.keys():
        yield f"{file}, line {line}, is a good row and was rejected: {found[file, line]}"


def _faults_of_second(
    shop: Shop, report: IngestReport, before: pd.DataFrame, never_bad: pd.DataFrame
) -> Iterator[str]:
    """What is wrong with a load of the files once they were mended."""
    after = loaded(shop)
    if report.rejected or list(shop.workspace.rejected.glob("*")):
        yield f"{report.rejected} rows of the mended files are still rejected"
    if not same(after, never_bad):
        yield "after the fix the warehouse is not that of files that never were corrupt"
    if not same(after[after["order_id"].isin(before["order_id"])], before):
        yield "the rerun changed rows that were loaded before"


def _expected(rows: Sequence[Row]) -> pd.DataFrame:
    return pd.DataFrame(
        [_values(row, int(row.units), float(row.price)) for row in rows], columns=VALUES
    )


def _values(row: Row, units: int, price: float) -> tuple[object, ...]:
    return (
        row.client,
        row.order,
        row.sku,
        pd.Timestamp(row.day),
        units,
        price,
        units * price,
        " ".join(row.name.split()),
    )


BAD_DATA = Proof(
    "bad_data",
    "every kind of bad data, in rows, files, settings and consents, is named with file, line and"
    " reason; none gets in or is lost, and nothing is half loaded",
    prove,
)
