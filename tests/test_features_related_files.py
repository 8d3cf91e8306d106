"""Files that belong together are joined by the keys that they share, and a folder is one source."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from features.config.reading import read_config
from features.errors import SourceError
from features.intake.setup.new_workspace import create
from tests.made_up_export_list import EXPORTS
from tests.made_up_orders import MadeUpShop, Truth, draw
from tests.test_features_layouts import NOW, loaded, loaded_from

CAN = ("cancelled", "pending", "line_discount")


def written(file: Path, header: str, rows: Iterable[Sequence[object]]) -> Path:
    """A CSV file of rows."""
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([header.split(","), *rows])
    return file


def olist(shop: MadeUpShop, folder: Path) -> list[Path]:
    """The files of a shop as Olist's: a line for each unit, and a customer's id for each order."""
    states = {"bought": "delivered", "cancelled": "canceled", "pending": "created"}
    folder.mkdir()
    return [
        written(
            folder / "olist_customers_dataset.csv",
            "customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,customer_state",
            [
                (f"c{o.number}", f"u{o.person.number}", "1310", "são paulo", "SP")
                for o in shop.orders
            ],
        ),
        written(
            folder / "olist_order_items_dataset.csv",
            "order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value",
            [
                (f"o{o.number}", n, line.product.sku, "s1", f"{o.at}", line.paid / 100, "7.80")
                for o in shop.orders
                for n, line in enumerate(o.lines, start=1)
            ],
        ),
        written(
            folder / "olist_orders_dataset.csv",
            "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at",
            [(f"o{o.number}", f"c{o.number}", states[o.state], o.at, o.at) for o in shop.orders],
        ),
        written(
            folder / "olist_products_dataset.csv",
            "product_id,product_category_name,product_name_lenght,product_weight_g",
            [(p.sku, "utilidades", 12, 300) for p in shop.products],
        ),
    ]


def as_units(shop: MadeUpShop) -> Truth:
    """The truth where every line is one unit for what the line cost."""
    truth = shop.truth
    return Truth(
        truth.lines, truth.orders, truth.customers, float(truth.lines), truth.net, truth.net
    )


@pytest.mark.slow
@pytest.mark.parametrize("whole", [True, False])
def test_orders_items_customers_and_products_are_joined(whole: bool, tmp_path: Path) -> None:
    """Items find their order and it its customer, given as a folder or one by one; other files of
    the folder are left out.
    """
    shop = draw(5, 80, CAN)
    files = olist(shop, tmp_path / "exports")
    if whole:
        written(tmp_path / "exports" / "sellers.csv", "seller_id,seller_city", [("s1", "rio")])
    report = loaded_from(tmp_path, [tmp_path / "exports"] if whole else files)
    held = report.purchases
    found = Truth(held.lines, held.orders, held.customers, held.units, held.gross, held.net)
    assert (found, report.rejected) == (as_units(shop), 0)
    assert {"cancelled", "pending"} <= report.by_status.keys()
    sources = read_config(tmp_path / "shop" / "sayso.toml").sources
    assert [source.table for source in sources] == ["transactions", "products"]


def test_files_named_for_what_they_hold_are_joined_by_their_ids(tmp_path: Path) -> None:
    """`order_id` of the lines is the `id` of orders.csv."""
    orders = [(n, f"a{n % 3}@example.org", f"2026-01-{n:02d} 10:00:00") for n in range(1, 20)]
    lines = [(n, f"sku-{n % 4}", 1 + n % 2, "2.50") for n in range(1, 20)]
    files = [
        written(tmp_path / "lines.csv", "order_id,sku,quantity,unit_price", lines),
        written(tmp_path / "orders.csv", "id,email,created_at", orders),
    ]
    report = loaded_from(tmp_path, files)
    assert (report.purchases.lines, report.purchases.customers, report.rejected) == (19, 3, 0)


def test_a_line_whose_order_is_missing_is_rejected(tmp_path: Path) -> None:
    """A key that the other file does not have leaves the row without a customer and a time."""
    shop = draw(5, 80, ())
    files = olist(shop, tmp_path / "exports")
    _, second = files[1], files[2]
    second.write_text("".join(second.read_text().splitlines(keepends=True)[:-1]))
    report = loaded_from(tmp_path, files)
    assert report.rejected == len(shop.orders[-1].lines)
    assert report.purchases.orders == len(shop.orders) - 1


def test_a_folder_of_exports_is_one_source(tmp_path: Path) -> None:
    """Files of one header in a folder are read as one, the newer ones too."""
    export = EXPORTS["woocommerce_items"]
    shop = draw(3, 60, export.can)
    (tmp_path / "exports").mkdir()
    for position in (0, 1):
        part = MadeUpShop(shop.orders[position * 30 : position * 30 + 30], shop.products)
        export.write(part, tmp_path).rename(tmp_path / "exports" / f"{position}.csv")
    guesses, report = loaded(tmp_path, tmp_path / "exports")
    assert {guess.source for guess in guesses} == {"exports"}
    assert report.purchases.net == shop.truth.net


def test_files_that_belong_to_nothing_are_refused_one_by_one(tmp_path: Path) -> None:
    """Two files without a shared key are not joined."""
    files = [
        written(tmp_path / "a.csv", "order_id,sku,price", [(1, "x", 2.5), (2, "y", 3.5)]),
        written(tmp_path / "b.csv", "ticket,email,date", [(8, "a@b.cd", "2026-01-01")]),
    ]
    with pytest.raises(SourceError, match="no column was recognised"):
        create(tmp_path / "shop", files, lambda: NOW)
