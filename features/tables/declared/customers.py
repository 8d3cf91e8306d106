"""Customers: what is known of a person, as it changes; today their order lines tell it."""

from __future__ import annotations

from features.tables.table import (
    FAIRNESS,
    PERSONAL,
    CatalogEntry,
    Column,
    Kind,
    StandardCategory,
    States,
)

NAME = "customers"
COUNTRY = "country"

TABLE = States(
    name=NAME,
    columns=(
        Column(
            COUNTRY,
            Kind.TEXT,
            of_order=True,
            entry=CatalogEntry("location", "Your country", purposes=(*PERSONAL, FAIRNESS)),
        ),
    ),
    categories=(
        StandardCategory(
            "location",
            "Where you live",
            "The country that you order from.",
            spoken="the country that you live in",
        ),
    ),
    stated_in=("transactions",),
    own_sources=False,
)
