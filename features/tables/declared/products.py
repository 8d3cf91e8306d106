"""Products: what the shop sells, as it says so itself or as its order lines tell."""

from __future__ import annotations

from features.catalog import PRODUCT
from features.tables.table import CatalogEntry, Column, Facts, Kind

NAME = "products"
PRODUCT_ID = "product_id"
TITLE = "title"
PRODUCT_CATEGORY = "product_category"
BRAND = "brand"
AVAILABILITY, STOCK = "availability", "stock"
PRICE, PICTURE, LINK = "price", "picture", "link"


def _fact(label: str) -> CatalogEntry:
    return CatalogEntry(PRODUCT, label, purposes=())


TABLE = Facts(
    name=NAME,
    noun="product",
    key=PRODUCT_ID,
    called=TITLE,
    columns=(
        Column(PRODUCT_ID, Kind.ID, required=True),
        Column(TITLE, Kind.TEXT, entry=_fact("Name of the product")),
        Column(PRODUCT_CATEGORY, Kind.TEXT, entry=_fact("Department of the product")),
        Column(BRAND, Kind.TEXT, entry=_fact("Brand of the product")),
        Column(AVAILABILITY, Kind.TEXT),
        Column(STOCK, Kind.TEXT),
        Column(PRICE, Kind.PRICE, may_be_empty=True, entry=_fact("Price of the product")),
        Column(PICTURE, Kind.TEXT, entry=_fact("Address of a picture of the product")),
        Column(LINK, Kind.TEXT, entry=_fact("Address of the product's page")),
    ),
    stated_in=("transactions",),
)
