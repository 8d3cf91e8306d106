"""JSON files: an object a line (`.jsonl`, `.ndjson`), or one list of objects (`.json`).

An object within an object becomes columns named `outer.inner`. Where an object holds one list of
objects, or of several one that is called as the lines of an order are, it becomes as many rows.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import pyarrow as pa

from features.errors import SourceError
from features.intake.reading.containers import DAMAGED, damaged, open_bytes
from features.intake.reading.encodings import encoding_of
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
        with TextIOWrapper(open_bytes(self.file), encoding_of(self.file), "replace") as text:
            try:
                if (whole := self._whole(text)) is not None:
                    yield from whole
                    return
                text.seek(0)
                for line, content in enumerate(text, start=1):
                    if content.strip():
                        yield from self._of_line(line, content.strip())
            except DAMAGED as error:
                raise damaged(self.file, error) from None

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
        self._texts = {
            number: json.dumps(each, ensure_ascii=False) for number, each in enumerate(found, 1)
        }
        good = [(number, each) for number, each in enumerate(found, 1) if isinstance(each, Mapping)]
        self._misshapen += [
            (number, "it is no JSON object")
            for number, each in enumerate(found, 1)
            if not isinstance(each, Mapping)
        ]
        return good

    def _of_line(self, line: int, content: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
        self._texts[line] = content
        found = _parsed(content)
        if isinstance(found, Mapping):
            yield line, found
        else:
            self._misshapen.append((line, "the line is no JSON object"))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=str)
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
            flat[before + name] = ", ".join(str(each) for each in value) or None
        else:
            flat[before + name] = as_text(value)
    return flat
