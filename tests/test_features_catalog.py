"""The catalog: what may be asked for, and in which words."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date

import pytest

from features.catalog import PRODUCT, Catalog, Category, DataSource, Field, Notice, Purpose


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
    categories={
        name: Category(name, name, name) for name in ("location", "spending", "purchases", "unused")
    },
    purposes={name: Purpose(name, name, name) for name in ("advice", "forecast", "audit")},
    notices=(
        Notice("advice", "1", "en", "old"),
        Notice("forecast", "7", "en", "other"),
        Notice("advice", "2", "en", "new — ü"),
    ),
    sources={"orders": DataSource("orders")},
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
def test_fields_need_the_categories_that_they_belong_to(
    fields: tuple[str, ...], categories: set[str]
) -> None:
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
def test_fields_are_permitted_for_their_purposes(
    fields: tuple[str, ...], purpose: str, permitted: bool
) -> None:
    """Every field has to be declared, and declared for the purpose; a product's own facts serve
    all.
    """
    assert CATALOG.permits(fields, purpose) is permitted


def test_what_is_asked_has_a_field() -> None:
    """A category is asked for a purpose when a field of it serves that purpose, in the catalog's
    order.
    """
    assert CATALOG.askable("forecast") == ("spending", "purchases")
    assert CATALOG.askable("audit") == ("location",)
    assert CATALOG.askable("gossip") == ()


def test_the_current_notice_is_the_last_one() -> None:
    """The newest text of a purpose is shown, and older versions are still known."""
    assert CATALOG.current_notice("advice").text == "new — ü"
    assert CATALOG.current_notice("forecast").version == "7"
    assert CATALOG.notice("advice", "1") == Notice("advice", "1", "en", "old")
    assert CATALOG.notice("forecast", "1") is None


def test_a_version_may_be_published_in_several_languages() -> None:
    """Of a version the language named is found, else the one declared first, for the newest version
    too; and no other.
    """
    german, english = Notice("advice", "3", "de", "neu"), Notice("advice", "3", "en", "newest")
    catalog = replace(CATALOG, notices=(*CATALOG.notices, german, english))
    assert catalog.notice("advice", "3", "en") == english
    assert catalog.notice("advice", "3") == catalog.current_notice("advice") == german
    assert catalog.notice("advice", "3", "fr") is None
    assert catalog.notice("advice", "1", "de") is None


def test_versions_count_since_the_meaning_changed() -> None:
    """All versions count until one asks anew; then that one and those after it do, each once
    whatever its languages.
    """
    assert CATALOG.versions_in_force("advice") == ("1", "2")
    asking = [
        Notice("advice", "3", language, "other", asks_anew=language == "de")
        for language in ("en", "de")
    ]
    catalog = replace(
        CATALOG, notices=(*CATALOG.notices, *asking, Notice("advice", "4", "en", "better"))
    )
    assert catalog.versions_in_force("advice") == ("3", "4")
    assert catalog.versions_in_force("forecast") == ("7",)
    assert catalog.versions_in_force("gossip") == ()


CHECKED = DataSource(
    "list",
    third_party=True,
    evidence="contract 7",
    checked_on=date(2024, 3, 1),
    check_every_days=30,
)


@pytest.mark.parametrize(
    ("source", "today", "told"),
    [
        (DataSource("orders"), date(2024, 6, 1), None),
        (CHECKED, date(2024, 3, 30), None),
        (CHECKED, date(2024, 3, 31), "last checked on 2024-03-01, good until 2024-03-31"),
        (replace(CHECKED, evidence=None), date(2024, 3, 2), "no `evidence`"),
        (replace(CHECKED, checked_on=None), date(2024, 3, 2), "no day on which that was checked"),
    ],
)
def test_a_third_party_needs_evidence_that_somebody_looked_at(
    source: DataSource, today: date, told: str | None
) -> None:
    """The shop's own data may be read; a third party's to the last day on which its evidence is
    good.
    """
    fault = source.fault(today)
    assert (fault is None) == (told is None)
    assert told is None or (told in str(fault) and f"`{source.name}`" in str(fault))
    catalog = replace(CATALOG, sources={"orders": DataSource("orders"), source.name: source})
    assert (source.name in catalog.readable_sources(today)) == (told is None)
    assert "orders" in catalog.readable_sources(today)


def test_fields_read_together_are_kept_as_long_as_the_shortest() -> None:
    """A row is read for several fields while every one of them may be kept."""
    fields = {
        "t.a": replace(FIELDS[0], retention_days=90),
        "t.b": replace(FIELDS[1], retention_days=7),
    }
    catalog = replace(CATALOG, fields=fields)
    assert catalog.retention_days(["t.a"]) == 90
    assert catalog.retention_days(["t.a", "t.b"]) == 7


def test_a_notice_is_known_by_its_very_text() -> None:
    """The digest is SHA-256 of the text in UTF-8, so another character is another digest."""
    assert CATALOG.current_notice("advice").digest == hashlib.sha256("new — ü".encode()).hexdigest()
    assert Notice("advice", "2", "en", "new — u").digest != CATALOG.current_notice("advice").digest


def test_a_field_is_named_by_table_and_column() -> None:
    """The full name is the key under which the catalog holds it."""
    assert [one.name for one in FIELDS] == list(CATALOG.fields)
