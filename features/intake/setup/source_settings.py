"""Settings of a source that its cells tell: what the words of its status mean, which customers are
guests, whether an order's columns stand on its first line alone, how dates are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from features.config.sources import PackedSection, StatusesSection
from features.intake.order_statuses import BOUGHT, JOINED, sorted_words
from features.intake.purchases import GUEST_WORDS, GUESTS
from features.intake.setup.column_facts import ColumnFacts
from features.intake.setup.column_synonyms import bare
from features.intake.setup.guess import Guess
from features.intake.setup.layouts import Layout, by_bare_name
from features.tables.declared.transactions import CUSTOMER_EMAIL, STATUS
from features.tables.table import CUSTOMER_ID

MOST_WORDS = 60
"""A column of more different words is no status that an owner could go through."""


@dataclass(frozen=True)
class SourceSettings:
    """Statuses by meaning, the words of which nothing is known, and the other settings."""

    statuses: Mapping[str, tuple[str, ...]]
    unknown: tuple[str, ...]
    guests: tuple[str, ...]
    fill_down: bool
    packed: PackedSection | None = None
    only_with: str | None = None

    @property
    def of_source(self) -> dict[str, object]:
        """The settings as a source of `sayso.toml` has them, those that are not the default."""
        said: dict[str, object] = {}
        if self.statuses:
            said["statuses"] = StatusesSection.model_validate(dict(self.statuses))
        if self.guests:
            said["guests"] = self.guests
        if self.fill_down:
            said["fill_down"] = True
        if self.only_with:
            said["only_with"] = self.only_with
        if self.packed:
            said["packed"] = self.packed
        return said

    def guesses(self, source: str) -> Iterator[Guess]:
        """What an owner should see of them."""
        for meaning, words in self.statuses.items():
            why = "orders in this state " + (
                "are purchases" if meaning == BOUGHT else "are no purchases"
            )
            sure = not set(words) & set(self.unknown)
            yield Guess(source, f"statuses.{meaning}", ", ".join(words), why, sure)
        if self.guests:
            why = "customers without an account, told apart by their e-mail address"
            yield Guess(source, "guests", ", ".join(self.guests), why, sure=True)
        if self.fill_down:
            why = "an order's customer and time stand on its first line alone"
            yield Guess(source, "fill_down", "true", why, sure=True)
        if self.only_with:
            why = "rows without it are no lines, but totals of an order"
            yield Guess(source, "only_with", self.only_with, why, sure=True)
        if self.packed:
            why = "its cells hold several items of an order, each of which becomes a line"
            yield Guess(source, "packed", self.packed.column, why, sure=True)


def source_settings(
    facts: Mapping[str, ColumnFacts],
    columns: Mapping[str, str | tuple[str, ...]],
    *,
    fill_down: bool,
    packed: PackedSection | None = None,
    layout: Layout | None = None,
) -> SourceSettings:
    """The settings that go with the recognised `columns`, and those that the layout says."""
    stated = layout.statuses if layout else StatusesSection()
    statuses, unknown = _statuses(facts, columns, stated)
    only = by_bare_name(facts).get(bare(layout.only_with)) if layout and layout.only_with else None
    return SourceSettings(statuses, unknown, _guests(facts, columns), fill_down, packed, only)


def _statuses(
    facts: Mapping[str, ColumnFacts],
    columns: Mapping[str, str | tuple[str, ...]],
    stated: StatusesSection,
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    mapped = columns.get(STATUS, ())
    named = [mapped] if isinstance(mapped, str) else mapped
    texts = [text.replace(JOINED, " ") for name in named for text in facts[name].texts]
    known, unknown = sorted_words(texts, stated)
    if len(texts) > MOST_WORDS:
        return known, ()
    if unknown:
        known[BOUGHT] = (*known.get(BOUGHT, ()), *unknown)
    return known, unknown


def _guests(
    facts: Mapping[str, ColumnFacts], columns: Mapping[str, str | tuple[str, ...]]
) -> tuple[str, ...]:
    customer = columns.get(CUSTOMER_ID)
    if not isinstance(customer, str):
        return ()
    words = GUESTS if CUSTOMER_EMAIL in columns else GUEST_WORDS
    return tuple(text for text in facts[customer].texts if text.casefold() in words)


def date_guess(source: str, its: ColumnFacts) -> Guess | None:
    """The format in which a column's dates are written; None where they are ISO 8601."""
    if not its.date_formats:
        return None
    if len(its.date_formats) == 1:
        return Guess(
            source,
            "date_format",
            its.date_formats[0],
            f"it reads the dates, such as {its.texts[0]!r}",
            sure=True,
        )
    best = max(its.date_formats, key=lambda form: _ordered(its, form))
    others = ", ".join(form for form in its.date_formats if form != best)
    why = (
        f"{its.texts[0]!r} may be {best} or {others}, and no date settles it; the rows are in"
        " better order this way"
    )
    return Guess(source, "date_format", best, why, sure=False)


def _ordered(its: ColumnFacts, form: str) -> float:
    """Share of steps from one distinct date to the next that do not go back."""
    moments = pd.to_datetime(
        pd.Series(its.texts, dtype="str"), format=form, errors="coerce", utc=True
    )
    return float((moments.diff().dropna() >= pd.Timedelta(0)).mean())
