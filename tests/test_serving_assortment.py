"""Without what tells which products must be hidden, nothing is shown; the last assortment serves
as long as it is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from features.consent.ledger import ConsentEvent
from features.intake.setup.new_workspace import create
from features.shop.workspace import Workspace
from serving.bootstrap import Sayso, assemble
from serving.contract.requests import RecommendationRequest
from serving.live.assortment import Assortment
from tests.decided import told
from tests.serving_shop import CATEGORIES, FOR_ITEMS, copied, sharing

pytest_plugins = ["tests.serving_fixtures"]

SHARES_ALL, SHARES_NOTHING = sharing(*CATEGORIES)[0], sharing()[0]
SENSITIVE, LEFT, BRAND, ASKED = "department 2", "department 1", "brand 3", "department 4"


@pytest.fixture
def root(trained_root, tmp_path) -> Path:
    """A workspace with models and a sensitive department."""
    made = copied(trained_root, tmp_path / "mugs")
    file = made / "sayso.toml"
    stated, count = re.subn(
        r"(?m)^sensitive = .*$", f'sensitive = ["{SENSITIVE}"]', file.read_text()
    )
    assert count == 1
    file.write_text(stated)
    return made


@pytest.fixture
def running(root) -> Iterator[Sayso]:
    """Its service, which has not looked around yet; a customer wants neither a department nor a
    brand.
    """
    sayso = assemble(Workspace.open(root), "")
    customer = sayso.shop.customers.pseudonym(SHARES_ALL)
    sayso.opt_outs.add(customer, "product_category", LEFT, None)
    sayso.opt_outs.add(customer, "brand", BRAND, None)
    yield sayso
    sayso.close()


def products_file(root: Path) -> Path:
    """The products of the generation in use."""
    return root / "warehouse" / (root / "warehouse" / "current").read_text() / "products.parquet"


def asked(sayso: Sayso, customer: str | None = SHARES_ALL, **fields: object) -> dict:
    """The answer to a request."""
    request = RecommendationRequest(customer_id=customer, k=50, **fields)
    return told(sayso.recommender.answer(request))


def keeps_to_the_filters(sayso: Sayso, assortment: Assortment) -> bool:
    """Whether the answers are personal, and hold nothing that is sensitive, opted out of or not
    asked for.
    """
    plain, narrow = asked(sayso), asked(sayso, product_categories=(ASKED,))
    unwanted = assortment.hidden_by([LEFT, SENSITIVE], [BRAND])
    shown = [{item["product_id"] for item in answer["items"]} for answer in (plain, narrow)]
    return (
        plain["personalized"]
        and all(shown)
        and not shown[0] & unwanted
        and not shown[1] & assortment.outside([ASKED])
    )


def shows_nothing(sayso: Sayso) -> bool:
    """Whether nobody is shown anything, and who shares their data is told that no model answers."""
    answers = [
        asked(sayso),
        asked(sayso, product_categories=(ASKED,)),
        asked(sayso, basket=("p08",)),
    ]
    others = [
        asked(sayso, SHARES_NOTHING),
        asked(sayso, "nobody"),
        asked(sayso, None, basket=("p08",)),
    ]
    return all(
        answer["not_personalized_because"] == "model_unavailable" for answer in answers
    ) and not any(
        answer["personalized"] or answer["items"] or answer["consent"]["used"]
        for answer in (*answers, *others)
    )


def look(sayso: Sayso) -> Assortment | None:
    """The assortment after a look for changes."""
    sayso.watch.look()
    return sayso.assortment.current


@pytest.mark.parametrize("cut", [0, 50])
def test_without_products_at_the_start_nothing_is_shown_until_they_are_back(running, root, cut):
    """A service that starts on a damaged file of products shows nothing that they might hide, and
    recovers by itself.
    """
    file = products_file(root)
    whole = file.read_bytes()
    file.write_bytes(whole[:cut])
    assert look(running) is None
    assert shows_nothing(running)
    file.write_bytes(whole)
    assortment = look(running)
    assert assortment is not None
    assert keeps_to_the_filters(running, assortment)


def test_without_a_warehouse_at_the_start_nothing_is_shown_until_it_is_back(running, root):
    """Nor does one whose warehouse is not there."""
    away = (root / "warehouse").rename(root / "away")
    assert look(running) is None
    assert shows_nothing(running)
    away.rename(root / "warehouse")
    assortment = look(running)
    assert assortment is not None
    assert keeps_to_the_filters(running, assortment)


def test_filters_hold_while_the_warehouse_is_away(running, root):
    """What was stocked before still tells what is to be hidden, and pages still name products by
    it.
    """
    assortment = look(running)
    assert assortment is not None
    away = (root / "warehouse").rename(root / "away")
    assert look(running) is assortment
    assert keeps_to_the_filters(running, assortment)
    away.rename(root / "warehouse")
    assert look(running) is assortment


def test_other_products_that_cannot_be_read_end_the_old_assortment(running, root):
    """The last assortment serves while its products are those of the warehouse, damaged or not;
    it tells nothing of others.
    """
    assortment = look(running)
    assert assortment is not None
    file = products_file(root)
    whole, current = file.read_bytes(), root / "warehouse" / "current"
    file.write_bytes(whole[:50])
    running.shop.ledger.append(
        ConsentEvent(SHARES_NOTHING, FOR_ITEMS, "location", "refused", "test")
    )
    assert look(running) is assortment
    assert keeps_to_the_filters(running, assortment)
    other = root / "warehouse" / "other"
    file.parent.rename(other)
    current.write_text("other")
    assert look(running) is None
    assert shows_nothing(running)
    (other / file.name).write_bytes(whole)
    mended = look(running)
    assert mended is not None
    assert keeps_to_the_filters(running, mended)


def test_a_shop_without_orders_still_hides(running):
    """Where no order is left there are no best sellers, but filters hold."""
    running.shop.warehouse.rewrite(
        lambda name, rows: rows.slice(0, 0) if name == "transactions" else rows
    )
    assortment = look(running)
    assert assortment is not None
    assert assortment.best_sellers == ()
    assert assortment.hidden_by([SENSITIVE], [])


def test_a_sensitive_basket_tells_nothing_of_a_new_customer(running):
    """Who has not ordered yet and has nothing else in the basket is answered as with an empty
    one.
    """
    assortment = look(running)
    assert assortment is not None
    running.shop.ledger.append_all(
        [ConsentEvent("new", FOR_ITEMS, name, "granted", "test", "1") for name in CATEGORIES]
    )
    sensitive = tuple(sorted(assortment.hidden_by([SENSITIVE], [])))
    alone, with_another = (
        asked(running, "new", basket=sensitive),
        asked(running, "new", basket=(*sensitive, "p08")),
    )
    assert (alone["items"], alone["not_personalized_because"]) == (
        asked(running, "new")["items"],
        "unknown_customer",
    )
    assert with_another["personalized"]


def test_an_empty_shop_has_no_shelf(tmp_path):
    """Before anything was ingested there is nothing to show, and nothing goes wrong."""
    create(tmp_path / "empty", [])
    sayso = assemble(Workspace.open(tmp_path / "empty"), "")
    assert look(sayso) is None
    assert sayso.assortment.for_names.title("p00") == "p00"
    answer = asked(sayso, "nobody")
    assert (answer["items"], answer["not_personalized_because"]) == ([], "unknown_customer")
    sayso.close()
