"""Files of consents: taken in whole, or not at all."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from features.errors import SaysoError
from features.intake.setup.new_workspace import create
from features.shop.consent_import import import_consents
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.proofs.bad_data.loaded_rows import OWN

FILE = "consents.csv"
HEADER = ("customer_id", "purpose", "category", "action", "notice_version", "method", "occurred_at")
GOOD = tuple(
    (f"c{n}", "recommendations", "purchases", "granted", "1", "web_form", f"2024-05-0{n}T10:00:00Z")
    for n in range(1, 6)
)
SPOILT = 2


@dataclass(frozen=True)
class SpoiltConsents:
    """A file that is refused: its bytes, what is told of it, and on which line."""

    content: bytes
    told: str
    line: int | None = SPOILT + 2
    name: str = FILE


@dataclass(frozen=True)
class ConsentGroup:
    """Files of consents, each imported into a workspace whose ledger is empty."""

    kinds: Mapping[str, SpoiltConsents]

    def faults(self, folder: Path) -> Iterator[str]:
        """What is wrong with how the kinds are met."""
        create(folder / "shop")
        shop = Shop(Workspace.open(folder / "shop", OWN))
        try:
            for name, kind in self.kinds.items():
                yield from (f"{name}: {fault}" for fault in _faults(shop, kind))
            (folder / FILE).write_bytes(_written())
            if import_consents(folder / FILE, shop).added != len(GOOD):
                yield "the mended consents are not imported"
        finally:
            shop.database.close()


def _faults(shop: Shop, kind: SpoiltConsents) -> Iterator[str]:
    file = shop.workspace.root / kind.name
    file.write_bytes(kind.content)
    try:
        report = import_consents(file, shop)
    except SaysoError as error:
        where = kind.name if kind.line is None else f"{kind.name}, line {kind.line}"
        if where not in str(error) or kind.told not in str(error):
            yield f"it is told as {str(error)!r}, which does not name {where!r} and {kind.told!r}"
    except Exception as error:  # noqa: BLE001  whatever else is raised is what is looked for
        yield f"it ends in {type(error).__name__}: {error}"
    else:
        yield f"it was imported: {report.added} consents"
    if seq := shop.ledger.position():
        yield f"it was refused, and {seq} consents are in the ledger"


def _written(**cells: str) -> bytes:
    rows = [list(row) for row in GOOD]
    for name, text in cells.items():
        rows[SPOILT][HEADER.index(name)] = text
    made = io.StringIO()
    csv.writer(made, lineterminator="\n").writerows([HEADER, *rows])
    return made.getvalue().encode()


def _cell(told: str, **cells: str) -> SpoiltConsents:
    return SpoiltConsents(_written(**cells), told)


WHOLE = _written()
CONSENTS = ConsentGroup(
    {
        "a consent of nobody": _cell("nobody's id", customer_id="null"),
        "a consent for a purpose that there is not": _cell("does not exist", purpose="marketing"),
        "a consent to what nobody asks for": _cell("is not asked for", category="telepathy"),
        "a word that is no consent": _cell("does not exist", action="yes please"),
        "a consent to a notice that nobody saw": _cell("has no version", notice_version="99"),
        "a consent of tomorrow": _cell("lies in the future", occurred_at="2199-01-01T10:00:00Z"),
        "a consent at no time": _cell("no moment", occurred_at="last week"),
        "a consent a cell short": SpoiltConsents(
            WHOLE.replace(b"c3,recommendations,", b"c3,"), "6 cells and the header 7"
        ),
        "consents all a cell too long": SpoiltConsents(
            WHOLE.replace(b"Z\n", b"Z,x\n"), "8 cells and the header 7", 2
        ),
        "a wrong consent below one of two lines": SpoiltConsents(
            WHOLE.replace(b"c2,", b'"c\n2",').replace(b"c3,recommendations", b"c3,nothing"),
            "line 5",
            3,
        ),
        "consents without the notice": SpoiltConsents(
            WHOLE.replace(b"notice_version", b"notice"), "notice_version are missing", None
        ),
        "packed consents that are cut off": SpoiltConsents(
            gzip.compress(WHOLE, mtime=0)[:-10], "neither CSV", None, "consents.csv.gz"
        ),
        "consents in the encoding of Windows": SpoiltConsents(
            WHOLE.replace(b"c3", b"K\xe4se"), "neither CSV in UTF-8", None
        ),
    }
)
