"""How columns write money and dates, told by the whole column."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pyarrow as pa
import pytest

from features.intake.reading.cells import read_moment, read_price
from features.intake.reading.date_formats import formats_of
from features.intake.reading.money import currency_of, notation_of

NOW = datetime(2026, 12, 1, tzinfo=UTC)

MONEY = {
    "dollars": (["$5.00", "$1,495.00"], [5.0, 1495.0]),
    "euros": (["24,90 €", "1.960,00 €"], [24.9, 1960.0]),
    "francs": (["CHF 1'299.00", "CHF 5.00"], [1299.0, 5.0]),
    "French thousands": (["1\u202f234,50\u00a0€", "3,00\u00a0€"], [1234.5, 3.0]),
    "Indian thousands": (["₹1,23,456.00", "₹5.00"], [123456.0, 5.0]),
    "thousands with commas alone": (["1,495", "2,450"], [1495.0, 2450.0]),
    "millions": (["12.345.678", "5"], [12345678.0, 5.0]),
    "negative in every way": (["(5.00)", "-3.00", "3.00-", "\u22122.00"], [-5, -3, -3, -2]),
    "less than one": (["0.500", "1.250"], [0.5, 1.25]),
    "a comma before one digit": (["12,5", "3,25"], [12.5, 3.25]),
}


@pytest.mark.parametrize("name", MONEY)
def test_money_is_read_as_the_whole_column_writes_it(name: str) -> None:
    """Signs, codes and separators of a column are told by all of its cells."""
    texts, numbers = MONEY[name]
    found = read_price(pa.array(texts), decimal_comma=False)
    assert found.values.tolist() == numbers
    assert not any(fault.mask.any() for fault in found.faults)


def test_thousands_with_points_alone_follow_the_file() -> None:
    """1.495 is a thousand where semicolons stand between cells, else one and a half."""
    for comma, number in ((True, 1495.0), (False, 1.495)):
        found = read_price(pa.array(["1.495"]), decimal_comma=comma)
        assert found.values.tolist() == [number]


@pytest.mark.parametrize("text", ["5a", "1,2,3.00", "12,34.50", "$5 €", "€", ".", "--5", "(5"])
def test_what_is_no_number_is_a_fault(text: str) -> None:
    """Nothing is guessed of a cell that no notation fits."""
    found = read_price(pa.array(["3.50", text]), decimal_comma=False)
    assert [fault.words for fault in found.faults if fault.mask[1]] == ["which is no number"]


def test_a_cell_in_another_notation_than_its_column_is_a_fault() -> None:
    """One 1,234 among prices such as 3,50 may be two things."""
    notation = notation_of(["3,50", "12,99", "1,234"])
    assert [notation.number(text) for text in ("3,50", "1,234", "1.234,00")] == [3.5, None, 1234.0]


def test_currencies_are_told() -> None:
    """Signs and codes beside a number name its currency."""
    told = [currency_of(text) for text in ("$5", "€6", "7 EUR", "8")]
    assert told == ["USD", "EUR", "EUR", None]


DATES = {
    "2025-01-10 12:35:02 UTC": "2025-01-10 12:35:02",
    "2025-01-10 12:35:02 +0100": "2025-01-10 11:35:02",
    "2025/01/10 12:35:02 +0000 UTC": "2025-01-10 12:35:02",
    "10. Januar 2025 14:05 Uhr": "2025-01-10 14:05",
    "10 janv. 2025 à 14:05": "2025-01-10 14:05",
    "1er février 2025": "2025-02-01",
    "10 de enero de 2025": "2025-01-10",
    "10 stycznia 2025": "2025-01-10",
    "Fri, 10 Jan 2025 14:05:09 +0100": "2025-01-10 13:05:09",
    "Fri, 10 Jan 2025 14:05:09 GMT": "2025-01-10 14:05:09",
    "Mon Jan 05 2026 14:05:09 GMT+0100 (CET)": "2026-01-05 13:05:09",
    "Jan 10, 2025, 2:05 PM": "2025-01-10 14:05",
    "January 10, 2025 2:05:09 p.m.": "2025-01-10 14:05:09",
    "2025-01-10 2:05 PM": "2025-01-10 14:05",
    "March 3rd, 2025": "2025-03-03",
    "11/24/26": "2026-11-24",
    "24.11.2026, 18:38": "2026-11-24 18:38",
    "24-Nov-2026": "2026-11-24",
    "1736513662": "2025-01-10 12:54:22",
    "1736513662000": "2025-01-10 12:54:22",
    "20250110": "2025-01-10",
    "20250110123502": "2025-01-10 12:35:02",
}


@pytest.mark.parametrize("text", DATES)
def test_a_date_is_read_in_the_format_that_is_found(text: str) -> None:
    """The first format that is found reads the date, in UTC."""
    forms = formats_of([text])
    found = read_moment(pa.array([text]), date_format=forms[0] if forms else None, now=NOW)
    assert found.values.tolist() == [pd.Timestamp(DATES[text])]
    assert not any(fault.mask.any() for fault in found.faults)


@pytest.mark.parametrize("text", ["14:05", "hello world 2025", "99/99/2025", "2025", "x"])
def test_what_is_no_date_has_no_format(text: str) -> None:
    """No format is found for what is no date."""
    assert formats_of([text]) == ()


def test_numbers_are_moments_in_a_format_that_counts() -> None:
    """A column of numbers is read as seconds or milliseconds since 1970."""
    cells = pa.array([1736513662, None])
    found = read_moment(cells, date_format="epoch_seconds", now=NOW)
    assert found.values[0] == pd.Timestamp("2025-01-10 12:54:22")
    assert found.faults[0].mask.tolist() == [False, True]
