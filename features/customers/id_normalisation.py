"""What customer ids look like, told without showing one."""

from __future__ import annotations

import pandas as pd

KINDS = (
    ("digits", r"[0-9]+"),
    ("letters", r"[^\W\d_]+"),
    ("letters and digits", r"[^\W_]+"),
    ("characters of an e-mail address", r"\S+@\S+"),
    ("characters", r"(?s:.*)"),
)


def id_shape(ids: pd.Series) -> str:
    """The shape of most of `ids` (str), such as "6 digits" or "1 to 4 digits"; "none" where there
    is none.
    """
    unsorted, counted = ids, {}
    for kind, pattern in KINDS:
        fits = unsorted.str.fullmatch(pattern)
        counted[kind], unsorted = unsorted[fits], unsorted[~fits]
    kind, most = max(counted.items(), key=lambda found: len(found[1]))
    if most.empty:
        return "none"
    shortest, longest = most.str.len().min(), most.str.len().max()
    return f"{longest} {kind}" if shortest == longest else f"{shortest} to {longest} {kind}"
