"""Who reads a page: in which language, how they came to it, and addresses that keep it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from explain.wording import Wording
from explain.words import Words


@dataclass(frozen=True)
class Reader:
    """The reader of one page.

    `chosen` is the language that they picked, None where their browser or the shop says it.

    `missed` tells that they asked for a language that is not there; `kept` is the part of the
    page's query that other languages keep. `signal` tells that their browser asked not to be
    profiled (`Sec-GPC: 1`): what was allowed was `stopped` by that now, or it was only `noted`.
    """

    words: Words
    wording: Wording
    chosen: str | None = None
    missed: bool = False
    kept: Mapping[str, str] = field(default_factory=dict)
    signal: str | None = None

    def address(self, path: str, **query: str | None) -> str:
        """An address of ours, which keeps the language that was picked."""
        asked = {
            name: value
            for name, value in {**query, "language": self.chosen}.items()
            if value is not None
        }
        return f"{path}?{urlencode(asked)}" if asked else path

    @property
    def languages(self) -> list[tuple[str, str, str]]:
        """Every language: its tag, its own name, and the address of this page in it, relative to
        it.
        """
        return [
            (tag, name, f"?{urlencode({**self.kept, 'language': tag})}")
            for tag, name in self.words.languages.items()
        ]


def reader_of(words: Words, chosen: str | None, accept_language: str | None, **kept: str) -> Reader:
    """The reader who picked the language `chosen`, or whose browser sent `Accept-Language`; the
    shop's language where neither helps.
    """
    if chosen is not None and (tag := words.known(chosen)):
        return Reader(words, words.wording(tag), tag, kept=kept)
    wished = (accept_language or "").strip()
    liked = words.accepted(wished)
    missed = chosen is not None or (liked is None and wished not in {"", "*"})
    return Reader(words, words.wording(liked), None, missed, kept)
