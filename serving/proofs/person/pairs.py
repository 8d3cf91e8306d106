"""Pairs of ids: of one customer, written in two ways, and of two who are easily taken for one."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice

SPACES = (" ", "  ", "\u00a0", "\u2003", " \u00a0")


@dataclass(frozen=True)
class Pair:
    """Two ids; `same` tells whether they are of one customer, `kind` in what they differ."""

    first: str
    second: str
    same: bool
    kind: str


Kind = Callable[[int], tuple[str, str]]


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def _spaced(text: str, number: int) -> str:
    return SPACES[number % len(SPACES)] + text + SPACES[number // 7 % len(SPACES)]


ONE: dict[str, Kind] = {
    "case of an address": lambda n: (f"Anna.{n}@Example.com", f"ANNA.{n}@eXample.COM"),
    "spaces around a number": lambda n: (f"{n + 100_000}", _spaced(f"{n + 100_000}", n)),
    "Unicode form of a name": lambda n: (f"Müller-{n}", _decomposed(f"Müller-{n}")),
    "all of it in an address": lambda n: (
        f"jürgen.{n}@example.de",
        _spaced(_decomposed(f"JÜRGEN.{n}@Example.de"), n),
    ),
    "Unicode form of a syllable": lambda n: (f"가{n}", _spaced(_decomposed(f"가{n}"), n)),
    "an address of capital letters": lambda n: (f"ÅSA{n}@EXAMPLE.SE", f"åsa{n}@example.se"),
}
"""Ways to write one id."""
TWO: dict[str, Kind] = {
    "case of a number": lambda n: (f"A{n}q", f"a{n}q"),
    "zeros at the beginning": lambda n: (f"0{n + 5_000_000}", f"{n + 5_000_000}"),
    "a space within": lambda n: (f"B {n}", f"B{n}"),
    "two spaces within": lambda n: (f"D {n}", f"D  {n}"),
    "a ligature": lambda n: (f"ﬁ{n}", f"fi{n}"),
    "an accent": lambda n: (f"Muller {n}", f"Müller {n}"),
    "a dot in an address": lambda n: (f"j.doe{n}@example.com", f"jdoe{n}@example.com"),
    "a tag of an address": lambda n: (f"eve{n}@example.com", f"eve{n}+shop@example.com"),
    "wide letters": lambda n: (f"Ｗ{n}", f"W{n}"),  # noqa: RUF001 - the wide letter is what it is about
    "an address and a name": lambda n: (f"Zoe{n}@example.com", f"Zoe{n}.example.com"),
}
"""Ids of two customers that are easily taken for one."""


def pairs(count: int, begin: int = 0) -> Iterator[Pair]:
    """So many pairs, of all kinds in turn; no two of them have an id in common, nor have those of
    other numbers.
    """
    kinds = [*((kind, make, True) for kind, make in ONE.items())]
    kinds += [(kind, make, False) for kind, make in TWO.items()]
    for number, (kind, make, same) in enumerate(islice(cycle(kinds), count), start=begin):
        yield Pair(*make(number), same, kind)
