"""Rows of customers' tables in the terms of their orders: whose they are, where a file knows people
by their e-mail addresses alone, and since when facts hold of which no moment is stated.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pandas as pd

from features.tables.table import CUSTOMER, CUSTOMER_ID, RECORDED_AT


def by_account(rows: pd.DataFrame, accounts: Mapping[str, str]) -> pd.DataFrame:
    """`rows` with the id that belongs to an e-mail address, where that stands in its place."""
    if rows.empty or not accounts:
        return rows
    ids = rows[CUSTOMER_ID]
    own = {id: accounts[id.casefold()] for id in ids.unique() if id.casefold() in accounts}
    return rows.assign(**{CUSTOMER_ID: ids.replace(own)}) if own else rows


def since_first_order(rows: pd.DataFrame, orders: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """`rows` of states with a moment each: who states none has it since the customer's first order,
    and who never ordered since `now`.
    """
    if rows.empty or not (unsaid := rows[RECORDED_AT].isna()).any():
        return rows
    first = orders.groupby(CUSTOMER)[RECORDED_AT].min()
    since = rows.loc[unsaid, CUSTOMER].map(first).fillna(pd.Timestamp(now.replace(tzinfo=None)))
    return rows.assign(**{RECORDED_AT: rows[RECORDED_AT].where(~unsaid, since)})
