"""Interactions and facts of customers: how files of theirs load, and who may see which of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from features.consent.event import GRANTED, ConsentEvent
from features.errors import SourceError, WorkspaceError
from features.intake.ingest import ingest
from features.intake.interaction_kinds import kinds_of
from features.intake.setup.beside_orders.customers_file import customers_in
from features.intake.setup.column_facts import facts_of
from features.intake.setup.layouts import layout_of, layouts
from features.intake.setup.new_workspace import create
from features.shop.corrections import Correction, correct
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from features.tables.ages import age_at_least, age_group
from features.tables.declared.interactions import KINDS, TABLE
from tests.exports_beside_orders import ANN, BESIDE_ORDERS

NOW = datetime(2026, 12, 1, tzinfo=UTC)
ORDERS = "order_id,customer_id,email,date,sku,quantity,price\n" + "".join(
    f"{n},{who},{mail},2026-0{n}-02 10:00:00,mug,1,5.00\n"
    for n, who, mail in ((1, 501, "Ann@Example.org"), (2, 501, ANN), (3, 502, "bob@example.org"))
)
EVENTS = """\
event_time,event_type,product_id,price,user_id,user_session,query
2026-01-10 12:00:00,view,mug,5.00,501,s1,
2026-01-10 12:01:00,search,,0,501,s1,hiv test
2026-01-10 12:02:00,add_to_cart,mug,5.00,501,s1,
2026-01-10 12:03:00,purchase,mug,5.00,501,s1,
2026-01-10 12:04:00,remove_from_cart,tea,3.00,501,s1,
2026-01-11 12:00:00,view,tea,3.00,,s2,
2026-01-12 12:00:00,purchase,tea,3.00,502,s3,
2026-01-12 12:00:00,purchase,mug,5.00,502,s3,
2026-01-14 12:00:00,purchase,tea,3.00,502,s4,
2026-01-15 12:00:00,purchase,cup,4.00,503,s5,
2026-01-15 12:00:00,purchase,mug,5.00,503,s5,
"""


def opened(folder: Path, *files: tuple[str, str]) -> Shop:
    """A shop of `files` (name and text), loaded without an edit."""
    named = []
    for name, text in files:
        (folder / name).write_text(text, encoding="utf-8")
        named.append(folder / name)
    create(folder / "shop", named, lambda: NOW)
    shop = Shop(Workspace.open(folder / "shop"), lambda: NOW)
    ingest(shop.workspace, shop.database, clock=shop.clock)
    return shop


def held(shop: Shop, table: str, customer_id: str = "501") -> pd.DataFrame:
    """What the warehouse has of a customer."""
    pseudonym = shop.customers.find(customer_id)
    assert pseudonym is not None
    frame: pd.DataFrame = shop.warehouse.rows_of(pseudonym)[table].to_pandas()
    return frame


@pytest.mark.parametrize("name", BESIDE_ORDERS)
def test_an_export_of_a_known_system_loads_beside_orders(name: str, tmp_path: Path) -> None:
    """It is known by its headers, its rows are those of the customer who has that e-mail address,
    and they hold just what they tell.
    """
    export = BESIDE_ORDERS[name]
    text = "\n".join((export.header, *export.rows)) + "\n"
    (known,) = (layout for layout in layouts() if layout.name == name)
    shop = opened(tmp_path, ("orders.csv", ORDERS), ("export.csv", text))
    assert layout_of(facts_of(tmp_path / "export.csv")) == known
    rows = held(shop, export.table)
    for column, told in export.told.items():
        found = [
            str(cell) if isinstance(cell, pd.Timestamp) else None if pd.isna(cell) else cell
            for cell in rows[column]
        ]
        assert tuple(found) == told, column
    if export.table == "interactions":
        other = {*TABLE.by_name} - {*export.told} - {"occurred_at"}
        groups = {column.split("_")[0] for column in export.told}
        assert rows[[c for c in other if c.split("_")[0] not in groups]].isna().all(axis=None)


@pytest.mark.parametrize("name", BESIDE_ORDERS)
def test_an_export_without_orders_alone_makes_no_shop(name: str, tmp_path: Path) -> None:
    """It is said what was found and which table is needed beside it."""
    export = BESIDE_ORDERS[name]
    file = tmp_path / "export.csv"
    file.write_text("\n".join((export.header, *export.rows)) + "\n")
    with pytest.raises(WorkspaceError, match=f"{export.table} were found in export.csv.*orders"):
        create(tmp_path / "shop", [file], lambda: NOW)
    assert not (tmp_path / "shop").exists()


def test_an_export_that_names_nobody_says_what_it_lacks(tmp_path: Path) -> None:
    """Tickets without the address of who asked belong to nobody."""
    file = tmp_path / "tickets.csv"
    file.write_text(
        "Ticket ID,Status,Agent,Type,Created time,Resolved time\n7,Open,Bo,Q,2026-01-01 10:00,\n"
    )
    with pytest.raises(SourceError, match=r"Freshdesk.*customer_id.*called Contact Email"):
        create(tmp_path / "shop", [file], lambda: NOW)


def test_views_and_carts_among_orders_are_interactions(tmp_path: Path) -> None:
    """Of a file of events the purchases are order lines and all else interactions; who is nobody
    is left out, and what was searched for is nowhere.
    """
    shop = opened(tmp_path, ("events.csv", EVENTS))
    assert len(held(shop, "transactions")) == 1
    rows = held(shop, "interactions").sort_values("occurred_at")
    assert rows["browsed"].tolist() == ["view", "search", "cart", "cart_removed"]
    assert rows["browsed_product_id"].fillna("").tolist() == ["mug", "", "mug", "tea"]
    assert (rows["browsed_session"] == "s1").all()
    assert rows["browsed_at"].equals(rows["recorded_at"])
    assert held(shop, "interactions", "502").empty
    for file in shop.workspace.warehouse.rglob("*.parquet"):
        assert b"hiv" not in file.read_bytes()
    again = ingest(shop.workspace, shop.database, clock=shop.clock)
    assert (again.purchases.lines, again.set_aside["no_purchase"]) == (6, 5)
    assert (again.set_aside["other_kind"], again.set_aside["no_customer"]) == (6, 1)
    assert len(shop.warehouse.table("interactions").to_pandas()) == 4
    assert again.interactions == {"view": 1, "search": 1, "cart": 1, "cart_removed": 1}


def test_a_shop_declares_what_its_files_hold_and_nothing_else(tmp_path: Path) -> None:
    """A file of views makes the category of browsing, and none of e-mails and support; without one
    there is no field of interactions at all.
    """
    catalog = opened(tmp_path, ("events.csv", EVENTS)).config.catalog
    fields = {name for name in catalog.fields if name.startswith("interactions.")}
    assert {name.split(".")[1].split("_")[0] for name in fields} == {"browsed"}
    assert "browsing" in catalog.askable("recommendations")
    assert not {"email_engagement", "support", "account", "demographics"} & {*catalog.categories}
    (tmp_path / "plain").mkdir()
    plain = opened(tmp_path / "plain", ("orders.csv", ORDERS)).config.catalog
    assert {field.table for field in plain.fields.values()} <= {"transactions", "products"}
    assert not [*(tmp_path / "plain/shop/warehouse").rglob("interactions.parquet")]


MAILS = """\
email,event,timestamp,campaign
ann@example.org,sent,2026-02-01 08:00:00,c1
ann@example.org,opened,2026-02-01 09:00:00,c1
ann@example.org,clicked,2026-02-01 09:01:00,c1
bob@example.org,delivered,2026-02-01 08:00:00,c1
"""


def test_each_kind_is_seen_by_who_may_see_its_category_alone(tmp_path: Path) -> None:
    """Who grants browsing shows no e-mail, not even that there was one, and the other way round."""
    shop = opened(tmp_path, ("events.csv", EVENTS), ("mails.csv", MAILS.replace(ANN, "501")))
    ann = shop.customers.find("501")
    assert ann is not None
    purpose = "churn_prediction"
    version = shop.config.catalog.current_notice(purpose).version
    spine = pd.DataFrame({"customer": [ann], "as_of": pd.Timestamp("2026-06-01")})

    def seen(field: str) -> list[object]:
        gate = shop.gate(purpose)
        found: list[object] = gate.collect(gate.rows((field,), spine)).iloc[:, -1].tolist()
        return found

    shop.ledger.append(ConsentEvent("501", purpose, "browsing", GRANTED, "web_form", version))
    assert len(seen("interactions.browsed_at")) == 4
    assert len(seen("interactions.browsed_product_id")) == 3
    assert seen("interactions.email_at") == []
    shop.ledger.append(
        ConsentEvent("501", purpose, "email_engagement", GRANTED, "web_form", version)
    )
    assert seen("interactions.email") == ["email_sent", "email_opened", "email_clicked"]


FACTS = """\
customer_id,birthday,gender,country
501,1980-03-01,f,Germany
502,1999,m,
"""


def test_facts_hold_since_the_first_order_and_are_sensitive(tmp_path: Path) -> None:
    """A file that states no moment speaks for all that the customer did; age and sex serve the
    audit alone, and a correction outlives the next load.
    """
    shop = opened(tmp_path, ("orders.csv", ORDERS), ("people.csv", FACTS))
    rows = held(shop, "customers")
    assert rows["recorded_at"].tolist() == [pd.Timestamp("2026-01-02 10:00:00")]
    assert rows[["born", "age_group", "sex", "country"]].to_numpy().tolist() == [
        ["1980-03-01", "1980s", "f", "Germany"]
    ]
    catalog = shop.config.catalog
    assert catalog.fields["customers.sex"].sensitivity == "sensitive"
    for purpose in ("recommendations", "churn_prediction"):
        assert not catalog.permits(["customers.age_group"], purpose)
    assert set(shop.config.audited) == {"customers.country", "customers.age_group", "customers.sex"}
    ann = shop.customers.find("501")
    assert ann is not None
    assert correct(shop, ann, Correction("customers.sex", "x")) == 1
    ingest(shop.workspace, shop.database, clock=shop.clock)
    assert held(shop, "customers")["sex"].tolist() == ["x"]


def test_a_file_of_two_ids_is_no_list_of_facts(tmp_path: Path) -> None:
    """It tells which ids of orders are one person's, and is joined to the orders."""
    file = tmp_path / "people.csv"
    file.write_text("customer_id,customer_unique_id,country\n1,a,DE\n2,b,DE\n")
    assert customers_in(facts_of(file)) is None
    file.write_text("customer_id,email,country\n1,a@x.org,DE\n2,b@x.org,DE\n")
    assert customers_in(facts_of(file)) == {"customer_id": "customer_id", "country": "country"}


TODAY = date(2026, 12, 1)
AGES = {
    "2010-12-01": (16, "2010s"),
    "2010-12-02": (15, "2010s"),
    "2010": (15, "2010s"),
    "31.12.1990": (35, "1990s"),
    "25-34": (25, "25-34"),
    "65+": (65, "65+"),
    "under 18": (0, "under 18"),
    "<18": (0, "<18"),
    "41": (41, "41"),
    "unknown": (None, "unknown"),
}


@pytest.mark.parametrize("text", AGES)
def test_nobody_counts_as_older_than_they_are(text: str) -> None:
    """A year of birth counts as its last day, a range as its lower end."""
    assert (age_at_least(text, TODAY), age_group(text)) == AGES[text]


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        (("view", "click", "add-to-cart"), ("view", "view", "cart")),
        (("Opened Email", "Clicked"), ("email_opened", "email_clicked")),
        (("purchase", "scroll"), ()),
    ],
)
def test_words_are_read_as_most_systems_mean_them(
    words: tuple[str, ...], kinds: tuple[str, ...]
) -> None:
    """A click is one on a product, but among e-mails one on what these link to."""
    assert tuple(kinds_of(words, {}).values()) == kinds


def test_every_kind_fills_columns_of_its_own() -> None:
    """There is no kind without a category, and none that nobody lists."""
    assert {*KINDS} == TABLE.kinds
    entries = {
        column.name: column.entry for column in TABLE.columns if column.name != "occurred_at"
    }
    assert all(entry is not None for entry in entries.values())


@pytest.mark.parametrize(
    ("said", "marks"),
    [
        (("1", "5", "3"), (1.0, 5.0, 3.0)),
        (("2", "10"), (1.0, 5.0)),
        (("80", "100"), (4.0, 5.0)),
        (("Good", "Bad", "Offered"), (5.0, 1.0, None)),
    ],
)
def test_satisfaction_is_told_on_one_scale(
    said: tuple[str, ...], marks: tuple[float | None, ...]
) -> None:
    """Marks out of 5, 10 or 100 and words are from 1 to 5; a word of no satisfaction is none."""
    rows = pd.DataFrame({"kind": "ticket_closed", "rating": said})
    derive: Callable[[pd.DataFrame], pd.Series] | None = TABLE.by_name["satisfaction"].derived  # type: ignore[assignment]  # one that gives a column
    assert derive is not None
    found = derive(rows)
    assert [None if pd.isna(mark) else mark for mark in found] == list(marks)
