"""Events that several files hold: exports overlap, and each purchase counts once."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from features.tables.table import SOURCE


def in_an_earlier_file(lines: pd.DataFrame, content: Sequence[str]) -> pd.Series:
    """Which lines an earlier file has brought already, as bool with the index of `lines`.

    `lines` has the columns of `content`, which make two of them the same event, `source` and
    `file`, in the order of the files. Equal lines of one file are as many events; the second of
    them is the same as the second in another file.
    """
    files = lines.groupby([SOURCE, "file"], sort=False)
    if files.ngroups < 2:
        return pd.Series(data=False, index=lines.index)
    event = lines.groupby([*content], sort=False, dropna=False).ngroup()
    number = event.groupby([files.ngroup(), event], sort=False).cumcount()
    return pd.DataFrame({"event": event, "number": number}).duplicated()
