"""Making a workspace: what is recognised, what is said about it, and that nothing half-done
stays.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from features.config.reading import read_config
from features.config.schema import Config
from features.database.engine import Database
from features.definitions.frames import features_for
from features.errors import SourceError, WorkspaceError
from features.intake.bundled import bundled_file
from features.intake.ingest import ingest
from features.intake.ingest_report import IngestReport
from features.intake.setup.guess import Guess
from features.intake.setup.new_workspace import create, toml_string
from features.shop.workspace import Workspace


def orders(count: int = 60) -> pd.DataFrame:
    """Two lines for each of `count` orders, a week apart for each of seven customers."""
    rows = [
        {
            "customer_id": f"k{order % 7}",
            "order_id": str(1000 + order),
            "product_id": f"p{(order * 3 + line) % 11}",
            "ordered_at": datetime(2024, 1, 1, 9, 30) + timedelta(days=order, minutes=order),  # noqa: DTZ001 - as shops write it
            "quantity": 1 + (order + line) % 3,
            "unit_price": 2.5 + (order * 3 + line) % 11,
            "title": f"Thing number {(order * 3 + line) % 11}",
            "country": "France" if order % 7 else "Spain",
        }
        for order in range(count)
        for line in (0, 1)
    ]
    return pd.DataFrame(rows)


def made_from(
    folder: Path, frame: pd.DataFrame, name: str = "sales.csv", **options: str
) -> tuple[dict[str, Guess], Config]:
    """The guesses by column and the config of a workspace made from `frame`, a file beside it."""
    frame.to_csv(folder / name, index=False, **options)
    guesses = create(folder / "shop", [folder / name])
    return {guess.column: guess for guess in guesses}, read_config(folder / "shop" / "sayso.toml")


def loaded(folder: Path) -> IngestReport:
    """What ingest makes of the workspace."""
    workspace = Workspace.open(folder / "shop")
    database = Database.open(workspace.database_url)
    try:
        return ingest(workspace, database)
    finally:
        database.close()


def test_an_example_is_written_where_no_file_is_given(tmp_path: Path) -> None:
    """The example loads as it is and reads `transactions.csv` of the workspace."""
    assert create(tmp_path / "shop") == []
    config = read_config(tmp_path / "shop" / "sayso.toml")
    assert config.sources[0].file == "transactions.csv"
    assert list(config.categories) == ["purchases", "order_times", "spending", "location"]


def test_a_workspace_is_never_overwritten(tmp_path: Path) -> None:
    """A second init refuses and leaves the first one's file alone."""
    create(tmp_path / "shop")
    (tmp_path / "shop" / "sayso.toml").write_text("mine", encoding="utf-8")
    with pytest.raises(WorkspaceError, match="is a workspace already"):
        create(tmp_path / "shop")
    assert (tmp_path / "shop" / "sayso.toml").read_text(encoding="utf-8") == "mine"


def test_a_folder_with_other_files_becomes_a_workspace(tmp_path: Path) -> None:
    """Files that are there stay, and one inside the workspace is referred to by its relative
    path.
    """
    (tmp_path / "shop").mkdir()
    orders().to_csv(tmp_path / "shop" / "sales.csv", index=False)
    create(tmp_path / "shop", [tmp_path / "shop" / "sales.csv"])
    assert read_config(tmp_path / "shop" / "sayso.toml").sources[0].file == "sales.csv"


def test_nothing_stays_behind_where_a_file_is_refused(tmp_path: Path) -> None:
    """A file that is no order table leaves no folder and no half-written config."""
    (tmp_path / "sales.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(SourceError):
        create(tmp_path / "shop", [tmp_path / "sales.csv"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sales.csv"]


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    """Where the workspace should be a folder and is a file, that is said."""
    (tmp_path / "shop").write_text("", encoding="utf-8")
    with pytest.raises(WorkspaceError, match="is a file"):
        create(tmp_path / "shop")


@pytest.mark.slow
def test_online_retail_is_recognised_whole(tmp_path: Path) -> None:
    """Every column, the mark of cancellations, the fees, the wholesale lines, the home country and
    the currency are found.
    """
    guesses = {guess.column: guess for guess in create(tmp_path / "demo", [bundled_file()])}
    found = {column: guess.found for column, guess in guesses.items()}
    assert (
        found
        | {
            "customer_id": "CustomerID",
            "order_id": "InvoiceNo",
            "product_id": "StockCode",
            "ordered_at": "InvoiceDate",
            "quantity": "Quantity",
            "unit_price": "UnitPrice",
            "title": "Description",
            "country": "Country",
            "cancellation_prefix": "C",
            "wholesale_units": "1000",
            "home_country": "United Kingdom",
            "currency": "GBP",
        }
        == found
    )
    codes = read_config(tmp_path / "demo" / "sayso.toml").sources[0].cleaning.non_products
    assert codes == (
        "POST",
        "DOT",
        "M",
        "D",
        "C2",
        "S",
        "BANK CHARGES",
        "AMAZONFEE",
        "CRUK",
        "B",
        "gift_*",
    )
    assert guesses["customer_id"].sure
    assert not guesses["non_products"].sure


@pytest.mark.parametrize(
    "names",
    [
        ("order_number", "sku", "user_id", "created_at", "qty", "price", "product_name"),
        ("transaction_id", "item_id", "client", "timestamp", "units", "unit price", "name"),
        (
            "Order ID",
            "Article",
            "Customer No.",
            "Order Date",
            "Amount of items",
            "Item-Price",
            "Title",
        ),
        (
            "Bestellnummer",
            "Artikelnr.",
            "Kundennummer",
            "Bestelldatum",
            "Menge",
            "Einzelpreis",
            "Bezeichnung",
        ),
        (
            "N° commande",
            "Référence",
            "N° client",
            "Date de commande",
            "Quantité",
            "Prix unitaire",
            "Désignation",
        ),
        (
            "Auftragsnummer",
            "Artikel",
            "Kunden-Nr",
            "Datum",
            "Stückzahl",
            "Stückpreis",
            "Artikelname",
        ),
    ],
)
def test_columns_are_recognised_by_many_spellings(names: tuple[str, ...], tmp_path: Path) -> None:
    """English, German and French column names are known, whatever their case, accents and
    punctuation.
    """
    known = (
        "order_id",
        "product_id",
        "customer_id",
        "ordered_at",
        "quantity",
        "unit_price",
        "title",
    )
    columns = dict(zip(known, names, strict=True))
    guesses, config = made_from(tmp_path, orders().rename(columns=columns).drop(columns="country"))
    assert config.sources[0].columns == {**config.sources[0].columns, **columns}
    assert all(guesses[column].sure for column in known)
    assert "location" not in config.categories
    assert loaded(tmp_path).kept == 120


def test_columns_without_telling_names_are_recognised_by_their_cells(tmp_path: Path) -> None:
    """Types and repetitions tell moment, order, customer, product, units and price; such guesses
    are not sure.
    """
    columns = dict(zip(orders().columns, "abcdefgh", strict=True))
    guesses, config = made_from(tmp_path, orders(200).rename(columns=columns))
    named = {
        column: columns[column]
        for column in (
            "customer_id",
            "order_id",
            "product_id",
            "ordered_at",
            "quantity",
            "unit_price",
            "title",
        )
    }
    assert config.sources[0].columns == named
    assert not any(guesses[column].sure for column in named)


@pytest.mark.parametrize(
    "form",
    [
        "%d/%m/%Y %H:%M",
        "%m/%d/%Y %H:%M",
        "%d.%m.%Y",
        "%Y%m%d",
        "%d %b %Y",
        "%Y/%m/%d %H:%M:%S",
        "%m/%d/%y %I:%M %p",
    ],
)
def test_the_format_of_dates_is_read_from_the_dates(form: str, tmp_path: Path) -> None:
    """Days beyond 12 settle what is day and what is month, and every row can be read so."""
    frame = orders()
    frame["ordered_at"] = frame["ordered_at"].dt.strftime(form)
    guesses, config = made_from(tmp_path, frame)
    assert config.sources[0].date_format == form
    assert guesses["date_format"].sure
    assert loaded(tmp_path).kept == 120


def test_iso_dates_need_no_format(tmp_path: Path) -> None:
    """ISO 8601 with or without a zone is read as it is."""
    frame = orders()
    frame["ordered_at"] = frame["ordered_at"].dt.strftime("%Y-%m-%dT%H:%M:%S+01:00")
    assert made_from(tmp_path, frame)[1].sources[0].date_format is None


def test_dates_that_nothing_settles_are_said_to_be_a_guess(tmp_path: Path) -> None:
    """Where all days are below 13 the order of the rows decides, and the guess says that it is
    one.
    """
    frame = orders()
    frame = frame[frame["ordered_at"].dt.day <= 12].assign(
        ordered_at=lambda rows: rows["ordered_at"].dt.strftime("%m/%d/%Y")
    )
    guesses, config = made_from(tmp_path, frame)
    assert config.sources[0].date_format == "%m/%d/%Y"
    assert not guesses["date_format"].sure
    assert "%d/%m/%Y" in guesses["date_format"].why


def test_a_few_corrupt_rows_do_not_hide_what_a_column_is(tmp_path: Path) -> None:
    """One bad date and one bad price among many good ones change no guess; ingest rejects these two
    rows.
    """
    frame = orders().astype({"unit_price": object})
    frame["ordered_at"] = frame["ordered_at"].dt.strftime("%d.%m.%Y")
    frame.loc[5, "ordered_at"] = "soon"
    frame.loc[9, "unit_price"] = "dear"
    _guesses, config = made_from(tmp_path, frame)
    assert config.sources[0].date_format == "%d.%m.%Y"
    assert (loaded(tmp_path).kept, loaded(tmp_path).rejected) == (118, 2)


def test_a_total_for_the_line_serves_where_there_is_no_price(tmp_path: Path) -> None:
    """A table with `total` in place of a price loads, with the price of a unit derived."""
    frame = (
        orders()
        .assign(total=lambda rows: rows["quantity"] * rows["unit_price"])
        .drop(columns="unit_price")
    )
    guesses, config = made_from(tmp_path, frame)
    assert config.sources[0].columns["amount"] == "total"
    assert guesses["unit_price"].found == "amount / quantity"
    assert loaded(tmp_path).kept == 120


def test_an_amount_of_units_and_a_price_of_lines_are_seen_through(tmp_path: Path) -> None:
    """`AMOUNT` that holds units beside a price is the quantity, and a price that grows with it is
    the line's.
    """
    frame = orders(200).assign(
        SALES_PRICE=lambda rows: rows["quantity"] * rows["unit_price"],
        AMOUNT=lambda rows: rows["quantity"],
    )
    guesses, config = made_from(tmp_path, frame.drop(columns=["quantity", "unit_price"]))
    columns = config.sources[0].columns
    assert (columns["quantity"], columns["amount"]) == ("AMOUNT", "SALES_PRICE")
    assert not guesses["amount"].sure


def test_missing_quantity_and_order_number_are_assumed_and_said(tmp_path: Path) -> None:
    """One unit a line and one order per customer and moment are assumed, each as a guess that is
    not sure.
    """
    guesses, config = made_from(tmp_path, orders().drop(columns=["quantity", "order_id"]))
    assert not {"quantity", "order_id"} & config.sources[0].columns.keys()
    assert not guesses["quantity"].sure
    assert not guesses["order_id"].sure
    assert loaded(tmp_path).orders == 60


def test_a_table_without_products_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    """Customer, date and value alone say nothing about products; the error says so and shows what
    was found.
    """
    frame = orders()[["customer_id", "ordered_at", "unit_price"]].set_axis(
        ["customer_id", "date", "value"], axis="columns"
    )
    with pytest.raises(
        SourceError,
        match="no column was recognised as product_id; found are customer_id, date, value",
    ):
        made_from(tmp_path, frame)


def test_a_prefix_of_cancellations_is_found_only_where_it_marks_them(tmp_path: Path) -> None:
    """Letters that all orders carry mark nothing; letters that only negative quantities carry
    do.
    """
    frame = orders().assign(order_id=lambda rows: "SO" + rows["order_id"])
    assert "cancellation_prefix" not in made_from(tmp_path, frame)[0]
    returned = frame.head(10).assign(
        order_id=lambda rows: rows["order_id"].str.replace("SO", "RE"), quantity=-1
    )
    (tmp_path / "again").mkdir()
    assert (
        made_from(tmp_path / "again", pd.concat([frame, returned]))[0]["cancellation_prefix"].found
        == "RE"
    )


@pytest.mark.parametrize(("pause", "said"), [(3, 90), (210, 210), (1_500, 730)])
def test_slow_products_are_not_taken_for_sold_out(pause: int, said: int, tmp_path: Path) -> None:
    """Where products are bought again after long pauses, they count as still sold for as long,
    within bounds, and it is a guess.
    """
    days = pd.date_range("2018-01-01", periods=6, freq=f"{pause}D")
    rows = [
        (f"c{n}", f"o{n}-{at}", f"p{n}", f"{day + pd.Timedelta(days=n):%Y-%m-%d}", 1, 9.5)
        for n in range(9)
        for at, day in enumerate(days)
    ]
    lines = pd.DataFrame(
        rows,
        columns=["customer_id", "order_id", "product_id", "ordered_at", "quantity", "unit_price"],
    )
    lines.to_csv(tmp_path / "orders.csv", index=False)
    guesses = create(tmp_path / "shop", [tmp_path / "orders.csv"])
    assert Workspace.open(tmp_path / "shop").config.models.next_purchase.sold_within_days == said
    assert [guess.found for guess in guesses if guess.column == "sold_within_days"] == (
        [str(said)] if said > 90 else []
    )


def test_letters_that_are_the_shops_products_are_no_fees(tmp_path: Path) -> None:
    """Where product codes are letters anyway, M and S may be sizes and are kept."""
    letters = {f"p{number}": letter for number, letter in enumerate("SMLXABCDEFG")}
    _guesses, config = made_from(tmp_path, orders().replace({"product_id": letters}))
    assert config.sources[0].cleaning.non_products == ()


def test_a_table_of_products_beside_the_orders_is_recognised(tmp_path: Path) -> None:
    """A file with products and neither customer nor date becomes a source of products, which then
    tells titles and brands.
    """
    orders().drop(columns="title").to_csv(tmp_path / "sales.csv", index=False)
    products = pd.DataFrame(
        {
            "sku": [f"p{n}" for n in range(11)],
            "name": [f"Thing {n}" for n in range(11)],
            "brand": "Potter",
        }
    )
    products.to_csv(tmp_path / "range.csv", index=False)
    create(tmp_path / "shop", [tmp_path / "sales.csv", tmp_path / "range.csv"])
    config = read_config(tmp_path / "shop" / "sayso.toml")
    assert [source.table for source in config.sources] == ["transactions", "products"]
    assert config.fields["products"]["title"].source == "range"
    assert loaded(tmp_path).products == 11


def test_products_without_orders_make_no_workspace(tmp_path: Path) -> None:
    """Of products alone nothing can be loaded, so nothing is written and the table that is missing
    is named.
    """
    pd.DataFrame({"sku": ["p1", "p2"], "name": ["Thing 1", "Thing 2"], "brand": "Potter"}).to_csv(
        tmp_path / "range.csv", index=False
    )
    with pytest.raises(
        WorkspaceError,
        match=r"products were found in range\.csv, and no orders; name a table of orders beside",
    ):
        create(tmp_path / "shop", [tmp_path / "range.csv"])
    assert not (tmp_path / "shop").exists()


def test_two_files_of_one_name_are_two_sources(tmp_path: Path) -> None:
    """Sources made from files of the same name in different folders have names of their own."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        orders().to_csv(tmp_path / folder / "sales.csv", index=False)
    create(tmp_path / "shop", [tmp_path / "a" / "sales.csv", tmp_path / "b" / "sales.csv"])
    assert [source.name for source in read_config(tmp_path / "shop" / "sayso.toml").sources] == [
        "sales",
        "sales-2",
    ]


def test_every_permitted_feature_is_listed_and_every_notice_states_its_trade_off(
    tmp_path: Path,
) -> None:
    """The models list what the catalog permits, and each purpose has a text with data, use, benefit
    and trade-off.
    """
    create(tmp_path / "shop")
    config = read_config(tmp_path / "shop" / "sayso.toml")
    assert config.models.churn.features == features_for(config.catalog, "churn", "churn_prediction")
    assert config.models.next_purchase.features == features_for(
        config.catalog, "next_purchase", "recommendations"
    )
    for notice in config.notices:
        assert all(
            words in notice.text
            for words in ("We would like to use", "In return", "If you say no", "change your mind")
        )


@pytest.mark.parametrize(
    "name", ['say "hello"', "back\\slash", "Bücher & Töpfe", "tab\there", "del\x7f"]
)
def test_names_with_odd_characters_survive_the_config(name: str, tmp_path: Path) -> None:
    """Quotation marks, backslashes and control characters in names are written so that TOML gives
    them back.
    """
    create(tmp_path / name)
    assert read_config(tmp_path / name / "sayso.toml").shop.name == name
    assert toml_string("a\nb") == '"a\\nb"'
