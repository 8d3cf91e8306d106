"""JSON files: an object a line (`.jsonl`, `.ndjson`), or one list of objects (`.json`).

An object within an object becomes columns named `outer.inner`. Where an object holds one list of
objects, or of several one that is called as the lines of an order are, it becomes as many rows.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import pyarrow as pa

from features.errors import SourceError
from features.intake.reading.containers import open_bytes
from features.intake.reading.csv_records import LOST, is_utf_8, printable
from features.intake.reading.encodings import UTF_8, encoding_of
from features.intake.reading.raw_table import RawTable, as_text, text_table

ENDINGS = (".jsonl", ".ndjson", ".json")

LINES = ("line_items", "lineItems", "items", "order_items", "lines", "order_lines", "products")
"""What the lines of an order are called among other lists, such as those of taxes and refunds."""

Record = dict[str, str | None]


class JsonFile:
    """The objects of a JSON file; `rows` are (line, columns by name)."""

    def __init__(self, file: Path) -> None:
        """Raise `SourceError` where not one object can be read."""
        self.file = file
        self._misshapen: list[tuple[int, str]] = []
        self._replaced = False
        self._texts: dict[int, str] = {}
        self.rows = [
            (line, record) for line, found in self._objects() for record in _records(found)
        ]
        if not self.rows:
            why = self._misshapen[0][1] if self._misshapen else "it is empty"
            raise SourceError(
                f"the file holds no JSON object ({why}); write one object a line, or one list of"
                " objects",
                file=file,
            )

    @cached_property
    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for _, record in self.rows for name in record))

    @property
    def types(self) -> dict[str, pa.DataType]:
        """All names of the objects; every cell is read as text."""
        return dict.fromkeys(self._names, pa.string())

    def read(self, columns: Collection[str]) -> RawTable:
        """Those columns."""
        return text_table(
            list(columns),
            ([record.get(name) for name in columns] for _, record in self.rows),
            [line for line, _ in self.rows],
            self._misshapen,
        )

    def raw(self, lines: Collection[int]) -> dict[int, str]:
        """The objects at those lines, as they stand there."""
        return {line: self._texts.get(line, "") for line in lines}

    def _objects(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        encoding = encoding_of(self.file)
        # bytes that are no letters are found in the texts that hold them
        errors = "surrogateescape" if encoding == UTF_8 else "replace"
        self._replaced = errors == "replace"
        with TextIOWrapper(open_bytes(self.file), encoding, errors) as text:
            if (whole := self._whole(text)) is not None:
                yield from whole
                return
            text.seek(0)
            for line, content in enumerate(text, start=1):
                if content.strip():
                    yield from self._of_line(line, content.strip())

    def _whole(self, text: TextIOWrapper) -> list[tuple[int, Mapping[str, Any]]] | None:
        """The objects of a file that is one JSON value over several lines; None where it is not."""
        first = text.readline()
        if _parsed(first) is not None and text.readline().strip():
            return None
        text.seek(0)
        found = _parsed(text.read())
        if isinstance(found, Mapping):
            found = next((value for value in found.values() if _is_objects(value)), [found])
        if not isinstance(found, list):
            return None
        good = []
        for number, each in enumerate(found, 1):
            self._texts[number] = printable(json.dumps(each, ensure_ascii=False))
            if (fault := self._fault(each, self._texts[number])) is None:
                good.append((number, each))
            else:
                self._misshapen.append((number, fault))
        return good

    def _fault(self, found: object, text: str) -> str | None:
        """Why what a line holds is no row; None where it is one."""
        if self._replaced and LOST in text:
            return "it holds bytes that are no letter; export the file again"
        return _fault(found)

    def _of_line(self, line: int, content: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
        self._texts[line] = printable(content)
        found = _parsed(content)
        if (fault := self._fault(found, content)) is None:
            yield line, found
        else:
            self._misshapen.append((line, fault))


def _fault(found: object) -> str | None:
    """Why what a line holds is no row; None where it is one."""
    return found.fault if isinstance(found, _Object) else "it is no JSON object"


class _Object(dict[str, Any]):
    """A JSON object; `fault` says what its text says twice or in no letters, within it too."""

    fault: str | None = None


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    made = _Object(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        made.fault = f"the object names {next(n for n in names if names.count(n) > 1)!r} twice"
    for name, value in pairs:
        if made.fault is None and not (isinstance(value, str) and value.isascii()):
            made.fault = _fault_within(name, value)
    return made


def _fault_within(name: str, value: object) -> str | None:
    """What is wrong with a value or what it is made of."""
    if isinstance(value, str) and not is_utf_8(value):
        return f"{printable(name)} is '{printable(value)}', which holds bytes that are not UTF-8"
    inner = value if isinstance(value, list) else [value]
    return next((one.fault for one in inner if isinstance(one, _Object) and one.fault), None)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=str, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        return None


def _is_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, Mapping) for v in value)


def _records(found: Mapping[str, Any]) -> Iterator[Record]:
    lists = [name for name, value in found.items() if _is_objects(value)]
    flat = _flat({name: value for name, value in found.items() if name not in lists})
    lines = lists if len(lists) == 1 else [name for name in LINES if name in lists][:1]
    if not lines:
        yield flat
        return
    for each in found[lines[0]]:
        yield {**flat, **_flat(each, f"{lines[0]}.")}


def _flat(found: Mapping[str, Any], before: str = "") -> Record:
    flat: Record = {}
    for name, value in found.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{before}{name}."))
        elif isinstance(value, list):
            flat[before + name] = _list(value)
        else:
            flat[before + name] = as_text(value)
    return flat


def _list(values: Sequence[object]) -> str | None:
    """A list as one cell: that of a single value is the value, and one of several shows that it is
    a list, so that nobody takes it for an id.
    """
    told = [as_text(value) or "" for value in values]
    return f"[{', '.join(told)}]" if len(told) > 1 else next(iter(told), None)
