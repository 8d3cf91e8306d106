"""Models trained anew in both twins, to be compared byte by byte."""

from __future__ import annotations

from pathlib import Path

from features.consent.chain import canonical
from serving.proofs.stage.synthetic_shop import train
from serving.proofs.withheld.kept_models import KeptModels
from serving.proofs.withheld.twins import Twin, Twins


def differing_files(pair: Twins, folder: Path) -> tuple[int, int]:
    """Of a model trained in both twins: how many files were compared (its metrics are one more),
    and how many differ.
    """
    one, other = (
        _trained(twin, folder / name) for twin, name in ((pair.one, "one"), (pair.other, "other"))
    )
    names = {*one, *other}
    return len(names), sum(one.get(name) != other.get(name) for name in names)


def _trained(twin: Twin, folder: Path) -> dict[str, bytes]:
    twin.shop.ledger.append_all(twin.later)
    models = KeptModels(folder)
    train(twin.shop, models, twin.model)
    files = {file.name: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    return {**files, "metrics": canonical(models.runs[twin.model].metrics).encode()}
