"""How a column writes numbers and money: which sign is decimal, which separates thousands, and in
which currencies.

`1.234` may be a thousand or one and a bit. One cell does not tell, but the whole column does:
whatever stands before one or two last digits is decimal, and whatever stands twice in a number
separates thousands.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

SIGNS = {
    "€": "EUR",
    "£": "GBP",
    "$": "USD",
    "US$": "USD",
    "C$": "CAD",
    "CA$": "CAD",
    "A$": "AUD",
    "AU$": "AUD",
    "NZ$": "NZD",
    "HK$": "HKD",
    "R$": "BRL",
    "¥": "JPY",
    "円": "JPY",
    "₹": "INR",
    "Rs.": "INR",
    "₩": "KRW",
    "₺": "TRY",
    "₽": "RUB",
    "₴": "UAH",
    "₪": "ILS",
    "zł": "PLN",
    "Kč": "CZK",
    "Ft": "HUF",
    "lei": "RON",
    "kr": "SEK",
    "kr.": "DKK",
    "Fr.": "CHF",
    "SFr.": "CHF",
}
"""Currencies by the signs that shops write."""
CODES = frozenset(
    code
    for codes in (
        "AED ARS AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR ISK",
        "JPY KRW MAD MXN MYR NOK NZD PEN PHP PLN RON RSD RUB SAR SEK SGD THB TRY TWD UAH USD",
        "VND ZAR",
    )
    for code in codes.split()
)
"""Codes of ISO 4217 that may stand beside an amount."""
SPACES = " \u00a0\u2009\u202f\u2007"
GROUPING = "'\u2019`"
MINUS = "-\u2212\u2013"
_SIGN = "|".join(re.escape(sign) for sign in sorted(SIGNS, key=len, reverse=True))
MONEY = re.compile(
    rf"(?P<open>\()?(?P<minus>[{MINUS}+])?[{SPACES}]*"
    rf"(?P<before>{_SIGN}|[A-Z]{{3}})?[{SPACES}]*(?P<inner>[{MINUS}+])?[{SPACES}]*"
    rf"(?P<body>[0-9.,][0-9.,{GROUPING}{SPACES}]*?)[{SPACES}]*"
    rf"(?P<after>{_SIGN}|[A-Z]{{3}})?(?P<trailing>[{MINUS}])?(?P<close>\))?"
)
PLAIN = re.compile(r"[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?")

UNPROVEN = 9
"""Stands for the digits after the decimal sign where no cell proves any."""
THOUSANDS = 3
"""Digits of a group."""


class Money(NamedTuple):
    """One cell: its digits and separators, whether it is negative, and its currency if it says."""

    body: str
    negative: bool
    currency: str | None


@dataclass(frozen=True)
class Notation:
    """How a column writes numbers: `decimal` is `.` or `,`."""

    decimal: str
    longest: int = UNPROVEN
    """Digits after the decimal sign of the cells that prove it, at the most."""

    def number(self, text: str) -> float | None:
        """The number that a cell holds; None where it holds none as this column writes them."""
        if PLAIN.fullmatch(text) and (self.decimal == "." or not _is_grouped(text, ".")):
            return float(text)
        money = parsed(text)
        if money is None:
            return None
        plain = self._plain(money.body)
        if plain is None:
            return None
        return -float(plain) if money.negative else float(plain)

    def _plain(self, body: str) -> str | None:
        grouping = "," if self.decimal == "." else "."
        whole, found, part = body.partition(self.decimal)
        if not (part.isdigit() or not part) or not (whole or part):
            return None
        if self.decimal == "," and len(part) == THOUSANDS and self.longest < THOUSANDS:
            return None  # beside prices such as 3,50 it may be a thousand in another notation
        groups = re.split(rf"[{re.escape(grouping)}{GROUPING}{SPACES}]", whole)
        if len(groups) > 1 and not _are_thousands(groups):
            return None
        digits = "".join(groups)
        if not (digits.isdigit() or (not digits and found)):
            return None
        return f"{digits or '0'}.{part or '0'}"


def parsed(text: str) -> Money | None:
    """The parts of a cell that holds a number or money; None where it holds neither."""
    found = MONEY.fullmatch(text)
    if found is None or bool(found["open"]) != bool(found["close"]):
        return None
    marks = [found[name] for name in ("minus", "inner", "trailing") if found[name]]
    currencies = {_currency(sign) for sign in (found["before"], found["after"]) if sign}
    if len(marks) > 1 or None in currencies or len(currencies) > 1:
        return None
    negative = bool(found["open"]) or any(mark != "+" for mark in marks)
    return Money(found["body"], negative, next(iter(currencies), None))


def notation_of(texts: Iterable[str], *, decimal_comma: bool = False) -> Notation:
    """How the distinct cells of a column write numbers.

    Where none of them settles it, `decimal_comma` says what is likely.
    """
    votes, longest = _votes(texts)
    if votes["."] == votes[","]:
        return Notation("," if decimal_comma else ".")
    decimal = max((".", ","), key=lambda sign: votes[sign])
    return Notation(decimal, longest[decimal])


def continued(before: Notation, more: Iterable[str]) -> Notation | None:
    """The notation of a column that was read in the notation `before` and goes on with the cells
    `more`; None where these may change how the others are read.
    """
    votes, longest = _votes(more)
    if not votes or (set(votes) == {before.decimal} and before.decimal == "."):
        return before
    if set(votes) != {before.decimal}:
        return None
    proven = before.longest != UNPROVEN
    digits = max(before.longest, longest[","]) if proven else longest[","]
    same = (before.longest < THOUSANDS) == (digits < THOUSANDS)
    return Notation(before.decimal, digits) if same else None


def _votes(texts: Iterable[str]) -> tuple[Counter[str], dict[str, int]]:
    """How many texts prove each decimal sign, and how many digits follow it at the most."""
    votes: Counter[str] = Counter()
    longest = {".": 0, ",": 0}
    for text in texts:
        money = parsed(text)
        if money is not None and (sign := _decimal_of(money.body)):
            votes[sign] += 1
            longest[sign] = max(longest[sign], len(money.body.rpartition(sign)[2]))
    return votes, longest


def currency_of(text: str) -> str | None:
    """The currency that a cell names beside its number; None where it names none."""
    money = parsed(text)
    return None if money is None else money.currency


def _currency(sign: str) -> str | None:
    return SIGNS.get(sign) or (sign if sign in CODES else None)


def _decimal_of(body: str) -> str | None:
    """The decimal sign that a number proves; None where it proves none."""
    points, commas = body.count("."), body.count(",")
    if points and commas:
        return max(".", ",", key=body.rfind)
    if points + commas == 0:
        return None
    mine, other = (".", ",") if points else (",", ".")
    if body.count(mine) > 1:
        return other
    whole, _, part = body.partition(mine)
    if len(part) != 3 or not 1 <= len(whole) <= 3 or whole.startswith("0"):
        return mine
    return None


def _is_grouped(text: str, sign: str) -> bool:
    """Whether a plain number may be one of thousands: three digits after its only `sign`."""
    whole, found, part = text.lstrip("+-").partition(sign)
    return bool(found) and len(part) == 3 and whole.isdigit() and not whole.startswith("0")


def _are_thousands(groups: Sequence[str]) -> bool:
    """Groups of three digits, or of two before the last three as in India."""
    first, *inner, last = groups
    return (
        1 <= len(first) <= 3
        and len(last) == 3
        and (all(len(part) == 3 for part in inner) or all(len(part) == 2 for part in inner))
        and all(part.isdigit() for part in groups)
    )
