"""Exports of known systems load as they are, and what they hold is found exactly."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.config.sources import PackedSection, Source
from features.database.engine import Database
from features.errors import SourceError
from features.intake.ingest import IngestReport, ingest
from features.intake.reading.order_lines.packed_cells import items_of
from features.intake.reading.sources import read_source
from features.intake.setup.column_guesses import recognise
from features.intake.setup.guess import LAYOUT, Guess
from features.intake.setup.layouts import layouts
from features.intake.setup.new_workspace import create
from features.shop.workspace import Workspace
from tests.exports_beside_orders import BESIDE_ORDERS
from tests.made_up_export_list import EXPORTS
from tests.made_up_orders import NO_PURCHASES, Truth, draw
from tests.refused_exports import REFUSED

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def loaded(folder: Path, file: Path) -> tuple[list[Guess], IngestReport]:
    """What `init` guesses of a file, and what `ingest` makes of it without an edit."""
    guesses = create(folder / "shop", [file], lambda: NOW)
    return guesses, _ingested(folder)


def loaded_from(folder: Path, files: list[Path]) -> IngestReport:
    """What `ingest` makes of several files without an edit."""
    create(folder / "shop", files, lambda: NOW)
    return _ingested(folder)


def _ingested(folder: Path) -> IngestReport:
    workspace = Workspace.open(folder / "shop")
    database = Database.open(workspace.database_url)
    try:
        return ingest(workspace, database, clock=lambda: NOW)
    finally:
        database.close()


def check(name: str, orders: int, seed: int, folder: Path) -> None:
    """Write a shop's orders as `name` does, load them and compare with the truth."""
    export = EXPORTS[name]
    shop = draw(seed, orders, export.can)
    guesses, report = loaded(folder, export.write(shop, folder))
    known = next((guess.found for guess in guesses if guess.column == LAYOUT), None)
    held = report.purchases
    found = Truth(held.lines, held.orders, held.customers, held.units, held.gross, held.net)
    assert (known, found, report.rejected) == (export.layout, shop.truth, 0)
    states = {order.state for order in shop.orders} & {*NO_PURCHASES}
    assert states <= report.by_status.keys()


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_loads_without_an_edit(name: str, tmp_path: Path) -> None:
    """Lines, orders, customers, units, gross and net revenue equal the truth exactly."""
    check(name, 60, 7, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", EXPORTS)
def test_a_large_export_loads_without_an_edit(name: str, seed: int, tmp_path: Path) -> None:
    """The same holds of two years of a shop with two thousand orders."""
    check(name, 2_000, seed, tmp_path)


@pytest.mark.parametrize("name", REFUSED)
def test_an_export_without_order_lines_is_refused_with_what_to_take(
    name: str, tmp_path: Path
) -> None:
    """The sentence says what the file is and which export to take instead; nothing is left."""
    header, words = REFUSED[name]
    file = tmp_path / "export.csv"
    file.write_text(f"{header}\n" + ",".join("x" for _ in header.split(",")) + "\n")
    with pytest.raises(SourceError, match=words):
        create(tmp_path / "shop", [file], lambda: NOW)
    assert not (tmp_path / "shop").exists()


def test_every_layout_is_tried_and_cites_its_document() -> None:
    """No layout is without a made-up export, and each says where its header is shown."""
    tried = {export.layout for export in EXPORTS.values()} | {*REFUSED} | {*BESIDE_ORDERS}
    products = {layout.name for layout in layouts() if layout.table == "products"}
    assert {layout.name for layout in layouts()} - products - tried == {"woocommerce_items_price"}
    assert all(layout.cites.startswith("https://") for layout in layouts())
    assert all(bool(layout.refused) != bool(layout.columns) for layout in layouts())


PACKED = PackedSection(column="items", names=("name", "sku", "qty"), between="|;,")
CELLS = {
    "name:Mug|sku:M-1|qty:2;name:Tea|sku:T-1|qty:1": [("Mug", "M-1", "2"), ("Tea", "T-1", "1")],
    r"name:A\|B\; C\:D|sku:X|qty:1;": [("A|B; C:D", "X", "1")],
    "name: Cups, red: large, sku: C-1, qty: 3": [("Cups, red: large", "C-1", "3")],
    '[{"name": "Mug", "sku": "M-1", "qty": 2, "meta": []}]': [("Mug", "M-1", "2")],
    "name:Mug|sku:|qty:1": [("Mug", None, "1")],
    "two mugs": [],
    "[broken": [],
    "": [],
}


@pytest.mark.parametrize("cell", CELLS)
def test_items_are_unpacked_from_a_cell(cell: str) -> None:
    """Separators within names, escaped signs and lists of JSON objects are told apart."""
    found = list(items_of(cell, PACKED))
    assert [tuple(item.get(name) for name in PACKED.names) for item in found] == CELLS[cell]


def test_a_line_without_its_items_is_rejected_by_its_own_number(tmp_path: Path) -> None:
    """A row whose cell of items cannot be read is named, and the others load."""
    file = tmp_path / "export.csv"
    row = "{0},2026-01-0{0} 10:00:00,completed,{0},a{0}@example.org,{1}\n"
    items = "name:Mug|sku:M-1|quantity:1|subtotal:5.00|total:5.00|refunded:0|refunded_qty:0"
    text = "order_id,date,status,customer_id,billing_email,line_items\n"
    text += "".join(row.format(n, f"id:{n}|{items}") for n in range(1, 8)) + row.format(8, "2 mugs")
    file.write_text(text)
    _, report = loaded(tmp_path, file)
    assert (report.purchases.lines, report.rejected) == (7, 1)
    assert ",9,line_items.sku is empty," in report.rejected_files[0].read_text()


def test_variants_have_their_products_title(tmp_path: Path) -> None:
    """In Shopify's products a title stands on the first variant, and pictures have rows too."""
    header = "Handle,Title,Body (HTML),Vendor,Type,Tags,Variant SKU,Variant Price,Image Src"
    file = tmp_path / "products.csv"
    rows = (
        "mug,Mug,<p>Nice</p>,Fern,Mugs,,M-1,5.00,a.jpg",
        "mug,,,,,,M-2,6.00,b.jpg",
        "mug,,,,,,,,c.jpg",
        "fox,Fox,,Nord,,,F-1,7.00,d.jpg",
    )
    file.write_text("\n".join((header, *rows)) + "\n")
    known = recognise(file)
    source = Source(name="p", file=file.name, table=known.table, columns=known.columns)
    found = read_source(source.model_copy(update=dict(known.settings)), tmp_path, NOW)
    told = found.rows[["product_id", "title", "brand", "product_category"]].fillna("")
    assert (known.layout, len(found.rejected)) == ("shopify_products", 0)
    assert told.to_numpy().tolist() == [
        ["M-1", "Mug", "Fern", "Mugs"],
        ["M-2", "Mug", "Fern", "Mugs"],
        ["F-1", "Fox", "Nord", ""],
    ]


def test_products_tell_price_picture_and_link(tmp_path: Path) -> None:
    """Of a layout and of a table that nobody knows; a price that is not stated is 0."""
    header = "Handle,Title,Vendor,Variant SKU,Variant Price,Image Src,Status"
    shopify = tmp_path / "shopify.csv"
    shopify.write_text(f"{header}\nmug,Mug,Fern,M-1,5.00,https://x.org/a.jpg,active\n")
    plain = tmp_path / "plain.csv"
    plain.write_text(
        "sku,name,price,image_url,url\nM-1,Mug,5.00,https://x.org/a.jpg,https://x.org/mug\nT-1,Tea,,,\n"
    )
    for file, links in ((shopify, [""]), (plain, ["https://x.org/mug", ""])):
        known = recognise(file)
        source = Source(name="p", file=file.name, table=known.table, columns=known.columns)
        found = read_source(source, tmp_path, NOW).rows
        assert found["price"].tolist() == [5.0, 0.0][: len(links)]
        assert found["picture"].fillna("").tolist() == ["https://x.org/a.jpg", ""][: len(links)]
        assert found["link"].fillna("").tolist() == links


def test_a_discount_in_percent_is_taken_off(tmp_path: Path) -> None:
    """Odoo's lines without a subtotal: 10% off two at 24.50 leaves 44.10."""
    header = (
        "Order Reference,Order Date,Customer/Email,Status,Order Lines/Product,"
        "Order Lines/Quantity,Order Lines/Unit Price,Order Lines/Discount (%)"
    )
    order = "S{0},2026-01-0{0} 10:00:00,a{0}@example.org,Sales Order,"
    rows = [order.format(1) + "Mug,2.00,24.50,10.00", ",,,,Tea,1.00,5.00,0.00"]
    file = tmp_path / "export.csv"
    file.write_text("\n".join((header, *rows, order.format(2) + "Fox,1.00,8.00,")) + "\n")
    _, report = loaded(tmp_path, file)
    held = report.purchases
    assert (held.lines, held.gross, held.net, report.rejected) == (3, 62.0, 57.1, 0)


def test_purchases_of_ga4_are_read_from_json(tmp_path: Path) -> None:
    """BigQuery's JSON lines hold items beside parameters; page views are set aside."""
    event = {"event_timestamp": "1767434400000000", "user_pseudo_id": "1.2", "event_params": [{}]}
    items = [
        {"item_id": f"sku-{n}", "item_name": "Mug", "price": 2.5, "quantity": n} for n in (1, 2)
    ]
    bought = {"event_name": "purchase", "ecommerce": {"transaction_id": "T1"}, "items": items}
    file = tmp_path / "events.jsonl"
    rows = [event | bought, event | {"event_name": "page_view", "items": []}]
    file.write_text("\n".join(json.dumps(row) for row in rows))
    _, report = loaded(tmp_path, file)
    held = report.purchases
    assert (held.lines, held.orders, held.net, report.rejected) == (2, 1, 7.5, 0)
    assert report.by_status["no_purchase"].lines == 1
