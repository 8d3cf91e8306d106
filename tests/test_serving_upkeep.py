"""Upkeep: consents that ran out, data past its retention and old decisions go, once, and it says
what went.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pandas as pd
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Connection, func, select

from features import clock
from features.consent.ledger import ConsentEvent
from features.consent.verification import verify_ledger
from features.database.tables import decisions, online_features
from features.shop.online import online_stores, refresh_online
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.decisions.deciding import Made
from serving.decisions.record import DecisionDamaged, read, verify_decisions
from serving.rights.upkeep import UpkeepReport, upkeep
from tests.decided import Said, decide
from tests.synthetic_shop import END

pytestmark = pytest.mark.both_databases

ANN = "c000"
ITEMS = "recommendations"
NOTHING = UpkeepReport(expired=0, deleted={}, decisions_emptied=0)


def days_later(shop: Shop, days: float) -> Shop:
    """The same shop after some days, its sayso.toml read anew."""
    moment = END + timedelta(days=days)
    later = Shop(Workspace.open(shop.workspace.root), lambda: moment)
    weakref.finalize(later, later.database.close)
    return later


def restated(shop: Shop, change: Callable[[str], str]) -> Shop:
    """The same shop with another sayso.toml."""
    file = shop.workspace.root / "sayso.toml"
    before = file.read_text()
    after = change(before)
    assert after != before
    file.write_text(after)
    return days_later(shop, 0)


def keeping(shop: Shop, days: int, *fields: str) -> Shop:
    """The same shop with other fields' retention."""

    def change(stated: str) -> str:
        for field in fields:
            stated = re.sub(
                rf"(\[fields\.{re.escape(field)}\][^\[]*(?:\[[^\n]*\][^\[]*)??retention_days ="
                r" )\d+",
                rf"\g<1>{days}",
                stated,
            )
        return stated

    changed = restated(shop, change)
    assert {changed.config.catalog.fields[field].retention_days for field in fields} == {days}
    return changed


def grant(shop: Shop, customer: str, until: str | None = None, action: str = "granted") -> None:
    """A grant of purchases for recommendations."""
    shop.ledger.append(
        ConsentEvent(customer, ITEMS, "purchases", action, "web_form", "1", valid_until=until)
    )


def standing(shop: Shop, customer: str) -> dict:
    """Where a customer stands with that."""
    found = shop.customers.find(customer)
    assert found is not None
    return next(
        one
        for one in shop.ledger.state(found)
        if (one["purpose"], one["category"]) == (ITEMS, "purchases")
    )


def recorded(shop: Shop, table: str = "transactions") -> pd.DataFrame:
    """A table of the warehouse as it lies in its file."""
    return pq.read_table(
        shop.warehouse.folder / shop.warehouse.generation / f"{table}.parquet"
    ).to_pandas()


def ready(shop: Shop) -> int:
    """How many rows of online features there are."""
    with shop.database.read() as connection:
        return int(
            connection.execute(select(func.count()).select_from(online_features)).scalar_one()
        )


@pytest.mark.slow
def test_consents_that_ran_out_are_recorded_once(fresh_shop):
    """Each is one `expired` event of its own when its time is over and not before; a second run
    adds none; the chain holds.
    """
    for customer in (ANN, "c018"):
        grant(fresh_shop, customer, clock.to_text(END + timedelta(days=2)))
    count = fresh_shop.ledger.position()
    assert upkeep(days_later(fresh_shop, 1.9)) == NOTHING
    later = days_later(fresh_shop, 2.1)
    assert not standing(later, ANN)["allowed"]
    report = upkeep(later)
    assert (report.expired, report.deleted, report.decisions_emptied) == (2, {}, 0)
    assert later.ledger.position() == count + 2
    for customer in (ANN, "c018"):
        pseudonym = later.customers.find(customer)
        assert pseudonym is not None
        event = later.ledger.history(pseudonym)[-1]
        assert (event["action"], event["purpose"], event["category"]) == (
            "expired",
            ITEMS,
            "purchases",
        )
        assert (event["method"], event["actor"], event["notice_version"]) == (
            "upkeep",
            "sayso",
            None,
        )
        assert standing(later, customer)["action"] == "expired"
    assert upkeep(later) == NOTHING
    assert upkeep(days_later(fresh_shop, 3)) == NOTHING
    assert verify_ledger(later.database, later.config.catalog) == count + 2


@pytest.mark.slow
def test_a_purpose_lets_its_grants_run_out(fresh_shop):
    """A grant given while the purpose says how long it counts runs out by that; those from before
    stand.
    """
    shop = restated(
        fresh_shop,
        lambda stated: stated.replace(
            "[purposes.recommendations]", "[purposes.recommendations]\nvalid_days = 30"
        ),
    )
    grant(shop, "c018")
    assert upkeep(days_later(shop, 29)) == NOTHING
    later = days_later(shop, 31)
    assert upkeep(later).expired == 1
    assert not standing(later, "c018")["allowed"]
    assert standing(later, ANN)["allowed"]


def test_what_was_renewed_or_withdrawn_in_time_does_not_run_out(fresh_shop):
    """A renewal in time goes on, and a withdrawal stays the last word."""
    until = clock.to_text(END + timedelta(days=2))
    for customer in (ANN, "c001"):
        grant(fresh_shop, customer, until)
    grant(fresh_shop, ANN, None, "renewed")
    fresh_shop.ledger.append(ConsentEvent("c001", ITEMS, "purchases", "withdrawn", "web_form"))
    later = days_later(fresh_shop, 3)
    assert upkeep(later) == NOTHING
    assert standing(later, ANN)["allowed"]
    assert standing(later, "c001")["action"] == "withdrawn"


def test_a_renewal_that_comes_while_upkeep_runs_stands(fresh_shop, monkeypatch):
    """Who allows it again just before upkeep writes is not taken at their older word."""
    grant(fresh_shop, ANN, clock.to_text(END + timedelta(days=2)))
    later, elsewhere, came = days_later(fresh_shop, 3), days_later(fresh_shop, 3), []
    write = later.database.write

    def write_a_moment_later() -> AbstractContextManager[Connection]:
        if not came:
            came.append(ANN)
            grant(elsewhere, ANN)
        return write()

    monkeypatch.setattr(later.database, "write", write_a_moment_later)
    assert upkeep(later).expired == 0
    assert came
    assert standing(later, ANN)["allowed"]


def test_values_past_their_retention_are_deleted_and_counted(fresh_shop):
    """Values of one field go from the rows that are too old; the rows, other fields and younger
    rows stay as they are.
    """
    shop = keeping(fresh_shop, 100, "transactions.unit_price")
    before = recorded(shop)
    old = before["recorded_at"] < (END - timedelta(days=100)).replace(tzinfo=None)
    refresh_online(shop)
    report = upkeep(shop)
    assert report.deleted == {"transactions.unit_price": int(old.sum())}
    assert 0 < report.deleted["transactions.unit_price"] < len(before)
    after = recorded(shop)
    assert after.loc[old, "unit_price"].isna().all()
    pd.testing.assert_frame_equal(
        after.drop(columns="unit_price"), before.drop(columns="unit_price")
    )
    pd.testing.assert_frame_equal(after[~old], before[~old])
    assert upkeep(shop) == NOTHING
    pd.testing.assert_frame_equal(recorded(shop), after)


@pytest.mark.slow
def test_rows_that_no_field_may_keep_are_deleted(fresh_shop):
    """Where every field of a table is past its retention the whole row goes, and features are made
    from what is left.
    """
    fields = [name for name in fresh_shop.config.catalog.fields if name.startswith("transactions.")]
    shop = keeping(fresh_shop, 100, *fields)
    before = recorded(shop)
    old = before["recorded_at"] < (END - timedelta(days=100)).replace(tzinfo=None)
    assert upkeep(shop).deleted == {"transactions": int(old.sum())}
    pd.testing.assert_frame_equal(recorded(shop), before[~old].reset_index(drop=True))
    assert ready(shop) > 0
    gone = set(before.loc[old, "customer"]) - set(before.loc[~old, "customer"])
    _, store = online_stores(shop)
    with shop.database.read() as connection:
        assert all(
            (row := store.read(connection, customer)) is None or not row.products
            for customer in gone
        )
    assert upkeep(shop) == NOTHING


def test_no_generation_of_the_warehouse_keeps_what_was_deleted(fresh_shop):
    """What readers may still be finishing with is cleared as well."""
    shop = keeping(fresh_shop, 100, "transactions.unit_price")
    shop.warehouse.replace(
        {file.stem: pq.read_table(file) for file in shop.warehouse.folder.glob("*/*.parquet")}
    )
    upkeep(shop)
    files = list(shop.warehouse.folder.glob("*/transactions.parquet"))
    assert len(files) == 2
    limit = pd.Timestamp((END - timedelta(days=100)).replace(tzinfo=None))
    for file in files:
        rows = pq.read_table(file).to_pandas()
        assert rows.loc[rows["recorded_at"] < limit, "unit_price"].isna().all()


def test_years_later_everything_is_gone(fresh_shop):
    """When all rows are past their retention they all go, upkeep ends well, and a second run does
    nothing more.
    """
    refresh_online(fresh_shop)
    lines, moves = len(recorded(fresh_shop)), len(recorded(fresh_shop, "customers"))
    later = days_later(
        fresh_shop,
        max(field.retention_days for field in fresh_shop.config.catalog.fields.values()) + 1,
    )
    assert upkeep(later).deleted == {"transactions": lines, "customers": moves}
    assert len(recorded(later)) == len(recorded(later, "customers")) == ready(later) == 0
    assert upkeep(later) == NOTHING


def test_old_decisions_are_emptied(fresh_shop):
    """After `decisions_kept_days` the content of a decision goes and its place in the chain stays;
    younger ones are kept.
    """
    shop = restated(
        fresh_shop, lambda stated: stated.replace("[shop]\n", "[shop]\ndecisions_kept_days = 30\n")
    )
    made = Made({}, Said({}), None)
    old = decide(shop, "recommendation", ANN, ITEMS, lambda _: made).decision_id
    young = decide(days_later(shop, 20), "recommendation", ANN, ITEMS, lambda _: made).decision_id
    assert upkeep(days_later(shop, 29)) == NOTHING
    later = days_later(shop, 31)
    assert upkeep(later).decisions_emptied == 1
    with later.database.read() as connection:
        assert verify_decisions(connection) == 2
        assert read(connection, later.vault, young).document()["items"] == []
        with pytest.raises(DecisionDamaged, match="deleted"):
            read(connection, later.vault, old).document()
        left = (
            connection.execute(select(decisions.c.id).where(decisions.c.content.is_not(None)))
            .scalars()
            .all()
        )
    assert left == [young]
    assert upkeep(later) == NOTHING


def third_party(evidence: str) -> Callable[[str], str]:
    """A sayso.toml whose orders are somebody else's data."""
    return lambda stated: stated.replace(
        'name = "orders"\n', f'name = "orders"\nthird_party = true\n{evidence}\n', 1
    )


@pytest.mark.slow
def test_a_lapsed_source_is_named_and_used_for_nothing(fresh_shop):
    """A third party's data whose evidence nobody looked at lately is said not to be read, and no
    feature is made from it.
    """
    refresh_online(fresh_shop)
    assert ready(fresh_shop) > 0
    checked = 'evidence = "contracts/2024"\nchecked_on = 2024-06-01\ncheck_every_days = 200'
    shop = restated(fresh_shop, third_party(checked))
    assert upkeep(shop) == NOTHING
    later = days_later(shop, 60)
    for _ in range(2):
        report = upkeep(later)
        assert (report.expired, report.deleted, report.decisions_emptied) == (0, {}, 0)
        assert set(report.not_read) == {"orders"}
        assert "2024-06-01" in report.not_read["orders"]
        assert ready(later) == 0
    assert len(recorded(later)) > 0


@pytest.mark.slow
def test_a_third_party_without_evidence_is_named(fresh_shop):
    """Where no evidence is stated at all, that is what is missing."""
    report = upkeep(restated(fresh_shop, third_party("")))
    assert "evidence" in report.not_read["orders"]


def test_an_empty_workspace_needs_no_upkeep(fresh_shop):
    """Before anything was ingested there is nothing to do, and no fault."""
    for file in fresh_shop.warehouse.folder.rglob("*"):
        if file.is_file():
            file.unlink()
    assert upkeep(fresh_shop) == NOTHING
