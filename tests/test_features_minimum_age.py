"""The age set in sayso.toml: of who is younger nothing is used, whatever they grant."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from features.consent.event import GRANTED, ConsentEvent
from features.definitions.frames import feature_frame
from features.intake.ingest import ingest
from features.intake.setup.new_workspace import create
from features.shop.corrections import Correction, correct
from features.shop.online import online_stores
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.targets import first_orders
from serving.bootstrap import assemble
from serving.contract.requests import RecommendationRequest
from tests.decided import told

NOW = datetime(2026, 12, 1, tzinfo=UTC)
YOUNG, OLD, UNKNOWN = "young", "old", "unknown"
PURPOSE = "churn_prediction"
RULES = {
    "none": ("", {YOUNG, OLD, UNKNOWN}),
    "sixteen": ("minimum_age = 16\n", {OLD, UNKNOWN}),
    "who may be": ("minimum_age = 16\nwithhold_unknown_age = true\n", {OLD}),
    "fifteen": ("minimum_age = 15\n", {YOUNG, OLD, UNKNOWN}),
}


def opened(folder: Path, rule: str) -> Shop:
    """A shop of three customers who all ordered and grant everything."""
    orders = [
        f"{who}-{n},{who},2026-0{n}-02 10:00:00,{product},1,5.00\n"
        for who in (YOUNG, OLD, UNKNOWN)
        for n, product in ((1, "mug"), (2, "tea"), (3, "cup"))
    ]
    (folder / "orders.csv").write_text(
        "order_id,customer_id,date,sku,quantity,price\n" + "".join(orders)
    )
    (folder / "people.csv").write_text(
        f"customer_id,birthday,gender\n{YOUNG},2011-06-01,f\n{OLD},25-34,m\n{UNKNOWN},,m\n"
    )
    create(folder / "shop", [folder / "orders.csv", folder / "people.csv"], lambda: NOW)
    file = folder / "shop/sayso.toml"
    file.write_text(file.read_text().replace("[shop]\n", f"[shop]\n{rule}"))
    shop = Shop(Workspace.open(folder / "shop"), lambda: NOW)
    ingest(shop.workspace, shop.database, clock=shop.clock)
    catalog = shop.config.catalog
    shop.ledger.append_all(
        [
            ConsentEvent(
                who, purpose, name, GRANTED, "web_form", catalog.current_notice(purpose).version
            )
            for who in (YOUNG, OLD, UNKNOWN)
            for purpose in ("recommendations", PURPOSE)
            for name in catalog.askable(purpose)
        ]
    )
    return shop


def names(shop: Shop, customers: pd.Series) -> set[str]:
    """Whose pseudonyms these are."""
    known = {shop.customers.find(who): who for who in (YOUNG, OLD, UNKNOWN)}
    return {known[int(customer)] for customer in customers}


@pytest.mark.parametrize("name", RULES)
def test_who_is_too_young_is_nowhere(name: str, tmp_path: Path) -> None:
    """There is no feature, no target and no online row of them, and the others have theirs."""
    rule, there = RULES[name]
    shop = opened(tmp_path, rule)
    until, features = shop.loaded_until(), shop.config.models.churn.features
    frame = feature_frame(shop.gate(PURPOSE), features, until, shop.facts)
    assert names(shop, frame["customer"]) == there
    assert names(shop, first_orders(shop.gate(PURPOSE), until).index.to_series()) == there
    online, _ = online_stores(shop)
    for who in (YOUNG, OLD, UNKNOWN):
        customer = shop.customers.find(who)
        assert customer is not None
        assert online.make(customer).empty == (who not in there)


def test_answers_say_so_and_a_correction_counts_at_once(tmp_path: Path) -> None:
    """The answer is everybody's with its reason, until a birthday was put right."""
    shop = opened(tmp_path, "minimum_age = 16\n")
    shop.database.close()
    sayso = assemble(Workspace.open(tmp_path / "shop"), "http://127.0.0.1:3000")
    try:
        sayso.assortment.look()
        question = RecommendationRequest(customer_id=YOUNG)
        answer = sayso.recommender.answer(question).answer
        assert (answer.personalized, answer.not_personalized_because) == (False, "too_young")
        assert answer.consent.used == ()
        assert sayso.churn.answer(YOUNG).answer.unavailable_because == "too_young"
        assert sayso.churn.answer(OLD).answer.unavailable_because == "model_unavailable"
        together = [told(one) for one in sayso.churn.answer_all([YOUNG, OLD])]
        assert [one["unavailable_because"] for one in together] == [
            "too_young",
            "model_unavailable",
        ]
        customer = sayso.shop.customers.find(YOUNG)
        assert customer is not None
        correct(sayso.shop, customer, Correction("customers.born", "2009-06-01"))
        assert sayso.churn.answer(YOUNG).answer.unavailable_because == "model_unavailable"
    finally:
        sayso.close()
