"""All made-up exports by name: of shop systems, of offices and tills, in four languages, and of a
system that nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.made_up_exports import (
    Export,
    Row,
    _first,
    amazon,
    comma,
    ebay,
    etsy,
    magento,
    money,
    prestashop,
    shopify,
    shopify_some_skus,
    square,
    woocommerce_advanced,
    woocommerce_items,
    woocommerce_json,
    woocommerce_packed,
)
from tests.made_up_orders import Order


def lightspeed(order: Order) -> list[Row]:
    """BackOffice > Transactions by item."""
    return [
        {
            "Time": f"{order.at:%Y-%m-%d %H:%M:%S}",
            "Register Name/Number": "1",
            "Cashier Name": "Zoë",
            "Operation Type": "Sale" if line.units > 0 else "Return",
            "Store Code": line.product.sku,
            "UPC": "",
            "Line Item": line.product.title,
            "Department": "Küche",
            "Category": "Tee",
            "Supplier": "Fern & Co",
            "Cost": money(line.product.price // 2),
            "Price": money(line.product.price),
            "Quantity": line.units,
            "Subtotal": money(line.listed),
            "Discounts": money(line.off),
            "Net Total": money(line.paid),
            "Tax": money(line.paid // 12),
            "Total Due": money(line.paid + line.paid // 12),
            "Transaction ID": order.number,
            "Customer ID": order.person.number or "",
        }
        for line in order.lines
    ]


def odoo(order: Order) -> list[Row]:
    """Sales > Orders > Export, with order lines."""
    states = {"cancelled": "Cancelled", "pending": "Quotation"}
    return [
        {
            **_first(
                position,
                {
                    "Order Reference": f"S{order.number:05d}",
                    "Order Date": f"{order.at:%Y-%m-%d %H:%M:%S}",
                    "Customer": order.person.name,
                    "Customer/Email": order.person.mail,
                    "Customer/Country": "Germany",
                    "Status": states.get(order.state, "Sales Order"),
                },
            ),
            "Order Lines/Product/Internal Reference": line.product.sku,
            "Order Lines/Product": f"[{line.product.sku}] {line.product.title}",
            "Order Lines/Quantity": f"{line.units}.00",
            "Order Lines/Unit Price": money(line.product.price),
            "Order Lines/Discount (%)": "14.29" if line.off else "0.00",
            "Order Lines/Subtotal": money(line.paid),
            "Order Lines/Total": money(line.paid * 119 // 100),
            **_first(position, {"Total": money(order.total * 119 // 100)}),
        }
        for position, line in enumerate(order.lines)
    ]


ERPNEXT = {"cancelled": "Cancelled", "pending": "Draft", "returned": "Return"}


def _erpnext(order: Order, bought: tuple[str, ...], prefix: str, item: str) -> list[Row]:
    state = ERPNEXT.get(order.state, bought[order.number % len(bought)])
    return [
        {
            **_first(
                position,
                {
                    "ID": f"{prefix}-2025-{order.number:05d}",
                    "Customer": order.person.name,
                    "Date": f"{order.at:%Y-%m-%d}",
                    "Currency": "EUR",
                    "Status": state,
                    "Grand Total": money(order.total + 490),
                },
            ),
            "ID (Items)": f"row{order.number}{position}",
            item: line.product.sku,
            "Item Name (Items)": line.product.title,
            "Quantity (Items)": line.units,
            "UOM (Items)": "Nos",
            "Rate (Items)": money(line.product.price),
            "Amount (Items)": money(line.listed),
        }
        for position, line in enumerate(order.lines)
    ]


def erpnext_invoices(order: Order) -> list[Row]:
    """Sales Invoice > Export."""
    return _erpnext(
        order, ("Paid", "Unpaid", "Overdue", "Credit Note Issued"), "SINV", "Item (Items)"
    )


def erpnext_orders(order: Order) -> list[Row]:
    """Sales Order > Export."""
    bought = ("To Deliver and Bill", "To Bill", "Completed", "Closed")
    return _erpnext(order, bought, "SO", "Item Code (Items)")


LANGUAGES: Mapping[str, Mapping[str, str]] = {
    "german": {
        "order": "Bestellnummer",
        "at": "Bestelldatum",
        "customer": "Kundennummer",
        "mail": "E-Mail",
        "sku": "Artikelnummer",
        "title": "Artikelbezeichnung",
        "units": "Menge",
        "price": "Einzelpreis",
        "paid": "Gesamtpreis",
        "shipping": "Versandkosten",
        "state": "Status",
        "country": "Land",
        "date": "%d.%m.%Y %H:%M",
        "bought": "Abgeschlossen",
        "cancelled": "Storniert",
        "refunded": "Erstattet",
        "pending": "Zahlung ausstehend",
        "failed": "Fehlgeschlagen",
        "test": "Testbestellung",
        "guest": "Gast",
    },
    "french": {
        "order": "N° de commande",
        "at": "Date de commande",
        "customer": "Code client",
        "mail": "Adresse e-mail",
        "sku": "Référence",
        "title": "Désignation",
        "units": "Quantité",
        "price": "Prix unitaire",
        "paid": "Total ligne",
        "shipping": "Frais de livraison",
        "state": "Statut",
        "country": "Pays",
        "date": "%d/%m/%Y %H:%M",
        "bought": "Terminée",
        "cancelled": "Annulée",
        "refunded": "Remboursée",
        "pending": "En attente de paiement",
        "failed": "Échouée",
        "test": "Commande test",
        "guest": "Invité",
    },
    "spanish": {
        "order": "Número de pedido",
        "at": "Fecha",
        "customer": "ID cliente",
        "mail": "Correo electrónico",
        "sku": "Referencia",
        "title": "Nombre producto",
        "units": "Cantidad",
        "price": "Precio unitario",
        "paid": "Total línea",
        "shipping": "Gastos de envío",
        "state": "Estado",
        "country": "País",
        "date": "%d/%m/%Y %H:%M",
        "bought": "Completado",
        "cancelled": "Cancelado",
        "refunded": "Reembolsado",
        "pending": "Pendiente de pago",
        "failed": "Fallido",
        "test": "Test",
        "guest": "",
    },
    "polish": {
        "order": "Nr zamówienia",
        "at": "Data zamówienia",
        "customer": "ID klienta",
        "mail": "Adres e-mail",
        "sku": "Kod produktu",
        "title": "Nazwa produktu",
        "units": "Ilość",
        "price": "Cena jednostkowa",
        "paid": "Wartość",
        "shipping": "Koszt dostawy",
        "state": "Status zamówienia",
        "country": "Kraj",
        "date": "%d.%m.%Y %H:%M",
        "bought": "Zrealizowane",
        "cancelled": "Anulowane",
        "refunded": "Zwrócone",
        "pending": "Oczekuje na płatność",
        "failed": "Nieudane",
        "test": "Test",
        "guest": "Gość",
    },
}


def _in_language(words: Mapping[str, str]) -> Export:
    def rows(order: Order) -> list[Row]:
        return [
            {
                words["order"]: order.number,
                words["at"]: order.at.strftime(words["date"]),
                words["customer"]: order.person.number or words["guest"],
                words["mail"]: order.person.mail,
                words["sku"]: line.product.sku,
                words["title"]: line.product.title,
                words["units"]: line.units,
                words["price"]: f"{comma(line.product.price)} €",
                words["paid"]: f"{comma(line.paid)} €",
                words["shipping"]: "4,90 €",
                words["state"]: words[order.state],
                words["country"]: "Österreich",
            }
            for line in order.lines
        ]

    can = ("cancelled", "refunded", "pending", "failed", "test", "guest", "line_discount")
    return Export(None, rows, can, delimiter=";", encoding="utf-8-sig")


def ga4(order: Order) -> list[Row]:
    """Export to BigQuery, a row per item of each event; each purchase was viewed before."""

    def row(event: str, seconds: int, position: int) -> Row:
        line, bought = order.lines[position], event == "purchase"
        return {
            "event_date": f"{order.at:%Y%m%d}",
            "event_timestamp": int(order.at.timestamp() - seconds) * 1_000_000,
            "event_name": event,
            "user_pseudo_id": f"1234567.{order.person.number}",
            "transaction_id": f"T{order.number}" if bought else "",
            "item_id": line.product.sku,
            "item_name": line.product.title,
            "price": money(line.product.price),
            "quantity": line.units if bought else 1,
            "country": "Germany",
        }

    lines = range(len(order.lines))
    return [row("view_item", 90, each) for each in lines] + [
        row("purchase", 0, each) for each in lines
    ]


def packed_by_nobody(order: Order) -> list[Row]:
    """One row per order with all items in a cell, in a way that no layout knows."""
    items = [
        f"Product ID: {line.product.number}, Product Qty: {line.units}, Product SKU:"
        f" {line.product.sku}, Product Name: Tea & Fox {line.product.number}, Product Unit Price:"
        f" {money(line.product.price)}, Product Total Price: {money(line.listed)}"
        for line in order.lines
    ]
    return [
        {
            "Order ID": order.number,
            "Order Date": f"{order.at:%d/%m/%Y}",
            "Order Status": {"bought": "Shipped", "pending": "Awaiting Payment"}.get(
                order.state, order.state.capitalize()
            ),
            "Customer Email": order.person.mail,
            "Order Total": money(order.total + 490),
            "Product Details": " | ".join(items),
        }
    ]


WOO = (
    "cancelled",
    "refunded",
    "pending",
    "failed",
    "guest",
    "nobody",
    "line_discount",
    "units_back",
)
EXPORTS: Mapping[str, Export] = {
    "shopify": Export(
        "shopify_orders",
        shopify,
        (
            *("cancelled", "refunded", "pending", "test", "guest", "nobody"),
            *("line_discount", "order_discount", "order_refund"),
        ),
    ),
    "shopify_some_skus": Export(
        "shopify_orders", shopify_some_skus, ("cancelled", "refunded", "guest", "order_discount")
    ),
    "woocommerce_items": Export("woocommerce_items", woocommerce_items, WOO),
    "woocommerce_packed": Export("woocommerce_packed", woocommerce_packed, WOO),
    "woocommerce_json": Export("woocommerce_packed", woocommerce_json, WOO, delimiter=";"),
    "woocommerce_advanced": Export(
        "woocommerce_advanced",
        woocommerce_advanced,
        ("cancelled", "refunded", "pending", "failed", "guest", "order_discount"),
    ),
    "magento": Export(
        "magento_order_items",
        magento,
        ("cancelled", "refunded", "pending", "guest", "nobody", "line_discount", "units_back"),
    ),
    "prestashop": Export(
        "prestashop_order_detail",
        prestashop,
        ("cancelled", "refunded", "pending", "failed", "order_discount", "units_back"),
        delimiter=";",
    ),
    "etsy": Export("etsy_items", etsy, ("line_discount",)),
    "square": Export("square_items", square, ("nobody", "line_discount", "returns")),
    "ebay": Export("ebay_orders", ebay, (), above="\n"),
    "amazon": Export(
        "amazon_orders", amazon, ("guest", "line_discount"), ending="txt", delimiter="\t"
    ),
    "lightspeed": Export("lightspeed_items", lightspeed, ("nobody", "line_discount", "returns")),
    "odoo": Export("odoo_orders", odoo, ("cancelled", "pending", "line_discount", "returns")),
    "erpnext_invoices": Export(
        "erpnext_sales_invoices", erpnext_invoices, ("cancelled", "pending", "returns")
    ),
    "erpnext_orders": Export("erpnext_sales_orders", erpnext_orders, ("cancelled", "pending")),
    "ga4": Export("ga4_items", ga4, ()),
    "packed_by_nobody": Export(
        None, packed_by_nobody, ("cancelled", "refunded", "pending", "guest")
    ),
    **{name: _in_language(words) for name, words in LANGUAGES.items()},
}
"""Every export by its name."""
