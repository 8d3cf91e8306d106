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

from features.config.sources import Cleaning, Source, names
from features.intake.order_statuses import BOUGHT, MEANINGS
from features.intake.purchases import (
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
    UNIT_PRICE,
)
from features.tables.table import CUSTOMER_ID, Table

NO_RATES: Mapping[str, float] = MappingProxyType({})
STATES = ("no_purchase", *(meaning for meaning in MEANINGS if meaning != BOUGHT))
RULES = (
    *STATES,
    "cancellation",
    "return",
    "non_product",
    "no_customer",
    "free_of_charge",
    "wholesale",
    "taken_back",
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
) -> Cleaned:
    """Split the transaction lines that `features.intake.reading.sources` read, prices in the shop's
    `currency`.

    The rules come first, so a correction with a negative price is set aside and not an error; what
    no rule takes must have a positive quantity, no negative price and a status that is known. What
    is kept has what is left of a purchase, after refunds and returns.

    Raises `SourceError` where prices are in another currency that has no rate.
    """
    converted = in_one_currency(with_customers(lines, source), source, currency, rates)
    state, unknown = statuses(converted, source)
    found = with_amounts(converted, source)
    rule = _rule(found, source.cleaning, state)
    remaining = found[rule == ""]
    faults = _faults(remaining, source)
    faults = faults.where(unknown[rule == ""] == "", unknown[rule == ""])
    bad = remaining[faults != ""]
    rejected = rejections(zip(bad["file"], bad["line"], faults[faults != ""], strict=True))
    whole = remaining[faults == ""]
    left = netted(whole, found[rule.isin(BACK)])
    gone = (left[QUANTITY] <= 0) & (whole[QUANTITY] > 0)
    aside = [found[rule != ""].assign(rule=rule[rule != ""]), whole[gone].assign(rule="taken_back")]
    return Cleaned(left[~gone], pd.concat(aside).sort_index(), rejected)


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
    return pd.Series(np.select(masks, list(fits), default=""), index=index, dtype="str")
