"""Purchases that several files hold: exports overlap, and each purchase counts once."""

from __future__ import annotations

import pandas as pd

CONTENT = ["customer_id", "order_id", "product_id", "ordered_at", "quantity", "unit_price"]
"""What makes two lines of different files the same purchase."""


def in_an_earlier_file(lines: pd.DataFrame) -> pd.Series:
    """Which lines an earlier file has brought already, as bool with the index of `lines`.

    `lines` has the columns of `CONTENT`, `source` and `file`, in the order of the files. Equal
    lines of one file are as many purchases; the second of them is the same as the second in another
    file.
    """
    files = lines.groupby(["source", "file"], sort=False)
    if files.ngroups < 2:
        return pd.Series(data=False, index=lines.index)
    content = lines.groupby(CONTENT, sort=False, dropna=False).ngroup()
    number = content.groupby([files.ngroup(), content], sort=False).cumcount()
    return pd.DataFrame({"content": content, "number": number}).duplicated()
