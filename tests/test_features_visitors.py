"""Visitors who became customers, where the rule of the ids changes afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from features.consent.ledger import ConsentEvent
from features.customers.visitors import visitors_of
from features.database.tables import customer_id_rule, customers, merged_customers
from features.shop.shop import Shop
from features.shop.visitors import VisitorTaken, join_visitor
from features.shop.workspace import Workspace
from serving.proofs.stage.empty_shop import make_empty_shop
from serving.rights.rights import Rights
from tests.serving_shop import copied

PURPOSE = "recommendations"
ANN, BEN = "ann", "ben"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop that recorded nothing, which nobody has open; to be copied."""
    return make_empty_shop(tmp_path_factory.mktemp("empty") / "shop")


@pytest.fixture
def shop(empty: Path, tmp_path: Path) -> Iterator[Shop]:
    """A shop that recorded nothing."""
    opened = Shop(Workspace.open(copied(empty, tmp_path / "shop")))
    yield opened
    opened.database.close()


def says(shop: Shop, *who: str, action: str = "granted") -> None:
    """Somebody says something about purchases."""
    version = "1" if action == "granted" else None
    shop.ledger.append_all(
        [ConsentEvent(one, PURPOSE, "purchases", action, "web_form", version) for one in who]
    )


def reopened(shop: Shop, **written: str) -> Shop:
    """The shop, opened anew after ids were written in other ways, under a rule of before."""
    with shop.database.write() as connection:
        for name, id in written.items():
            column = customers.c.external_id
            connection.execute(update(customers).where(column == name).values(external_id=id))
        connection.execute(update(customer_id_rule).values(rule="none"))
    shop.database.close()
    return Shop(Workspace.open(shop.workspace.root))


def action(shop: Shop, who: str) -> str:
    """Where somebody stands."""
    found = shop.ledger.state(shop.customers.pseudonym(who))
    return next(
        str(one["action"])
        for one in found
        if (one["purpose"], one["category"]) == (PURPOSE, "purchases")
    )


def test_who_turns_out_to_have_a_visitors_id_is_the_customer(shop):
    """What they withheld is withheld for the customer, and every form of the id finds that one."""
    says(shop, ANN, "visitor", "same")
    join_visitor(shop, ANN, "visitor", "key:crm")
    says(shop, "same", action="withdrawn")
    again = reopened(shop, visitor="v@example.com", same="V@example.com")
    assert action(again, ANN) == "withdrawn"
    number = again.customers.pseudonym(ANN)
    for form in ("v@example.com", "V@Example.com"):
        assert again.customers.pseudonym(form) == number
    assert Rights(again).erase("V@Example.com")["complete"]
    with again.database.read() as connection:
        assert not connection.execute(select(customers)).all()
        assert not connection.execute(select(merged_customers)).all()
    again.database.close()


def test_a_visitor_who_turns_out_to_have_the_customers_id_stays_the_customer(shop):
    """The customer's row is kept, and so are visitors whose customers turn out to be one."""
    says(shop, ANN, BEN, "first", "second")
    join_visitor(shop, ANN, "first", "key:crm")
    join_visitor(shop, BEN, "second", "key:crm")
    again = reopened(shop, ann="a@example.com", ben="A@example.com", first="A@Example.com")
    number = again.customers.pseudonym("a@example.com")
    assert again.customers.pseudonym("second") == number
    assert again.customers.external_ids([number]) == {number: "a@example.com"}
    with again.database.read() as connection:
        assert "second" in [one.visitor_id for one in visitors_of(connection, number)]
    assert action(again, "a@example.com") == "granted"
    again.database.close()


def test_a_visitor_stays_with_the_first_customer(shop):
    """A second customer gets nothing of them, in whichever form their id is written."""
    says(shop, ANN, BEN, "v@example.com")
    join_visitor(shop, ANN, "V@example.com", "key:crm")
    with pytest.raises(VisitorTaken):
        join_visitor(shop, BEN, "v@EXAMPLE.com", "key:crm")
    assert join_visitor(shop, ANN, " v@example.com", "key:crm").repeated
    assert join_visitor(shop, "v@example.com", "v@example.com", "key:crm").repeated
