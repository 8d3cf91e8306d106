"""Ingest: from files to the warehouse, all or nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from features.customers.pseudonyms import suppress
from features.customers.vault import Vault
from features.database.engine import Database
from features.database.tables import customers
from features.errors import SaysoError, SourceError
from features.intake.bundled import bundled_file
from features.intake.cleaning import STATES
from features.intake.ingest import ingest
from features.intake.ingest_report import IngestReport
from features.intake.setup.new_workspace import create
from features.shop.workspace import Workspace
from features.warehouse.store import Warehouse

HEADER = "customer_id,order_id,product_id,ordered_at,quantity,unit_price,title,country\n"
ROWS = (
    "ann,1,mug,2024-01-05 10:00:00,2,3.50,Blue mug,France\n"
    "ann,1,cup,2024-01-05 10:00:00,1,2.25,Cup,France\n"
    "bob,2,mug,2024-01-06 12:00:00,1,3.50,Mug,Spain\n"
    "ann,3,mug,2024-02-01 09:00:00,1,3.50,Mug,Italy\n"
)


NOW = datetime(2024, 6, 1, tzinfo=UTC)
KEPT_DAYS = "retention_days = 1095"


class Shop:
    """A workspace of one source, its database and what lies in it."""

    def __init__(self, root: Path) -> None:
        create(root)
        self.root = root
        self.database = Database.open(f"sqlite:///{root / 'sayso.db'}")

    def ingest(self, content: str | bytes, now: datetime = NOW) -> IngestReport:
        """Run ingest on a source of that content."""
        (self.root / "transactions.csv").write_bytes(
            content.encode() if isinstance(content, str) else content
        )
        return ingest(Workspace.open(self.root), self.database, clock=lambda: now)

    def configure(self, *changes: tuple[str, str]) -> None:
        """Replace text in `sayso.toml`."""
        file = self.root / "sayso.toml"
        text = file.read_text(encoding="utf-8")
        for old, new in changes:
            if old not in text:
                raise AssertionError(old)
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")

    def table(self, name: str) -> pd.DataFrame:
        """A table of the warehouse, the customers under the shop's own ids."""
        warehouse = Warehouse(self.root / "warehouse")
        frame: pd.DataFrame = pq.read_table(
            warehouse.folder / warehouse.generation / f"{name}.parquet"
        ).to_pandas()
        # The file goes by the customers' numbers, which are drawn by lot.
        keys = [key for key in ("recorded_at", "order_id") if key in frame]
        frame = frame.sort_values(keys, kind="stable", ignore_index=True) if keys else frame
        return (
            frame.assign(customer=frame["customer"].map(self.pseudonyms()))
            if "customer" in frame
            else frame
        )

    def pseudonyms(self) -> dict[int, str]:
        """The shop's ids by pseudonym."""
        with self.database.read() as connection:
            return {row.customer: row.external_id for row in connection.execute(select(customers))}

    def rejected(self) -> list[dict[str, str]]:
        """The rejected rows as written."""
        file = self.root / "rejected" / "orders.csv"
        return (
            list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"), newline="")))
            if file.exists()
            else []
        )

    def state(self) -> dict[str, bytes]:
        """Every file of the warehouse and of `rejected/`, and who is known."""
        files = [
            file
            for folder in ("warehouse", "rejected")
            for file in (self.root / folder).rglob("*")
            if file.is_file()
        ]
        return {
            **{str(file): file.read_bytes() for file in files},
            "customers": repr(sorted(self.pseudonyms().items())).encode(),
        }


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A fresh workspace."""
    made = Shop(tmp_path / "shop")
    yield made
    made.database.close()


def test_the_report_says_what_became_of_every_row(shop: Shop) -> None:
    """Rows read are those kept, set aside and rejected, with the shop's figures beside them."""
    report = shop.ingest(
        HEADER
        + ROWS
        + ",4,mug,2024-02-02,1,3.50,Mug,France\n"
        + "ann,5,mug,soon,1,3.50,Mug,France\n"
    )
    assert (report.read, report.kept, report.rejected) == (6, 4, 1)
    assert report.set_aside["no_customer"] == 1
    assert (report.customers, report.products, report.orders) == (2, 2, 3)
    assert (report.first, report.last) == (
        datetime(2024, 1, 5, 10),  # noqa: DTZ001
        datetime(2024, 2, 1, 9),  # noqa: DTZ001
    )
    assert report.rejected_files == (shop.root / "rejected" / "orders.csv",)


def test_the_warehouse_holds_the_lines_under_pseudonyms(shop: Shop) -> None:
    """Transactions carry random numbers for customers, microseconds for times and the line's
    amount.
    """
    shop.ingest(HEADER + ROWS)
    lines = shop.table("transactions")
    assert lines[["customer", "order_id", "product_id", "quantity", "amount"]].to_numpy().tolist()[
        0
    ] == ["ann", "1", "mug", 2, 7.0]
    assert lines["ordered_at"].dtype == lines["recorded_at"].dtype == "datetime64[us]"
    assert not {"ann", "bob"} & set(map(str, shop.pseudonyms()))


def test_customers_have_a_row_for_each_move(shop: Shop) -> None:
    """A customer's country stands once for each change, from the time at which it was recorded."""
    shop.ingest(HEADER + ROWS)
    moves = shop.table("customers").sort_values(["customer", "recorded_at"])
    assert moves[["customer", "country"]].to_numpy().tolist() == [
        ["ann", "France"],
        ["ann", "Italy"],
        ["bob", "Spain"],
    ]


def test_a_product_has_its_most_frequent_title(shop: Shop) -> None:
    """Of several titles the most frequent stands, of equals the first in the alphabet, and without
    one the id.
    """
    shop.ingest(
        HEADER + ROWS + "bob,6,pan,2024-03-01,1,9,Zinc pan,Spain\nbob,7,pan,2024-03-02,1,9,A"
        " pan,Spain\nbob,8,jar,2024-03-02,1,9,,Spain\n"
    )
    assert shop.table("products").set_index("product_id")["title"].to_dict() == {
        "cup": "Cup",
        "jar": "jar",
        "mug": "Mug",
        "pan": "A pan",
    }


def test_the_same_file_twice_adds_nothing(shop: Shop) -> None:
    """A second run on the same file leaves the same rows under the same pseudonyms."""
    first = shop.ingest(HEADER + ROWS)
    before, known = shop.table("transactions"), shop.pseudonyms()
    assert shop.ingest(HEADER + ROWS) == first
    pd.testing.assert_frame_equal(shop.table("transactions"), before)
    assert shop.pseudonyms() == known


def test_lines_of_overlapping_exports_are_loaded_once(shop: Shop) -> None:
    """Of files that share orders the later one replaces what the earlier says since its own first
    order, lines that it leaves out too; equal lines within a file are as many purchases.
    """
    first, second, third, last = ROWS.splitlines(keepends=True)
    shop.configure(('file = "transactions.csv"', 'file = "*.csv"'))
    (shop.root / "january.csv").write_text(
        HEADER + first + first + second + third, encoding="utf-8"
    )
    report = shop.ingest(HEADER + third.replace("Mug", "A mug") + first + first + first + last)
    assert (report.read, report.kept, report.rejected) == (9, 5, 0)
    assert report.set_aside["in_a_later_export"] == 4
    lines = shop.table("transactions")
    held = lines[["order_id", "product_id"]].value_counts().to_dict()
    assert held == {("1", "mug"): 3, ("2", "mug"): 1, ("3", "mug"): 1}
    assert lines["amount"].sum() == 3 * 7 + 2 * 3.5


def test_exports_that_share_no_order_stand_side_by_side(shop: Shop) -> None:
    """Files of two branches over the same days lose nothing to one another."""
    shop.configure(('file = "transactions.csv"', 'file = "*.csv"'))
    (shop.root / "branch.csv").write_text(
        HEADER + ROWS.replace("ann,", "ann,B").replace("bob,", "bob,B"),
        encoding="utf-8",
    )
    report = shop.ingest(HEADER + ROWS)
    assert (report.read, report.kept, report.set_aside["in_a_later_export"]) == (8, 8, 0)


def test_a_file_given_twice_is_loaded_once(tmp_path: Path) -> None:
    """Two sources of the same file have its lines once, those without an order number too."""
    file = tmp_path / "orders.csv"
    lines = [line.split(",") for line in (HEADER + ROWS).splitlines()]
    file.write_text(
        "\n".join(",".join([customer, *rest]) for customer, _order, *rest in lines),
        encoding="utf-8",
    )
    create(tmp_path / "shop", [file, file], clock=lambda: NOW)
    workspace = Workspace.open(tmp_path / "shop")
    database = Database.open(workspace.database_url)
    report = ingest(workspace, database, clock=lambda: NOW)
    database.close()
    assert (report.read, report.kept, report.set_aside["in_an_earlier_file"], report.orders) == (
        8,
        4,
        4,
        3,
    )


def test_a_rerun_after_the_fix_loads_exactly_the_rest(shop: Shop) -> None:
    """Corrected rows join those loaded before, and the list of rejected rows disappears."""
    broken = ROWS.replace("2024-01-06 12:00:00", "06.01.2024").replace("Cup,France", "Cup")
    assert shop.ingest(HEADER + broken).kept == 2
    assert [(row["file"], row["line"]) for row in shop.rejected()] == [
        ("transactions.csv", "3"),
        ("transactions.csv", "4"),
    ]
    assert shop.rejected()[1]["raw"] == "bob,2,mug,06.01.2024,1,3.50,Mug,Spain"
    assert "ordered_at is '06.01.2024'" in shop.rejected()[1]["reason"]
    report = shop.ingest(HEADER + ROWS)
    assert (report.kept, report.rejected, report.rejected_files) == (4, 0, ())
    assert shop.rejected() == []
    assert len(shop.table("transactions")) == 4


def test_rejected_rows_are_readable_whatever_they_hold(shop: Shop) -> None:
    """NUL bytes, broken encodings and line breaks come out as text that any reader of CSV can
    show.
    """
    bad = (
        b'ann,9,m\x00g,2024-01-05,1,1,"M\xff\nug",France\nann,10,mug,2024-01-05,1,-4,"A ""good""'
        b' mug",France\n'
    )
    shop.ingest((HEADER + ROWS).encode() + bad)
    raws = [row["raw"] for row in shop.rejected()]
    assert raws[0].startswith("ann,9,m\\x00g")
    assert raws[-1] == 'ann,10,mug,2024-01-05,1,-4,"A ""good"" mug",France'


@pytest.mark.parametrize(
    "content",
    [
        "",
        HEADER,
        HEADER + ",4,mug,2024-02-02,1,3.50,Mug,France\n",
        HEADER + "ann,5,mug,soon,1,3.50,Mug,France\n",
        HEADER.replace("unit_price", "each") + ROWS,
        (HEADER + ROWS)
        .replace("2024-01-05 10:00:00", "05.01.2024")
        .replace("2024-01-06 12:00:00", "06.01.2024")
        .replace("2024-02-01 09:00:00", "01.02.2024"),
    ],
)
def test_a_refused_run_leaves_everything_as_it_was(content: str, shop: Shop) -> None:
    """Where a source is refused, warehouse, rejected rows and database do not change by a byte."""
    shop.ingest(HEADER + ROWS + "zoe,5,mug,soon,1,3.50,Mug,France\n")
    before = shop.state()
    with pytest.raises(SourceError):
        shop.ingest(content.replace("ann", "eve"))
    assert shop.state() == before


def test_a_run_that_finds_no_purchase_says_why(shop: Shop) -> None:
    """The refusal counts what was set aside and shows the first rejected row."""
    with pytest.raises(
        SourceError,
        match=(
            r"is left.*2 no customer; 1 rejected, the first in transactions.csv, line 4, because"
            r" ordered_at"
        ),
    ):
        shop.ingest(
            HEADER
            + 2 * ",4,mug,2024-02-02,1,3.50,Mug,France\n"
            + "ann,5,mug,soon,1,3.50,Mug,France\n"
        )


def test_a_fault_while_writing_leaves_the_old_warehouse(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk in the middle of writing leaves the tables and the rejected rows that were
    there.
    """
    shop.ingest(HEADER + ROWS)
    before = shop.state()

    def full(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(OSError, match="No space left"):
        shop.ingest(HEADER + ROWS.splitlines(keepends=True)[0])
    assert shop.state() == before


def test_a_products_source_names_products_and_repetitions_are_rejected(shop: Shop) -> None:
    """Stated titles win over those of order lines, and a product stated twice keeps its first
    row.
    """
    config = shop.root / "sayso.toml"
    columns = '{product_id = "id", title = "title", brand = "brand"}'
    extra = (
        '\n[[sources]]\nname = "range"\nfile = "range.csv"\ntable = "products"\ncolumns ='
        f" {columns}\n"
    )
    config.write_text(config.read_text(encoding="utf-8") + extra, encoding="utf-8")
    (shop.root / "range.csv").write_text(
        "id,title,brand\nmug,The mug,Potter\nlamp,Lamp,\nmug,Another,\n", encoding="utf-8"
    )
    assert shop.ingest(HEADER + ROWS).rejected == 1
    products = shop.table("products").set_index("product_id")
    assert products["title"].to_dict() == {"cup": "Cup", "lamp": "Lamp", "mug": "The mug"}
    assert products.loc["mug", "brand"] == "Potter"
    assert "stands already in line 2" in (shop.root / "rejected" / "range.csv").read_text(
        encoding="utf-8"
    )


def test_lines_without_an_order_number_are_one_order_per_customer_and_moment(shop: Shop) -> None:
    """Where the shop has no order numbers, lines of a customer at one moment belong together."""
    config = shop.root / "sayso.toml"
    config.write_text(
        config.read_text(encoding="utf-8").replace('order_id = "order_id"\n', ""), encoding="utf-8"
    )
    assert shop.ingest(HEADER + ROWS).orders == 3
    assert not shop.table("transactions")["order_id"].str.contains("ann|bob").any()


def test_progress_is_told_from_nothing_to_all(shop: Shop) -> None:
    """The callback hears what is done and fractions that only grow, up to 1."""
    told: list[tuple[str, float]] = []
    (shop.root / "transactions.csv").write_text(HEADER + ROWS, encoding="utf-8")
    ingest(
        Workspace.open(shop.root),
        shop.database,
        lambda what, fraction: told.append((what, fraction)),
        lambda: NOW,
    )
    fractions = [fraction for _what, fraction in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert told[0][0] == "reading orders"


@pytest.mark.slow
def test_online_retail_is_loaded_with_known_figures(tmp_path: Path) -> None:
    """The bundled data gives the same figures every time, and no line of it is rejected."""
    create(tmp_path / "demo", [bundled_file()])
    workspace = Workspace.open(tmp_path / "demo")
    database = Database.open(workspace.database_url)
    report = ingest(workspace, database)
    database.close()
    assert (report.read, report.kept, report.rejected) == (541_909, 393_224, 0)
    assert report.set_aside == {
        **dict.fromkeys(STATES, 0),
        "cancellation": 9_288,
        "return": 1_336,
        "non_product": 2_362,
        "no_customer": 132_549,
        "free_of_charge": 34,
        "wholesale": 103,
        "taken_back": 3_013,
        "other_kind": 0,
        "in_a_later_export": 0,
        "in_an_earlier_file": 0,
        "past_retention": 0,
        "erased_customers": 0,
    }
    assert report.not_read == {}
    assert (report.customers, report.products, report.orders) == (4_318, 3_645, 18_244)


# ---- what is not taken in ----


def test_lines_past_their_retention_are_set_aside(shop: Shop) -> None:
    """A line is loaded to the last microsecond of its retention and counted as set aside after it;
    its customer is not named.
    """
    shop.configure((KEPT_DAYS, "retention_days = 30"))
    recorded = datetime(2024, 1, 6, 12)  # noqa: DTZ001 - naive UTC as in the warehouse
    ends = (recorded + timedelta(days=30)).replace(tzinfo=UTC)
    report = shop.ingest(HEADER + ROWS, ends)
    assert (report.read, report.kept, report.set_aside["past_retention"]) == (4, 2, 2)
    assert shop.table("transactions")["order_id"].tolist() == ["2", "3"]
    report = shop.ingest(HEADER + ROWS.replace("bob", "zoe"), ends + timedelta(microseconds=1))
    assert (report.kept, report.set_aside["past_retention"]) == (1, 3)
    assert set(shop.pseudonyms().values()) == {"ann", "bob"}
    with pytest.raises(SourceError, match="4 past retention"):
        shop.ingest(HEADER + ROWS, datetime(2024, 6, 1, tzinfo=UTC))


def test_a_value_past_its_own_retention_is_not_loaded(shop: Shop) -> None:
    """Where one field is kept for less time than the others, older lines are loaded without it."""
    text = (shop.root / "sayso.toml").read_text(encoding="utf-8")
    begin = text.index("[fields.transactions.amount]")
    section = text[begin : text.index("label", begin)]
    shop.configure((section, section.replace(KEPT_DAYS, "retention_days = 30")))
    assert shop.ingest(HEADER + ROWS, datetime(2024, 2, 10, tzinfo=UTC)).kept == 4
    assert shop.table("transactions")["amount"].fillna(-1).tolist() == [-1, -1, -1, 3.5]
    assert shop.table("transactions")["quantity"].tolist() == [2, 1, 1, 1]


def test_an_erased_customer_is_not_loaded_again(shop: Shop) -> None:
    """Lines of a suppressed customer are counted as set aside and are in no table, and the customer
    is not named again.
    """
    vault = Vault(shop.database, Workspace.open(shop.root).master_keys)
    with shop.database.write() as connection:
        suppress(connection, vault, "ann", "2024-05-01T00:00:00.000000Z")
    report = shop.ingest(HEADER + ROWS)
    assert (report.read, report.kept, report.set_aside["erased_customers"], report.customers) == (
        4,
        1,
        3,
        1,
    )
    assert (
        set(shop.table("transactions")["customer"])
        == set(shop.table("customers")["customer"])
        == {"bob"}
    )
    assert set(shop.pseudonyms().values()) == {"bob"}
    with pytest.raises(SourceError, match="3 erased customers"):
        shop.ingest(
            HEADER + "".join(line for line in ROWS.splitlines(keepends=True) if "ann" in line)
        )


THIRD_PARTY = """
[[sources]]
name = "bought"
file = "bought.csv"
table = "transactions"
third_party = true
evidence = "contract 7"
checked_on = 2024-03-01
check_every_days = 92

[sources.columns]
customer_id = "customer_id"
order_id = "order_id"
product_id = "product_id"
ordered_at = "ordered_at"
quantity = "quantity"
unit_price = "unit_price"
title = "title"
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("section", "now", "told"),
    [
        (THIRD_PARTY, NOW - timedelta(microseconds=1), None),
        (THIRD_PARTY, NOW, "last checked on 2024-03-01"),
        (
            THIRD_PARTY.replace('evidence = "contract 7"\n', ""),
            NOW - timedelta(days=60),
            "no `evidence`",
        ),
        (
            THIRD_PARTY.replace("checked_on = 2024-03-01\n", ""),
            NOW - timedelta(days=60),
            "checked_on",
        ),
    ],
    ids=["checked lately", "lapsed", "without evidence", "never checked"],
)
def test_a_third_partys_data_is_loaded_with_evidence_alone(
    shop: Shop, section: str, now: datetime, told: str | None
) -> None:
    """A third party's source is loaded while its evidence is good; then the report says why it was
    not read, and the rest is loaded.
    """
    config = shop.root / "sayso.toml"
    config.write_text(config.read_text(encoding="utf-8") + section, encoding="utf-8")
    lines = (
        ROWS.replace("ann,", "zoe,")
        .replace("bob,", "eve,")
        .replace(",France", "")
        .replace(",Spain", "")
        .replace(",Italy", "")
    )
    (shop.root / "bought.csv").write_text(HEADER.replace(",country", "") + lines, encoding="utf-8")
    report = shop.ingest(HEADER + ROWS, now)
    assert report.kept == (8 if told is None else 4)
    assert list(report.not_read) == ([] if told is None else ["bought"])
    assert told is None or told in report.not_read["bought"]
    table = shop.table("transactions")
    assert table["source"].value_counts().to_dict() == (
        {"orders": 4, "bought": 4} if told is None else {"orders": 4}
    )
    assert ("zoe" in set(shop.pseudonyms().values())) == (told is None)


def test_a_source_error_is_one_of_the_projects_errors() -> None:
    """Whoever catches the project's root error catches a refused source."""
    assert issubclass(SourceError, SaysoError)
