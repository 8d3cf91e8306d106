"""Every kind of file that a shop exports gives the same rows."""

from __future__ import annotations

import gzip
import json
import uuid
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook

from features.config.sources import Source
from features.errors import SourceError
from features.intake.reading.source_files import files_of, opened
from features.intake.reading.sources import read_source

NOW = datetime(2026, 12, 1, tzinfo=UTC)
HEADER = ("customer_id", "order_id", "product_id", "ordered_at", "quantity", "unit_price", "title")
ROWS = (
    ("ann", "1", "mug", "2025-01-10 12:35:02", "2", "3.50", "Käse-Brett"),
    ("ben", "2", "tea", "2025-01-11 09:00:00", "1", "1234.50", "Tee"),
)
CSV = "\n".join(",".join(row) for row in (HEADER, *ROWS)) + "\n"


def write_excel(file: Path) -> None:
    """An Excel file as a spreadsheet saves it: a title, a blank line, typed cells."""
    book = Workbook()
    sheet = book.active
    sheet.append(["Orders of January"])
    sheet.append([])
    sheet.append(list(HEADER))
    for customer, order, product, moment, units, price, title in ROWS:
        when = datetime.fromisoformat(moment)
        sheet.append([customer, int(order), product, when, int(units), float(price), title])
    book.save(file)


def write_zip(file: Path) -> None:
    """An archive with a file, a note and what a Mac leaves behind."""
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("orders.csv", CSV)
        archive.writestr("readme.md", "hello")
        archive.writestr("__MACOSX/._orders.csv", "x")


def write_json(file: Path) -> None:
    """Orders with their lines inside, as many shops' interfaces give them."""
    orders = [
        {
            "customer_id": customer,
            "order_id": order,
            "ordered_at": moment,
            "lines": [{"product_id": product, "quantity": units, "unit_price": price, "t": title}],
        }
        for customer, order, product, moment, units, price, title in ROWS
    ]
    file.write_text(json.dumps(orders))


WRITERS = {
    "plain.csv": lambda file: file.write_text(CSV, encoding="utf-8"),
    "windows.csv": lambda file: file.write_bytes(CSV.encode("cp1252")),
    "utf16.csv": lambda file: file.write_bytes(CSV.encode("utf-16")),
    "utf16le.csv": lambda file: file.write_bytes(CSV.encode("utf-16-le")),
    "excel-sep.csv": lambda file: file.write_text("sep=;\n" + CSV.replace(",", ";")),
    "titles.csv": lambda file: file.write_text("Orders,,,,,,\n\nFrom January,,,,,,\n" + CSV),
    "packed.csv.gz": lambda file: file.write_bytes(gzip.compress(CSV.encode())),
    "archive.zip": write_zip,
    "sheet.xlsx": write_excel,
    "lines.jsonl": lambda file: file.write_text(
        "\n".join(json.dumps(dict(zip(HEADER, row, strict=True))) for row in ROWS)
    ),
}


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_rows_whatever_the_kind_of_file(name: str, tmp_path: Path) -> None:
    """Encodings, titles above the header, archives, Excel and JSON lines change no row."""
    WRITERS[name](tmp_path / name)
    source = Source(name="o", file=name, table="transactions", columns={n: n for n in HEADER})
    found = read_source(source, tmp_path, NOW)
    assert found.rejected.empty
    told = found.rows[[*HEADER]].astype(str).to_numpy().tolist()
    assert told == [[*row[:5], str(float(row[5])), row[6]] for row in ROWS]


def test_lines_inside_orders_become_rows(tmp_path: Path) -> None:
    """A list of objects within each object gives a row each, with the columns of both."""
    write_json(tmp_path / "orders.json")
    table = opened(tmp_path / "orders.json")
    raw = table.read(["customer_id", "lines.product_id", "lines.quantity"])
    assert raw.cells["lines.product_id"].to_pylist() == ["mug", "tea"]
    assert raw.cells["customer_id"].to_pylist() == ["ann", "ben"]


def test_a_line_that_is_no_object_is_rejected_with_its_line(tmp_path: Path) -> None:
    """One bad line of JSON lines costs that line."""
    file = tmp_path / "o.jsonl"
    file.write_text('{"a": 1}\nnot json\n[1]\n{"a": 2}\n')
    raw = opened(file).read(["a"])
    assert raw.cells["a"].to_pylist() == ["1", "2"]
    assert raw.misshapen == ((2, "it is no JSON object"), (3, "it is no JSON object"))


def test_columns_of_any_type_stop_nothing(tmp_path: Path) -> None:
    """A Parquet file is read whatever the types of its other columns, and each is told."""
    cells = {
        "id": pa.array([uuid.UUID(int=7).bytes], pa.uuid()),
        "binary": pa.array([b"abc"]),
        "half": pa.array([1.5], pa.float16()),
        "view": pa.array(["x"], pa.string_view()),
        "wait": pa.array([5], pa.duration("s")),
        "nested": pa.array([{"a": 1}]),
        "codes": pa.array(["red"]).dictionary_encode(),
        "yes": pa.array([True]),
    }
    pq.write_table(pa.table(cells), tmp_path / "t.parquet")
    table = opened(tmp_path / "t.parquet")
    raw = table.read(["id", "binary", "half", "view", "codes"])
    found = {name: cell.to_pylist()[0] for name, cell in raw.cells.items()}
    assert found == {
        "id": str(uuid.UUID(int=7)),
        "binary": "abc",
        "half": 1.5,
        "view": "x",
        "codes": "red",
    }
    assert table.types["half"] == pa.float64()


def test_a_folder_names_all_files_that_are_read(tmp_path: Path) -> None:
    """A folder is one source; what is hidden or of another kind is passed over."""
    for name in ("b.csv", "a.csv.gz", "note.md", ".hidden.csv", "~$open.xlsx"):
        (tmp_path / name).write_bytes(b"x")
    assert [file.name for file in files_of(".", tmp_path)] == ["a.csv.gz", "b.csv"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.xlsx", b"no sheet", "no Excel file that can be read"),
        ("a.csv.gz", b"no gzip", "damaged or locked"),
        ("a.json", b"nonsense", "holds no JSON object"),
        ("a.docx", b"x", "are not read; save it as CSV"),
        ("a.parquet", b"x", "no Parquet file"),
    ],
)
def test_a_damaged_file_is_refused_by_its_name(
    name: str, content: bytes, words: str, tmp_path: Path
) -> None:
    """The error names the file and what to do."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=words):
        opened(tmp_path / name)


def test_a_formula_that_failed_is_told_as_it_stands(tmp_path: Path) -> None:
    """The reader of workbooks gives it as an empty cell; it is none."""
    book = Workbook()
    book.active.append(["a", "b"])
    book.active.append(["x", "#DIV/0!"])
    book.active.cell(2, 2).data_type = "e"
    book.active.append(["y", None])
    book.save(tmp_path / "o.xlsx")
    assert opened(tmp_path / "o.xlsx").read(["b"]).cells["b"].to_pylist() == ["#DIV/0!", None]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"a": "1", "a": "2"}', "the object names 'a' twice"),
        (b'{"a": {"b": "1", "b": "2"}}', "the object names 'b' twice"),
        (b'{"a": "K\xe4se \xc3\xbc"}', "a is 'K\\xe4se ü', which holds bytes that are not UTF-8"),
        (rb'{"a": "x\ud800"}', r"a is 'x\ud800', which holds bytes that are not UTF-8"),
    ],
)
def test_what_json_says_twice_or_in_no_letters_is_rejected(
    line: bytes, told: str, tmp_path: Path
) -> None:
    """One of two values is not taken in silence, and bytes that are no letters are not replaced."""
    (tmp_path / "o.jsonl").write_bytes(b'{"a": "1"}\n' + line + b"\n")
    table = opened(tmp_path / "o.jsonl")
    assert table.read(["a"]).misshapen == ((2, told),)
    assert table.raw([2])[2].encode()


def test_json_in_utf_16_that_lost_a_byte_is_told_and_a_lost_letter_is_not(tmp_path: Path) -> None:
    """Bytes that are no letter are named; the sign for a letter that the shop lost stays."""
    text = '{"a": "x@"}\n{"a": "y"}\n'
    cut = text.encode("utf-16").replace("@".encode("utf-16-le"), b"\x00\xd8")
    (tmp_path / "cut.jsonl").write_bytes(cut)
    assert "no letter" in opened(tmp_path / "cut.jsonl").read(["a"]).misshapen[0][1]
    (tmp_path / "lost.jsonl").write_text('{"a": "K\ufffdse"}\n', encoding="utf-8")
    assert opened(tmp_path / "lost.jsonl").read(["a"]).cells["a"].to_pylist() == ["K\ufffdse"]


def test_a_list_is_seen_to_be_one(tmp_path: Path) -> None:
    """A list of one value is the value; one of several is not taken for an id."""
    (tmp_path / "o.jsonl").write_text('{"a": ["x"]}\n{"a": ["x", "y"]}\n')
    assert opened(tmp_path / "o.jsonl").read(["a"]).cells["a"].to_pylist() == ["x", "[x, y]"]
