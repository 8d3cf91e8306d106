"""Where in a TOML text a key stands, so that an error about a value can name its line."""

from __future__ import annotations

import re
import tomllib
from typing import Any

KeyPath = tuple[str | int, ...]
_KEY = re.compile(
    r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_STRING = re.compile(r'"([^"\\]*)"')


class TomlLines:
    """Lines of a TOML text by path; a path is made of keys, array positions and, within lists, the
    strings themselves.
    """

    def __init__(self, text: str) -> None:
        self._lines: dict[KeyPath, int] = {}
        arrays: dict[KeyPath, int] = {}
        table: KeyPath = ()
        key: KeyPath = ()
        for number, line in enumerate(text.splitlines(), start=1):
            stripped = line.strip()
            if stripped.startswith("[[") and "=" not in stripped:
                base = _keys(stripped.split("]]")[0] + "]]")
                arrays[base] = arrays.get(base, -1) + 1
                table = key = (*base, arrays[base])
                self._lines.setdefault(table, number)
            elif stripped.startswith("[") and (keys := _keys(stripped.split("]")[0] + "]")):
                table = key = _inside_array(keys, arrays)
                self._lines.setdefault(table, number)
            elif match := _KEY.match(line):
                key = (*table, *_keys(f"[{match.group(1)}]"))
                self._lines.setdefault(key, number)
                self._note_strings(key, line[match.end() :], number)
            else:
                self._note_strings(key, line, number)

    def _note_strings(self, key: KeyPath, text: str, number: int) -> None:
        for string in _STRING.findall(text):
            self._lines.setdefault((*key, string), number)

    def of(self, path: KeyPath) -> int | None:
        """Line of the longest stated beginning of `path`, else of the first that stands below it;
        None where there is neither.
        """
        for length in range(len(path), 0, -1):
            if (line := self._lines.get(tuple(path[:length]))) is not None:
                return line
        below = (line for stated, line in self._lines.items() if stated[: len(path)] == path)
        return next(below, None) if path else None


def _keys(header: str) -> KeyPath:
    """Keys of a table header such as `[fields.transactions."product id"]`; empty where it is
    none.
    """
    try:
        node: Any = tomllib.loads(header)
    except tomllib.TOMLDecodeError:
        return ()
    keys: list[str] = []
    while node:
        if isinstance(node, list):
            node = node[0]
            continue
        key, node = next(iter(node.items()))
        keys.append(key)
    return tuple(keys)


def _inside_array(keys: KeyPath, arrays: dict[KeyPath, int]) -> KeyPath:
    """A sub-table such as `[sources.columns]` belongs to the newest element of the array
    `sources`.
    """
    for length in range(len(keys), 0, -1):
        if keys[:length] in arrays:
            return (*keys[:length], arrays[keys[:length]], *keys[length:])
    return keys
