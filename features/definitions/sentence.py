"""What may be said of a feature: a sentence as plain data, which `explain` fills in and translates.

A sentence states a fact that was used and claims no cause. The name of a place in it says how its
value reads: `{count}` a number (which also decides on singular or plural), `{times}` a ratio,
`{share}` so many of 100, `{ago}` days as "12 days ago", `{wait}` days as "12 days", `{amount}`
money, `{country}` the shop's own country.

Where the shop's record is old, "12 days ago" would be taken for days before today: `{ago}` is then
a date, and a sentence about the last days, or about now, is told up to the last day on record, or
has words of its own (`then`), in which `{until}` is that day.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Literal

Kind = Literal["number", "number_at_least_one", "tenths", "whole", "hundredths"]
"""How a value is rounded for its place: to 2 digits, the same and then not below 1, to 1 digit, to
a whole number, or times 100 to a whole number.
"""


NOW = re.compile(r"\b(last [0-9]|lately|now|since the last)\b")
"""What an old record does not say: it is told up to which day it holds, unless the sentence has
words of its own.
"""
PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Bounds:
    """A range of values: from `least` to `most`, strictly above `above` and strictly below
    `below`.

    `unknown` tells whether a value that is not known counts as within.
    """

    least: float = -inf
    most: float = inf
    above: float = -inf
    below: float = inf
    unknown: bool = False


@dataclass(frozen=True)
class Value:
    """What fills a place of a sentence: the value of `feature` (by default the one that says the
    sentence), rounded as `kind` says.
    """

    kind: Kind = "number"
    feature: str | None = None


Filling = Value | int | Literal["home_country"]
"""What fills a place: a feature's value, a number that is always the same, or the shop's own
country.
"""


@dataclass(frozen=True)
class Sentence:
    """A sentence and when it is true.

    `key` is what a recorded reason is found again by, so it never changes. `many` is the English
    plural, decided by `{count}`. `then` and `then_many` are said where the record is old. `where`
    holds bounds by the name of a feature; "" and a `Value` without `feature` stand for the feature
    that says the sentence. Each feature in `places` and `where` has to be known, unless its bounds
    say otherwise. A sentence that several features say names them all.
    """

    key: str
    text: str
    many: str = ""
    places: Mapping[str, Filling] = field(default_factory=dict)
    where: Mapping[str, Bounds] = field(default_factory=dict)
    then: str = ""
    then_many: str = ""

    def fault(self) -> str | None:
        """What is wrong with the sentence in itself; None where nothing is."""
        told = self.text + self.many + (self.then + self.then_many).replace("{until}", "")
        open_places = set(PLACE.findall(told)) - set(self.places)
        if open_places:
            return f"nothing fills {', '.join(f'`{{{name}}}`' for name in sorted(open_places))}"
        if not self.text or not self.about("it"):
            return "it has to have a text, and to be about a feature in `places` or `where`"
        return None

    @property
    def speaks_of_now(self) -> bool:
        """Whether it may be untrue of an old record as it stands."""
        return bool(self.then or NOW.search(self.text + self.many))

    def about(self, speaker: str) -> tuple[str, ...]:
        """Names of the features that the sentence is about when `speaker` says it."""
        named = [value.feature or "" for value in self.places.values() if isinstance(value, Value)]
        return tuple(dict.fromkeys(name or speaker for name in (*named, *self.where)))


@dataclass(frozen=True)
class Silent:
    """That a feature has no sentence, and why."""

    why: str


RANKS = Silent("helps to rank products and says nothing of any one of them")

Saying = Sequence[Sentence] | Silent
"""What a model's answers say of a feature: of several sentences the first that is true."""


def counted(
    key: str, text: str, many: str, *, least: float = 0.0, then: tuple[str, str] = ("", "")
) -> Sentence:
    """A sentence with a `{count}` without fractions, said from `least` on; `then` are its words
    where the record is old.
    """
    places, bounds = {"count": Value("whole")}, {"": Bounds(least=least)}
    return Sentence(key, text, many, places, bounds, *then)


def money(key: str, text: str, then: str = "") -> Sentence:
    """A sentence with an `{amount}` of money."""
    return Sentence(key, text, places={"amount": Value()}, then=then)


def where(key: str, text: str, bounds: Bounds, then: str = "") -> Sentence:
    """A sentence without values, said where its feature's value lies within `bounds`."""
    return Sentence(key, text, where={"": bounds}, then=then)
