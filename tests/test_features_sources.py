"""Reading source files: what is read, and that nothing is dropped or put right in silence."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.config.sources import Source
from features.errors import SourceError
from features.intake.reading.sources import SourceRows, read_source

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = {
    "customer_id": "client",
    "order_id": "order",
    "product_id": "sku",
    "ordered_at": "day",
    "quantity": "units",
    "unit_price": "price",
    "title": "name",
}
HEADER = b"client,order,sku,day,units,price,name\n"
GOOD = b"7,A1,mug,2024-01-05 10:00:00,2,3.50,Blue mug\n"
AFTER = b"8,A2,cup,2024-01-06,1,2.25,Cup\n"

CORRUPT = {
    "no cells": (b"\n", "the line is empty"),
    "only spaces": (b"   \n", "1 cells"),
    "a cell too few": (b"7,A3,mug,2024-01-05,2,3.50\n", "6 cells and the header 7"),
    "a cell too many": (b"7,A3,mug,2024-01-05,2,3.50,Mug,extra\n", "8 cells and the header 7"),
    "a decimal comma": (b"7,A3,mug,2024-01-05,2,3,50,Mug\n", "8 cells"),
    "another delimiter": (b"7;A3;mug;2024-01-05;2;3.50;Mug\n", "1 cells"),
    "only delimiters": (b",,,,,,\n", "order is empty"),
    "a quotation mark never closed": (b'7,A3,mug,2024-01-05,2,3.50,"Mug\n', "quotation mark"),
    "text after the closing quotation mark": (
        b'7,A3,mug,2024-01-05,2,3.50,"Big "mug"\n',
        "closing quotation mark",
    ),
    "a quotation mark that closes in the next row": (
        b'7,A3,"mug,2024-01-05,2,3.50,Mug\n',
        "quotation mark",
    ),
    "a NUL in an id": (
        b"7,A\x003,mug,2024-01-05,2,3.50,Mug\n",
        "order is 'A\\x003', which holds a NUL byte",
    ),
    "a NUL in the title": (b"7,A3,mug,2024-01-05,2,3.50,M\x00g\n", "name"),
    "a control character in an id": (b"7,A3,m\x07ug,2024-01-05,2,3.50,Mug\n", "sku"),
    "a control character in the title": (b"7,A3,mug,2024-01-05,2,3.50,M\x1bug\n", "name"),
    "a zero-width space in an id": (
        "7,A3,m\u200bug,2024-01-05,2,3.50,Mug\n".encode(),
        "cannot be seen",
    ),
    "a change of direction in an id": ("7\u202e,A3,mug,2024-01-05,2,3.50,Mug\n".encode(), "client"),
    "a lost character in an id": ("7,A3,m\ufffdg,2024-01-05,2,3.50,Mug\n".encode(), "was lost"),
    "a line break in an id": (b'7,"A\n3",mug,2024-01-05,2,3.50,Mug\n', "order"),
    "Latin-1 beside UTF-8": (
        b"7,A3,mug,2024-01-05,2,3.50,M\xfcg \xc3\xbc\n",
        "name is 'M\\xfcg ü', which holds bytes that are not UTF-8",
    ),
    "a cut UTF-8 sequence": (b"7,A3,mug,2024-01-05,2,3.50,M\xc3\n", "not UTF-8"),
    "an encoded surrogate": (b"7,A3,mug,2024-01-05,2,3.50,\xed\xa0\x80\n", "not UTF-8"),
    "bytes of UTF-16": ("7,A3,mug".encode("utf-16-le") + b"\n", "1 cells|3 cells"),
    "no order": (b"7,,mug,2024-01-05,2,3.50,Mug\n", "order is empty"),
    "no product": (b"7,A3,  ,2024-01-05,2,3.50,Mug\n", "sku is empty"),
    "no date": (b"7,A3,mug,,2,3.50,Mug\n", "day is empty"),
    "no quantity": (b"7,A3,mug,2024-01-05,,3.50,Mug\n", "units is empty"),
    "no price": (b"7,A3,mug,2024-01-05,2,,Mug\n", "price is empty"),
    "NULL for a customer": (
        b"NULL,A3,mug,2024-01-05,2,3.50,Mug\n",
        "client is 'NULL', which stands for nothing",
    ),
    "nan for a customer": (b"nan,A3,mug,2024-01-05,2,3.50,Mug\n", "client is 'nan'"),
    "an error of a spreadsheet": (b"7,#REF!,mug,2024-01-05,2,3.50,Mug\n", "spreadsheet"),
    "an id rounded by a spreadsheet": (b"7,A3,4.71E+12,2024-01-05,2,3.50,Mug\n", "rounded"),
    "an endless id": (b"7," + b"A" * 500 + b",mug,2024-01-05,2,3.50,Mug\n", "longer than 200"),
    "an endless title": (b"7,A3,mug,2024-01-05,2,3.50," + b"m" * 5000 + b"\n", "longer than 2000"),
    "a word for a date": (
        b"7,A3,mug,yesterday,2,3.50,Mug\n",
        "day is 'yesterday', which is no date",
    ),
    "now for a date": (b"7,A3,mug,now,2,3.50,Mug\n", "day is 'now'"),
    "a date in another format": (b"7,A3,mug,05/01/2024,2,3.50,Mug\n", "day is '05/01/2024'"),
    "a day that no month has": (b"7,A3,mug,2024-02-30,2,3.50,Mug\n", "day is '2024-02-30'"),
    "a 13th month": (b"7,A3,mug,2024-13-01,2,3.50,Mug\n", "day is '2024-13-01'"),
    "an hour that no day has": (b"7,A3,mug,2024-01-05 25:00:00,2,3.50,Mug\n", "day is"),
    "a year alone": (b"7,A3,mug,2024,2,3.50,Mug\n", "day is '2024'"),
    "seconds since 1970": (b"7,A3,mug,1704448800,2,3.50,Mug\n", "day is '1704448800'"),
    "a date in the future": (
        b"7,A3,mug,2099-01-05,2,3.50,Mug\n",
        "day is '2099-01-05', which lies in the future",
    ),
    "a date before there were shops like this": (
        b"7,A3,mug,1900-01-00,2,3.50,Mug\n",
        "day is '1900-01-00'",
    ),
    "the zero of a clock": (b"7,A3,mug,1970-01-01,2,3.50,Mug\n", "before 1971"),
    "a word for a quantity": (
        b"7,A3,mug,2024-01-05,two,3.50,Mug\n",
        "units is 'two', which is no number",
    ),
    "half a unit": (
        b"7,A3,mug,2024-01-05,2.5,3.50,Mug\n",
        "units is '2.5', which is not a whole number",
    ),
    "more units than there are": (
        b"7,A3,mug,2024-01-05,99999999999999999999,3.50,Mug\n",
        "more than 1,000,000 units",
    ),
    "an infinite quantity": (b"7,A3,mug,2024-01-05,inf,3.50,Mug\n", "units is 'inf'"),
    "a quantity in hexadecimal": (b"7,A3,mug,2024-01-05,0x10,3.50,Mug\n", "units is '0x10'"),
    "a quantity in Arabic digits": ("7,A3,mug,2024-01-05,\u0663,3.50,Mug\n".encode(), "units is"),
    "two currency signs": (
        "7,A3,mug,2024-01-05,2,$3.50 €,Mug\n".encode(),
        "price is '$3.50 €', which is no number",
    ),
    "a price that is not a number": (
        b"7,A3,mug,2024-01-05,2,NaN,Mug\n",
        "price is 'NaN', which is no number",
    ),
    "an infinite price": (b"7,A3,mug,2024-01-05,2,Infinity,Mug\n", "price is 'Infinity'"),
    "a price that overflows": (
        b"7,A3,mug,2024-01-05,2,1e999,Mug\n",
        "price is '1e999', which is not finite",
    ),
    "a price beyond belief": (b"7,A3,mug,2024-01-05,2,1e12,Mug\n", "more than anything costs"),
    "thousands of two digits": (b'7,A3,mug,2024-01-05,2,"12,34.50",Mug\n', "price is '12,34.50'"),
    "digits with underscores": (b"7,A3,mug,2024-01-05,1_000,3.50,Mug\n", "units is '1_000'"),
    "the header again": (HEADER, "day is 'day'"),
}


def read(folder: Path, content: bytes, **changes: Any) -> SourceRows:
    """The rows of a CSV file with that content."""
    (folder / "orders.csv").write_bytes(content)
    return read_source(source(**changes), folder, NOW)


def source(**changes: Any) -> Source:
    """A source of transactions."""
    return Source(
        **{
            "name": "orders",
            "file": "orders.csv",
            "table": "transactions",
            "columns": COLUMNS,
            **changes,
        }
    )


@pytest.mark.parametrize("kind", CORRUPT)
def test_a_corrupt_row_is_rejected_with_file_line_and_reason_and_costs_no_other_row(
    kind: str, tmp_path: Path
) -> None:
    """A corrupt row is named by file, line and reason, and the rows around it are read as if it
    were not there.
    """
    row, reason = CORRUPT[kind]
    found = read(tmp_path, HEADER + GOOD + row + AFTER)
    assert found.rows["order_id"].tolist() == ["A1", "A2"]
    assert set(found.rejected["file"]) == {"orders.csv"}
    assert found.rejected["line"].iloc[0] == 3
    assert any(words in found.rejected["reason"].iloc[0] for words in reason.split("|"))
    assert len(found.rejected) == 1


def test_fifty_kinds_of_corruption_in_one_file_are_all_rejected(tmp_path: Path) -> None:
    """Every one of fifty and more kinds of corrupt rows is rejected when they stand together, each
    on its own line.
    """
    assert len(CORRUPT) >= 50
    content, expected = HEADER, []
    for row, _reason in CORRUPT.values():
        expected.append(content.count(b"\n") + 1)
        content += row + GOOD
    found = read(tmp_path, content)
    assert found.rejected["line"].tolist() == expected
    assert len(found.rows) == len(CORRUPT)


def test_quoted_line_breaks_do_not_shift_line_numbers(tmp_path: Path) -> None:
    """A quoted title may hold line breaks; the rows after it still have the line on which they
    begin.
    """
    found = read(
        tmp_path,
        HEADER
        + b'7,A1,mug,2024-01-05,2,3.50,"Blue\nmug,\nlarge"\n'
        + b"8,A2,cup,never,1,2.25,Cup\n"
        + AFTER,
    )
    assert found.rows["title"].tolist() == ["Blue mug, large", "Cup"]
    assert found.rows["line"].tolist() == [2, 6]
    assert found.rejected["line"].tolist() == [5]


def test_what_a_row_says_is_read_as_it_stands(tmp_path: Path) -> None:
    """Numbers, moments and texts come out in the warehouse's types, and missing texts as
    missing.
    """
    found = read(
        tmp_path,
        HEADER
        + b" 7 ,A1,mug,2024-01-05T10:00:00+02:00,2,3.50,Blue   mug \n,A2,cup,2024-01-06,-1,0,\n",
    )
    first, second = found.rows.to_dict("records")
    assert (first["customer_id"], first["title"], first["quantity"], first["amount"]) == (
        "7",
        "Blue mug",
        2,
        7.0,
    )
    assert first["ordered_at"] == first["recorded_at"] == pd.Timestamp("2024-01-05 08:00:00")
    assert pd.isna(second["customer_id"])
    assert pd.isna(second["title"])
    assert second["quantity"] == -1
    assert found.rows["ordered_at"].dtype == "datetime64[us]"
    assert found.rejected.empty


def test_a_csv_with_a_byte_order_mark_crlf_and_tabs_is_read(tmp_path: Path) -> None:
    """Byte order mark, Windows line ends and tabs between cells are no faults."""
    found = read(
        tmp_path,
        b"\xef\xbb\xbf"
        + (HEADER + GOOD + AFTER).replace(b",", b"\t").replace(b"\n", b"\r\n")
        + b"\r\n\r\n",
    )
    assert found.rows["order_id"].tolist() == ["A1", "A2"]
    assert found.rejected.empty


def test_a_decimal_comma_is_read_where_semicolons_separate(tmp_path: Path) -> None:
    """In a file separated by semicolons 3,50 is three and a half; 1,234 could be two things and is
    rejected.
    """
    content = (HEADER + GOOD).replace(b",", b";").replace(b"3.50", b"3,50")
    found = read(
        tmp_path, content + content.splitlines(keepends=True)[1].replace(b"3,50", b"1,234")
    )
    assert found.rows["unit_price"].tolist() == [3.5]
    assert found.rejected["reason"].tolist() == ["price is '1,234', which is no number"]


def test_a_missing_column_refuses_the_file_and_says_what_to_change(tmp_path: Path) -> None:
    """The error names the missing columns, those found and the source to correct."""
    with pytest.raises(
        SourceError,
        match=(
            r"orders.csv: the column `price`, `units` is missing; found are `client`.*source"
            r" `orders`"
        ),
    ):
        read(tmp_path, HEADER.replace(b"units,price", b"pieces,each") + GOOD)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no header"),
        (b"\n\n", "no header"),
        (HEADER.replace(b"name", b"price") + GOOD, "missing|more than once"),
        (HEADER.replace(b"name", b"n\xc3me") + GOOD, "header is not UTF-8"),
    ],
)
def test_a_header_that_cannot_be_used_refuses_the_file(
    content: bytes, words: str, tmp_path: Path
) -> None:
    """Without a usable header nothing is read."""
    with pytest.raises(SourceError, match=words):
        read(tmp_path, content)


def test_a_column_named_twice_is_refused_only_where_it_is_mapped(tmp_path: Path) -> None:
    """Two columns of one name are a fault where one of them is meant."""
    with pytest.raises(SourceError, match="'price' more than once"):
        read(tmp_path, HEADER.strip() + b",price\n" + GOOD.strip() + b",1\n")
    assert len(read(tmp_path, HEADER.strip() + b",x,x\n" + GOOD.strip() + b",1,2\n").rows) == 1


def test_dates_in_another_format_get_one_clear_suggestion(tmp_path: Path) -> None:
    """Where no date of a file is ISO 8601 the file is refused with the `date_format` to state."""
    with pytest.raises(
        SourceError,
        match=(
            r'look like \'31/12/2023 9:15\'; state `date_format = "%d/%m/%Y %H:%M"` of the source'
            r" `orders`"
        ),
    ):
        read(tmp_path, HEADER + GOOD.replace(b"2024-01-05 10:00:00", b"31/12/2023 9:15"))


def test_a_stated_date_format_is_followed_to_the_letter(tmp_path: Path) -> None:
    """With a `date_format` a date in any other form is rejected, ISO 8601 included."""
    rows = GOOD.replace(b"2024-01-05 10:00:00", b"12/1/2010 8:26") + GOOD
    found = read(tmp_path, HEADER + rows, date_format="%m/%d/%Y %H:%M")
    assert found.rows["ordered_at"].tolist() == [pd.Timestamp("2010-12-01 08:26")]
    assert found.rejected["reason"].tolist() == [
        "day is '2024-01-05 10:00:00', which is no date of the form %m/%d/%Y %H:%M"
    ]


def test_a_date_format_that_is_none_refuses_the_file(tmp_path: Path) -> None:
    """A `date_format` that strptime does not know is named as the fault."""
    with pytest.raises(SourceError, match="date_format"):
        read(tmp_path, HEADER + GOOD, date_format="%Q %m")


def test_several_files_are_read_in_the_order_of_their_names_and_copies_once(tmp_path: Path) -> None:
    """A pattern reads its files by name, and a file that repeats another byte for byte only
    once.
    """
    (tmp_path / "orders-b.csv").write_bytes(HEADER + AFTER)
    (tmp_path / "orders-a.csv").write_bytes(HEADER + GOOD)
    (tmp_path / "orders-c.csv").write_bytes(HEADER + GOOD)
    found = read_source(source(file="orders-*.csv"), tmp_path, NOW)
    assert found.rows["file"].tolist() == ["orders-a.csv", "orders-b.csv"]
    assert found.copies == ("orders-c.csv",)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"file": "nothing.csv"}, "no such file"),
        ({"file": "nothing-*.csv"}, "no such file"),
        ({"file": "orders.xlsx"}, "save it as CSV"),
        ({"file": "broken.parquet"}, "export it again"),
        ({"columns": {**COLUMNS, "colour": "name"}}, "maps `colour`"),
        ({"columns": {"customer_id": "client"}}, "maps no `product_id`, `ordered_at`"),
        (
            {"columns": {key: name for key, name in COLUMNS.items() if key != "unit_price"}},
            "neither `unit_price` nor `amount`",
        ),
    ],
)
def test_a_source_that_cannot_be_read_says_why(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    """A missing, damaged or unknown file and a mapping without a needed column are refused by
    name.
    """
    (tmp_path / "orders.xlsx").write_bytes(b"PK")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(SourceError, match=words):
        read(tmp_path, HEADER + GOOD, **changes)


def test_columns_that_a_shop_lacks_are_derived_or_missing(tmp_path: Path) -> None:
    """An amount without a price is divided by the units, one unit is assumed without a quantity,
    and nothing else is made up.
    """
    columns = {
        "customer_id": "client",
        "product_id": "sku",
        "ordered_at": "day",
        "amount": "price",
        "quantity": "units",
    }
    found = read(tmp_path, HEADER + GOOD, columns=columns).rows.iloc[0]
    assert (found["amount"], found["unit_price"]) == (3.5, 1.75)
    assert pd.isna(found["order_id"])
    del columns["quantity"]
    assert read(tmp_path, HEADER + GOOD, columns=columns).rows["quantity"].tolist() == [1]


def parquet(folder: Path, **changes: Any) -> SourceRows:
    """The rows of a Parquet file of three rows with these columns in place of good ones."""
    columns = {
        "client": ["7", "7", "8"],
        "order": ["A1", "A1", "A2"],
        "sku": ["mug", "cup", "mug"],
        "day": pd.to_datetime(["2024-01-05 10:00", "2024-01-05 10:00", "2024-01-06 11:00"]),
        "units": [1, 2, 3],
        "price": [1.5, 2.5, 3.5],
        "name": ["Mug", None, "Mug"],
        **changes,
    }
    pq.write_table(pa.table(columns), folder / "orders.parquet")
    return read_source(source(file="orders.parquet"), folder, NOW)


def test_customer_ids_from_a_number_column_lose_their_point(tmp_path: Path) -> None:
    """17850.0 is 17850 where the column holds numbers, and stays 17850.0 where it holds text."""
    assert parquet(tmp_path, client=[17850.0, 17850.0, None]).rows["customer_id"].tolist()[:2] == [
        "17850",
        "17850",
    ]
    assert parquet(tmp_path, client=[17850, 17850, 12346]).rows["customer_id"].tolist() == [
        "17850",
        "17850",
        "12346",
    ]
    assert parquet(tmp_path, client=["17850.0", "17850", "8"]).rows["customer_id"].tolist() == [
        "17850.0",
        "17850",
        "8",
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": [1.5, float("nan"), 3.5]}, "price is nan, which is not finite"),
        ({"price": [1.5, float("inf"), 3.5]}, "price is inf, which is not finite"),
        ({"price": [1.5, None, 3.5]}, "price is empty"),
        ({"units": [1.0, 2.5, 3.0]}, "units is 2.5, which is not a whole number"),
        ({"units": [1, 2**62, 3]}, "more than 1,000,000 units"),
        ({"order": ["A1", None, "A2"]}, "order is empty"),
        ({"day": pd.to_datetime(["2024-01-05", None, "2024-01-06"])}, "day is empty"),
        ({"day": pd.to_datetime(["2024-01-05", "2199-01-05", "2024-01-06"])}, "lies in the future"),
        ({"day": ["2024-01-05", "soon", "2024-01-06"]}, "day is 'soon', which is no date"),
        ({"price": ["1.5", "dear", "3.5"]}, "price is 'dear', which is no number"),
    ],
)
def test_a_corrupt_parquet_row_is_rejected_by_its_number(
    changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    """A row of a Parquet file is named by its number, counted from 1."""
    found = parquet(tmp_path, **changes)
    assert found.rejected["line"].tolist() == [2]
    assert reason in found.rejected["reason"].iloc[0]
    assert len(found.rows) == 2


def test_moments_with_a_zone_dates_and_categories_are_read(tmp_path: Path) -> None:
    """Zones are turned to UTC, days become midnights, and dictionary-encoded text is text."""
    zoned = [datetime(2024, 1, day, 10, tzinfo=ZoneInfo("Europe/Berlin")) for day in (5, 5, 6)]
    assert parquet(tmp_path, day=zoned).rows["ordered_at"].iloc[0] == pd.Timestamp(
        "2024-01-05 09:00"
    )
    days = pa.array([datetime(2024, 1, 5).date()] * 3)  # noqa: DTZ001 - a day has no zone
    assert parquet(tmp_path, day=days).rows["ordered_at"].iloc[0] == pd.Timestamp("2024-01-05")
    assert parquet(tmp_path, sku=pa.array(["mug", "cup", "mug"]).dictionary_encode()).rows[
        "product_id"
    ].tolist() == ["mug", "cup", "mug"]


def test_a_column_of_the_wrong_type_refuses_the_file(tmp_path: Path) -> None:
    """Cells that can be no price, such as lists and truth values, are a fault of the column and not
    of a row.
    """
    with pytest.raises(SourceError, match="`price` is of type bool"):
        parquet(tmp_path, price=[True, False, True])
    with pytest.raises(SourceError, match="`client` is of type list"):
        parquet(tmp_path, client=[["7"], ["8"], ["9"]])


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=60), max_size=12))
def test_whatever_the_lines_hold_none_is_lost(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    """Between good rows any bytes without line breaks and quotation marks are read or rejected, one
    for one.
    """
    rows = [line.translate(None, b'\r\n"') for line in lines]
    content = HEADER + GOOD + b"".join(row + b"\n" for row in rows) + AFTER
    found = read(tmp_path_factory.mktemp("any"), content)
    assert sorted([*found.rows["line"], *found.rejected["line"]]) == list(range(2, len(rows) + 4))


@settings(max_examples=50)
@given(st.lists(st.sampled_from(['"', "a", ",", "\n", '""', '"x",']), max_size=40))
def test_stray_quotation_marks_never_take_the_rest_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str]
) -> None:
    """After any mess of quotation marks the last of several good rows is still read."""
    found = read(
        tmp_path_factory.mktemp("any"),
        HEADER + "".join(parts).encode() + b"\n" + GOOD + GOOD + AFTER,
    )
    assert found.rows["order_id"].tolist()[-1] == "A2"


@pytest.mark.parametrize(
    ("stated", "moment"),
    [
        ("2024-06-05 10:00:00", "2024-06-05 07:00"),
        ("2024-06-05", "2024-06-04 21:00"),
        ("2024-06-05T10:00:00Z", "2024-06-05 10:00"),
        ("2024-06-05T10:00:00+02:00", "2024-06-05 08:00"),
        ("2024-10-27 03:30:00", "2024-10-27 00:30"),
        ("2024-03-31 03:30:00", "2024-03-31 01:00"),
    ],
)
def test_a_time_without_an_offset_is_of_the_source_s_zone(
    tmp_path: Path, stated: str, moment: str
) -> None:
    """Clocks in Athens say when it was; what states its offset is not moved, of an hour that is
    shown twice it is the first, and one that is left out begins where it ends.
    """
    row = f"7,A1,mug,{stated},2,3.50,Blue mug\n".encode()
    found = read(tmp_path, HEADER + row, time_zone="Europe/Athens")
    assert found.rows["ordered_at"].tolist() == [pd.Timestamp(moment)]


def test_parquet_without_a_zone_is_of_the_source_s_zone(tmp_path: Path) -> None:
    """The same holds for moments that are stored as such; those with a zone are not moved."""
    for type_, moment in (("us", "2024-06-05 07:00"), ("us, tz=UTC", "2024-06-05 10:00")):
        unit, _, zone = type_.partition(", tz=")
        when = pa.array([datetime(2024, 6, 5, 10)], pa.timestamp(unit, zone or None))  # noqa: DTZ001 - without a zone is what it is about
        texts = {
            "client": "7",
            "order": "A1",
            "sku": "mug",
            "units": "2",
            "price": "3",
            "name": "M",
        }
        columns = {name: pa.array([text]) for name, text in texts.items()}
        file = tmp_path / "orders.parquet"
        pq.write_table(pa.table({**columns, "day": when}), file)
        source = Source(
            name="orders",
            file=file.name,
            table="transactions",
            columns=COLUMNS,
            time_zone="Europe/Athens",
        )
        found = read_source(source, tmp_path, NOW)
        assert found.rows["ordered_at"].tolist() == [pd.Timestamp(moment)]
