"""What a customer's choices would change is what they do change: foretold, done, and compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import nextafter

import pytest
from sqlalchemy import func, select

from explain.game import Game
from features.consent.event import ConsentEvent
from features.database.tables import decisions, opt_outs
from features.progress import silent
from features.shop.workspace import Workspace
from serving.bootstrap import Sayso, assemble
from serving.contract.requests import RecommendationRequest
from serving.pages.reader import reader_of
from serving.pages.why import OPEN_ITEMS, WhyPage
from serving.proofs.control.proof import compare
from serving.proofs.control.trial import Score, Trial
from serving.what_if import WhatIf
from tests.decided import told
from tests.serving_shop import CATEGORIES, FOR_CHURN, FOR_ITEMS, copied, sharing

pytest_plugins = ["tests.serving_fixtures"]
pytestmark = pytest.mark.early

EXACT = 1e-9
WHO = sharing(*CATEGORIES)[:12]


@pytest.fixture(scope="module")
def sayso(trained_root, tmp_path_factory) -> Iterator[Sayso]:
    """The parts that answer, on a copy of the shop, whose statistics stay as they are unless a test
    looks.
    """
    made = assemble(
        Workspace.open(copied(trained_root, tmp_path_factory.mktemp("consequences") / "mugs")), ""
    )
    made.watch.look()
    yield made
    made.close()


def pseudonym(sayso: Sayso, customer: str) -> int:
    """A customer's pseudonym."""
    return sayso.shop.customers.pseudonym(customer)


def say(sayso: Sayso, customer: str, purpose: str, action: str, *categories: str) -> None:
    """A customer says something."""
    for category in categories:
        sayso.shop.ledger.append(ConsentEvent(customer, purpose, category, action, "test", "1"))


def listed(sayso: Sayso, customer: str, **fields: object) -> dict[str, float]:
    """What is recommended, best first, with its score."""
    answer = sayso.recommender.answer(
        RecommendationRequest(customer_id=customer, k=60, explain="none", **fields)
    )
    return {item.product_id: item.score for item in answer.answer.items}


def page_of(sayso: Sayso, customer: str, **fields: object) -> WhyPage:
    """The why page of a new answer to a customer, which can be made again."""
    answer = sayso.recommender.answer(RecommendationRequest(customer_id=customer, **fields))
    decision, _ = sayso.decisions.find(answer.decision_id)
    assert sayso.decisions.identical(decision)
    return WhyPage(sayso, decision, reader_of(sayso.words, "en", None))


def test_places_and_scores_without_a_category_are_those_after_its_withdrawal(sayso):
    """Withdrawn, each category leaves exactly the list, the places and the scores that the game
    said.
    """
    for customer, category in product(WHO[:2], CATEGORIES):
        before = listed(sayso, customer)
        game = sayso.what_if.of_recommendation(pseudonym(sayso, customer), list(before))
        say(sayso, customer, FOR_ITEMS, "withdrawn", category)
        after = listed(sayso, customer)
        assert game.lists.now == tuple(before)
        assert game.lists.without[category] == tuple(after)
        for one in game.products:
            assert one.place == list(before).index(one.product_id) + 1
            assert one.place_without[category] == (
                list(after).index(one.product_id) + 1 if one.product_id in after else None
            )
            part = {part.category: part for part in one.score.played}[category]
            assert one.score.output_value == before[one.product_id]
            assert part.without == after.get(one.product_id, part.without)
        say(sayso, customer, FOR_ITEMS, "granted", category)
        sayso.watch.look()


def test_what_a_basket_changes_is_foretold_too(sayso):
    """With a basket the scores and lists that the game says are those served, before and after each
    category is withdrawn.
    """
    customer, basket = WHO[2], ("p03", "p17")
    request = RecommendationRequest(customer_id=customer, basket=basket)
    for category in CATEGORIES:
        before = listed(sayso, customer, basket=basket)
        game = sayso.what_if.of_recommendation(pseudonym(sayso, customer), list(before), request)
        say(sayso, customer, FOR_ITEMS, "withdrawn", category)
        after = listed(sayso, customer, basket=basket)
        assert game.lists.now == tuple(before) != tuple(listed(sayso, customer))
        assert game.lists.without[category] == tuple(after)
        for one in game.products:
            assert one.score.output_value == before[one.product_id]
            part = {part.category: part for part in one.score.played}[category]
            assert part.without == after.get(one.product_id, part.without)
        say(sayso, customer, FOR_ITEMS, "granted", category)
        sayso.watch.look()


def test_what_everybody_sees_is_what_is_left_without_anything(sayso):
    """Everything withdrawn, serving lists exactly what the game said everybody sees."""
    customer = WHO[6]
    before = listed(sayso, customer)
    game = sayso.what_if.of_recommendation(pseudonym(sayso, customer), list(before))
    say(sayso, customer, FOR_ITEMS, "withdrawn", *CATEGORIES)
    assert game.lists.for_everybody == tuple(listed(sayso, customer))
    assert sayso.what_if.of_recommendation(pseudonym(sayso, customer), list(before)) is None


def test_shares_of_a_score_add_up(sayso):
    """From the score that a product has for everybody, which is the same for all, the shares lead
    to the one it has here.
    """
    bases: dict[str, set[float]] = {}
    for customer in WHO[7:10]:
        game = sayso.what_if.of_recommendation(
            pseudonym(sayso, customer), [f"p{number:02}" for number in range(30)]
        )
        assert len(game.products) == 30
        for one in game.products:
            assert one.score.base_value + sum(
                part.contribution for part in one.score.played
            ) == pytest.approx(one.score.output_value, abs=EXACT)
            bases.setdefault(one.product_id, set()).add(one.score.base_value)
    assert {len(values) for values in bases.values()} == {1}
    assert len({value for values in bases.values() for value in values}) > 5


def test_the_game_of_an_estimate_is_the_one_that_the_answer_shows(sayso):
    """The probability without a category is the one served after its withdrawal; without the last
    one there is no estimate.
    """
    for customer, category in zip(WHO[7:11], CATEGORIES, strict=True):
        game = sayso.what_if.of_churn(pseudonym(sayso, customer))
        say(sayso, customer, FOR_CHURN, "withdrawn", category)
        assert (
            sayso.churn.answer(customer).answer.probability
            == {part.category: part.without for part in game.played}[category]
        )
        say(sayso, customer, FOR_CHURN, "withdrawn", *CATEGORIES)
        assert sayso.what_if.of_churn(pseudonym(sayso, customer)) is None


def test_the_why_page_of_an_older_estimate_foretells_what_is_served_now(sayso):
    """Category after category, a page from before all withdrawals says what the next one leaves;
    the last one leaves no estimate.
    """
    customer = sharing(*CATEGORIES)[12]
    decision, _ = sayso.decisions.find(sayso.churn.answer(customer).decision_id)
    for category in CATEGORIES:
        page = WhyPage(sayso, decision, reader_of(sayso.words, "en", None))
        foretold = {part.name: part.without for part in page.used}
        say(sayso, customer, FOR_CHURN, "withdrawn", category)
        served = told(sayso.churn.answer(customer))
        if served["available"]:
            assert (
                foretold[category]
                == f"Without it, the estimate would be {round(100 * served['probability'])} in 100."
            )
        else:
            assert foretold[category] == "Without it there is no estimate about you any more."
        assert {name for name, said in foretold.items() if said is None} == set(
            CATEGORIES[: CATEGORIES.index(category)]
        )
    assert not served["available"]


def test_who_shares_less_plays_with_less(sayso):
    """Only granted categories are players, and a product that nobody knows of is left out."""
    customer = sharing("purchases", "order_times", "spending")[0]
    game = sayso.what_if.of_recommendation(
        pseudonym(sayso, customer), ["p03", "no-such-product", "p03"]
    )
    assert set(game.lists.without) == {"purchases", "order_times", "spending"}
    assert [one.product_id for one in game.products] == ["p03"]
    assert game.of("p03").product_id == "p03"
    assert game.of("no-such-product") is None


def test_opt_outs_and_the_request_count_as_in_an_answer(sayso):
    """What is excluded or opted out of is in none of the lists."""
    customer = WHO[11]
    first, second, *_ = listed(sayso, customer)
    sayso.opt_outs.add(pseudonym(sayso, customer), "product", first, None)
    request = RecommendationRequest(customer_id=customer, exclude=(second,))
    lists = sayso.what_if.of_recommendation(
        pseudonym(sayso, customer), [first, second], request
    ).lists
    assert all(
        not {first, second} & set(products)
        for products in (lists.now, lists.for_everybody, *lists.without.values())
    )


@pytest.mark.parametrize(
    "asked",
    [
        {"basket": ("p03", "p17")},
        {"exclude": ("p02", "p05", "p11")},
        {"product_categories": ("department 1", "department 3")},
        {
            "basket": ("p08",),
            "exclude": ("p09",),
            "product_categories": ("department 2", "department 3"),
            "channel": "app",
        },
    ],
    ids=" ".join,
)
def test_a_why_page_foretells_what_the_same_question_is_answered(sayso, asked):
    """The places and first products without a category are those served after its withdrawal to who
    asks the same once more.
    """
    customer = WHO[3]
    for category in CATEGORIES:
        page = page_of(sayso, customer, **asked)
        assert (
            page.lists.now
            == tuple(listed(sayso, customer, **asked))
            != tuple(listed(sayso, customer))
        )
        label = f"“{page.label(category)}”"
        foretold = {
            item.product: place
            for item in page.items[:OPEN_ITEMS]
            for place in item.places
            if label in place
        }
        say(sayso, customer, FOR_ITEMS, "withdrawn", category)
        after = list(listed(sayso, customer, **asked))
        assert page.lists.without[category] == tuple(after)
        assert len(foretold) == OPEN_ITEMS
        for product_id, place in foretold.items():
            where = (
                f"place {after.index(product_id) + 1}."
                if product_id in after
                else "not be among the suggestions"
            )
            assert where in place
        say(sayso, customer, FOR_ITEMS, "granted", category)
        sayso.watch.look()


def test_a_why_page_foretells_nothing_for_a_channel_that_was_left(sayso):
    """Who left the channel that was asked for is shown nothing there, whatever is shared; other
    channels go on.
    """
    customer = WHO[4]
    left, other = page_of(sayso, customer, channel="app"), page_of(sayso, customer)
    sayso.opt_outs.add(pseudonym(sayso, customer), "channel", "app", None)
    assert left.lists is not None
    assert WhyPage(sayso, left._decision, left._reader).lists is None
    assert WhyPage(sayso, other._decision, other._reader).lists == other.lists


def test_a_basket_that_was_not_to_be_used_is_kept_as_what_was_excluded(sayso):
    """Without consent to purchases no record holds a basket; once it could count, nothing is
    foretold of that answer.
    """
    customer, basket = sharing("order_times", "spending", "location")[0], ("p17", "p03")
    page = page_of(sayso, customer, basket=basket, exclude=("p05",))
    asked = json.loads(page._decision.inputs)["asked"]
    assert (asked["basket"], asked["exclude"]) == (None, ["p03", "p05", "p17"])
    say(sayso, customer, FOR_ITEMS, "withdrawn", "spending")
    assert page.lists.without["spending"] == tuple(
        listed(sayso, customer, basket=basket, exclude=("p05",))
    )
    say(sayso, customer, FOR_ITEMS, "granted", "spending", "purchases")
    assert WhyPage(sayso, page._decision, page._reader).lists is None


def test_of_a_decision_that_does_not_tell_what_was_asked_nothing_is_foretold(sayso):
    """A record of an earlier version opens with its products and reasons, and can be made again."""
    page = page_of(sayso, WHO[5], basket=("p03",))
    inputs = json.loads(page._decision.inputs)
    del inputs["asked"]
    earlier = replace(page._decision, inputs=json.dumps(inputs))
    assert sayso.decisions.identical(earlier)
    opened = WhyPage(sayso, earlier, page._reader)
    assert opened.lists is None
    assert [(item.title, item.reasons) for item in opened.items] == [
        (item.title, item.reasons) for item in page.items
    ]
    assert not any(item.places for item in opened.items)
    assert not any(part.without for part in opened.used)


def test_of_an_answer_that_is_not_personal_the_question_is_not_kept(sayso):
    """Whose basket was not used at all leaves none in the record."""
    answer = sayso.recommender.answer(
        RecommendationRequest(customer_id=sharing()[0], basket=("p03",), exclude=("p05",))
    )
    decision, _ = sayso.decisions.find(answer.decision_id)
    assert json.loads(decision.inputs)["asked"] is None


def test_asking_changes_nothing(sayso):
    """No decision, opt-out or consent is recorded by looking at what would be."""

    def recorded() -> tuple[int, ...]:
        with sayso.shop.database.read() as connection:
            counts = [
                connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (decisions, opt_outs)
            ]
        return (*counts, sayso.shop.ledger.position())

    before = recorded()
    sayso.what_if.of_churn(pseudonym(sayso, WHO[0]))
    sayso.what_if.of_recommendation(pseudonym(sayso, WHO[0]), ["p01"])
    assert recorded() == before


def test_nothing_is_said_of_somebody_who_shares_nothing(sayso):
    """Without consent there is no game to play, and for somebody unknown neither."""
    nobody = pseudonym(sayso, sharing()[0])
    for customer in (nobody, 987_654_321):
        assert sayso.what_if.of_churn(customer) is None
        assert sayso.what_if.of_recommendation(customer, ["p01"]) is None


def test_the_selftest_finds_nothing_wrong(sayso):
    """Category after category of customers who are left: all is as foretold, for both models, and
    some of it is a change.
    """
    score = compare(sayso, 4, silent)
    assert not score.faults
    assert score.pairs == 4
    assert score.probabilities + score.endings == score.lists == 4
    assert score.changed > 0
    assert score.scores > 100


def test_of_a_new_customer_with_a_basket_all_is_as_foretold(sayso):
    """Somebody who never ordered, answered by their basket, is told what each withdrawal changes,
    and that is what it changes.
    """
    say(sayso, "new", FOR_ITEMS, "granted", *CATEGORIES)
    score, trial = Score(), Trial(sayso, "new", CATEGORIES[::-1], ("p00", "p08"))
    for _ in CATEGORIES:
        trial.withdraw_next(score)
    assert not score.faults
    assert score.lists == len(CATEGORIES)


def test_a_foretelling_that_is_off_is_found_by_the_selftest(sayso, monkeypatch):
    """A probability that is foretold wrong by the smallest amount is told."""
    really = WhatIf.of_churn

    def off(self: WhatIf, customer: int) -> Game | None:
        game = really(self, customer)
        return (
            None
            if game is None
            else replace(
                game,
                played=tuple(
                    replace(part, without=nextafter(part.without, 1)) for part in game.played
                ),
            )
        )

    monkeypatch.setattr(WhatIf, "of_churn", off)
    assert any("was foretold" in fault for fault in compare(sayso, 4, silent).faults)
