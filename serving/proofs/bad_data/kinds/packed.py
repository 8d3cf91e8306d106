"""Packed files: gzip and zip."""

from __future__ import annotations

import gzip
import io
import zipfile

from serving.proofs.bad_data.kinds.plain import WHOLE
from serving.proofs.bad_data.spoilt_load import ExportGroup, Spoilt, writing

GZIP, ZIP = "orders.csv.gz", "orders.zip"
PACKED = gzip.compress(WHOLE, mtime=0)


def _zip(**members: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return made.getvalue()


ARCHIVE = _zip(orders_csv=WHOLE)


def _locked() -> bytes:
    """An archive whose member says that it has a password."""
    content = bytearray(ARCHIVE)
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def _of_gzip(told: str, content: bytes) -> Spoilt:
    return Spoilt(writing(GZIP, content), told, GZIP)


def _of_zip(told: str, content: bytes, file: str = ZIP) -> Spoilt:
    return Spoilt(writing(ZIP, content), told, file)


OF_GZIP = ExportGroup(
    {GZIP: PACKED},
    {
        "gzip that is cut off": _of_gzip("damaged", PACKED[:-20]),
        "gzip whose content was changed": _of_gzip("damaged", PACKED[:-8] + bytes(4) + PACKED[-4:]),
        "a file that is called gzip": _of_gzip("damaged", WHOLE),
    },
)
OF_ZIP = ExportGroup(
    {ZIP: ARCHIVE},
    {
        "a zip archive that is cut off": _of_zip("damaged", ARCHIVE[: len(ARCHIVE) // 2]),
        "a zip archive whose content was changed": _of_zip(
            "damaged", ARCHIVE.replace(b"Mug 3", b"Mug 9"), "orders.csv"
        ),
        "a zip archive with a password": _of_zip("locked", _locked(), "orders.csv"),
        "a zip archive of pictures": _of_zip("no such file", _zip(mug_png=b"\x89PNG")),
    },
)
