"""Exports of a made-up shop as the systems of shops write them, with the headers that their
documents show.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.made_up_orders import Line, MadeUpShop, Order

Row = dict[str, object]


@dataclass(frozen=True)
class Export:
    """How a system writes orders: `rows` gives an order's rows, `can` are the cases that it can
    say, `layout` is by which it must be known (None: by its cells).
    """

    layout: str | None
    rows: Callable[[Order], list[Row]]
    can: tuple[str, ...]
    ending: str = "csv"
    delimiter: str = ","
    encoding: str = "utf-8"
    above: str = ""

    def write(self, shop: MadeUpShop, folder: Path) -> Path:
        """Write all orders; returns the file."""
        file = folder / f"export.{self.ending}"
        rows = [row for order in shop.orders for row in self.rows(order)]
        header = list(dict.fromkeys(name for row in rows for name in row))
        with file.open("w", encoding=self.encoding, newline="") as out:
            out.write(self.above)
            written = csv.DictWriter(out, header, delimiter=self.delimiter, restval="")
            written.writeheader()
            written.writerows(rows)
        return file


def money(cents: int) -> str:
    """An amount with a point."""
    return f"{cents / 100:.2f}"


def comma(cents: int) -> str:
    """An amount with a comma, and points between thousands."""
    return f"{cents / 100:,.2f}".translate(str.maketrans(",.", ".,"))


def _first(position: int, row: Row) -> Row:
    """The columns of an order, on its first line alone."""
    return row if position == 0 else dict.fromkeys(row, "")


def shopify(order: Order) -> list[Row]:
    """Orders > Export."""
    at = f"{order.at:%Y-%m-%d %H:%M:%S} +0000"
    return [
        {
            "Name": f"#{order.number}",
            "Email": order.person.mail,
            **_first(position, _shopify_order(order, at)),
            "Created at": at,
            "Lineitem quantity": line.units,
            "Lineitem name": line.product.title,
            "Lineitem price": money(line.product.price),
            "Lineitem compare at price": "",
            "Lineitem sku": line.product.sku,
            "Lineitem fulfillment status": "fulfilled",
            "Vendor": "Fern & Co",
            "Lineitem discount": money(line.off),
            "Phone": "",
            "Receipt Number": "",
        }
        for position, line in enumerate(order.lines)
    ]


def _shopify_order(order: Order, at: str) -> Row:
    states = {"cancelled": "voided", "refunded": "refunded", "pending": "pending"}
    paid = states.get(order.state, "partially_refunded" if order.refund else "paid")
    total = order.total + 490
    return {
        "Financial Status": paid,
        "Paid at": at if paid == "paid" else "",
        "Fulfillment Status": "fulfilled",
        "Currency": "EUR",
        "Subtotal": money(order.total),
        "Shipping": "4.90",
        "Taxes": money(total // 6),
        "Total": money(total),
        "Discount Code": "SOMMER" if order.off else "",
        "Discount Amount": money(order.off),
        "Billing Name": order.person.name,
        "Shipping Country": order.person.country,
        "Cancelled at": at if order.state == "cancelled" else "",
        "Payment Method": "bogus" if order.state == "test" else "Shopify Payments",
        "Refunded Amount": money(total if order.state == "refunded" else order.refund),
        "Id": 5_000_000_000 + order.number,
        "Tags": "Stammkunde, neu",
    }


def shopify_some_skus(order: Order) -> list[Row]:
    """Orders > Export of a shop that gave a code to most of its products only."""
    rows = shopify(order)
    for row, line in zip(rows, order.lines, strict=True):
        row["Lineitem sku"] = line.product.sku if line.product.number % 5 else ""
    return rows


WOO_STATES = {"bought": "completed", "pending": "on-hold"}


def _woo_order(order: Order) -> Row:
    person = order.person
    return {
        "order_id": order.number + 70,
        "order_number": order.number,
        "date": f"{order.at:%Y-%m-%d %H:%M:%S}",
        "status": WOO_STATES.get(order.state, order.state),
        "shipping_total": "4.90",
        "discount_total": money(sum(line.off for line in order.lines)),
        "order_total": money(order.total + 490),
        "refunded_total": money(sum(line.refunded for line in order.lines)),
        "order_currency": "EUR",
        "customer_id": person.number or 0,
        "billing_first_name": person.name,
        "billing_email": person.mail,
        "billing_country": person.country,
        "shipping_country": person.country,
    }


def _woo_item(order: Order, line: Line) -> dict[str, object]:
    return {
        "id": order.number * 10 + line.product.number,
        "name": line.product.title,
        "product_id": line.product.number,
        "sku": line.product.sku,
        "quantity": line.units,
        "subtotal": money(line.listed),
        "subtotal_tax": "0.00",
        "total": money(line.paid),
        "total_tax": "0.00",
        "refunded": money(line.refunded),
        "refunded_qty": -line.back,
        "meta": "",
    }


def woocommerce_items(order: Order) -> list[Row]:
    """Customer/Order/Coupon Export, one row per item."""
    return [
        _woo_order(order)
        | {f"item_{name}": value for name, value in _woo_item(order, line).items()}
        for line in order.lines
    ]


def woocommerce_packed(order: Order) -> list[Row]:
    """Customer/Order/Coupon Export, one row per order, parts between `|`."""
    special = str.maketrans({each: f"\\{each}" for each in "\\:|;"})
    items = [
        "|".join(f"{name}:{str(value).translate(special)}" for name, value in item.items())
        for item in (_woo_item(order, line) for line in order.lines)
    ]
    return [
        _woo_order(order) | {"line_items": ";".join(items), "shipping_items": "id:1|total:4.90"}
    ]


def woocommerce_json(order: Order) -> list[Row]:
    """Customer/Order/Coupon Export, one row per order, items as JSON."""
    items = [_woo_item(order, line) for line in order.lines]
    return [_woo_order(order) | {"line_items": json.dumps(items)}]


def woocommerce_advanced(order: Order) -> list[Row]:
    """Advanced Order Export, with its default labels."""
    return [
        {
            "Order Number": order.number,
            "Order Status": WOO_STATES.get(order.state, order.state).capitalize(),
            "Order Date": f"{order.at:%Y-%m-%d %H:%M}",
            "Customer User ID": order.person.number or 0,
            "Email (Billing)": order.person.mail,
            "Country Code (Billing)": order.person.country,
            "Cart Discount Amount": money(order.off),
            "Order Subtotal Amount": money(order.total),
            "Order Shipping Amount": "4.90",
            "Order Total Amount": money(order.total + 490),
            "SKU": line.product.sku,
            "Item #": position,
            "Item Name": line.product.title,
            "Quantity (- Refund)": line.units,
            "Item Cost": money(line.product.price),
        }
        for position, line in enumerate(order.lines, start=1)
    ]


def magento(order: Order) -> list[Row]:
    """The tables sales_order and sales_order_item joined."""
    states = {"bought": "complete", "refunded": "closed", "cancelled": "canceled"}
    back = order.state == "refunded"
    return [
        {
            "increment_id": f"{order.number:09d}",
            "status": states.get(order.state, order.state),
            "created_at": f"{order.at:%Y-%m-%d %H:%M:%S}",
            "customer_id": order.person.number or "",
            "customer_email": order.person.mail,
            "order_currency_code": "EUR",
            "grand_total": f"{(order.total + 490) / 100:.4f}",
            "item_id": order.number * 10 + position,
            "product_id": line.product.number,
            "sku": line.product.sku,
            "name": line.product.title,
            "qty_ordered": f"{line.units:.4f}",
            "qty_refunded": f"{line.units if back else line.back:.4f}",
            "price": f"{line.product.price / 119:.4f}",
            "price_incl_tax": f"{line.product.price / 100:.4f}",
            "discount_amount": f"{line.off / 100:.4f}",
            "row_total_incl_tax": f"{line.listed / 100:.4f}",
        }
        for position, line in enumerate(order.lines)
    ]


PRESTA = {"bought": 5, "cancelled": 6, "refunded": 7, "failed": 8, "pending": 10}


def prestashop(order: Order) -> list[Row]:
    """SQL Manager, the tables orders and order_detail joined."""
    return [
        {
            "id_order": order.number,
            "reference": f"XKB{order.number}QA",
            "id_customer": order.person.number,
            "email": order.person.mail,
            "current_state": PRESTA[order.state],
            "date_add": f"{order.at:%Y-%m-%d %H:%M:%S}",
            "total_paid_tax_incl": f"{(order.total + 490) / 100:.6f}",
            "total_discounts_tax_incl": f"{order.off / 100:.6f}",
            "total_shipping_tax_incl": "4.900000",
            "product_id": line.product.number,
            "product_reference": line.product.sku,
            "product_name": line.product.title,
            "product_quantity": line.units,
            "product_quantity_refunded": line.back,
            "unit_price_tax_incl": f"{line.product.price / 100:.6f}",
            "total_price_tax_incl": f"{line.listed / 100:.6f}",
        }
        for line in order.lines
    ]


def etsy(order: Order) -> list[Row]:
    """Download Data > Order Items."""
    return [
        {
            "Sale Date": f"{order.at:%m/%d/%y}",
            "Item Name": line.product.title,
            "Buyer": f"zoe{order.person.number}",
            "Quantity": line.units,
            "Price": money(line.product.price),
            "Coupon Code": "SOMMER" if line.off else "",
            "Discount Amount": money(line.off),
            "Order Shipping": "4.90",
            "Item Total": money(line.listed),
            "Currency": "EUR",
            "Transaction ID": order.number * 100 + line.product.number,
            "Listing ID": 1_500_000_000 + line.product.number,
            "Date Paid": f"{order.at:%m/%d/%Y}",
            "Ship Country": "Germany",
            "Order ID": 3_300_000_000 + order.number,
            "SKU": "",
        }
        for line in order.lines
    ]


def square(order: Order) -> list[Row]:
    """Items Detail CSV."""

    def dollars(cents: int) -> str:
        return f"{'-' if cents < 0 else ''}${abs(cents) / 100:,.2f}"

    return [
        {
            "Date": f"{order.at:%Y-%m-%d}",
            "Time": f"{order.at:%H:%M:%S}",
            "Time Zone": "Eastern Time (US & Canada)",
            "Category": "Küche",
            "Item": line.product.title,
            "Qty": f"{line.units}.0",
            "Price Point Name": "Regular",
            "SKU": line.product.sku,
            "Modifiers Applied": "",
            "Gross Sales": dollars(line.listed),
            "Discounts": dollars(-line.off),
            "Net Sales": dollars(line.paid),
            "Tax": dollars(line.paid // 12),
            "Transaction ID": f"tx{order.number}Q",
            "Payment ID": f"pay{order.number}",
            "Event Type": "Payment" if line.units > 0 else "Refund",
            "Location": "Main",
            "Customer ID": f"C{order.person.number}" if order.person.number else "",
            "Customer Name": order.person.name,
        }
        for line in order.lines
    ]


def ebay(order: Order) -> list[Row]:
    """Seller Hub > Orders > Download report; several items have a row of their total above them."""
    rows = _ebay_items(order)
    if len(rows) == 1:
        return rows
    units, total = sum(line.units for line in order.lines), f"${order.total / 100:,.2f}"
    nothing = {"Item Number": "", "Item Title": "", "Custom Label": "", "Transaction ID": ""}
    return [rows[0] | nothing | {"Quantity": units, "Sold For": total}] + [
        row | {"Buyer Name": "", "Buyer Email": "", "Ship To Country": ""} for row in rows
    ]


def _ebay_items(order: Order) -> list[Row]:
    return [
        {
            "Sales Record Number": order.number,
            "Order Number": f"13-{order.number}-00010",
            "Buyer Username": f"zoe_{order.person.number}",
            "Buyer Name": order.person.name,
            "Buyer Email": order.person.mail,
            "Ship To Country": "Germany",
            "Item Number": 335_000_000_000 + line.product.number,
            "Item Title": line.product.title,
            "Custom Label": line.product.sku,
            "Quantity": line.units,
            "Sold For": f"${line.product.price / 100:,.2f}",
            "Shipping And Handling": "$4.90",
            "Total Price": f"${(line.listed + 490) / 100:,.2f}",
            "Sale Date": f"{order.at:%b-%d-%y}",
            "Paid On Date": f"{order.at:%b-%d-%y}",
            "Transaction ID": order.number * 100 + line.product.number,
        }
        for line in order.lines
    ]


def amazon(order: Order) -> list[Row]:
    """Order reports, tab-separated."""
    return [
        {
            "order-id": f"302-{order.number:07d}-7926919",
            "order-item-id": order.number * 100 + line.product.number,
            "purchase-date": f"{order.at:%Y-%m-%dT%H:%M:%S}+00:00",
            "payments-date": f"{order.at:%Y-%m-%dT%H:%M:%S}+00:00",
            "buyer-email": order.person.mail,
            "buyer-name": order.person.name,
            "sku": line.product.sku,
            "product-name": line.product.title,
            "quantity-purchased": line.units,
            "currency": "EUR",
            "item-price": money(line.listed),
            "item-tax": money(line.paid // 6),
            "shipping-price": "4.90",
            "ship-country": order.person.country,
            "item-promotion-discount": money(-line.off),
            "item-promotion-id": "SOMMER" if line.off else "",
        }
        for line in order.lines
    ]
