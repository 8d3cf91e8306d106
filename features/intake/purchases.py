"""Whose order a line is, what was paid for it, and what came back of it.

Cancelled, refunded and returned goods are taken out of the purchases that they belong to: a line of
which everything came back is none, and of any other what is left counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.config.sources import Source, names
from features.errors import SourceError
from features.intake.order_statuses import (
    BOUGHT,
    KNOWN,
    PURCHASES,
    REFUNDED,
    RETURNED,
    YES,
    bare,
    meaning_of,
)
from features.intake.order_statuses import TEST as TESTING
from features.intake.reading.money import CODES, SIGNS
from features.tables.declared.transactions import (
    AMOUNT,
    CANCELLED_AT,
    CURRENCY,
    CUSTOMER_EMAIL,
    DISCOUNT,
    DISCOUNT_PERCENT,
    EVENT,
    LIST_AMOUNT,
    ORDER_DISCOUNT,
    ORDER_ID,
    ORDER_REFUND,
    ORDERED_AT,
    PRODUCT_ID,
    QUANTITY,
    REFUNDED_AMOUNT,
    REFUNDED_QUANTITY,
    STATUS,
    TEST,
    UNIT_PRICE,
)
from features.tables.table import CUSTOMER_ID

Rows = NDArray[np.int64]
Bools = NDArray[np.bool_]
SOLD = "sold"
"""Units of a line as it was ordered, before anything came back."""
GUEST_WORDS = frozenset(("guest", "gast", "guest customer", "invité", "invitado", "gość"))
GUESTS = GUEST_WORDS | {"0", "-1"}
"""Ids that stand for anybody who has no account; a number does so only beside e-mail addresses."""
PRICES = (
    UNIT_PRICE,
    AMOUNT,
    LIST_AMOUNT,
    DISCOUNT,
    ORDER_DISCOUNT,
    REFUNDED_AMOUNT,
    ORDER_REFUND,
)
NO_ACCOUNTS: Mapping[str, str] = MappingProxyType({})
WHOLE = 0.999
"""Share of an order's amount from which a refund is one of the whole order."""


def with_customers(
    lines: pd.DataFrame, source: Source, accounts: Mapping[str, str] = NO_ACCOUNTS
) -> pd.DataFrame:
    """The lines with the customer of each: guests have no account, and are told apart by their
    e-mail address; who has one has the account that is known with this address, from lines read
    before (`accounts`) or from these. A guest without an address is nobody.
    """
    guest = _are_guests(lines, source)
    if not guest.any():
        return lines
    every = {**accounts_of(lines, source), **accounts}
    mails = _addresses(lines)[guest]
    named = lines[CUSTOMER_ID].astype("object")
    named[guest] = [every.get(mail, mail) for mail in mails]
    return lines.assign(**{CUSTOMER_ID: named.astype("str")})


def accounts_of(lines: pd.DataFrame, source: Source) -> dict[str, str]:
    """The first account that stands beside each e-mail address."""
    known = lines[~_are_guests(lines, source)]
    known = known[known[CUSTOMER_EMAIL].notna()]
    mails = _addresses(known)
    first = ~mails.duplicated()
    return dict(zip(mails[first], known[CUSTOMER_ID][first], strict=True))


def _are_guests(lines: pd.DataFrame, source: Source) -> pd.Series:
    ids, told = lines[CUSTOMER_ID], CUSTOMER_EMAIL in source.columns
    words = (GUESTS if told else GUEST_WORDS) | {guest.casefold() for guest in source.guests}
    named = [id for id in ids.dropna().unique() if id.casefold() in words]
    return ids.isna() | ids.isin(named)


def _addresses(lines: pd.DataFrame) -> pd.Series:
    return lines[CUSTOMER_EMAIL].astype("str").str.casefold()


def in_one_currency(
    lines: pd.DataFrame, source: Source, currency: str, rates: Mapping[str, float]
) -> pd.DataFrame:
    """The lines with all prices in the shop's `currency`.

    Raises `SourceError` where some are in another one of which no rate is stated: sums of several
    currencies mean nothing.
    """
    own = source.currency or currency
    if own == currency and lines[CURRENCY].isna().all():
        return lines
    said = _said(lines, CURRENCY, own)
    codes = {word: currency_code(word) for word in said.unique()}
    if all(code == currency for code in codes.values()):
        return lines
    said = said.map(codes)
    strange = said[(said != currency) & ~said.isin(list(rates))]
    if len(strange):
        counts = strange.value_counts()
        told = ", ".join(f"{count:,} in {code}" for code, count in counts.items())
        column = source.columns.get(CURRENCY)
        where = f"the column `{column}`" if column else "their signs"
        raise SourceError(
            f"of {len(lines):,} lines {told}, as {where} say, and the shop's currency is"
            f" {currency}; state what one is worth in sayso.toml, such as [shop.rates]"
            f" {counts.index[0]} = 0.9, or the shop's `currency`",
            file=Path(source.file),
        )
    rate = said.map({**rates, currency: 1.0}).astype("float64")
    if (rate == 1.0).all():
        return lines
    return lines.assign(**{name: lines[name] * rate for name in PRICES if name in lines})


def with_amounts(lines: pd.DataFrame, source: Source) -> pd.DataFrame:
    """The lines with what is left of each: units that did not come back, and what was paid for
    them after discounts and refunds. `sold` are the units as ordered.
    """
    sold, amount = lines[QUANTITY], lines[AMOUNT].astype("float64")
    if DISCOUNT in source.columns and AMOUNT not in source.columns:
        amount = amount - _positive(lines, DISCOUNT)
    if DISCOUNT_PERCENT in source.columns and AMOUNT not in source.columns:
        amount = (amount * (1 - _positive(lines, DISCOUNT_PERCENT) / 100)).round(2)
    if ORDER_DISCOUNT in source.columns:
        amount = amount - _spread(lines, ORDER_DISCOUNT, amount)
    left = sold
    if REFUNDED_QUANTITY in source.columns:
        left = (sold - _positive(lines, REFUNDED_QUANTITY)).where(sold > 0, sold)
    if REFUNDED_AMOUNT in source.columns:
        amount = amount - _positive(lines, REFUNDED_AMOUNT)
    elif REFUNDED_QUANTITY in source.columns:
        amount = amount * (left / sold.where(sold != 0, 1))
    if ORDER_REFUND in source.columns:
        amount = amount - _spread(lines, ORDER_REFUND, amount)
    amount = amount.round(6).where(sold <= 0, amount.round(6).clip(lower=0.0))
    changed: dict[str, pd.Series] = {
        QUANTITY: left.astype("int64"),
        AMOUNT: amount + 0.0,
        SOLD: sold,
    }
    return lines.assign(**changed)


def statuses(lines: pd.DataFrame, source: Source) -> tuple[pd.Series, pd.Series]:
    """What each line's order is ("" for a purchase), and what is wrong with its status ("" for
    nothing).
    """
    state = faults = pd.Series("", index=lines.index, dtype="str")
    if STATUS in source.columns:
        words = _said(lines, STATUS)
        found = {word: meaning_of(word, source.statuses) for word in words.unique()}
        state = words.map({word: _unless_bought(meaning) for word, meaning in found.items()})
        told = {word: "" if found[word] else _unknown(source, word) for word in found}
        faults = words.map(told).astype("str")
    if CANCELLED_AT in source.columns:
        state = state.where(~says(lines, CANCELLED_AT), "cancelled")
    state = state.where(~_is_refunded(lines, source), "refunded")
    state = state.where(~_takes_back(lines, state), "")
    if TEST in source.columns:
        words = _said(lines, TEST)
        tests = words.map({word: _is_test(word) for word in words.unique()})
        state = state.where(~tests.astype(bool), "test")
    if EVENT in source.columns:
        kinds = _said(lines, EVENT, "purchase")
        bought = kinds.map({kind: bare(kind) in PURCHASES for kind in kinds.unique()})
        state = state.where(bought.astype(bool), "no_purchase")
    return state, faults


def _unless_bought(meaning: str | None) -> str:
    return "" if meaning is None or meaning == BOUGHT else meaning


def _unknown(source: Source, word: str) -> str:
    return (
        f"{_named(source, STATUS)} is {word!r}, and nothing says whether that is a purchase; add"
        f" the word to a list under [sources.statuses], such as bought = [{word!r}]"
    )


def _takes_back(lines: pd.DataFrame, state: pd.Series) -> pd.Series:
    """Whether a line takes back what another order has: its units are negative, and its own order
    is a return or a refund and nothing else.
    """
    back = (lines[QUANTITY] < 0) & state.isin([RETURNED, REFUNDED])
    if not back.any():
        return back
    sells = (lines[QUANTITY] > 0).groupby(_orders(lines)).transform("any")
    return back & ~sells


def _is_test(said: str) -> bool:
    """Whether a cell says that an order is a test: yes, or a word or tag for it."""
    parts = re.split(r"[,;|]| / ", said)
    return bare(said) in YES or any(KNOWN.get(bare(part)) == TESTING for part in parts)


def netted(lines: pd.DataFrame, back: pd.DataFrame) -> pd.DataFrame:
    """The purchases `lines` without what came `back` of them later: lines of a customer and product
    with negative units, each against the newest earlier purchases, first those of its price.

    Both have customer_id, product_id, ordered_at, quantity, amount and unit_price; what is left of
    a purchase may be 0 units.
    """
    keys = [CUSTOMER_ID, PRODUCT_ID]
    came = back.dropna(subset=keys).sort_values(ORDERED_AT, kind="stable")
    if came.empty:
        return lines
    whose = pd.MultiIndex.from_frame(lines[keys])
    wanted = pd.MultiIndex.from_frame(came[keys])
    positions = np.flatnonzero(whose.isin(wanted))
    newest = positions[
        np.argsort(-lines[ORDERED_AT].to_numpy()[positions].astype("int64"), kind="stable")
    ]
    codes = {key: number for number, key in enumerate(wanted.unique())}
    bought = _by_code([codes[key] for key in whose[newest]], newest, len(codes))
    left = lines[QUANTITY].to_numpy(dtype="int64", copy=True)
    moments = lines[ORDERED_AT].to_numpy()
    prices = lines[UNIT_PRICE].to_numpy(dtype="float64")
    returns = zip(
        wanted,
        came[ORDERED_AT].to_numpy(),
        came[UNIT_PRICE].abs().to_numpy(dtype="float64"),
        (-came[QUANTITY]).to_numpy(dtype="int64"),
        strict=True,
    )
    for key, moment, price, units in returns:
        candidates = bought[codes[key]]
        earlier = candidates[moments[candidates] <= moment]
        _take_back(earlier, np.isclose(prices[earlier], price), int(units), left)
    quantity = pd.Series(left, index=lines.index)
    share = quantity / lines[QUANTITY].where(lines[QUANTITY] != 0, 1)
    return lines.assign(**{QUANTITY: quantity, AMOUNT: lines[AMOUNT] * share})


def _by_code(codes: list[int], positions: Rows, count: int) -> list[Rows]:
    """The positions of each code, in their order."""
    numbers = np.array(codes, dtype=np.int64)
    order = np.argsort(numbers, kind="stable")
    bounds = np.searchsorted(numbers[order], np.arange(1, count))
    return np.split(positions[order], bounds)


def _take_back(purchases: Rows, same_price: Bools, units: int, left: Rows) -> None:
    """Take `units` from what is `left` of `purchases` (positions, newest first): first from lines
    of the same price, among these first from one of just as many units.
    """
    same = purchases[same_price]
    order = np.argsort(left[same] != units, kind="stable")
    for at in (*same[order], *purchases[~same_price]):
        taken = min(int(left[at]), units)
        left[at] -= taken
        units -= taken
        if not units:
            return


def _is_refunded(lines: pd.DataFrame, source: Source) -> pd.Series:
    """Whether everything of a line, or of its order, was refunded."""
    none = pd.Series(data=False, index=lines.index)
    sold = lines[QUANTITY]
    back = none
    if REFUNDED_QUANTITY in source.columns:
        back = (sold > 0) & (_positive(lines, REFUNDED_QUANTITY) >= sold)
    if "refund" in names(source.columns.get(QUANTITY, "")).casefold():
        back |= sold == 0  # the column has what is left after refunds
    if REFUNDED_AMOUNT in source.columns:
        back |= (lines[AMOUNT] > 0) & (_positive(lines, REFUNDED_AMOUNT) >= WHOLE * lines[AMOUNT])
    if ORDER_REFUND in source.columns:
        total = lines[AMOUNT].groupby(_orders(lines)).transform("sum")
        refund = _positive(lines, ORDER_REFUND).groupby(_orders(lines)).transform("max")
        discount = _positive(lines, ORDER_DISCOUNT).groupby(_orders(lines)).transform("max")
        paid = total - discount
        back |= (paid > 0) & (refund >= WHOLE * paid)
    return none | back


def _spread(lines: pd.DataFrame, column: str, amount: pd.Series) -> pd.Series:
    """An order's sum over its lines, in proportion to their amounts; it may stand on the first line
    or on all of them.
    """
    orders = _orders(lines)
    total = amount.groupby(orders).transform("sum")
    whole = _positive(lines, column).groupby(orders).transform("max")
    return (whole * amount / total.where(total > 0)).fillna(0.0)


def _orders(lines: pd.DataFrame) -> pd.Series:
    """A number for each order; a line without an order number is one of its own."""
    codes = pd.factorize(lines[ORDER_ID])[0].astype("int64")
    own = np.arange(-1, -len(lines) - 1, -1, dtype="int64")
    return pd.Series(np.where(codes < 0, own, codes), index=lines.index)


def _positive(lines: pd.DataFrame, column: str) -> pd.Series:
    return lines[column].astype("float64").abs().fillna(0.0)


def says(lines: pd.DataFrame, column: str) -> pd.Series:
    """Whether a cell says yes or when, rather than no or nothing."""
    words = _said(lines, column).str.strip().str.casefold()
    return ~words.isin(["", "0", "false", "no", "nein", "non", "0000-00-00 00:00:00", "none"])


def _said(lines: pd.DataFrame, column: str, otherwise: str = "") -> pd.Series:
    """The texts of a column, `otherwise` where a cell is empty."""
    cells = lines[column]
    return cells.astype("object").where(cells.notna(), otherwise).astype("str")


def currency_code(said: str) -> str:
    """The code of a currency by its code or sign, as it stands where neither is known."""
    word = said.strip()
    return SIGNS.get(word, word.upper() if word.upper() in CODES else word)


def _named(source: Source, column: str) -> str:
    return names(source.columns[column]) if column in source.columns else column
