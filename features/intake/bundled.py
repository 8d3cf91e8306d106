"""The data set that comes with Sayso, for the demo and for a first try."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def bundled_file() -> Path:
    """Online Retail as Parquet: 541,909 order lines of a British gift shop;
    `features/intake/data/README.md` tells more.
    """
    return Path(str(files("features.intake").joinpath("data", "online_retail.parquet")))
