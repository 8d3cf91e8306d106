"""The contact policy where it takes effect: caps under races, quiet hours, sensitive categories,
discoveries, and what the figures say of them.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pytest

from explain.reasons import MOST_REASONS
from explain.templates import DISCOVERY
from features import clock
from features.config.schema import CapSection, ContactPolicySection
from features.consent.ledger import ConsentEvent
from features.database.tables import decision_events, exposures, reporting_channels
from features.events.event import DecisionEvent
from features.shop.online import OnlineRow, online_stores
from models.tracking import Tracking
from serving.bootstrap import assemble
from serving.contract.answers import Recommendation
from serving.contract.requests import RecommendationRequest
from serving.decisions.deciding import Decider
from serving.delivery.contact_policy import Cap
from serving.delivery.exposures import note_reporting
from serving.delivery.opt_outs import OptOuts
from serving.delivery.sending_moment import SendAtRefused
from serving.events.intake import EventIntake, Told
from serving.live.assortment import Assortment, BestSeller
from serving.live.champions import next_purchase_champion
from serving.live.statistics import LiveStatistics
from serving.recommending.known import without
from serving.recommending.recommender import Recommender
from tests.decided import told
from tests.serving_shop import CATEGORIES
from tests.test_docs_openapi import fits
from tests.test_serving_requests import is_problem
from tests.test_serving_reviews import Asked, rows

pytest_plugins = ["tests.serving_fixtures"]

NOON = datetime(2024, 6, 3, 12, tzinfo=UTC)
ASSORTMENT = Assortment(
    {"mug": "Mug", "test": "Test kit"},
    {"health": ["test"]},
    {},
    (BestSeller("test", 9), BestSeller("mug", 5)),
)
CAPPED = ContactPolicySection(
    caps=(CapSection(channel="email", most=3), CapSection(channel="post", most=0)),
    sensitive=("health",),
)


@pytest.fixture
def asked(database, masters, shop) -> Asked:
    """A shop with one customer at noon, once on each kind of database."""
    made = Asked(shop, database, masters)
    made.now = NOON
    made.ledger.append(ConsentEvent("ann", "recommendations", "purchases", "refused", "test", "1"))
    return made


@pytest.fixture
def recommend(asked) -> Callable[..., dict]:
    """Recommends to that customer, from best sellers, as there is no model."""
    champion = next_purchase_champion(Tracking.of(asked.workspace))
    _, online = online_stores(asked)
    recommender = Recommender(
        asked.config,
        Decider(asked.database, asked.vault, asked.config.catalog, lambda: asked.now),
        asked.ledger,
        asked.customers,
        champion,
        online,
        lambda: ASSORTMENT,
        LiveStatistics(asked, champion),
    )
    recommender._gatherer.policy = CAPPED

    def ask(channel: str = "email", customer: str = "ann", **fields: object) -> dict:
        return told(
            recommender.answer(
                RecommendationRequest(customer_id=customer, channel=channel, **fields)
            )
        )

    return ask


def test_a_cap_is_never_exceeded_under_races(asked, recommend):
    """Of forty answers asked for at once exactly three show something; the others say when to come
    back, and all are recorded.
    """
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: recommend(), range(40)))
    shown_ones = [answer for answer in found if answer["items"]]
    held = [answer for answer in found if not answer["items"]]
    assert len(shown_ones) == len(rows(asked, exposures)) == 3
    for answer in held:
        assert (answer["not_personalized_because"], answer["not_now_because"]) == (
            "not_now",
            "frequency",
        )
        assert answer["not_before"] == "2024-06-10T12:00:00.000000Z"


def test_a_cap_frees_when_its_window_has_passed(asked, recommend):
    """What was shown counts for seven days and no longer, on its own channel and for its own
    customer.
    """
    assert [
        bool(recommend(channel)["items"]) for channel in ("email", "Email", "E-MAIL", "email ")
    ] == [True, True, True, False]
    assert recommend("web")["items"]
    assert recommend(customer="nobody")["items"]
    asked.now = NOON + timedelta(days=7) - timedelta(microseconds=1)
    assert not recommend()["items"]
    asked.now = NOON + timedelta(days=7)
    assert recommend()["items"]


def test_what_nobody_confirms_lapses_where_the_shop_tells_what_it_shows(asked, recommend):
    """Reservations stand until the shop tells what was shown on the channel; then those that nobody
    confirmed within two days are free again, also of who allows nothing to be kept. A picture that
    was loaded is no such telling.
    """
    purposes = {"recommendation": "recommendations"}
    intake = EventIntake(asked.database, asked.vault, asked.config, asked.clock, purposes)

    def tell(decision_id: str, **options: bool) -> str:
        moment = clock.to_text(asked.now)
        event = DecisionEvent(f"{decision_id} {moment}", decision_id, "shown", moment)
        (fate,) = intake.take([Told(event)], "test", **options)
        return fate.became

    first, *_ = [recommend() for _ in range(3)]
    asked.now = NOON + timedelta(days=3)
    assert not recommend()["items"]
    assert tell(first["decision_id"], reports=False) == "dropped_unconsented"
    assert not recommend()["items"]
    assert tell(first["decision_id"]) == "dropped_unconsented"
    free = [recommend() for _ in range(3)]
    assert [bool(answer["items"]) for answer in free] == [True, True, False]
    assert not rows(asked, decision_events)
    asked.now += timedelta(days=3, minutes=1)
    assert recommend()["items"]
    assert rows(asked, reporting_channels) == [
        {"channel": "email", "told_at": "2024-06-06T12:00:00.000000Z"}
    ]


def test_where_the_shop_tells_nothing_any_more_reservations_stand(asked, recommend):
    """A week after the last `shown` what was asked for counts again, confirmed or not."""
    with asked.database.write() as connection:
        note_reporting(connection, ["email"], clock.to_text(NOON))
    asked.now = NOON + timedelta(days=4)
    assert [bool(recommend()["items"]) for _ in range(4)] == [True, True, True, False]
    asked.now = NOON + timedelta(days=6, hours=1)
    assert recommend()["items"]
    asked.now = NOON + timedelta(days=7, hours=1)
    assert not recommend()["items"]


def test_the_web_is_not_capped_and_a_channel_may_be_closed(recommend):
    """Without a cap anything goes; with a cap of none nothing does, without an end."""
    assert all(recommend("web")["items"] for _ in range(12))
    closed = recommend("post")
    assert (closed["items"], closed["not_now_because"], closed["not_before"]) == (
        [],
        "frequency",
        None,
    )


def test_a_customers_own_cap_holds_at_once_and_the_newest_counts(asked, recommend):
    """A customer who wants one a week has one; a later cap of the channel takes the place of the
    earlier, and stays below the shop's.
    """
    customer = asked.customers.pseudonym("ann")
    own = OptOuts(asked.database, asked.clock)
    own.limit(customer, Cap("web", 5, 1))
    own.limit(customer, Cap("email", 1, 7))
    assert [bool(recommend()["items"]) for _ in range(2)] == [True, False]
    own.limit(customer, Cap("email", 9, 7))
    assert {opt_out.value for opt_out in own.of(customer)} == {"web:5/1", "email:9/7"}
    assert [bool(recommend()["items"]) for _ in range(3)] == [True, True, False]


def test_nothing_is_shown_in_quiet_hours(asked, recommend):
    """In the evening an e-mail waits until the morning of the zone that the request names; the web
    does not.
    """
    asked.now = NOON + timedelta(hours=10)
    answer = recommend()
    assert (answer["items"], answer["personalized"], answer["consent"]["used"]) == ([], False, [])
    assert (answer["not_now_because"], answer["not_before"]) == (
        "quiet_hours",
        "2024-06-04T08:00:00.000000Z",
    )
    assert recommend("web")["items"]
    assert recommend(time_zone="America/New_York")["items"]
    assert recommend(customer="nobody")["not_now_because"] == "quiet_hours"


def test_what_is_sensitive_is_shown_to_who_asks_for_it(recommend):
    """A sensitive product is nobody's best seller, unless its category is asked for."""
    assert [item["product_id"] for item in recommend("web")["items"]] == ["mug"]
    assert [
        item["product_id"] for item in recommend("web", product_categories=("health",))["items"]
    ] == ["test"]


def test_a_history_forgets_what_is_sensitive():
    """Without the sensitive products a history is what it would be had they never been bought."""
    row = OnlineRow(
        "2024", np.array([1.0]), ("mug", "test", "cup"), np.array([[1.0], [2.0], [3.0]])
    )
    left = without(row, {"test"})
    assert left.products == ("mug", "cup")
    assert left.columns.tolist() == [[1.0], [3.0]]
    assert without(row, set()) is row


def test_discoveries_are_marked_with_their_chance_and_replayed(service, pool):
    """Half of ten places go to products that the customer never bought and would not have seen; the
    replay draws the same.
    """
    customer = pool.one()
    usual = service.recommend(customer, k=10)
    assert {(item["explored"], item["propensity"]) for item in usual["items"]} == {(False, 1.0)}
    answer = service.recommend(customer, k=10, discover=0.5)
    fits(Recommendation, answer)
    found = [item for item in answer["items"] if item["explored"]]
    assert len(found) == 5
    best = [item["product_id"] for item in usual["items"]]
    assert not {item["product_id"] for item in found} & set(best)
    assert [item["product_id"] for item in answer["items"] if not item["explored"]] == best[:5]
    assert all(0 < item["propensity"] < 1 for item in answer["items"])
    assert len({item["propensity"] for item in found}) > 1  # by what the ranker thinks of each
    for item in found:
        bought = [
            part
            for part in item["explanation"]["contributions"]
            if part["feature"] == "times_bought"
        ]
        assert all(part["value"] == 0 for part in bought)
    assert service.replay(answer["decision_id"])["replay"] == {"identical": True}


@pytest.mark.parametrize("explain", ["full", "reasons"])
def test_a_discovery_says_that_it_is_one(service, pool, explain):
    """First of at most four reasons, in the language asked for and on the page; nothing else says
    so.
    """
    answer = service.recommend(pool.one(), k=10, discover=0.5, language="de", explain=explain)
    said = (
        "Außerhalb dessen, was am besten zu Ihnen passt: per Zufall gewählt, damit Sie Neues"
        " entdecken können."
    )
    for item in answer["items"]:
        texts = [reason["text"] for reason in item["explanation"]["reasons"]]
        assert len(texts) <= MOST_REASONS
        assert [place for place, text in enumerate(texts) if text == said] == (
            [0] if item["explored"] else []
        )
    assert service.page(f"{answer['why_url']}?language=de").text.count(said) == 5
    assert service.page(answer["why_url"]).text.count(DISCOVERY.text) == 5


def test_discoveries_are_drawn_anew_each_time(service, pool):
    """Two lists of the same customer differ in what there is to discover."""
    customer = pool.one()
    drawn = [
        [item["product_id"] for item in service.recommend(customer, k=10, discover=0.5)["items"]]
        for _ in range(4)
    ]
    assert len({tuple(products) for products in drawn}) > 1


def test_a_list_without_anything_personal_discovers_nothing(service, pool):
    """Best sellers have no usual to be outside of."""
    assert not any(
        item["explored"] for item in service.recommend(pool.one(()), discover=0.5)["items"]
    )


def test_the_metrics_tell_the_share_of_discoveries(service, pool):
    """`/metrics` has a share between none and a half, and more places after each answer."""

    def figure(name: str) -> float:
        return next(
            float(line.split()[1])
            for line in httpx.get(f"{service.url}/metrics").text.splitlines()
            if line.startswith(f"{name} ")
        )

    customer = pool.one()
    before = figure("sayso_places_30_days")
    service.recommend(customer, k=10, discover=0.5)
    assert figure("sayso_places_30_days") == before + 10
    assert 0 < figure("sayso_discovery_share") <= 0.5


def test_an_answer_that_waits_uses_nothing_and_replays(service, pool):
    """A customer's cap of none closes the channel: nothing is shown or used, the page of the
    decision opens, the replay is identical.
    """
    customer = pool.one()
    service.opt_out(customer, "frequency", "kiosk:0/1")
    answer = service.recommend(customer, channel="kiosk")
    fits(Recommendation, answer)
    assert (answer["items"], answer["consent"]["used"], answer["not_personalized_because"]) == (
        [],
        [],
        "not_now",
    )
    assert answer["consent"]["withheld"] == list(CATEGORIES)
    assert service.page(answer["why_url"]).status_code == 200
    assert service.replay(answer["decision_id"])["replay"] == {"identical": True}
    assert service.recommend(customer)["personalized"]


@pytest.mark.parametrize(
    ("path", "fault", "field"),
    [
        ("/v1/recommendations", {"discover": 0.6}, "discover"),
        ("/v1/recommendations", {"discover": -0.1}, "discover"),
        ("/v1/recommendations", {"discover": "0.1"}, "discover"),
        ("/v1/recommendations", {"time_zone": "Middle/Earth"}, "time_zone"),
        ("/v1/recommendations", {"time_zone": "Europe"}, "time_zone"),
        ("/v1/recommendations", {"time_zone": "../../etc/passwd"}, "time_zone"),
        ("/v1/recommendations", {"time_zone": "\x00"}, "time_zone"),
        ("/v1/opt-outs", {"scope": "frequency", "value": "often"}, "value"),
        ("/v1/opt-outs", {"scope": "frequency", "value": "email:1/0"}, "value"),
    ],
)
def test_a_contact_policy_that_cannot_be_are_refused(service, path, fault, field):
    """A share, a zone or a cap that does not exist is 422 with its field."""
    document = is_problem(service.http.post(path, json={"customer_id": "nobody", **fault}), 422)
    assert field in [error["field"] for error in document["errors"]]


@pytest.mark.parametrize(
    "stated",
    [
        {"discover": 0.51},
        {"floor": 1.0},
        {"time_zone": "Mars/Base"},
        {"caps": [{"channel": "email", "most": -1}]},
        {"quiet_from": "late"},
    ],
)
def test_a_faulty_section_is_refused(stated):
    """`[contact_policy]` of sayso.toml takes nothing that could not be followed."""
    with pytest.raises(ValueError, match=next(iter(stated))):
        ContactPolicySection.model_validate(stated)


def test_what_is_sensitive_leads_to_nothing_else(served, pool):
    """With a sensitive department the lists are those of customers who never bought there; no item
    or reason comes from it.
    """
    sayso = assemble(served.workspace, "http://127.0.0.1")
    sayso.watch.look()
    sensitive = "department 1"
    recommender, ready = sayso.recommender, sayso.recommender._online.ready_all
    of_department = recommender._assortment().hidden_by([sensitive], [])
    changed = 0
    for customer in pool.take(3):
        plain = RecommendationRequest(customer_id=customer)
        usual = told(recommender.answer(plain))["items"]
        recommender._gatherer.policy = ContactPolicySection(sensitive=(sensitive,))
        held = told(recommender.answer(plain))["items"]
        asked = told(
            recommender.answer(
                RecommendationRequest(customer_id=customer, product_categories=(sensitive,))
            )
        )["items"]
        recommender._gatherer.policy = ContactPolicySection()
        recommender._online.ready_all = lambda whose: {
            one: without(row, of_department) for one, row in ready(whose).items()
        }
        never = told(
            recommender.answer(
                RecommendationRequest(customer_id=customer, exclude=tuple(of_department))
            )
        )["items"]
        recommender._online.ready_all = ready
        assert held == never
        assert {item["product_id"] for item in asked} <= of_department
        assert all(
            part["value"] == 0
            for item in asked
            for part in item["explanation"]["contributions"]
            if part["feature"] == "times_bought"
        )
        changed += held != [item for item in usual if item["product_id"] not in of_department]
    assert changed
    sensitive_basket = RecommendationRequest(
        customer_id=customer, basket=tuple(sorted(of_department))
    )
    recommender._gatherer.policy = ContactPolicySection(sensitive=(sensitive,))
    assert (
        told(recommender.answer(sensitive_basket))["items"]
        == told(recommender.answer(plain))["items"]
    )
    sayso.close()


def test_a_campaign_is_judged_for_the_moment_at_which_it_is_sent(asked, recommend):
    """At night nothing is shown now, and something at nine; its place under the cap is reserved for
    then, and counts for whatever lies within the cap's days of it.
    """
    asked.now = NOON.replace(hour=23)
    at_nine = NOON.replace(hour=9) + timedelta(days=1)
    assert recommend()["not_now_because"] == "quiet_hours"
    planned = [recommend(send_at=at_nine) for _ in range(4)]
    assert [bool(answer["items"]) for answer in planned] == [True, True, True, False]
    assert {answer["send_at"] for answer in planned} == {"2024-06-04T09:00:00.000000Z"}
    assert planned[3]["not_before"] == "2024-06-11T09:00:00.000000Z"
    assert {row["shown_at"] for row in rows(asked, exposures)} == {"2024-06-04T09:00:00.000000Z"}
    asked.now = NOON.replace(hour=8) + timedelta(days=1)
    held = recommend()
    assert (held["not_now_because"], held["not_before"]) == (
        "frequency",
        "2024-06-11T09:00:00.000000Z",
    )


@pytest.mark.parametrize("days", [-1, 8])
def test_a_moment_that_is_past_or_too_far_is_refused(asked, recommend, days):
    """`send_at` lies between now and the shop's `send_at_within` days; nothing is recorded."""
    with pytest.raises(SendAtRefused, match="send_at_within"):
        recommend(send_at=NOON + timedelta(days=days))
    assert not rows(asked, exposures)
