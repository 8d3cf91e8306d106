"""What a shop's own lines tell of its habits: how it marks cancellations, which codes are no
products, where it sells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from features.config.sources import Cleaning
from features.intake.purchases import currency_code
from features.tables.declared.customers import COUNTRY
from features.tables.declared.transactions import (
    CURRENCY,
    ORDER_ID,
    ORDERED_AT,
    PRODUCT_ID,
    QUANTITY,
)
from features.tables.table import RECORDED_AT

NON_PRODUCTS = (
    "POST",
    "DOT",
    "M",
    "D",
    "C2",
    "S",
    "BANK CHARGES",
    "AMAZONFEE",
    "CRUK",
    "B",
    "gift_*",
    "SHIPPING",
    "POSTAGE",
)
"""Codes that stand for postage, carriage, fees, discounts, samples, vouchers and corrections where
shops use them.
"""
WHOLESALE_UNITS = 1_000
SOLD_WITHIN_DAYS, MOST_SOLD_WITHIN_DAYS = 90, 730
PAUSES_OVER = 0.99
"""Share of the pauses between two sales of a product after which it is not yet taken for sold out.
"""
CURRENCIES = {
    **dict.fromkeys(("united kingdom", "uk", "gb", "great britain", "england"), "GBP"),
    **dict.fromkeys(("united states", "usa", "us", "united states of america"), "USD"),
    **dict.fromkeys(("switzerland", "schweiz", "suisse", "ch"), "CHF"),
    **dict.fromkeys(
        (
            "germany",
            "deutschland",
            "de",
            "france",
            "fr",
            "austria",
            "at",
            "netherlands",
            "nl",
            "belgium",
            "be",
        ),
        "EUR",
    ),
    **dict.fromkeys(
        (
            "ireland",
            "eire",
            "ie",
            "spain",
            "es",
            "italy",
            "it",
            "portugal",
            "pt",
            "finland",
            "fi",
            "greece",
            "gr",
        ),
        "EUR",
    ),
}


@dataclass(frozen=True)
class Habits:
    """What was found.

    `oldest` is when the first line was recorded (naive UTC); `lines` counts the lines that speak
    for the others.

    A product that nobody bought for `sold_within_days` is likely to be sold no more.
    """

    cleaning: Cleaning
    home_country: str | None
    currency: str | None
    oldest: datetime | None
    sold_within_days: int
    lines: dict[str, int]


def habits_of(lines: pd.DataFrame) -> Habits:
    """The habits in lines that `features.intake.reading.sources` read."""
    prefix, cancelled = _cancellation_prefix(lines)
    codes, fees = _non_products(lines[PRODUCT_ID])
    large = int((lines[QUANTITY] > WHOLESALE_UNITS).sum())
    countries = lines[COUNTRY].dropna() if COUNTRY in lines else pd.Series(dtype="str")
    home = str(countries.mode().iloc[0]) if len(countries) else None
    return Habits(
        Cleaning(
            cancellation_prefix=prefix,
            non_products=codes,
            wholesale_units=WHOLESALE_UNITS if large else None,
        ),
        home,
        _currency(lines) or (CURRENCIES.get(home.casefold()) if home else None),
        lines[RECORDED_AT].min().to_pydatetime() if len(lines) else None,
        _sold_within_days(lines),
        {
            "cancellation_prefix": cancelled,
            "non_products": fees,
            "wholesale_units": large,
            "home_country": int((countries == home).sum()),
        },
    )


def _currency(lines: pd.DataFrame) -> str | None:
    """The currency that most lines name; None where none does."""
    named = lines[CURRENCY].dropna()
    return currency_code(str(named.mode().iloc[0])) if len(named) else None


def _sold_within_days(lines: pd.DataFrame) -> int:
    """In days of ten, how long nearly all pauses between two sales of a product last at most; where
    products sell slowly, long.
    """
    sold = pd.DataFrame({"product": lines[PRODUCT_ID], "day": lines[ORDERED_AT].dt.floor("D")})
    sold = sold[lines[QUANTITY] > 0].drop_duplicates().sort_values(["product", "day"])
    pauses = sold.groupby("product")["day"].diff().dt.days.dropna()
    longest = math.ceil(float(pauses.quantile(PAUSES_OVER)) / 10) * 10 if len(pauses) else 0
    return min(max(longest, SOLD_WITHIN_DAYS), MOST_SOLD_WITHIN_DAYS)


def _cancellation_prefix(lines: pd.DataFrame) -> tuple[str | None, int]:
    """Letters before the number of most orders with negative quantities, and of no others."""
    prefixes = lines[ORDER_ID].str.extract(r"^([A-Za-z]+)-?[0-9]", expand=False)
    negative = lines[QUANTITY] < 0
    found = prefixes[negative].value_counts()
    if found.empty or found.iloc[0] < 0.5 * negative.sum():
        return None, 0
    prefix = str(found.index[0])
    is_exclusive = not lines.loc[~negative, ORDER_ID].str.startswith(prefix).any()
    return (prefix, int(found.iloc[0])) if is_exclusive else (None, 0)


def _non_products(product_ids: pd.Series) -> tuple[tuple[str, ...], int]:
    """Those of the known codes that occur where codes usually hold digits; elsewhere a letter may
    well be a product.
    """
    folded = product_ids.str.casefold()
    if not len(folded) or folded.drop_duplicates().str.contains("[0-9]").mean() < 0.9:
        return (), 0
    found = {code: _fitting(folded, code.casefold()) for code in NON_PRODUCTS}
    return tuple(code for code, count in found.items() if count), sum(found.values())


def _fitting(folded: pd.Series, code: str) -> int:
    fits = folded.str.startswith(code.rstrip("*")) if code.endswith("*") else folded == code
    return int(fits.sum())
