"""Names of the warehouse's fields, as feature definitions and the catalog use them."""

from __future__ import annotations

from features.tables.declared import customers, interactions, transactions

ORDER_ID = f"{transactions.NAME}.{transactions.ORDER_ID}"
PRODUCT_ID = f"{transactions.NAME}.{transactions.PRODUCT_ID}"
QUANTITY = f"{transactions.NAME}.{transactions.QUANTITY}"
UNIT_PRICE = f"{transactions.NAME}.{transactions.UNIT_PRICE}"
AMOUNT = f"{transactions.NAME}.{transactions.AMOUNT}"
ORDERED_AT = f"{transactions.NAME}.{transactions.ORDERED_AT}"
COUNTRY = f"{customers.NAME}.{customers.COUNTRY}"
FIRST_SEEN = f"{customers.NAME}.{customers.FIRST_SEEN}"
BROWSED = f"{interactions.NAME}.{interactions.BROWSED}"
BROWSED_AT = f"{interactions.NAME}.{interactions.BROWSED_AT}"
BROWSED_PRODUCT_ID = f"{interactions.NAME}.{interactions.BROWSED_PRODUCT_ID}"
EMAIL = f"{interactions.NAME}.{interactions.EMAIL}"
EMAIL_AT = f"{interactions.NAME}.{interactions.EMAIL_AT}"
SUPPORT = f"{interactions.NAME}.{interactions.SUPPORT}"
SUPPORT_AT = f"{interactions.NAME}.{interactions.SUPPORT_AT}"
SUPPORT_TICKET = f"{interactions.NAME}.{interactions.SUPPORT_TICKET}"
SATISFACTION = f"{interactions.NAME}.{interactions.SATISFACTION}"
RETURNED_AT = f"{interactions.NAME}.{interactions.RETURNED_AT}"
BOOKED_AT = f"{interactions.NAME}.{interactions.BOOKED_AT}"
