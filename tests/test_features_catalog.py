"""The catalog: what may be asked for, and in which words."""

from __future__ import annotations

import hashlib

import pytest

from features.catalog import PRODUCT, Catalog, Category, Field, Notice, Purpose


def field(table: str, column: str, category: str, *purposes: str) -> Field:
    """A field of a category for some purposes."""
    return Field(table, column, category, frozenset(purposes), "ordinary", "orders", 30, column)


FIELDS = (
    field("transactions", "product_id", "purchases", "advice", "forecast"),
    field("transactions", "amount", "spending", "forecast"),
    field("customers", "country", "location", "audit"),
    field("products", "title", PRODUCT),
)
CATALOG = Catalog(
    fields={one.name: one for one in FIELDS},
    categories={name: Category(name, name, name) for name in ("location", "spending", "purchases", "unused")},
    purposes={name: Purpose(name, name, name) for name in ("advice", "forecast", "audit")},
    notices=(Notice("advice", "1", "en", "old"), Notice("forecast", "7", "en", "other"), Notice("advice", "2", "en", "new — ü")),
)


@pytest.mark.parametrize(
    ("fields", "categories"),
    [
        ((), set()),
        (("products.title",), set()),
        (("transactions.product_id", "products.title"), {"purchases"}),
        (("transactions.amount", "transactions.product_id"), {"purchases", "spending"}),
    ],
)
def test_fields_need_the_categories_that_they_belong_to(fields: tuple[str, ...], categories: set[str]) -> None:
    """All categories of the fields have to be granted, and a product's own facts need none."""
    assert CATALOG.categories_of(fields) == categories


def test_a_feature_is_shown_under_the_category_of_its_first_field() -> None:
    """The first field decides; what reads no field is the product's own."""
    assert CATALOG.category_of(("transactions.amount", "transactions.product_id")) == "spending"
    assert CATALOG.category_of(("transactions.product_id", "transactions.amount")) == "purchases"
    assert CATALOG.category_of(()) == PRODUCT


@pytest.mark.parametrize(
    ("fields", "purpose", "permitted"),
    [
        (("transactions.product_id",), "advice", True),
        (("transactions.product_id", "transactions.amount"), "advice", False),
        (("transactions.product_id", "transactions.amount"), "forecast", True),
        (("products.title",), "advice", True),
        (("products.title",), "gossip", True),
        (("transactions.shoe_size",), "advice", False),
        (("transactions.product_id", "transactions.shoe_size"), "advice", False),
        (("customers.country",), "forecast", False),
        ((), "advice", True),
    ],
)
def test_fields_are_permitted_for_their_purposes(fields: tuple[str, ...], purpose: str, permitted: bool) -> None:
    """Every field has to be declared, and declared for the purpose; a product's own facts serve all."""
    assert CATALOG.permits(fields, purpose) is permitted


def test_what_is_asked_has_a_field() -> None:
    """A category is asked for a purpose when a field of it serves that purpose, in the catalog's order."""
    assert CATALOG.askable("forecast") == ("spending", "purchases")
    assert CATALOG.askable("audit") == ("location",)
    assert CATALOG.askable("gossip") == ()


def test_the_current_notice_is_the_last_one() -> None:
    """The newest text of a purpose is shown, and older versions are still known."""
    assert CATALOG.current_notice("advice").text == "new — ü"
    assert CATALOG.current_notice("forecast").version == "7"
    assert CATALOG.has_notice("advice", "1")
    assert not CATALOG.has_notice("forecast", "1")


def test_a_notice_is_known_by_its_very_text() -> None:
    """The digest is SHA-256 of the text in UTF-8, so another character is another digest."""
    assert CATALOG.current_notice("advice").digest == hashlib.sha256("new — ü".encode()).hexdigest()
    assert Notice("advice", "2", "en", "new — u").digest != CATALOG.current_notice("advice").digest


def test_a_field_is_named_by_table_and_column() -> None:
    """The full name is the key under which the catalog holds it."""
    assert [one.name for one in FIELDS] == list(CATALOG.fields)
