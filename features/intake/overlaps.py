"""What several files hold: exports overlap, and each purchase counts once.

An order has a number, and a later export of the same orders knows better: it replaces the orders
that it holds, and what it leaves out since its own first order is gone. Exports that share no
order, such as those of two branches, stand side by side. Rows without a number count once each.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from features.tables.declared.transactions import ORDER_ID, ORDERED_AT
from features.tables.table import CUSTOMER_ID, SOURCE


def in_an_earlier_file(lines: pd.DataFrame, content: Sequence[str]) -> pd.Series:
    """Which lines an earlier file has brought already, as bool with the index of `lines`.

    `lines` has the columns of `content`, which make two of them the same event, `source` and
    `file`, in the order of the files. Equal lines of one file are as many events; the second of
    them is the same as the second in another file.
    """
    if _are_of_one_file(lines):
        return pd.Series(data=False, index=lines.index)
    files = lines.groupby([SOURCE, "file"], sort=False)
    event = lines.groupby([*content], sort=False, dropna=False).ngroup()
    number = event.groupby([files.ngroup(), event], sort=False).cumcount()
    return pd.DataFrame({"event": event, "number": number}).duplicated()


def in_a_later_export(lines: pd.DataFrame) -> pd.Series:
    """Which lines a later export replaces, as bool with the index of `lines`, which have
    `order_id`, `customer_id`, `ordered_at`, `source` and `file`, in the order of the files.

    Of two exports that share an order of a customer the later one speaks for all orders since its
    own first. The same number with another customer is another system's.
    """
    replaced = pd.Series(data=False, index=lines.index)
    if _are_of_one_file(lines):
        return replaced
    numbered = lines[lines[ORDER_ID].notna()]
    exports = [part for _, part in numbered.groupby([SOURCE, "file"], sort=False)]
    orders = [pd.MultiIndex.from_frame(part[[ORDER_ID, CUSTOMER_ID]]).unique() for part in exports]
    for at, later in enumerate(exports):
        begins = later[ORDERED_AT].min()
        for before in range(at):
            if orders[before].isin(orders[at]).any():
                earlier = exports[before]
                held = pd.MultiIndex.from_frame(earlier[[ORDER_ID, CUSTOMER_ID]]).isin(orders[at])
                gone = (earlier[ORDERED_AT] >= begins).to_numpy() | held
                replaced[earlier.index[gone]] = True
    return replaced


def _are_of_one_file(lines: pd.DataFrame) -> bool:
    return len(lines[[SOURCE, "file"]].drop_duplicates()) < 2
