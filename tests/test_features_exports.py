"""Small exports, each of a kind that once went wrong: what they hold, or why they are refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.database.engine import Database
from features.errors import SaysoError
from features.intake.ingest import ingest
from features.intake.ingest_report import IngestReport
from features.intake.setup.new_workspace import create
from features.shop.workspace import Workspace

NOW = datetime(2026, 12, 1, tzinfo=UTC)
WHO = ("ann@example.org", "ben@example.org", "cleo@example.org", "dan@example.org")


def load(tmp_path: Path, *files: tuple[str, str]) -> IngestReport:
    """What `sayso init --from` and `sayso ingest` make of files, without an edit."""
    for name, text in files:
        (tmp_path / name).write_text(text, encoding="utf-8")
    create(tmp_path / "shop", [tmp_path / name for name, _ in files], clock=lambda: NOW)
    workspace = Workspace.open(tmp_path / "shop")
    database = Database.open(workspace.database_url)
    try:
        return ingest(workspace, database, clock=lambda: NOW)
    finally:
        database.close()


def lines(header: str, *, form: str, count: int = 12) -> str:
    """Rows of a pattern: `n` the order, `who`, `item` and `day` go round."""
    rows = [
        form.format(
            n=1001 + number // 2,
            item=number % 5,
            who=WHO[(number // 2) % 4],
            day=1 + number // 2,
            first=number % 2 == 0,
        )
        for number in range(count)
    ]
    return "\n".join([header, *rows]) + "\n"


def blank_repeats() -> str:
    """An order's columns on its first line alone, as Shopify writes them."""
    text = lines(
        "Name,Email,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku",
        form="#{n},{who},2026-03-{day:02d} 10:00:00 +0100,2,Mug {item},5.00,SKU-{item}",
    )
    rows = text.splitlines()
    for at in range(2, len(rows), 2):
        number, _, _, rest = rows[at].split(",", 3)
        rows[at] = f"{number},,,{rest}"
    return "\n".join(rows) + "\n"


EXPORTS = {
    "order columns on the first line": (blank_repeats(), (12, 6, 4, 24.0, 120.0)),
    "an empty column that is called like an order": (
        lines(
            "Name,Email,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,"
            "Receipt Number",
            form="#{n},{who},2026-03-{day:02d} 10:00:00 +0100,1,Mug {item},5.00,SKU-{item},",
        ),
        (12, 6, 4, 12.0, 60.0),
    ),
    "the order's total beside the price": (
        lines(
            "order,customer email,total,date,quantity,product,price",
            form="{n},{who},25.90,2026-03-{day:02d},2,SKU-{item},5.00",
        ),
        (12, 6, 4, 24.0, 120.0),
    ),
    "guests of one id and a number for each line": (
        lines(
            "order_id,date,customer_id,billing_email,item_id,item_product_id,item_quantity,"
            "item_price",
            form="{n},2026-03-{day:02d} 10:00:00,0,{who},9{n}{item},{item},1,5.00",
        ),
        (12, 6, 4, 12.0, 60.0),
    ),
    "German money beside the cost of shipping": (
        lines(
            "Bestellnummer;Bestelldatum;Kundennummer;Artikelnummer;Menge;Einzelpreis;Versandkosten",
            form="{n};{day:02d}.03.2026 13:54;{who};A-{item};1;1.960,00 €;4,90 €",
        ),
        (12, 6, 4, 12.0, 23520.0),
    ),
    "views and carts among purchases": (
        lines(
            "event_time,event_type,product_id,price,user_id",
            form="2026-03-{day:02d} 10:0{item}:00 UTC,view,{item},5.00,{who}",
        )
        + lines("", form="2026-04-{day:02d} 10:0{item}:00 UTC,cart,{item},5.00,{who}").lstrip()
        + lines("", form="2026-05-{day:02d} 10:00:00 UTC,purchase,{item},5.00,{who}").lstrip(),
        (12, 6, 4, 12.0, 60.0),
    ),
    "a code that is mostly empty": (
        lines(
            "Sale Date,Item Name,Buyer,Quantity,Price,Currency,Listing ID,Order ID,SKU",
            form='03/{day:02d}/26,"Mug {item}, handmade",{who},1,5.00,USD,99{item},{n},',
        ),
        (12, 6, 4, 12.0, 60.0),
    ),
    "thousands with commas": (
        lines(
            "customer_id,order_id,product_id,ordered_at,quantity,unit_price",
            form='{who},{n},p{item},2026-03-{day:02d} 10:00:00,1,"1,495.00"',
        ),
        (12, 6, 4, 12.0, 17940.0),
    ),
    "seconds since 1970": (
        lines(
            "customer_id,order_id,product_id,ordered_at,quantity,unit_price",
            form="{who},{n},p{item},17365{n}0,2,5.00",
        ),
        (12, 6, 4, 24.0, 120.0),
    ),
    "Excel's line for the delimiter": (
        "sep=;\n"
        + lines(
            "customer_id;order_id;product_id;ordered_at;quantity;unit_price",
            form="{who};{n};p{item};2026-03-{day:02d};2;5.00",
        ),
        (12, 6, 4, 24.0, 120.0),
    ),
    "cancelled, refunded and test orders": (
        lines(
            "customer_id,order_id,product_id,ordered_at,quantity,unit_price,status",
            form="{who},{n},p{item},2026-03-{day:02d},1,5.00,completed",
        )
        + "eve@example.org,2001,p1,2026-04-01,1,500.00,cancelled\n"
        + "eve@example.org,2002,p1,2026-04-01,1,500.00,Refunded\n"
        + "eve@example.org,2003,p1,2026-04-01,1,500.00,pending payment\n",
        (12, 6, 4, 12.0, 60.0),
    ),
    "one person in two spellings": (
        lines(
            "customer_id,order_id,product_id,ordered_at,quantity,unit_price",
            form="{who},{n},p{item},2026-03-{day:02d},1,5.00",
        )
        + "ANN@Example.org,2001,p1,2026-04-01,1,5.00\n",
        (13, 7, 4, 13.0, 65.0),
    ),
}


@pytest.mark.parametrize("kind", EXPORTS)
def test_an_export_is_loaded_right_without_an_edit(kind: str, tmp_path: Path) -> None:
    """Lines, orders, customers, units and revenue are those of the file."""
    text, truth = EXPORTS[kind]
    report = load(tmp_path, ("orders.csv", text))
    held = report.purchases
    assert (held.lines, held.orders, held.customers, held.units, held.gross) == truth
    assert report.rejected == 0


REFUSED = {
    "no buyer": (
        lines(
            "amazon-order-id\tpurchase-date\torder-status\tsku\tquantity\titem-price",
            form="302-{n}\t2026-03-{day:02d}T10:00:00+00:00\tShipped\tSKU-{item}\t1\t5.00",
        ),
        "names no buyer",
    ),
    "charges without products": (
        lines(
            "id,Created date (UTC),Amount,Status,Customer ID,Customer Email",
            form="ch_{n}{item},2026-03-{day:02d} 10:00:00,5.00,Paid,cus_{day},{who}",
        ),
        "one row per payment",
    ),
    "several currencies": (
        lines(
            "customer_id,order_id,product_id,ordered_at,quantity,unit_price,currency",
            form="{who},{n},p{item},2026-03-{day:02d},1,5.00,EUR",
        )
        + "eve@example.org,2001,p1,2026-04-01,1,6438,JPY\n",
        "1 in JPY.*shop.rates",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_loaded_is_refused_with_the_mend(kind: str, tmp_path: Path) -> None:
    """The sentence names what is missing or odd, and what to state."""
    text, words = REFUSED[kind]
    with pytest.raises(SaysoError, match=words):
        load(tmp_path, ("orders.txt" if "\t" in text else "orders.csv", text))


@pytest.mark.slow
def test_a_later_export_corrects_an_earlier_one(tmp_path: Path) -> None:
    """A corrected line counts once, and an order that is not there any more is gone."""
    header = "customer_id,order_id,product_id,ordered_at,quantity,unit_price\n"
    first = (
        f"{header}ann,1,mug,2026-08-02 10:00:00,2,5.00\nben,2,tea,2026-08-03 10:00:00,1,6.00\n"
        "ben,3,tea,2026-08-04 10:00:00,1,6.00\n"
    )
    later = f"{header}ann,1,mug,2026-08-02 10:00:00,1,5.00\nben,3,tea,2026-08-04 10:00:00,1,6.00\n"
    held = load(tmp_path, ("a.csv", first), ("b.csv", later)).purchases
    assert (held.lines, held.orders, held.units, held.net) == (2, 2, 2.0, 11.0)


def test_a_cancellation_takes_back_what_it_cancels(tmp_path: Path) -> None:
    """A whole order cancelled later is none; of another what was not sent back is left."""
    header = "customer_id,order_id,product_id,ordered_at,quantity,unit_price\n"
    text = (
        f"{header}ann,1,mug,2026-08-02,3,5.00\nann,C9,mug,2026-08-04,-3,5.00\n"
        "ben,2,tea,2026-08-02,3,6.00\nben,C8,tea,2026-08-05,-1,6.00\n"
        "cleo,3,tea,2026-08-02,1,6.00\ndan,4,mug,2026-08-02,1,5.00\n"
    )
    report = load(tmp_path, ("a.csv", text))
    held = report.purchases
    assert (held.lines, held.orders, held.customers, held.units) == (3, 3, 3, 4.0)
    assert (held.gross, held.net) == (29.0, 23.0)
    assert report.by_status["taken_back"].lines == 1
