"""Names of the warehouse's fields, as feature definitions and the catalog use them."""

from __future__ import annotations

ORDER_ID = "transactions.order_id"
PRODUCT_ID = "transactions.product_id"
QUANTITY = "transactions.quantity"
UNIT_PRICE = "transactions.unit_price"
AMOUNT = "transactions.amount"
ORDERED_AT = "transactions.ordered_at"
COUNTRY = "customers.country"
