"""Files of interactions: a customer, a moment, and a column whose words are kinds of events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from features.intake.interaction_kinds import kinds_of
from features.intake.order_statuses import PURCHASES, bare
from features.intake.setup.beside_orders.spellings import INTERACTIONS, named
from features.intake.setup.column_facts import ColumnFacts
from features.intake.setup.column_synonyms import rank
from features.tables.declared.interactions import BROWSING, KIND, KINDS, NAME, OCCURRED_AT
from features.tables.table import CUSTOMER_ID

KNOWN = 0.5
"""Share of the words of a column that have to be known before they are kinds of events."""


def interactions_in(facts: Mapping[str, ColumnFacts]) -> dict[str, str] | None:
    """The file's columns by those of interactions; None where it holds none, or purchases too."""
    found = named(facts, INTERACTIONS, NAME)
    if not {CUSTOMER_ID, KIND, OCCURRED_AT} <= found.keys():
        return None
    words = facts[found[KIND]].texts
    if PURCHASES & {bare(word) for word in words}:
        return None
    return found if len(kinds_of(words, {})) > KNOWN * len(words) else None


def of_purchases(facts: Mapping[str, ColumnFacts]) -> Mapping[str, ColumnFacts]:
    """The facts of the rows that are purchases, where a column of kinds tells them from others, of
    which less may be known; else the facts as they are.
    """
    for name, its in facts.items():
        kinds = kinds_of(its.texts, {}) if rank(name, INTERACTIONS[KIND]) is not None else {}
        if BROWSING.isdisjoint(kinds.values()):
            continue
        words = {text: bare(text) in PURCHASES for text in its.texts}
        rows = np.flatnonzero(its.values.astype("str").str.strip().map(words).eq(other=True))
        if len(rows):
            kept: Any = pa.array(rows)
            return {each: replace(of, raw=of.raw.take(kept)) for each, of in facts.items()}
    return facts


def beside(facts: Mapping[str, ColumnFacts], taken: Mapping[str, str]) -> dict[str, str]:
    """The columns of the interactions that a file of orders holds too, of which those in `taken`
    are known.
    """
    rest = {column: names for column, names in INTERACTIONS.items() if column not in taken}
    return {**taken, **named(facts, rest, NAME, taken.values())}


def stated_kinds(
    words: Iterable[str], stated: Mapping[str, Iterable[str]]
) -> dict[str, tuple[str, ...]]:
    """The words of a column by the kind that each means, as `sayso.toml` states them."""
    found = kinds_of(words, stated)
    listed = {kind: tuple(word for word in found if found[word] == kind) for kind in KINDS}
    return {kind: its for kind, its in listed.items() if its}
