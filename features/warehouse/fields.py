"""Names of the warehouse's fields, as feature definitions and the catalog use them."""

from __future__ import annotations

from features.tables.declared import customers, transactions

ORDER_ID = f"{transactions.NAME}.{transactions.ORDER_ID}"
PRODUCT_ID = f"{transactions.NAME}.{transactions.PRODUCT_ID}"
QUANTITY = f"{transactions.NAME}.{transactions.QUANTITY}"
UNIT_PRICE = f"{transactions.NAME}.{transactions.UNIT_PRICE}"
AMOUNT = f"{transactions.NAME}.{transactions.AMOUNT}"
ORDERED_AT = f"{transactions.NAME}.{transactions.ORDERED_AT}"
COUNTRY = f"{customers.NAME}.{customers.COUNTRY}"
