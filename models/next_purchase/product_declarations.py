"""A product's own facts: features of the ranker, each declared once.

They read nothing of a customer, and their category is `product`.
"""

from __future__ import annotations

from features.definitions.feature import FREE, Feature
from features.definitions.sentence import Bounds, Saying, Sentence, Value, counted, where

WORTH_SAYING = 0.01
"""The least share that a sentence is said of."""


def ranking_feature(name: str, unit: str, meaning: str, says: Saying) -> Feature:
    """A feature that the ranker alone uses; churn has no direction by it."""
    return Feature(name, direction=FREE, unit=unit, meaning=meaning, says={"next_purchase": says})


PRODUCT = (
    ranking_feature(
        "buyers",
        "customers",
        "Customers who bought the product.",
        (
            counted(
                "buyers", "{count} customer bought this.", "{count} customers bought this.", least=1
            ),
        ),
    ),
    ranking_feature(
        "buyers_last_30_days",
        "customers",
        "Customers who bought the product in the last 30 days.",
        (
            counted(
                "buyers.30",
                "{count} customer bought this in the last 30 days.",
                "{count} customers bought this in the last 30 days.",
                least=1,
                then=(
                    "{count} customer bought this in the 30 days up to {until}.",
                    "{count} customers bought this in the 30 days up to {until}.",
                ),
            ),
        ),
    ),
    ranking_feature(
        "buyers_last_90_days",
        "customers",
        "Customers who bought the product in the last 90 days.",
        (
            counted(
                "buyers.90",
                "{count} customer bought this in the last 90 days.",
                "{count} customers bought this in the last 90 days.",
                least=1,
                then=(
                    "{count} customer bought this in the 90 days up to {until}.",
                    "{count} customers bought this in the 90 days up to {until}.",
                ),
            ),
        ),
    ),
    ranking_feature(
        "trend",
        "ratio",
        "Buyers of the last 30 days and one more over a third of those of 90 days and one more.",
        (
            where(
                "trend",
                "Bought by more customers lately than before.",
                Bounds(above=1),
                "Bought by more customers in the days up to {until} than before.",
            ),
        ),
    ),
    ranking_feature(
        "repeat_rate",
        "share",
        "Share of its buyers who bought it again.",
        (
            Sentence(
                "repeat_rate",
                "{share} in 100 customers who bought this bought it again.",
                places={"share": Value("hundredths")},
                where={"": Bounds(least=WORTH_SAYING, most=1)},
            ),
        ),
    ),
    ranking_feature(
        "days_on_sale",
        "days",
        "Days since anybody first bought it.",
        (
            Sentence(
                "days_on_sale",
                "On sale here for {wait}.",
                places={"wait": Value()},
                then="On sale here for {wait} by {until}.",
            ),
        ),
    ),
)
"""In the order of the ranker's last columns."""
