"""Headers of exports without order lines, as their systems write them, and a word of what to take
instead.
"""

from __future__ import annotations

from collections.abc import Mapping

REFUSED: Mapping[str, tuple[str, str]] = {
    "stripe_payments": (
        (
            "id,Created date (UTC),Amount,Amount Refunded,Currency,Captured,Fee,Status,Description,"
            "Customer ID,Customer Email,Invoice ID"
        ),
        "Stripe: it has one row per payment",
    ),
    "amazon_all_orders": (
        (
            "amazon-order-id,merchant-order-id,purchase-date,last-updated-date,order-status,"
            "fulfillment-channel,product-name,sku,asin,item-status,quantity,currency,item-price,item-tax"
        ),
        "Take the Order report",
    ),
    "etsy_orders": (
        (
            "Sale Date,Order ID,Buyer User ID,Full Name,Number of Items,Payment Method,Currency,"
            "Order Value,Discount Amount,Order Total,Status,Order Net"
        ),
        "Download Order Items instead",
    ),
    "magento_orders_grid": (
        (
            "ID,Purchase Point,Purchase Date,Bill-to Name,Ship-to Name,Grand Total (Base),"
            "Grand Total (Purchased),Status,Customer Email,Subtotal,Payment Method,Total Refunded"
        ),
        "sales_order_item",
    ),
}
"""Header and words of the refusal, by the layout's name."""
