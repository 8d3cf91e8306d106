"""Customers: what is known of a person, as it changes, by their order lines or by a file of facts.

What tells how old somebody is, and of which sex, is sensitive: it serves the fairness audit and the
age set in sayso.toml, and no model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.tables.ages import age_group
from features.tables.table import (
    FAIRNESS,
    PERSONAL,
    CatalogEntry,
    Column,
    Kind,
    StandardCategory,
    States,
)

if TYPE_CHECKING:
    import pandas as pd

NAME = "customers"
COUNTRY = "country"
FIRST_SEEN, SEGMENT = "first_seen", "segment"
BORN, AGE_GROUP, SEX = "born", "age_group", "sex"


def _age_groups(rows: pd.DataFrame) -> pd.Series:
    """By the text in `born`; missing where that is."""
    said = rows[BORN].astype("object")
    groups = said.map({text: age_group(text) for text in said.dropna().unique()})
    return groups.astype("str")


def _sensitive(label: str) -> CatalogEntry:
    return CatalogEntry("demographics", label, (FAIRNESS,), "sensitive")


TABLE = States(
    name=NAME,
    columns=(
        Column(
            COUNTRY,
            Kind.TEXT,
            of_order=True,
            entry=CatalogEntry("location", "Your country", purposes=(*PERSONAL, FAIRNESS)),
        ),
        Column(
            FIRST_SEEN,
            Kind.MOMENT,
            may_be_empty=True,
            entry=CatalogEntry("account", "When you came to us first", ("churn_prediction",)),
        ),
        Column(
            SEGMENT,
            Kind.TEXT,
            entry=CatalogEntry("account", "The group we count you in", (FAIRNESS,)),
        ),
        Column(BORN, Kind.TEXT, entry=_sensitive("When you were born, or your age")),
        Column(
            AGE_GROUP,
            Kind.TEXT,
            derived=_age_groups,
            told_by=BORN,
            entry=_sensitive("Your age group"),
        ),
        Column(SEX, Kind.TEXT, entry=_sensitive("Your sex")),
    ),
    categories=(
        StandardCategory(
            "location",
            "Where you live",
            "The country that you order from.",
            spoken="the country that you live in",
        ),
        StandardCategory(
            "account",
            "Your account with us",
            "When you came to us first, and the group of customers that we count you in.",
            spoken="how long we know you",
        ),
        StandardCategory(
            "demographics",
            "Your age and sex",
            "Used to check that our predictions treat people alike, and for no prediction.",
            spoken="your age and sex",
        ),
    ),
    one_of=((COUNTRY, FIRST_SEEN, SEGMENT, BORN, AGE_GROUP, SEX),),
    stated_in=("transactions",),
)
