"""Files of customers: a row for each, and what is known of them, but nothing that they bought."""

from __future__ import annotations

from collections.abc import Mapping

from features.intake.setup.beside_orders.spellings import CUSTOMERS, named
from features.intake.setup.column_facts import ColumnFacts
from features.intake.setup.column_synonyms import SPELLINGS, rank
from features.tables.declared.customers import NAME
from features.tables.declared.products import PRODUCT_ID
from features.tables.declared.transactions import ORDER_ID
from features.tables.table import CUSTOMER_ID

OF_ORDERS = (*SPELLINGS[ORDER_ID][:-2], *SPELLINGS[PRODUCT_ID])
"""Names of what orders are told by; `id` and `name` may be a customer's."""


def customers_in(facts: Mapping[str, ColumnFacts]) -> dict[str, str] | None:
    """The file's columns by those of customers; None where it is no list of customers, or tells
    nothing of them.
    """
    found = named(facts, CUSTOMERS, NAME)
    if CUSTOMER_ID not in found or len(found) == 1:
        return None
    if not facts[found[CUSTOMER_ID]].values.dropna().is_unique:
        return None
    others = [name for name in facts if name not in found.values()]
    if any(rank(name, OF_ORDERS) is not None for name in others):
        return None
    if any(
        rank(name, SPELLINGS[CUSTOMER_ID]) is not None and not facts[name].is_mail
        for name in others
    ):
        return None  # it says which ids are of one person, and is joined to their orders
    return found
