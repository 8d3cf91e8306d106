"""What came back on a day of what was bought before, taken out of the rows that are stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.intake.cleaning import BACK
from features.intake.loading.loaded import LoadedSource
from features.intake.loading.sorted_rows import SortedRows
from features.intake.loading.stored import SOLD
from features.intake.purchases import SOLD as UNITS_SOLD
from features.intake.purchases import netted
from features.intake.reading.source_files import ReadAnew
from features.tables.declared.transactions import (
    AMOUNT,
    ORDERED_AT,
    PRODUCT_ID,
    QUANTITY,
    UNIT_PRICE,
)
from features.tables.table import CUSTOMER, CUSTOMER_ID, RECORDED_AT, SOURCE

NEEDED = (PRODUCT_ID, ORDERED_AT, QUANTITY, AMOUNT, UNIT_PRICE)


@dataclass(frozen=True)
class TakenBack:
    """`bought` are the new purchases with what is left of them, those of which nothing is left
    too; `stored` are rows from before that changed, with what is left of each.
    """

    bought: pd.DataFrame
    stored: pd.DataFrame


def backs_of(part: SortedRows) -> pd.DataFrame:
    """The lines of a source that take something back from a customer."""
    return part.aside[part.aside["rule"].isin(BACK) & part.aside[CUSTOMER_ID].notna()]


def refuse_doubtful(part: SortedRows, before: LoadedSource) -> None:
    """Raise `ReadAnew` where lines that take back would meet others than in a load of everything.

    They are taken in the order of their moments: those of before come first, and nothing that is
    bought now was there for them.
    """
    last = before.last_back
    if last is not None and len(part.kept) and part.kept[ORDERED_AT].min() <= pd.Timestamp(last):
        raise ReadAnew("something was bought before what came back already")
    back = backs_of(part)
    if back.empty:
        return
    if last is not None and back[ORDERED_AT].min() < pd.Timestamp(last):
        raise ReadAnew("something came back before what came back already")
    if before.left or RECORDED_AT in part.source.columns:
        raise ReadAnew("something came back of rows that are not as they were read")


def taken_back(
    bought: pd.DataFrame, back: pd.DataFrame, stored: pd.DataFrame, before: LoadedSource
) -> TakenBack:
    """Take what came `back` out of what was `bought` now and of what is `stored`, all of one source
    and with the `customer`.

    Raises `ReadAnew` where what is stored does not tell enough.
    """
    mine = stored[stored[PRODUCT_ID].isin(back[PRODUCT_ID].unique())]
    mine = mine[mine[CUSTOMER].isin(back[CUSTOMER].unique())]
    if mine[list(NEEDED)].isna().to_numpy().any():
        raise ReadAnew("a value is gone of what was bought before")
    lines = pd.concat([_keyed(mine), _keyed(bought)], ignore_index=True)
    if before.expired:
        _refuse_other_matches(lines, back)
    left = netted(lines, _keyed(back))
    at, changed = len(mine), left[QUANTITY] != lines[QUANTITY]
    mine, less = mine.reset_index(drop=True), changed[:at].to_numpy()
    if mine.loc[less, SOLD].notna().any():
        raise ReadAnew("something came back of a purchase of which some came back before")
    found = mine.assign(
        **{
            SOLD: mine[QUANTITY].astype("Int64"),
            QUANTITY: left[QUANTITY][:at],
            AMOUNT: left[AMOUNT][:at],
        }
    )
    new = {name: left[name][at:].to_numpy() for name in (QUANTITY, AMOUNT)}
    return TakenBack(bought.assign(**new), found[less])


def _keyed(rows: pd.DataFrame) -> pd.DataFrame:
    whose = rows[CUSTOMER].astype("int64").astype("str").astype("object")
    named = rows[list(NEEDED)].assign(**{CUSTOMER_ID: whose})
    return named.astype({PRODUCT_ID: "object", QUANTITY: "int64", AMOUNT: "float64"})


def _refuse_other_matches(lines: pd.DataFrame, back: pd.DataFrame) -> None:
    """Raise `ReadAnew` unless each line that takes back meets a purchase of just its units and
    price: then none is meant that is past its retention.
    """
    keys = [CUSTOMER_ID, PRODUCT_ID]
    came = _keyed(back)
    if came[keys].duplicated().any():
        raise ReadAnew("several lines take back of one product, some of which is gone")
    both = came.merge(lines, on=keys, suffixes=("", "_bought"))
    same = np.isclose(both[UNIT_PRICE].abs(), both[f"{UNIT_PRICE}_bought"])
    same &= (-both[QUANTITY] == both[f"{QUANTITY}_bought"]).to_numpy()
    same &= (both[f"{ORDERED_AT}_bought"] <= both[ORDERED_AT]).to_numpy()
    if len(both[same][keys].drop_duplicates()) < len(came):
        raise ReadAnew("a line takes back of purchases some of which are gone")


def sold_units(rows: pd.DataFrame) -> pd.Series:
    """Units of new purchases as they were ordered, where fewer are left; missing elsewhere."""
    sold = rows[UNITS_SOLD].astype("int64")
    return sold.astype("Int64").mask(sold == rows[QUANTITY])


def whose(back: pd.DataFrame, known: dict[str, int]) -> pd.DataFrame:
    """Lines that take back with the `customer` of each, but for those of nobody who is known."""
    named = back.assign(**{CUSTOMER: back[CUSTOMER_ID].map(known)})
    found = named[named[CUSTOMER].notna()]
    return found.astype({CUSTOMER: "int64"})


def of_source(rows: pd.DataFrame, source: str) -> pd.DataFrame:
    """The rows of one source."""
    return rows[rows[SOURCE] == source]
