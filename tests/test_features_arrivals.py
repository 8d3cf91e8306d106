"""Rows that the shop sends over HTTP: kept once, where they may be, and counted once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import delete, func, select

from features import clock
from features.consent.ledger import ConsentEvent
from features.database.tables import arrivals, online_features
from features.intake.ingest import ingest
from features.intake.over_http.door import Door, Received
from features.intake.over_http.statements import Statement
from features.shop.corrections import Correction, correct
from features.shop.online import OnlineStore, online_store
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.live.assortment import AssortmentKeeper

PURPOSE = "recommendations"
ANN, BEN, REFUSING, NEVER_ASKED = "c000", "c001", "c018", "c019"


def door(shop: Shop) -> Door:
    """The door of a shop."""
    return Door(shop.config, shop.workspace.tables, shop.database, shop.vault, shop.clock)


def line(shop: Shop, **cells: Any) -> dict[str, Any]:
    """An order line of this moment."""
    now = clock.to_text(shop.clock() - timedelta(minutes=5))
    usual = {"customer_id": ANN, "order_id": "N1", "product_id": "NEW", "quantity": 2}
    return {**usual, "unit_price": 3.5, "ordered_at": now, **cells}


def send(shop: Shop, *rows: Mapping[str, Any], table: str = "transactions") -> Received:
    """Rows are sent, each under the `id` in it."""
    sent = [
        Statement(row["id"], [{name: v for name, v in row.items() if name != "id"}]) for row in rows
    ]
    return door(shop).take(table, sent, "key:crm")


def order(shop: Shop, version: str, *rows: Mapping[str, Any], number: str = "N1") -> Received:
    """An order is sent as a whole."""
    return door(shop).take(
        "transactions", [Statement(f"shop:{number}", rows, number, version)], "key:crm"
    )


def store_of(shop: Shop) -> OnlineStore:
    """The online features of recommendations."""
    return online_store(shop, PURPOSE, shop.config.models.next_purchase.features)


def known(shop: Shop, name: str = ANN) -> tuple[float, dict[str, float]]:
    """How many orders the next answer knows of, and how often each product was bought."""
    store = store_of(shop)
    row = store.ready(shop.customers.pseudonym(name))
    times = row.columns[:, store.layout.history.index("times_bought")].tolist()
    return row.customer[store.layout.customer.index("orders")], dict(
        zip(row.products, times, strict=True)
    )


def loaded(shop: Shop, name: str = ANN) -> pd.DataFrame:
    """A customer's order lines in the warehouse."""
    rows = shop.warehouse.rows_of(shop.customers.pseudonym(name))["transactions"]
    frame: pd.DataFrame = rows.to_pandas()
    return frame


def load(shop: Shop) -> None:
    """Load everything, after which no feature of before is left."""
    ingest(shop.workspace, shop.database, clock=shop.clock)
    with shop.database.write() as connection:
        connection.execute(delete(online_features))


def export_anew(shop: Shop, *rows: Mapping[str, Any], at: float | None = None) -> None:
    """The shop's export is written anew, with these lines after the others."""
    file = shop.workspace.root / "orders.csv"
    if not file.exists():  # the other tests read the one outside
        source = shop.config.sources[0].file
        shutil.copy(shop.workspace.root / source, file)
        stated = shop.workspace.root / "sayso.toml"
        stated.write_text(stated.read_text().replace(f'"{source}"', '"orders.csv"'))
        shop.workspace = Workspace.open(shop.workspace.root)
    lines = pd.concat([pd.read_csv(file), pd.DataFrame(rows)], ignore_index=True)
    lines.to_csv(file, index=False)
    moment = shop.clock().timestamp() if at is None else at
    os.utime(file, (moment, moment))


def kept(shop: Shop) -> int:
    """How many rows are kept."""
    with shop.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(arrivals)).scalar_one())


@pytest.mark.both_databases
def test_the_next_answer_knows_of_a_row(fresh_shop: Shop) -> None:
    """A row that was accepted is in the features of the next answer, and in nobody else's."""
    store_of(fresh_shop).refresh()
    orders, _ = known(fresh_shop)
    others = known(fresh_shop, BEN)
    assert send(fresh_shop, line(fresh_shop, id="1")) == Received(accepted=1)
    assert known(fresh_shop)[0] == orders + 1
    assert known(fresh_shop)[1]["NEW"] == 1
    assert known(fresh_shop, BEN) == others
    row = store_of(fresh_shop).ready(fresh_shop.customers.pseudonym(ANN))
    recency = store_of(fresh_shop).layout.customer.index("days_since_last_order")
    assert 0 < row.customer[recency] <= 1


@pytest.mark.both_databases
def test_a_row_counts_once_however_often_it_is_sent(fresh_shop: Shop) -> None:
    """The same id with the same body is a duplicate, in one request or in two; with another body it
    is refused, and the first stands.
    """
    row = line(fresh_shop, id="1")
    assert send(fresh_shop, row, row) == Received(accepted=1, duplicate=1)
    assert send(fresh_shop, row) == Received(duplicate=1)
    other = send(fresh_shop, {**row, "quantity": 3}, line(fresh_shop, id="2", order_id="N2"))
    assert (other.accepted, list(other.rejected)) == (1, [0])
    assert "give each row an id of its own" in other.rejected[0]
    assert kept(fresh_shop) == 2


@pytest.mark.slow
def test_what_may_not_be_collected_is_dropped_and_counted(fresh_shop: Shop) -> None:
    """Nothing is kept of who refused what they bought, was never asked, or is not known; and of
    another customer not the cells that no purpose was granted for.
    """
    dropped = send(
        fresh_shop,
        line(fresh_shop, id="1", customer_id=REFUSING),
        line(fresh_shop, id="2", customer_id=NEVER_ASKED),
        line(fresh_shop, id="3", customer_id="nobody knows me"),
    )
    assert dropped == Received(dropped_unconsented=3)
    assert kept(fresh_shop) == 0
    assert fresh_shop.customers.find("nobody knows me") is None
    for purpose in fresh_shop.config.catalog.purposes:
        if "spending" in fresh_shop.config.catalog.askable(purpose):
            said = ConsentEvent(ANN, purpose, "spending", "withdrawn", "page", "1")
            fresh_shop.ledger.append(said)
    assert send(fresh_shop, line(fresh_shop, id="4")).accepted == 1
    load(fresh_shop)
    (mine,) = loaded(fresh_shop).query("order_id == 'N1'").to_dict("records")
    assert (mine["product_id"], mine["quantity"]) == ("NEW", 2)
    assert np.isnan(mine["unit_price"])
    assert np.isnan(mine["amount"])


BAD: Mapping[str, Mapping[str, Any]] = {
    "quantity is 'many', which is no number": {"quantity": "many"},
    "which is no purchase": {"quantity": 0},
    "unit_price is '3,5 apples'": {"unit_price": "3,5 apples"},
    "which is negative": {"unit_price": -1},
    "ordered_at is 'yesterday'": {"ordered_at": "yesterday"},
    "ordered_at is '2199-01-01'": {"ordered_at": "2199-01-01"},
    "`product_id` is missing": {"product_id": None},
    "product_id is empty": {"product_id": ""},
    "one of `unit_price`": {"unit_price": None},
    "`colour` is no column": {"colour": "red"},
    "neither a text nor a number": {"product_id": ["P1"]},
    "`customer_id` is missing": {"customer_id": None},
    "names nobody": {"customer_id": " "},
    "USD": {"currency": "USD"},
    "who knows": {"status": "who knows"},
    "spreadsheet": {"product_id": "#REF!"},
}


def test_bad_rows_are_refused_while_the_others_are_taken(fresh_shop: Shop) -> None:
    """What a file would reject is refused with the same reason, and nothing is put right in
    silence.
    """
    rows = [line(fresh_shop, id=str(at), **cells) for at, cells in enumerate(BAD.values())]
    good = line(fresh_shop, id="good", order_id="N2")
    received = send(fresh_shop, *rows, good)
    assert received.accepted == 1
    assert sorted(received.rejected) == list(range(len(BAD)))
    for at, reason in enumerate(BAD):
        assert reason in received.rejected[at]
    assert kept(fresh_shop) == 1


def test_what_is_no_purchase_does_not_count(fresh_shop: Shop) -> None:
    """A cancelled order and a test are kept, so that they are known again, and are no purchase."""
    orders, _ = known(fresh_shop)
    rows = [
        line(fresh_shop, id="1", status="cancelled"),
        line(fresh_shop, id="2", order_id="N2", status="paid", test="true"),
    ]
    assert send(fresh_shop, *rows).accepted == 2
    assert known(fresh_shop)[0] == orders
    assert send(fresh_shop, *rows).duplicate == 2


@pytest.mark.both_databases
def test_a_load_takes_rows_in_once(fresh_shop: Shop) -> None:
    """Before and after loads the next answer is the same, and the warehouse has each row once."""
    send(fresh_shop, line(fresh_shop, id="1"), line(fresh_shop, id="2", product_id="NEW2"))
    before = known(fresh_shop)
    for _ in range(2):
        load(fresh_shop)
        assert known(fresh_shop) == before
        assert len(loaded(fresh_shop).query("order_id == 'N1'")) == 2
    assert send(fresh_shop, line(fresh_shop, id="1")).duplicate == 1
    send(fresh_shop, line(fresh_shop, id="3", product_id="NEW3"))
    assert known(fresh_shop) == (before[0], {**before[1], "NEW3": 1.0})


@pytest.mark.slow
def test_a_load_that_is_cut_off_loses_and_doubles_nothing(
    fresh_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever a load is cut off, the next answer counts each row once."""
    send(fresh_shop, line(fresh_shop, id="1"))
    before = known(fresh_shop)
    monkeypatch.setattr("features.warehouse.store.replace_text", _cut_off)
    with pytest.raises(RuntimeError):
        ingest(fresh_shop.workspace, fresh_shop.database, clock=fresh_shop.clock)
    monkeypatch.undo()
    assert store_of(fresh_shop).make(fresh_shop.customers.pseudonym(ANN))
    assert known(fresh_shop) == before
    ingest(fresh_shop.workspace, fresh_shop.database, clock=fresh_shop.clock)
    # the features of before are still stored, as when the process is killed here
    assert known(fresh_shop) == before
    store_of(fresh_shop).make(fresh_shop.customers.pseudonym(ANN))
    assert known(fresh_shop) == before


def _cut_off(file: Path, _text: str) -> None:
    if file.name == "current":
        raise RuntimeError("cut off")
    file.write_text(_text)


@pytest.mark.slow
def test_the_order_in_a_file_stands_in_place_of_its_lines(fresh_shop: Shop) -> None:
    """An order that was sent line by line and then comes in a file counts once, as the file has it;
    one that the files have already is not added to.
    """
    orders, _ = known(fresh_shop)
    send(fresh_shop, line(fresh_shop, id="1"))
    in_file = line(fresh_shop, quantity=5)
    export_anew(fresh_shop, in_file, {**in_file, "product_id": "NEW2"})
    load(fresh_shop)
    held = loaded(fresh_shop).query("order_id == 'N1'")
    assert sorted(zip(held["product_id"], held["quantity"], strict=True)) == [
        ("NEW", 5),
        ("NEW2", 5),
    ]
    assert known(fresh_shop)[0] == orders + 1
    send(fresh_shop, line(fresh_shop, id="2", product_id="NEW3"))
    assert "NEW3" not in known(fresh_shop)[1]
    load(fresh_shop)
    assert len(loaded(fresh_shop).query("order_id == 'N1'")) == 2


@pytest.mark.slow
def test_an_order_as_a_whole_replaces_what_was_known_of_it(fresh_shop: Shop) -> None:
    """A newer version stands in place of the older one and of a file written before; an older one,
    or the same again, changes nothing; a file written later has the last word.
    """
    orders, _ = known(fresh_shop)
    assert order(fresh_shop, "2", line(fresh_shop), line(fresh_shop, product_id="NEW2")).accepted
    assert known(fresh_shop)[1].items() >= {"NEW": 1.0, "NEW2": 1.0}.items()
    assert order(fresh_shop, "1", line(fresh_shop)).duplicate == 1
    assert order(fresh_shop, "2", line(fresh_shop)).duplicate == 1
    load(fresh_shop)
    assert order(fresh_shop, "3", line(fresh_shop, quantity=1)).accepted == 1
    assert "NEW2" not in known(fresh_shop)[1]
    export_anew(fresh_shop, line(fresh_shop, product_id="FILED"), at=0)
    load(fresh_shop)
    assert known(fresh_shop)[1].items() >= {"NEW": 1.0}.items()
    assert "FILED" not in known(fresh_shop)[1]
    assert order(fresh_shop, "4", line(fresh_shop, status="cancelled")).accepted == 1
    assert known(fresh_shop)[0] == orders
    load(fresh_shop)
    assert known(fresh_shop)[0] == orders
    export_anew(fresh_shop, at=fresh_shop.clock().timestamp() + 60)
    load(fresh_shop)
    assert known(fresh_shop)[1]["FILED"] == 1.0


@pytest.mark.slow
def test_lines_give_way_to_the_order_as_a_whole(fresh_shop: Shop) -> None:
    """Lines that were sent one by one before their order was stated as a whole count no more, and
    of those that come later none is lost, before and after a load.
    """
    send(fresh_shop, line(fresh_shop, id="1", product_id="EARLY"))
    order(fresh_shop, "1", line(fresh_shop))
    send(fresh_shop, line(fresh_shop, id="2", product_id="LATE"))
    for _ in range(2):
        assert known(fresh_shop)[1].keys() & {"EARLY", "NEW", "LATE"} == {"NEW", "LATE"}
        load(fresh_shop)


@pytest.mark.slow
def test_what_is_sent_back_is_taken_off(fresh_shop: Shop) -> None:
    """A line with negative units takes back what was bought over HTTP, at the next load."""
    back = line(fresh_shop, id="2", order_id="R1", quantity=-2)
    assert send(fresh_shop, line(fresh_shop, id="1"), back).accepted == 2
    load(fresh_shop)
    assert "NEW" not in set(loaded(fresh_shop)["product_id"])


@pytest.mark.slow
def test_where_a_customer_lives_comes_along(fresh_shop: Shop) -> None:
    """An order line tells of the country too, which holds until the next one says otherwise."""
    store = store_of(fresh_shop)
    home = store.layout.customer.index("home_country")
    customer = fresh_shop.customers.pseudonym(ANN)
    before = store.ready(customer).customer[home]
    elsewhere = "Austria" if before == 1 else fresh_shop.config.shop.home_country
    send(fresh_shop, line(fresh_shop, id="1", country=elsewhere))
    assert store.ready(customer).customer[home] == 1 - before
    load(fresh_shop)
    assert store.ready(customer).customer[home] == 1 - before


def test_a_withdrawal_withholds_rows_that_came(fresh_shop: Shop) -> None:
    """Rows that came over HTTP pass the gate like all others: without the grant they are not
    there.
    """
    send(fresh_shop, line(fresh_shop, id="1"))
    assert "NEW" in known(fresh_shop)[1]
    fresh_shop.ledger.append(ConsentEvent(ANN, PURPOSE, "purchases", "withdrawn", "page", "1"))
    assert known(fresh_shop)[1] == {}


@pytest.mark.slow
def test_a_row_that_came_is_put_right_like_others(fresh_shop: Shop) -> None:
    """A correction holds for a row before and after it is loaded."""
    send(fresh_shop, line(fresh_shop, id="1"))
    customer = fresh_shop.customers.pseudonym(ANN)
    wrong = Correction("transactions.product_id", "RIGHT", order_id="N1")
    assert correct(fresh_shop, customer, wrong, one_line=True) == 1
    assert {"RIGHT"} == known(fresh_shop)[1].keys() & {"RIGHT", "NEW"}
    load(fresh_shop)
    assert {"RIGHT"} == known(fresh_shop)[1].keys() & {"RIGHT", "NEW"}


def test_what_is_sealed_is_unreadable_without_the_key(fresh_shop: Shop) -> None:
    """Neither ids nor cells stand in the database, and once the key is destroyed the row is gone
    for answers and loads.
    """
    row = line(fresh_shop, id="row-4711", product_id="secret thing")
    send(fresh_shop, row)
    with fresh_shop.database.read() as connection:
        (found,) = connection.execute(select(arrivals)).all()
    assert b"secret" not in found.content
    assert "4711" not in found.row_tag + found.body_tag
    with fresh_shop.database.write() as connection:
        fresh_shop.vault.destroy(connection, found.customer)
    load(fresh_shop)
    assert "secret thing" not in set(loaded(fresh_shop)["product_id"])


@pytest.mark.slow
def test_products_reach_the_assortment_at_once(fresh_shop: Shop) -> None:
    """What is sent of a product counts at the next look, only what it states, and stays through a
    load of an older file.
    """
    keeper = AssortmentKeeper(fresh_shop)
    keeper.look()
    assert keeper.current is not None
    product = next(iter(keeper.current.titles))
    title = keeper.current.title(product)
    category = keeper.current.category_of.get(product)
    sent = [
        {"id": "a", "product_id": product, "stock": 0},
        {"id": "b", "product_id": "NEW", "title": "A new mug", "brand": "Muggle"},
    ]
    assert send(fresh_shop, *sent, table="products") == Received(accepted=2)
    export_anew(fresh_shop, at=0)
    for _ in range(2):
        keeper.look()
        assert keeper.current is not None
        assert product in keeper.current.unavailable
        assert keeper.current.title(product) == title
        assert keeper.current.category_of.get(product) == category
        assert keeper.current.title("NEW") == "A new mug"
        assert keeper.current.brand_of["NEW"] == "Muggle"
        load(fresh_shop)
    again = {"id": "c", "product_id": product, "stock": 7}
    assert send(fresh_shop, again, table="products").accepted == 1
    keeper.look()
    assert keeper.current is not None
    assert product not in keeper.current.unavailable
