"""What a customer does not want to see is never shown, and what the shop no longer sells is never
offered.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from tests.serving_shop import CATEGORIES, FOR_CHURN, FOR_ITEMS, Client, products_by

pytest_plugins = ["tests.serving_fixtures"]

UNKNOWN = "nobody-of-this-shop"
WHO = ("shares everything", "shares nothing", "unknown")


def shown(answer: dict) -> list[str]:
    """The products of an answer, best first."""
    return [item["product_id"] for item in answer["items"]]


def later(**shift: float) -> str:
    """A moment from now."""
    return (datetime.now(UTC) + timedelta(**shift)).isoformat()


@pytest.fixture(params=[CATEGORIES, ()], ids=["personal", "not personal"])
def customer(request, pool) -> str:
    """A customer who shares everything, then one who shares nothing."""
    return str(pool.take(1, request.param)[0])


@pytest.mark.parametrize(
    ("scope", "column"),
    [("product", "product_id"), ("product_category", "product_category"), ("brand", "brand")],
)
def test_what_is_opted_out_of_is_not_shown_until_that_is_taken_back(
    service, customer, lines, scope, column
):
    """No product of an opt-out by product, product category or brand is shown, and all return when
    it is deleted.
    """
    of = products_by(column, lines)
    before = service.recommend(customer, k=20)
    value = next(name for name, products in of.items() if shown(before)[0] in products)
    made = service.opt_out(customer, scope, value)
    after = service.recommend(customer, k=100)
    assert after["items"]
    assert not set(shown(after)) & of[value]
    assert service.http.delete(f"/v1/opt-outs/{made['id']}").status_code == 204
    assert shown(service.recommend(customer, k=20)) == shown(before)


def test_opt_outs_add_up(service, customer, lines):
    """Several opt-outs hold at the same time."""
    of_brand, of_category = products_by("brand", lines), products_by("product_category", lines)
    for scope, value in (
        ("brand", "brand 1"),
        ("brand", "brand 2"),
        ("product_category", "department 0"),
        ("product", "p08"),
    ):
        service.opt_out(customer, scope, value)
    found = set(shown(service.recommend(customer, k=100)))
    assert found
    assert not found & (
        of_brand["brand 1"] | of_brand["brand 2"] | of_category["department 0"] | {"p08"}
    )


@pytest.mark.parametrize("scope", ["all", "channel"])
def test_silence_is_obeyed(service, customer, scope):
    """An opt-out of everything, or of the channel that asks, gives no item at all and says why."""
    service.opt_out(customer, scope, None if scope == "all" else "web")
    answer = service.recommend(customer, channel="web")
    assert (answer["items"], answer["personalized"], answer["not_personalized_because"]) == (
        [],
        False,
        "opted_out",
    )
    assert answer["consent"]["used"] == []


def test_an_opt_out_of_one_channel_leaves_the_others(service, pool):
    """A customer who wants no e-mail is still served on the web, and their churn is still
    estimated.
    """
    customer = pool.one()
    service.opt_out(customer, "channel", "email")
    assert service.recommend(customer, channel="email")["items"] == []
    assert service.recommend(customer, channel="web")["personalized"]
    assert service.churn(customer)["available"]


@pytest.mark.parametrize(
    ("said", "asked"), [("email", "E-Mail"), ("Email", "email"), ("e-mail ", " EMAIL")]
)
def test_a_channel_is_one_however_it_is_written(service, pool, said, asked):
    """Who wants no e-mail gets none, whichever way the shop's systems spell it."""
    customer = pool.one()
    service.opt_out(customer, "channel", said)
    answer = service.recommend(customer, channel=asked)
    assert (answer["items"], answer["not_personalized_because"]) == ([], "opted_out")


def test_an_opt_out_of_the_purpose_gives_best_sellers(service, pool):
    """A customer who opted out of recommendations gets best sellers, marked, and keeps their churn
    estimate.
    """
    customer = pool.one()
    service.opt_out(customer, "purpose", FOR_ITEMS)
    answer = service.recommend(customer)
    assert (answer["personalized"], answer["not_personalized_because"]) == (False, "opted_out")
    assert answer["items"] == service.recommend(pool.one(()))["items"]
    assert service.churn(customer)["available"]


@pytest.mark.parametrize(("scope", "value"), [("purpose", FOR_CHURN), ("all", None)])
def test_an_opt_out_of_churn_or_of_everything_gives_no_estimate(service, pool, scope, value):
    """A customer who opted out of churn prediction, or of everything, has no probability."""
    customer = pool.one()
    service.opt_out(customer, scope, value)
    answer = service.churn(customer)
    assert (answer["available"], answer["unavailable_because"]) == (False, "opted_out")
    assert not {"probability", "band", "explanation"} & set(answer)


def test_an_opt_out_of_churn_leaves_recommendations(service, pool):
    """A customer who opted out of churn prediction still gets personal recommendations."""
    customer = pool.one()
    service.opt_out(customer, "purpose", FOR_CHURN)
    assert service.recommend(customer)["personalized"]


def test_an_opt_out_holds_until_its_moment(service, pool):
    """One whose moment has passed does nothing and is not listed; one with a moment to come
    holds.
    """
    customer = pool.one()
    best = shown(service.recommend(customer))[0]
    service.opt_out(customer, "product", best, until=later(days=-1))
    assert shown(service.recommend(customer))[0] == best
    assert _listed(service, customer) == []
    service.opt_out(customer, "product", best, until=later(days=1))
    assert best not in shown(service.recommend(customer, k=100))
    assert [entry["value"] for entry in _listed(service, customer)] == [best]


def test_an_opt_out_ends_by_itself(service, pool):
    """When its moment comes, an opt-out ends without anybody's doing."""
    customer = pool.one()
    service.opt_out(customer, "all", until=later(seconds=1.0))
    assert service.recommend(customer)["items"] == []
    ends = datetime.now(UTC) + timedelta(seconds=5)
    while not (answer := service.recommend(customer))["items"] and datetime.now(UTC) < ends:
        pass
    assert answer["personalized"]


@pytest.mark.parametrize("zone", ["+14:00", "-12:00", "Z"])
def test_the_zone_of_a_moment_is_heeded(service, pool, zone):
    """A moment in any zone is compared as the moment that it is."""
    customer = pool.one()
    local = datetime.now(UTC) + (timedelta() if zone == "Z" else timedelta(hours=int(zone[:3])))
    service.opt_out(
        customer, "all", until=f"{local - timedelta(minutes=5):%Y-%m-%dT%H:%M:%S}{zone}"
    )
    assert service.recommend(customer)["items"]
    service.opt_out(
        customer, "all", until=f"{local + timedelta(minutes=5):%Y-%m-%dT%H:%M:%S}{zone}"
    )
    assert service.recommend(customer)["items"] == []


def test_the_same_opt_out_twice_is_one(service, pool):
    """A repeated opt-out is acknowledged as the one that stands; one with another end is
    another.
    """
    customer = pool.one()
    first, again = (service.opt_out(customer, "brand", "brand 3") for _ in range(2))
    other = service.opt_out(customer, "brand", "brand 3", until=later(days=2))
    assert first == again != other
    assert [entry["id"] for entry in _listed(service, customer)] == [first["id"], other["id"]]


def test_an_opt_out_is_gone_once(service, pool):
    """An opt-out that was deleted cannot be deleted again."""
    id = service.opt_out(pool.one(), "all")["id"]
    assert [service.http.delete(f"/v1/opt-outs/{id}").status_code for _ in range(2)] == [204, 404]


def test_an_opt_out_touches_nobody_else(service, pool):
    """What one customer opts out of is still shown to another."""
    one, other = pool.take(2)
    before = shown(service.recommend(other))
    service.opt_out(one, "all")
    service.opt_out(one, "product", before[0])
    assert shown(service.recommend(other)) == before


def _who(pool, kind: str) -> str:
    return {"shares everything": pool.one, "shares nothing": lambda: pool.one(())}.get(
        kind, lambda: UNKNOWN
    )()


@pytest.mark.parametrize("kind", WHO)
def test_excluded_products_and_those_in_the_basket_are_not_shown(service, pool, kind):
    """No product that is excluded or in the basket is shown, to anybody."""
    customer = _who(pool, kind)
    best = shown(service.recommend(customer, k=12))
    found = shown(
        service.recommend(customer, k=100, basket=best[:4], exclude=[*best[4:8], "never-sold"])
    )
    assert found
    assert not set(found) & set(best[:8])


@pytest.mark.parametrize("kind", WHO)
def test_only_the_product_categories_asked_for_are_shown(service, pool, lines, kind):
    """With `product_categories`, every item belongs to one of them; one that does not exist is
    refused.
    """
    of = products_by("product_category", lines)
    customer = _who(pool, kind)
    found = set(
        shown(
            service.recommend(customer, k=100, product_categories=["department 2", "department 4"])
        )
    )
    assert found
    assert found <= of["department 2"] | of["department 4"]
    body = {"customer_id": customer, "product_categories": ["no such department"]}
    assert service.http.post("/v1/recommendations", json=body).status_code == 422
    assert shown(service.recommend(customer, product_categories=[])) == []


@pytest.mark.parametrize("kind", WHO)
def test_what_is_no_longer_sold_is_not_shown(service, pool, lines, served, kind):
    """Every item was bought by somebody within the days that the workspace counts as still sold."""
    days = served.config.models.next_purchase.sold_within_days
    bought = pd.to_datetime(lines["ordered_at"])
    sold = set(
        lines.loc[
            bought >= pd.Timestamp(served.loaded_until()) - pd.Timedelta(days=days), "product_id"
        ]
    )
    found = set(shown(service.recommend(_who(pool, kind), k=100)))
    assert found
    assert found <= sold


@pytest.mark.parametrize("kind", WHO)
@pytest.mark.parametrize("k", [1, 3, 100])
def test_as_many_items_as_asked_for_ranked_from_one(service, pool, kind, k):
    """There are at most k items, as many as are worth showing, ranked 1, 2, 3..., each product
    once.
    """
    items = service.recommend(_who(pool, kind), k=k)["items"]
    assert len(items) == k if k < 50 else len(items) > 15  # the relevance floor cuts a long list
    assert [item["rank"] for item in items] == list(range(1, len(items) + 1))
    assert len(set(shown({"items": items}))) == len(items)
    scores = [item["score"] for item in items]
    assert scores == sorted(scores, reverse=True)


def test_everything_in_the_basket_leaves_nothing(service, pool, lines):
    """A customer who has all products in the basket gets an empty list, not an error."""
    products = sorted(lines["product_id"].unique())
    for categories in (CATEGORIES, ()):
        assert service.recommend(pool.one(categories), basket=products)["items"] == []


def test_a_privacy_signal_gives_best_sellers(service, pool):
    """`Sec-GPC: 1` makes an answer impersonal and says so, and the next one without it; any other
    value of the header does not.
    """
    customer = pool.one()
    assert service.recommend(customer, headers={"Sec-GPC": "0"})["personalized"]
    answer = service.recommend(customer, headers={"Sec-GPC": "1"})
    assert (answer["personalized"], answer["not_personalized_because"]) == (False, "privacy_signal")
    assert answer["consent"]["used"] == []
    assert answer["items"] == service.recommend(UNKNOWN)["items"]
    assert service.replay(answer["decision_id"])["replay"] == {"identical": True}
    assert not service.recommend(customer)["personalized"]


def test_an_opt_out_is_named_before_a_privacy_signal(service, pool):
    """A customer who silenced the shop gets no item, whatever their browser says."""
    customer = pool.one()
    service.opt_out(customer, "all")
    answer = service.recommend(customer, headers={"Sec-GPC": "1"})
    assert (answer["items"], answer["not_personalized_because"]) == ([], "opted_out")


def test_an_unknown_customer_gets_best_sellers(service):
    """Somebody the shop never told of gets best sellers and no estimate, both marked, and no page
    of preferences.
    """
    items, churn = service.recommend(UNKNOWN), service.churn(UNKNOWN)
    assert (items["customer_id"], items["personalized"], items["not_personalized_because"]) == (
        UNKNOWN,
        False,
        "unknown_customer",
    )
    assert len(items["items"]) == 10
    assert items["preferences_url"] is None
    assert (churn["available"], churn["unavailable_because"]) == (False, "unknown_customer")
    assert service.replay(items["decision_id"])["replay"] == {"identical": True}


def test_asking_about_an_unknown_customer_makes_them_no_customer(service, served):
    """A question leaves no trace of a customer that the shop never told of."""
    service.recommend(UNKNOWN)
    service.churn(UNKNOWN)
    assert served.customers.find(UNKNOWN) is None


def test_consent_before_the_first_order_is_kept(service):
    """Somebody who consents before ever ordering is told that nothing is on record about them."""
    for purpose in (FOR_ITEMS, FOR_CHURN):
        service.say("zqx-canary-newcomer", purpose, "purchases", "granted")
    assert (
        service.recommend("zqx-canary-newcomer")["not_personalized_because"] == "unknown_customer"
    )
    assert service.churn("zqx-canary-newcomer")["unavailable_because"] == "unknown_customer"


@pytest.mark.parametrize("kind", WHO)
def test_explain_gives_as_much_as_asked_for(service, pool, kind):
    """`full` has contributions and reasons, `reasons` only reasons, `none` neither; the items are
    the same.
    """
    customer = _who(pool, kind)
    full, reasons, none = (
        service.recommend(customer, explain=much)["items"] for much in ("full", "reasons", "none")
    )
    assert all(
        set(item["explanation"]) == {"base_value", "output_value", "contributions", "reasons"}
        for item in full
    )
    assert all(set(item["explanation"]) == {"reasons"} for item in reasons)
    assert all("explanation" not in item for item in none)
    assert [item["explanation"]["reasons"] for item in full] == [
        item["explanation"]["reasons"] for item in reasons
    ]
    assert shown({"items": full}) == shown({"items": reasons}) == shown({"items": none})


def test_every_kind_of_explanation_is_made_again_identically(service, pool):
    """A replay is identical whatever was asked for."""
    customer = pool.one()
    asked = [
        {"explain": "reasons"},
        {"explain": "none"},
        {"k": 1},
        {"basket": ["p00"]},
        {"product_categories": ["department 1"]},
    ]
    for fields in asked:
        assert service.replay(service.recommend(customer, **fields)["decision_id"])["replay"] == {
            "identical": True
        }


def test_a_decision_stays_what_it_was_after_a_withdrawal(service, pool):
    """A decision made before a withdrawal still replays identically, since it was made from what
    was allowed then.
    """
    customer = pool.one()
    items, churn = service.recommend(customer), service.churn(customer)
    service.say(customer, FOR_ITEMS, "purchases", "withdrawn")
    service.say(customer, FOR_CHURN, "purchases", "withdrawn")
    service.opt_out(customer, "all")
    for answer in (items, churn):
        assert service.replay(answer["decision_id"])["replay"] == {"identical": True}


def test_best_sellers_are_ordered_by_the_customers_who_bought_them(service, lines, served):
    """The score of a best seller is how many customers, of those who allow counting them, bought it
    within 30 days.
    """
    counted = {
        customer_id
        for customer, customer_id in served.customers.all().items()
        if {"purchases", "order_times"}
        <= {
            entry["category"]
            for entry in served.ledger.state(customer)
            if entry["purpose"] == FOR_ITEMS and entry["action"] == "granted"
        }
    }
    recent = lines[
        pd.to_datetime(lines["ordered_at"])
        >= pd.Timestamp(served.loaded_until()) - pd.Timedelta(days=30)
    ]
    buyers = (
        recent[recent["customer_id"].isin(counted)].groupby("product_id")["customer_id"].nunique()
    )
    best = _after_a_look(service, dict(buyers))
    assert [item["score"] for item in best] == sorted((float(n) for n in buyers), reverse=True)[
        : len(best)
    ]


def _after_a_look(service: Client, buyers: dict[str, int]) -> list[dict]:
    """The best sellers once the service has looked at the ledger again, which it does every few
    seconds.
    """
    ends = datetime.now(UTC) + timedelta(seconds=8)
    while True:
        items: list[dict] = service.recommend(UNKNOWN)["items"]
        if (
            all(item["score"] == buyers.get(item["product_id"]) for item in items)
            or datetime.now(UTC) > ends
        ):
            return items


def test_an_opt_out_by_an_unknown_customer_is_refused(service):
    """There is nobody to write it down for; it is a 404, and a list of theirs is one as well."""
    body = {"customer_id": UNKNOWN, "scope": "all"}
    assert service.http.post("/v1/opt-outs", json=body).status_code == 404
    assert service.http.get(f"/v1/customers/{UNKNOWN}/opt-outs").status_code == 404


def _listed(service: Client, customer: str) -> list[dict]:
    found: list[dict] = service.answer(service.http.get(f"/v1/customers/{customer}/opt-outs"))[
        "opt_outs"
    ]
    return found


def test_the_pool_of_customers_is_what_it_claims(service, pool):
    """The customers that these tests call sharing share, by the service's own word."""
    state = service.answer(service.http.get(f"/v1/customers/{pool.one()}/consents"))["state"]
    assert {entry["action"] for entry in state if entry["purpose"] == FOR_ITEMS} == {"granted"}
