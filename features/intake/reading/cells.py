"""The cells of one source column, read as text, numbers or moments; what cannot be read is named
and never replaced.

Every distinct value is judged once: shops repeat themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.customers.id_normalisation import NOTHING
from features.intake.reading.date_formats import EPOCHS, ISO_PATTERN, normalised
from features.intake.reading.money import Notation, continued, notation_of
from features.intake.reading.raw_table import number_text
from features.tables.table import Kind

Mask = NDArray[np.bool_]

EMPTY = "empty"
"""Words of the fault of a cell that holds nothing; there is no value to quote then."""
IN_FUTURE = "which lies in the future"
UNSEEN = r"[\p{C}\x{FFFD}]"
CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
SPREADSHEET_ERROR = r"^#(N/A|REF!|VALUE!|NAME\?|NULL!|NUM!|DIV/0!)$"
ROUNDED = r"^[0-9]([.,][0-9]+)?E[+]?[0-9]+$"
LIST = r"^\[.*, .*\]$"
NUMBER = r"^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?$"
OFFSET = r":[0-9]{2}.*(Z|[+-][0-9]{2}:?[0-9]{2})$"
"""The end of a moment of ISO 8601 that states its offset."""
ID_LENGTH = 200
TITLE_LENGTH = 2_000
LARGEST_PRICE = 1e9
LARGEST_QUANTITY = 1e6
EARLIEST = pd.Timestamp(1971, 1, 1)
ZONE_SLACK = timedelta(hours=14)
"""A shop's own time is ahead of UTC by so much at the most."""


class Fault(NamedTuple):
    """What is wrong with the cells where `mask` is true."""

    mask: Mask
    words: str


class Cells(NamedTuple):
    """A column as read: `values`, one a row, which mean nothing where a fault is."""

    values: pd.Series
    faults: list[Fault]


def read_id(raw: pa.Array[Any], *, required: bool) -> Cells:
    """Ids as str without spaces around them, missing where the cell is empty."""
    codes, texts = _distinct_texts(raw)
    faults = [
        Fault(_matches(texts, UNSEEN), "which holds a character that cannot be seen or was lost"),
        Fault(_matches(texts, SPREADSHEET_ERROR), "which is an error of a spreadsheet"),
        Fault(
            _matches(texts, ROUNDED), "which a spreadsheet has rounded; export the column as text"
        ),
        Fault(
            _matches(texts, f"^{NOTHING}$"),
            "which stands for nothing; leave a cell without a value empty",
        ),
        Fault(_matches(texts, LIST), "which is a list"),
        Fault(_longer(texts, ID_LENGTH), f"which is longer than {ID_LENGTH} characters"),
    ]
    if required:
        faults.insert(0, Fault(texts.isna().to_numpy(), EMPTY))
    return _spread(codes, texts, faults)


def read_title(raw: pa.Array[Any]) -> Cells:
    """Texts for people as str, white space collapsed, missing where the cell is empty."""
    codes, texts = _distinct_texts(raw)
    faults = [
        Fault(_matches(texts, CONTROL), "which holds a control character"),
        Fault(_longer(texts, TITLE_LENGTH), f"which is longer than {TITLE_LENGTH} characters"),
    ]
    return _spread(codes, texts.str.replace(r"\s+", " ", regex=True), faults)


def column_notation(
    raw: pa.Array[Any], *, decimal_comma: bool, before: Notation | None = None
) -> Notation | None:
    """How a column of text writes numbers; None where its cells are no texts, or where they may
    change how the cells above them are read, which were read in the notation `before`.

    The whole column tells (`features.intake.reading.money`); where it does not, `decimal_comma`
    lets `2,500` be two and a half.
    """
    if not _is_text(raw.type):
        return None
    texts = _distinct_texts(raw)[1].dropna().tolist()
    if before is not None:
        return continued(before, texts)
    return notation_of(texts, decimal_comma=decimal_comma)


def read_price(
    raw: pa.Array[Any],
    *,
    decimal_comma: bool = False,
    may_be_empty: bool = False,
    notation: Notation | None = None,
) -> Cells:
    """Finite numbers as float64, negative ones among them, with or without the sign or code of a
    currency.

    They are read in the column's `notation`; where none is stated the column tells it, as
    `column_notation` does. A cell that `may_be_empty` is 0 then.
    """
    notation = notation or column_notation(raw, decimal_comma=decimal_comma)
    codes, numbers, faults = _distinct_numbers(raw, notation)
    if may_be_empty:
        faults, numbers = faults[1:], np.where(faults[0].mask, 0.0, numbers)
    faults.append(Fault(np.abs(numbers) > LARGEST_PRICE, "which is more than anything costs"))
    return _spread(codes, pd.Series(numbers), faults)


def read_quantity(
    raw: pa.Array[Any],
    *,
    decimal_comma: bool = False,
    may_be_empty: bool = False,
    notation: Notation | None = None,
) -> Cells:
    """Whole numbers as int64, negative ones among them, else as `read_price` reads them."""
    notation = notation or column_notation(raw, decimal_comma=decimal_comma)
    codes, numbers, faults = _distinct_numbers(raw, notation)
    if may_be_empty:
        faults, numbers = faults[1:], np.where(faults[0].mask, 0.0, numbers)
    faults.append(
        Fault(
            np.abs(numbers) > LARGEST_QUANTITY, f"which is more than {LARGEST_QUANTITY:,.0f} units"
        )
    )
    finite = np.isfinite(numbers)
    faults.append(Fault(finite & (numbers != np.floor(numbers)), "which is not a whole number"))
    unreadable = np.logical_or.reduce([fault.mask for fault in faults])
    return _spread(codes, pd.Series(np.where(unreadable, 0, numbers).astype("int64")), faults)


def read_moment(
    raw: pa.Array[Any],
    *,
    date_format: str | None,
    now: datetime,
    zone: str = "UTC",
    may_be_empty: bool = False,
) -> Cells:
    """Moments as naive UTC in microseconds; one without an offset is of `zone`, and of a time that
    its clocks show twice the first. A cell that `may_be_empty` is missing then.

    Raises `ValueError` where `date_format` is no strptime format.
    """
    codes, moments, faults = _distinct_moments(raw, date_format, zone)
    faults = faults[1:] if may_be_empty else faults
    today = pd.Timestamp(now).tz_convert(None) if now.tzinfo else pd.Timestamp(now)
    faults.append(Fault((moments > today + ZONE_SLACK).to_numpy(), IN_FUTURE))
    faults.append(Fault((moments < EARLIEST).to_numpy(), f"which is before {EARLIEST.year}"))
    return _spread(codes, moments, faults)


def is_readable(found: pa.DataType, kind: Kind, date_format: str | None = None) -> bool:
    """Whether cells of the type `found` can be read as a column of `kind`; numbers are moments in
    a `date_format` that counts since 1970.
    """
    found = found.value_type if pa.types.is_dictionary(found) else found
    if pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_null(found):
        return True
    if kind is Kind.MOMENT:
        counted = date_format in EPOCHS and (
            pa.types.is_integer(found) or pa.types.is_floating(found)
        )
        return bool(counted or pa.types.is_timestamp(found) or pa.types.is_date(found))
    if kind.is_number and pa.types.is_decimal(found):
        return True
    if pa.types.is_boolean(found):
        return not kind.is_number
    return bool(pa.types.is_integer(found) or pa.types.is_floating(found))


def _distinct(raw: pa.Array[Any]) -> tuple[NDArray[np.int64], pa.Array[Any]]:
    """Codes and distinct values; the last value is null, and code -1 stands for it."""
    if pa.types.is_null(raw.type):
        raw = raw.cast(pa.string())
    if pa.types.is_dictionary(raw.type):
        raw = raw.cast(raw.type.value_type)
    encoded = raw.dictionary_encode()
    values = pa.concat_arrays([encoded.dictionary, pa.nulls(1, raw.type)])
    return encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype("int64"), values


def _distinct_texts(raw: pa.Array[Any]) -> tuple[NDArray[np.int64], pd.Series]:
    codes, values = _distinct(raw)
    if pa.types.is_floating(values.type):
        values = _without_point(values)
    texts = pc.utf8_trim_whitespace(values.cast(pa.string()))
    texts = pc.if_else(pc.equal(texts, pa.scalar("")), pa.scalar(None, pa.string()), texts)
    return codes, pd.Series(texts.to_pandas(), dtype="str")


def _without_point(numbers: pa.Array[Any]) -> pa.Array[Any]:
    """A column of ids with gaps becomes one of floating-point numbers in many tools; 17850.0 was
    17850.
    """
    floats = numbers.cast(pa.float64()).to_numpy(zero_copy_only=False)
    texts = [None if np.isnan(number) else number_text(number) for number in floats.tolist()]
    return pa.array(texts, pa.string())


def _distinct_numbers(
    raw: pa.Array[Any], notation: Notation | None
) -> tuple[NDArray[np.int64], NDArray[np.float64], list[Fault]]:
    if notation is None:
        codes, values = _distinct(raw)
        numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        missing = values.is_null().to_numpy(zero_copy_only=False)
        return (
            codes,
            numbers,
            [Fault(missing, EMPTY), Fault(~missing & ~np.isfinite(numbers), "which is not finite")],
        )
    codes, texts = _distinct_texts(raw)
    empty = texts.isna().to_numpy()
    plain = _matches(texts, NUMBER) if notation.decimal == "." else np.zeros(len(texts), dtype=bool)
    numbers = pd.to_numeric(texts.where(plain)).to_numpy(dtype="float64", na_value=np.nan).copy()
    others = np.flatnonzero(~plain & ~empty)
    numbers[others] = [_or_nan(notation.number(text)) for text in texts.iloc[others]]
    return (
        codes,
        numbers,
        [
            Fault(empty, EMPTY),
            Fault(~empty & np.isnan(numbers), "which is no number"),
            Fault(np.isinf(numbers), "which is not finite"),
        ],
    )


def _or_nan(number: float | None) -> float:
    return np.nan if number is None else number


def _distinct_moments(
    raw: pa.Array[Any], date_format: str | None, zone: str
) -> tuple[NDArray[np.int64], pd.Series, list[Fault]]:
    if not _is_text(raw.type) and date_format not in EPOCHS:
        codes, values = _distinct(raw)
        states_zone = pa.types.is_timestamp(values.type) and values.type.tz is not None
        # only nanoseconds may lose digits on the way to microseconds; anything else that does not
        # fit is an error
        in_microseconds = values.cast(pa.timestamp("us"), safe="[ns" not in str(values.type))
        return (
            codes,
            _by_clocks(in_microseconds.to_pandas(), "UTC" if states_zone else zone),
            [Fault(values.is_null().to_numpy(zero_copy_only=False), EMPTY)],
        )
    codes, texts = _distinct_texts(raw)
    if date_format in EPOCHS:
        moments = _since_1970(texts, date_format)
    else:
        other = ~_matches(texts, ISO_PATTERN) & texts.notna().to_numpy()
        if other.any():
            texts = texts.mask(other, texts[other].map(normalised)).astype("str")
        good = _matches(texts, ISO_PATTERN if date_format is None else "[0-9]")
        moments = pd.to_datetime(
            texts.where(good), format=date_format or "ISO8601", utc=True, errors="coerce"
        )
        states = date_format is not None and "%z" in date_format
        offset = _matches(texts, OFFSET) if date_format is None else np.full(len(texts), states)
        moments = moments.dt.tz_localize(None)
        moments = moments.where(offset, _by_clocks(moments, zone))
    empty = texts.isna().to_numpy()
    wanted = (
        "as ISO 8601 writes it (2011-12-31 or 2011-12-31T23:59:59)"
        if date_format is None
        else f"of the form {date_format}"
    )
    unread = Fault(~empty & moments.isna().to_numpy(), f"which is no date {wanted}")
    return (
        codes,
        moments.astype("datetime64[us]"),
        [Fault(empty, EMPTY), unread],
    )


def _since_1970(texts: pd.Series, date_format: str) -> pd.Series:
    """Moments counted since 1970 in the format's unit."""
    factor, pattern = EPOCHS[date_format]
    good = texts.str.fullmatch(pattern.pattern).fillna(value=False).astype(bool)
    micros = (pd.to_numeric(texts.where(good)).astype("float64") * factor).round().astype("Int64")
    return pd.Series(micros.astype("datetime64[us]"))


def _by_clocks(moments: pd.Series, zone: str) -> pd.Series:
    """Naive UTC of what clocks in `zone` show."""
    if zone == "UTC":
        return moments
    first = np.ones(len(moments), dtype=bool)
    local = moments.dt.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    utc: pd.Series = local.dt.tz_convert(None)
    return utc


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)
    )


def _matches(texts: pd.Series, pattern: str) -> Mask:
    found = pc.match_substring_regex(pa.array(texts, pa.string(), from_pandas=True), pattern)
    mask: Mask = found.fill_null(fill_value=False).to_numpy(zero_copy_only=False)
    return mask


def _longer(texts: pd.Series, limit: int) -> Mask:
    mask: Mask = (texts.str.len() > limit).to_numpy(dtype=bool)
    return mask


def _spread(codes: NDArray[np.int64], values: pd.Series, faults: Sequence[Fault]) -> Cells:
    """From distinct values back to one value a row."""
    everywhere = [Fault(fault.mask[codes], fault.words) for fault in faults if fault.mask.any()]
    rows: Any = values.take(codes)
    return Cells(rows.reset_index(drop=True), everywhere)
