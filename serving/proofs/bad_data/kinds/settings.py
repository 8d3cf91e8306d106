"""What `sayso.toml` says, and how the files fit it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from serving.proofs.bad_data.kinds.plain import FILE, WHOLE
from serving.proofs.bad_data.spoilt_load import EXPORTS, SETTINGS, ExportGroup, Spoilt, changing


def _set(told: str, old: str, new: str, line: str | None = None) -> Spoilt:
    """Another text, which stands on the line that has to be named."""
    return Spoilt(changing(old, new), told, SETTINGS, new if line is None else line)


def _unfit(told: str, old: str, new: str, file: str = FILE) -> Spoilt:
    """Settings that the file does not fit."""
    return Spoilt(changing(old, new), told, file)


def _windows(root: Path) -> None:
    text = (root / SETTINGS).read_text(encoding="utf-8")
    named = text.replace('name = "shop"', 'name = "Käse"')
    (root / SETTINGS).write_bytes(named.encode("cp1252"))


def _loose(name: str) -> Callable[[Path], None]:
    """A pattern in place of the file's name, and a second file of another shape."""

    def spoil(root: Path) -> None:
        changing(f"{EXPORTS}/{FILE}", f"{EXPORTS}/*.csv")(root)
        (root / EXPORTS / name).write_text("client,order\nc1,A1\n", encoding="utf-8")

    return spoil


OF_SETTINGS = ExportGroup(
    {FILE: WHOLE},
    {
        "settings that are no TOML": _set("not TOML", 'name = "shop"', 'name = "shop'),
        "settings in the encoding of Windows": Spoilt(_windows, "UTF-8", SETTINGS),
        "a setting that nobody knows": _set(
            "is not known here", "[shop]\n", '[shop]\ncolour = "red"\n', 'colour = "red"'
        ),
        "a rate that is below nothing": _set(
            "greater than 0",
            "[sources.cleaning]",
            "[sources.cleaning]\n[shop.rates]\nUSD = -1.0",
            "USD = -1.0",
        ),
        "a zone that is nowhere": _set(
            "zone", 'time_zone = "UTC"', 'time_zone = "Europe/Atlantis"'
        ),
        "a currency that there is not": _set("currency", 'currency = "EUR"', 'currency = "euros"'),
        "a table that there is not": _set(
            "there is no such table", 'table = "transactions"', 'table = "sales"'
        ),
        "a list where a text belongs": _set("valid string", 'owner = "', 'owner = []  # "'),
        "a column of no table": _unfit("maps `colour`", 'title = "name"', 'colour = "name"'),
        "a column that has to be mapped": _unfit(
            "maps no `product_id`", 'product_id = "sku"\n', ""
        ),
        "a form of dates that is none": _unfit(
            "date_format", '# date_format = "%d/%m/%Y %H:%M"', 'date_format = "day %Q"'
        ),
        "a form of dates that does not fit": _unfit(
            "remove `date_format`", '# date_format = "%d/%m/%Y %H:%M"', 'date_format = "%d/%m/%Y"'
        ),
        "a pattern that fits no file": _unfit(
            "no such file", f"{EXPORTS}/{FILE}", f"{EXPORTS}/sales-*.csv", "sales-*.csv"
        ),
        "a file of another shape that a pattern takes in": Spoilt(
            _loose("notes.csv"), "is missing", "notes.csv"
        ),
    },
)
