"""Names of the warehouse's fields, as feature definitions and the catalog use them."""

from __future__ import annotations

ORDER_ID = "transactions.order_id"
PRODUCT_ID = "transactions.product_id"
QUANTITY = "transactions.quantity"
UNIT_PRICE = "transactions.unit_price"
AMOUNT = "transactions.amount"
ORDERED_AT = "transactions.ordered_at"
COUNTRY = "customers.country"

RECORDED_AT = "recorded_at"
"""When the shop's system wrote a row down: operational metadata, used to look back in time and
never as a feature.
"""
SOURCE = "source"
"""Name of the data source that a row came from: it decides whether the row may be read, and is no
feature either.
"""
