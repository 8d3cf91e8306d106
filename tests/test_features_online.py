"""Online features: each customer's newest row, gone the moment consent changes."""

from __future__ import annotations

import struct
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sqlalchemy import select, update

from features.consent.ledger import ConsentEvent
from features.consent.simulated import simulated_consents
from features.database.tables import online_features
from features.definitions.definition import Computed
from features.definitions.definitions import STANDARD
from features.definitions.frames import reads_of
from features.engines.arrays import Program
from features.engines.columns import NotOnArrays
from features.shop.online import Layout, OnlineRow, OnlineStore, online_store
from features.shop.shop import Shop
from features.synthetic.presets import ENGAGED
from serving.analysis.refresh_timing import differing
from serving.proofs.stage.synthetic_shop import make_shop

pytestmark = [pytest.mark.both_databases, pytest.mark.early]

PURPOSE = "recommendations"
CATEGORIES = frozenset({"purchases", "order_times", "spending", "location"})
floats = st.floats(allow_nan=True, allow_infinity=True, width=64)
product_ids = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@st.composite
def online_rows(draw: st.DrawFn) -> OnlineRow:
    """Rows of any widths and values."""
    products = tuple(draw(st.lists(product_ids, max_size=5)))
    wide, width = draw(st.integers(0, 4)), draw(st.integers(0, 5))
    return OnlineRow(
        "2024-10-26T00:00:00.000000Z",
        draw(arrays.arrays(np.float64, width, elements=floats)),
        products,
        draw(arrays.arrays(np.float64, (len(products), wide), elements=floats)),
    )


def assert_equal(one: OnlineRow, other: OnlineRow) -> None:
    """Both rows are equal to the last bit."""
    assert (one.as_of, one.products) == (other.as_of, other.products)
    assert one.customer.tobytes() == other.customer.tobytes()
    assert one.columns.shape == other.columns.shape
    assert one.columns.tobytes() == other.columns.tobytes()


@settings(max_examples=200, deadline=None)
@given(row=online_rows())
def test_packing_loses_nothing(row: OnlineRow) -> None:
    """A row comes back from bytes to the last bit: missing numbers, infinities, any script, no
    products.
    """
    assert_equal(OnlineRow.unpack(row.as_of, row.pack()), row)


def test_a_row_is_empty_when_nothing_is_known() -> None:
    """A row with one number or one product says something; one of missing numbers alone does
    not.
    """
    nothing = OnlineRow("t", np.full(3, np.nan), (), np.empty((0, 2)))
    assert nothing.empty
    assert not OnlineRow("t", np.array([np.nan, 0.0]), (), np.empty((0, 2))).empty
    assert not OnlineRow("t", np.full(3, np.nan), ("p",), np.full((1, 2), np.nan)).empty


@settings(max_examples=50, deadline=None)
@given(row=online_rows(), cut=st.integers(1, 40))
def test_a_truncated_row_is_never_another_row(row: OnlineRow, cut: int) -> None:
    """Bytes cut off in the numbers are an error, and not a row with other numbers."""
    numbers = struct.calcsize("<III") + row.customer.nbytes + row.columns.nbytes
    with pytest.raises((ValueError, struct.error)):
        OnlineRow.unpack(row.as_of, row.pack()[: max(numbers - cut, 0)])


def store_of(shop: Shop) -> OnlineStore:
    """The store of the next-purchase model's features."""
    return online_store(shop, PURPOSE, shop.config.models.next_purchase.features)


def stored(shop: Shop, store: OnlineStore, customer: int) -> OnlineRow | None:
    """The row that lies in the database."""
    with shop.database.read() as connection:
        return store.read(connection, customer)


def pseudonym(shop: Shop, name: str) -> int:
    """The pseudonym of one of the shop's customers."""
    found = shop.customers.find(name)
    assert found is not None
    return found


def say(
    shop: Shop, name: str, action: str, category: str = "spending", purpose: str = PURPOSE
) -> None:
    """A customer changes their mind."""
    shop.ledger.append(ConsentEvent(name, purpose, category, action, "page", "1"))


def test_a_layout_splits_the_features_and_is_known_by_its_names() -> None:
    """Features of a customer and of a history lie apart, and another name, order or side makes
    another digest.
    """
    layout = Layout.of(["orders", "times_bought", "usual_price"])
    assert layout == Layout(("orders", "usual_price"), ("times_bought",))
    others = [
        ["orders", "times_bought"],
        ["usual_price", "orders", "times_bought"],
        ["orders", "usual_price"],
    ]
    assert len({layout.digest, *(Layout.of(names).digest for names in others)}) == 4
    assert Layout(("a", "b"), ()).digest != Layout(("a",), ("b",)).digest


def test_a_row_made_alone_is_the_row_of_the_refresh(fresh_shop: Shop) -> None:
    """For customers of every kind of consent, the row made on demand equals the one made for all at
    once, to the last bit.
    """
    store = store_of(fresh_shop)
    assert store.refresh() == len(fresh_shop.gate(PURPOSE).customers())
    for number in (0, 13, 14, 17, 33):
        customer = pseudonym(fresh_shop, f"c{number:03}")
        refreshed = stored(fresh_shop, store, customer)
        made = store.make(customer)
        assert refreshed is not None
        assert_equal(made, refreshed)
        assert_equal(store.ready(customer), refreshed)


@pytest.mark.parametrize("engine", ["arrays", "duckdb"])
def test_every_feature_of_one_customer_is_what_it_is_among_all(
    shop: Shop, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every feature that is declared has the same bits for a customer alone, on arrays and where
    DuckDB has to be asked, as among all of them.
    """
    if engine == "duckdb":
        monkeypatch.setattr(Program, "add", _refused)
    for purpose in ("recommendations", "churn_prediction"):
        gate = shop.gate(purpose)
        spine = gate.spine(shop.loaded_until())
        spine = spine[:: 80 if engine == "duckdb" else 8]
        names = declared_for(shop, purpose)
        assert differing(gate, Layout.of(names), spine, shop.facts) == 0


def declared_for(shop: Shop, purpose: str) -> tuple[str, ...]:
    """All features that are made of fields that the shop declares for the purpose."""
    refused = shop.config.catalog.refused
    return tuple(
        name for name, one in STANDARD.by_feature.items() if not refused(one.reads, purpose)
    )


def _refused(_program: Program, _table: object) -> int:
    raise NotOnArrays("nothing runs on arrays in this test")


def test_every_feature_that_comes_with_sayso_runs_on_arrays(shop: Shop) -> None:
    """No feature that models have unless they are told otherwise is left to DuckDB, whose planning
    alone takes longer than all the others together.
    """
    gate, program = shop.gate(PURPOSE), Program()
    own = gate.of_one(1)._gate
    models = shop.config.models
    listed = {*models.churn.features, *models.next_purchase.features}
    for definition in {
        id(one): one for one in map(STANDARD.by_feature.get, listed) if one
    }.values():
        program.add(own.expression((definition.reads, Computed(definition, shop.facts)), "asked"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_thousand_customers_have_the_same_features_alone(tmp_path: Path) -> None:
    """Of a made-up shop of 1,000 customers with consents of every kind nobody has another feature
    alone than among all.
    """
    shop = make_shop(tmp_path, 5, 1_000, preset=ENGAGED)
    names = sorted(shop.customers.all().values())
    shop.ledger.append_all(simulated_consents(shop.config.catalog, names, 7))
    for purpose in ("recommendations", "churn_prediction"):
        gate = shop.gate(purpose)
        spine = gate.spine(shop.loaded_until())
        assert len(spine) > 500
        names = declared_for(shop, purpose)
        assert any("interactions.browsed_at" in reads_of(name) for name in names)
        assert differing(gate, Layout.of(names), spine, shop.facts) == 0
    shop.database.close()


def test_a_row_holds_what_was_granted_and_no_more(fresh_shop: Shop) -> None:
    """Each category withheld takes its numbers out of the row, and purchases withheld take the
    products too.
    """
    store = store_of(fresh_shop)
    customer = pseudonym(fresh_shop, "c000")
    catalog, names = fresh_shop.config.catalog, store.layout.customer
    full = store.make(customer)
    assert full.products
    for withheld in sorted(CATEGORIES):
        say(fresh_shop, "c000", "withdrawn", withheld)
        row = store.make(customer)
        say(fresh_shop, "c000", "granted", withheld)
        hidden = np.array([withheld in catalog.categories_of(reads_of(name)) for name in names])
        assert hidden.any()
        assert np.isnan(row.customer[hidden]).all()
        assert row.customer[~hidden].tobytes() == full.customer[~hidden].tobytes()
        assert row.products == (() if withheld == "purchases" else full.products)
    for category in CATEGORIES:
        say(fresh_shop, "c000", "withdrawn", category)
    assert store.make(customer).empty


@pytest.mark.parametrize("action", ["granted", "refused", "withdrawn"])
def test_any_word_of_a_customer_removes_their_row_at_once(fresh_shop: Shop, action: str) -> None:
    """After a consent event the customer's row for that purpose is gone, and everybody else's
    stands.
    """
    store, other = (
        store_of(fresh_shop),
        online_store(fresh_shop, "churn_prediction", fresh_shop.config.models.churn.features),
    )
    store.refresh()
    other.refresh()
    before = _contents(fresh_shop)
    customer = pseudonym(fresh_shop, "c000")
    say(fresh_shop, "c000", action)
    assert stored(fresh_shop, store, customer) is None
    assert stored(fresh_shop, other, customer) is not None
    assert _contents(fresh_shop) == {
        key: row for key, row in before.items() if key != (customer, PURPOSE)
    }


def test_the_next_row_obeys_the_withdrawal(fresh_shop: Shop) -> None:
    """The row made after a withdrawal lacks what was withdrawn, and the one after a new grant has
    it again.
    """
    store = store_of(fresh_shop)
    customer, price = pseudonym(fresh_shop, "c000"), store.layout.customer.index("usual_price")
    before = store.ready(customer)
    say(fresh_shop, "c000", "withdrawn")
    after = store.ready(customer)
    assert not np.isnan(before.customer[price])
    assert np.isnan(after.customer[price])
    say(fresh_shop, "c000", "granted")
    assert_equal(store.ready(customer), before)


def test_a_row_made_under_old_grants_is_not_kept(fresh_shop: Shop) -> None:
    """A row that was begun before a withdrawal and finished after it is not stored."""
    store = store_of(fresh_shop)
    customer = pseudonym(fresh_shop, "c000")
    shop = Interrupted(fresh_shop.workspace, fresh_shop.clock)
    interrupted = store_of(shop)
    shop.armed = True
    assert not interrupted.make(customer).empty
    assert stored(shop, interrupted, customer) is None
    interrupted.make(customer)
    assert stored(shop, interrupted, customer) is not None
    shop.database.close()
    assert np.isnan(store.ready(customer).customer[store.layout.customer.index("usual_price")])


class Interrupted(Shop):
    """A shop in which one customer withdraws while their row, or the rows of all, are being
    made.
    """

    armed = False

    def loaded_until(self) -> datetime:
        """The moment that the warehouse speaks for, after the withdrawal."""
        if self.armed:
            self.armed = False
            say(self, "c000", "withdrawn")
        return super().loaded_until()


def test_a_withdrawal_during_a_refresh_is_not_undone(fresh_shop: Shop) -> None:
    """A customer who withdraws while all rows are made anew has no row with what they withdrew."""
    shop = Interrupted(fresh_shop.workspace, fresh_shop.clock)
    store = store_of(shop)
    shop.armed = True
    store.refresh()
    row = stored(shop, store, pseudonym(shop, "c000"))
    shop.database.close()
    assert row is None or np.isnan(row.customer[store.layout.customer.index("usual_price")])


def test_another_layout_makes_rows_anew(fresh_shop: Shop) -> None:
    """A row stored under other features is not read; the next answer makes one in the new layout
    and replaces it.
    """
    features = fresh_shop.config.models.next_purchase.features
    old, new = (
        online_store(fresh_shop, PURPOSE, features),
        online_store(fresh_shop, PURPOSE, features[::-1]),
    )
    customer = pseudonym(fresh_shop, "c000")
    first = old.make(customer)
    assert stored(fresh_shop, new, customer) is None
    second = new.ready(customer)
    assert second.customer.tobytes() == first.customer[::-1].tobytes()
    assert stored(fresh_shop, old, customer) is None
    assert stored(fresh_shop, new, customer) is not None


def test_a_refresh_replaces_all_rows(fresh_shop: Shop) -> None:
    """A second refresh leaves the same rows, byte for byte, and none of a customer who withdrew
    everything.
    """
    store = store_of(fresh_shop)
    store.refresh()
    before = _contents(fresh_shop)
    store.refresh()
    assert _contents(fresh_shop) == before
    for category in CATEGORIES:
        say(fresh_shop, "c000", "withdrawn", category)
    store.refresh()
    gone = (pseudonym(fresh_shop, "c000"), PURPOSE)
    assert _contents(fresh_shop) == {key: row for key, row in before.items() if key != gone}
    assert gone in before


def _contents(shop: Shop) -> dict[tuple[int, str], bytes]:
    """What is sealed in the rows."""
    with shop.database.read() as connection:
        rows = connection.execute(select(online_features)).all()
        keys = shop.vault.keys(connection, {row.customer for row in rows})
    return {
        (row.customer, row.purpose): keys[row.customer].open(
            row.content, f"online:{row.purpose}:{row.customer}"
        )
        for row in rows
    }


def test_rows_are_sealed(fresh_shop: Shop) -> None:
    """Neither numbers nor products stand in the database, a row moved to another customer is none,
    and one without its key is none.
    """
    store, other = store_of(fresh_shop), pseudonym(fresh_shop, "c001")
    customer = pseudonym(fresh_shop, "c000")
    row = store.make(customer)
    store.make(other)
    with fresh_shop.database.write() as connection:
        content = connection.execute(
            select(online_features.c.content).where(online_features.c.customer == customer)
        ).scalar_one()
        connection.execute(
            update(online_features)
            .where(online_features.c.customer == other)
            .values(content=content)
        )
    assert row.customer.tobytes() not in content
    assert not any(product.encode() in content for product in row.products)
    assert stored(fresh_shop, store, other) is None
    assert not store.ready(other).empty
    with fresh_shop.database.write() as connection:
        fresh_shop.vault.destroy(connection, customer)
    assert stored(fresh_shop, store, customer) is None
    assert_equal(store.ready(customer), row)


def test_a_row_speaks_for_the_moment_of_the_warehouse(fresh_shop: Shop) -> None:
    """The moment stands in the row as text in UTC."""
    row = store_of(fresh_shop).make(pseudonym(fresh_shop, "c000"))
    assert row.as_of == f"{fresh_shop.loaded_until():%Y-%m-%dT%H:%M:%S.%f}Z"
