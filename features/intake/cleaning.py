"""Which lines are a customer's purchases: the others are set aside under exactly one rule, or
rejected.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from features.catalog import CustomerIds
from features.config.sources import Cleaning, Source, names
from features.customers.id_normalisation import normalised
from features.intake.order_statuses import BOUGHT, MEANINGS
from features.intake.purchases import (
    NO_ACCOUNTS,
    in_one_currency,
    netted,
    says,
    statuses,
    with_amounts,
    with_customers,
)
from features.intake.reading.rejected import rejections
from features.tables.declared.interactions import CANCELLED
from features.tables.declared.transactions import (
    AMOUNT,
    ORDER_ID,
    PRODUCT_ID,
    QUANTITY,
    TABLE,
    UNIT_PRICE,
)
from features.tables.table import CUSTOMER_ID, Table

AS_WRITTEN = CustomerIds()
"""The rule where `sayso.toml` states none."""
NO_RATES: Mapping[str, float] = MappingProxyType({})
TAKEN_BACK = "taken_back"
STATES = ("no_purchase", *(meaning for meaning in MEANINGS if meaning != BOUGHT))
RULES = (
    *STATES,
    "cancellation",
    "return",
    "non_product",
    "no_customer",
    "free_of_charge",
    "wholesale",
    TAKEN_BACK,
    "other_kind",
)
"""In this order a line is tried, and the first rule that fits has it:

no_purchase: an event of another kind, such as a view; test, cancelled, refunded, returned, failed,
pending: what its status or its refund says; cancellation: the order's number starts as
cancellations do; return: a negative quantity; non_product: postage, a fee, a voucher or a
correction; no_customer: nobody is named; free_of_charge: a price of 0, hence a gift or a
correction; wholesale: more units than a person buys; taken_back: a purchase of which all was
cancelled or returned later; other_kind: among interactions an event that is none, such as a
purchase.
"""
DECIDING = tuple(column.name for column in TABLE.only_read)
"""Columns that say what becomes of a line, and nothing more."""
BACK = ("cancellation", "return")
"""Rules of lines that take back what was bought before."""


@dataclass(frozen=True)
class Cleaned:
    """Lines by what becomes of them: `kept`, `set_aside` (with a column `rule`) and `rejected`
    (file, line, reason).
    """

    kept: pd.DataFrame
    set_aside: pd.DataFrame
    rejected: pd.DataFrame

    @property
    def counts(self) -> dict[str, int]:
        """Lines set aside, by rule; every rule is there."""
        found = self.set_aside["rule"].value_counts()
        return {rule: int(found.get(rule, 0)) for rule in RULES}


def clean(
    lines: pd.DataFrame,
    source: Source,
    currency: str,
    rates: Mapping[str, float] = NO_RATES,
    ids: CustomerIds = AS_WRITTEN,
) -> Cleaned:
    """Split the transaction lines that `features.intake.reading.sources` read, prices in the shop's
    `currency`, and the ids of customers in the one form that `ids` gives them.

    The rules come first, so a correction with a negative price is set aside and not an error; what
    no rule takes must have a positive quantity, no negative price and a status that is known. What
    is kept has what is left of a purchase, after refunds and returns.

    Raises `SourceError` where prices are in another currency that has no rate.
    """
    found = judged(lines, source, currency, rates, ids)
    back = found.set_aside[found.set_aside["rule"].isin(BACK)]
    left = netted(found.kept, back)
    gone = (left[QUANTITY] <= 0) & (found.kept[QUANTITY] > 0)
    if not gone.any():
        return Cleaned(left, found.set_aside, found.rejected)
    aside = [found.set_aside, found.kept[gone].assign(rule=TAKEN_BACK)]
    return Cleaned(left[~gone], pd.concat(aside).sort_index(), found.rejected)


def judged(
    lines: pd.DataFrame,
    source: Source,
    currency: str,
    rates: Mapping[str, float] = NO_RATES,
    ids: CustomerIds = AS_WRITTEN,
    accounts: Mapping[str, str] = NO_ACCOUNTS,
) -> Cleaned:
    """As `clean`, but what came back later is not yet taken out of the purchases. `accounts` are
    those by e-mail address that lines read before have.
    """
    named = _in_one_form(with_customers(lines, source, accounts), ids)
    converted = in_one_currency(named, source, currency, rates)
    state, unknown = statuses(converted, source)
    found = with_amounts(converted, source)
    rule = _rule(found, source.cleaning, state)
    whole = (rule == "").to_numpy()
    doubtful = whole & (_is_faulty(found) | (unknown != "").to_numpy())
    faults = _faults(found[doubtful], source)
    faults = faults.where(unknown[doubtful] == "", unknown[doubtful])
    bad = found.loc[doubtful, ["file", "line"]]
    rejected = rejections(zip(bad["file"], bad["line"], faults, strict=True))
    found = found.drop(columns=[name for name in DECIDING if name in found])
    aside = found[~whole].assign(rule=rule[~whole].astype("str"))
    kept = whole & ~doubtful
    return Cleaned(found if kept.all() else found[kept], aside, rejected)


def _in_one_form(lines: pd.DataFrame, ids: CustomerIds) -> pd.DataFrame:
    """The lines with one form of all ids that are of one customer."""
    said = lines[CUSTOMER_ID]
    forms = {id: normalised(id, ids) for id in said.dropna().unique()}
    if all(id == form for id, form in forms.items()):
        return lines
    return lines.assign(**{CUSTOMER_ID: said.map(forms).astype("str")})


def of_customers(rows: pd.DataFrame, table: Table) -> Cleaned:
    """Split rows that are no order lines: those of which nobody knows the customer are set aside,
    and of rows of kinds those of no kind that `table` has, or that were called off.
    """
    fits: dict[str, pd.Series | bool] = {"no_customer": rows[CUSTOMER_ID].isna()}
    if table.kind is not None:
        fits["other_kind"] = ~rows[table.kind].isin(list(table.kinds))
    if CANCELLED in rows:
        fits["cancelled"] = says(rows, CANCELLED)
    rule = _first(rows.index, fits)
    return Cleaned(rows[rule == ""], rows[rule != ""].assign(rule=rule[rule != ""]), rejections())


def _rule(lines: pd.DataFrame, cleaning: Cleaning, state: pd.Series) -> pd.Series:
    """Name of the rule that sets each line aside, "" for none."""
    prefix, most = cleaning.cancellation_prefix, cleaning.wholesale_units
    fits = {
        **{each: state == each for each in STATES},
        "cancellation": lines[ORDER_ID].str.startswith(prefix) if prefix else False,
        "return": lines[QUANTITY] < 0,
        "non_product": _is_non_product(lines[PRODUCT_ID], cleaning.non_products),
        "no_customer": lines[CUSTOMER_ID].isna(),
        "free_of_charge": lines[UNIT_PRICE] == 0,
        "wholesale": lines[QUANTITY] > most if most is not None else False,
    }
    return _first(lines.index, {rule: fits[rule] for rule in RULES if rule in fits})


def _is_non_product(product_ids: pd.Series, codes: tuple[str, ...]) -> pd.Series:
    alternatives = "|".join(
        ".*".join(re.escape(part) for part in code.split("*")) for code in codes
    )
    non_product = re.compile(alternatives, re.IGNORECASE)
    return product_ids.isin(
        [product for product in product_ids.unique() if codes and non_product.fullmatch(product)]
    )


def _is_faulty(lines: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which lines cannot be a purchase, as `_faults` says why."""
    faulty = (lines[QUANTITY] == 0) | (lines[UNIT_PRICE] < 0) | (lines[AMOUNT] < 0)
    return faulty.to_numpy(dtype=bool)


def _faults(lines: pd.DataFrame, source: Source) -> pd.Series:
    """Why each line cannot be a purchase, "" where it can."""
    reasons = pd.Series("", index=lines.index, dtype="str")
    for column, bad, words in (
        (QUANTITY, lines[QUANTITY] == 0, "which is no purchase"),
        (UNIT_PRICE, lines[UNIT_PRICE] < 0, "which is negative"),
        (AMOUNT, lines[AMOUNT] < 0, "which is negative"),
    ):
        named = names(source.columns.get(column, column))
        new = bad & (reasons == "")
        said = [f"{named} is {value}, {words}" for value in lines.loc[new, column]]
        reasons[new] = np.array(said, dtype=object)
    return reasons


def _first(index: pd.Index, fits: Mapping[str, pd.Series | bool]) -> pd.Series:
    masks = [np.broadcast_to(np.asarray(mask, dtype=bool), len(index)) for mask in fits.values()]
    numbers = np.arange(1, len(masks) + 1, dtype=np.int8)
    codes = np.select(masks, list(numbers), default=np.int8(0))
    rules = pd.Categorical.from_codes(codes.astype(np.int8), pd.Index(["", *fits]))
    return pd.Series(rules, index=index)
