"""One language: its sentences, and how it writes numbers, money, dates, durations and lists (CLDR,
through Babel).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_datetime, format_timedelta
from babel.lists import format_list
from babel.numbers import format_currency, format_decimal
from babel.units import format_unit

ENGLISH = "en"
PLURALS = ("zero", "one", "two", "few", "many", "other")
"""CLDR's plural categories, in the order in which the forms of a translation stand."""
CACHED = 4_096
UNTIL, ON = "until", "on"
"""Places of days (ISO 8601) that are recorded where a record is old: its last one, and the one on
which something happened, in place of how long ago that was.
"""
ON_DAY, UP_TO = "on {day}", "Up to {until}: {said}"
IN_DAYS = 1e9
"""A threshold that no number of days reaches, so that weeks and months are never rounded to."""


@dataclass(frozen=True)
class Wording:
    """Says things in `language`.

    `sentences` holds the forms of each sentence, by its English text; what is missing is said in
    English.
    """

    language: str = ENGLISH
    sentences: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def locale(self) -> Locale:
        """Babel's view of the language."""
        return locale_of(self.language)

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`."""
        return str(self.locale.text_direction)

    def sentence(self, text: str, many: str = "", count: float | None = None) -> str:
        """The sentence whose English is `text` (`many` for more than one), in the form that `count`
        asks for; not filled yet.
        """
        forms = self.sentences.get(text)
        if not forms:
            return many if many and count is not None and _plural(ENGLISH, count) != "one" else text
        return (
            forms[0]
            if count is None or len(forms) == 1
            else forms[form_number(self.language, len(forms), count)]
        )

    def say(self, text: str, many: str = "", number: float | None = None, /, **values: str) -> str:
        """The sentence in the form that `number` asks for, filled with `values`, which are texts
        already.
        """
        return self.sentence(text, many, number).format_map(values)

    def number(self, value: float) -> str:
        """A number, with one digit after the point unless it is whole or large."""
        return _number(self.language, shown_number(value))

    def money(self, amount: float, currency: str) -> str:
        """An amount with its currency; a bare amount where the shop states none."""
        if not currency:
            return str(format_decimal(round(amount, 2), "#,##0.00", locale=self.locale))
        return str(format_currency(amount, currency, locale=self.locale))

    def ago(self, days: float) -> str:
        """How long ago, in words: today, yesterday, 12 days ago."""
        whole = round(days)
        return (
            self.say("today")
            if whole < 1
            else self.say("yesterday")
            if whole == 1
            else _ago(self.language, whole)
        )

    def on(self, day: str) -> str:
        """A day (ISO 8601) within a sentence: on 9 December 2011."""
        return self.say(ON_DAY, day=_date(self.language, day))

    def wait(self, days: float) -> str:
        """A number of days in words, one at least."""
        return _wait(self.language, max(round(days), 1))

    def day(self, moment: datetime) -> str:
        """A date in words."""
        there = moment.astimezone(UTC) if moment.tzinfo else moment
        return _date(self.language, there.date().isoformat())

    def moment(self, moment: datetime) -> str:
        """A date with its time of day, in UTC and marked so."""
        return f"{self.day(moment)}, {format_datetime(moment, 'HH:mm', locale=self.locale)} UTC"

    def listed(self, parts: Sequence[str]) -> str:
        """Parts as a list within a sentence: a, b and c."""
        return str(format_list(list(parts), locale=self.locale))

    def country(self, name: str) -> str:
        """A country's name in this language, where its English name is one that CLDR has; otherwise
        as the shop calls it.
        """
        code = _country_codes().get(name.casefold())
        return str(self.locale.territories.get(code, name)) if code else name

    def fill(self, text: str, many: str, values: Mapping[str, Any]) -> str:
        """A sentence of a reason with its recorded `values`, each written by the name of its place
        (see `explain.templates`).
        """
        count, written = values.get("count"), self.written(values)
        said = self.say(text, many, None if count is None else shown_number(count), **written)
        if UNTIL in values and f"{{{UNTIL}}}" not in text:
            return self.say(UP_TO, until=written[UNTIL], said=said)
        return said

    def filled(self, sentences: Iterable[tuple[str, str, Mapping[str, Any]]]) -> list[str]:
        """Several sentences, each with its plural and its values, as `fill` says them; what is said
        of many customers in the same words is put into words once.
        """
        known: dict[tuple[Any, ...], str] = {}
        said = []
        for text, many, values in sentences:
            same = (text, *values.items())
            if same not in known:
                known[same] = self.fill(text, many, values)
            said.append(known[same])
        return said

    def written(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Recorded values as this language writes them."""
        return {
            name: self._written(name, value, values)
            for name, value in values.items()
            if name != "currency"
        }

    def _written(self, name: str, value: Any, values: Mapping[str, Any]) -> str:
        if name == "amount":
            return self.money(value, values.get("currency", ""))
        if name == "country":
            return self.country(value)
        if name in (UNTIL, ON):
            return _date(self.language, value)
        if name == "ago":
            return self.ago(value) if ON not in values else self.on(values[ON])
        return self.wait(value) if name == "wait" else self.number(value)


_DAY = {"en": "d MMMM y", "de": "d. MMMM y", "es": "d 'de' MMMM 'de' y"}


def shown_number(value: float) -> float:
    """A number as it is shown: one digit after the point where that tells something, none for a
    large or a whole one.
    """
    short = round(value, 1)
    return float(round(value)) if abs(value) >= 10 or short == round(short) else short


def form_number(language: str, forms: int, count: float) -> int:
    """Which of so many forms `count` asks for: by the language's own categories, or one against all
    others where there are two.
    """
    category = _plural(language, count)
    own = plural_categories(language)
    if forms == len(own):
        return own.index(category)
    return 0 if category == "one" else forms - 1


@lru_cache
def plural_categories(language: str) -> tuple[str, ...]:
    """The plural categories that a language has, in CLDR's order; Polish has four: one, few, many,
    other.
    """
    tags = {*locale_of(language).plural_form.tags, "other"}
    return tuple(name for name in PLURALS if name in tags)


@lru_cache
def locale_of(language: str) -> Locale:
    """Babel's locale of a language tag; of its first part where the whole is not known.

    Raises `UnknownLocaleError`, `ValueError`.
    """
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(language.split("-", maxsplit=1)[0])


def _plural(language: str, count: float) -> str:
    exact: float = int(count) if float(count).is_integer() else count
    return str(locale_of(language).plural_form(exact))


@lru_cache(CACHED)
def _number(language: str, value: float) -> str:
    return str(format_decimal(value, locale=locale_of(language)))


@lru_cache(CACHED)
def _ago(language: str, days: int) -> str:
    said = format_timedelta(
        -timedelta(days=days),
        granularity="day",
        threshold=IN_DAYS,
        add_direction=True,
        locale=locale_of(language),
    )
    return str(said).replace(str(days), _number(language, days))


@lru_cache(CACHED)
def _wait(language: str, days: int) -> str:
    return str(format_unit(days, "duration-day", length="long", locale=locale_of(language)))


@lru_cache(CACHED)
def _date(language: str, day: str) -> str:
    locale, moment = locale_of(language), datetime.fromisoformat(day)
    return str(format_datetime(moment, _DAY.get(locale.language, "d MMMM y"), locale=locale))


@lru_cache
def _country_codes() -> dict[str, str]:
    names = locale_of(ENGLISH).territories
    return {str(name).casefold(): str(code) for code, name in names.items() if len(str(code)) == 2}
