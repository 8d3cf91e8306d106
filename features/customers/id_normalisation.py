"""When two of the shop's customer ids are of one person, and what ids look like, told without
showing one.

The one rule for orders, consents, opt-outs, rights, requests and the tags of the erased: an id is
without spaces around it and in the Unicode form NFC, and the case of an e-mail address does not
count. Whatever else two ids differ in, they are of two customers, unless `sayso.toml` says more.
"""

from __future__ import annotations

import re
import unicodedata

import pandas as pd

from features.catalog import CustomerIds

NOTHING = r"(?i:null|none|nan|nat|na|n/a|#n/a|<na>|nil|undefined|\(null\)|\\n)"
"""What programs write where there is no value; nobody's id."""
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
UNSEEN_ENDS = "\u200b\u2060\ufeff"
"""Characters of no width that copying leaves at the ends of a text."""
_NOTHING = re.compile(NOTHING)

KINDS = (
    ("digits", r"[0-9]+"),
    ("letters", r"[^\W\d_]+"),
    ("letters and digits", r"[^\W_]+"),
    ("characters of an e-mail address", r"\S+@\S+"),
    ("characters", r"(?s:.*)"),
)


def normalised(external_id: str, ids: CustomerIds) -> str:
    """The one form of all ids that are of the same customer."""
    trimmed = _trimmed(external_id)
    found = comparable(trimmed, trimmed, ids)
    if ids.ignore_leading_zeros and found.isascii() and found.isdigit():
        found = found.lstrip("0") or "0"
    return found


def comparable(text: str, external_id: str, ids: CustomerIds) -> str:
    """`text`, in which an id is looked for, in the form in which one like `external_id` stands
    there however it is written.
    """
    if ids.casefold or ADDRESS.fullmatch(external_id):
        # The canonical caseless match of the Unicode standard (section 3.13, D145).
        text = unicodedata.normalize("NFD", text).casefold()
    return unicodedata.normalize("NFC", text)


def is_nobody(external_id: str) -> bool:
    """Whether an id names nobody: it is empty, or what programs write where there is no value."""
    found = _trimmed(external_id)
    return not found or _NOTHING.fullmatch(found) is not None


def _trimmed(external_id: str) -> str:
    before, found = None, external_id
    while found != before:
        before, found = found, found.strip().strip(UNSEEN_ENDS)
    return found


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
