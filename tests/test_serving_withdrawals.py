"""Off means off now: what a withdrawal does to the very next answer, and that the page foretold it
exactly.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice

import pytest
from pydantic import TypeAdapter

from serving.contract.answers import Recommendation
from tests.serving_shop import CATEGORIES, FOR_CHURN, FOR_ITEMS, Client, everything_in

pytest_plugins = ["tests.serving_fixtures"]
pytestmark = pytest.mark.early

PAIRS = 8
RACES = 2
ASKERS = 8
TRIES = 4
OWN_TO_EACH_ANSWER = {"decision_id", "request_id", "generated_at", "why_url", "preferences_url"}


def same(answer: dict) -> dict:
    """An answer without what every answer has of its own."""
    rest = {name: value for name, value in answer.items() if name not in OWN_TO_EACH_ANSWER}
    return {
        **rest,
        "consent": {
            name: value for name, value in answer["consent"].items() if name != "ledger_seq"
        },
    }


def used_and_withheld(answer: dict) -> tuple[list[str], list[str]]:
    """What an answer was made with and without."""
    return answer["consent"]["used"], answer["consent"]["withheld"]


def unmoved(ask: Callable[[], dict], act: Callable[[], object]) -> dict:
    """The answer, which `act` has to leave as it was; what others bought together may be made anew
    just then, so it is tried again.
    """
    for _ in range(TRIES):
        before = ask()
        act()
        after = ask()
        if same(after) == same(before):
            return after
        time.sleep(1)
    raise AssertionError("the answer is another one")


def uses(answer: dict, category: str) -> bool:
    """Whether an answer shows a category anywhere but under `withheld`."""
    rest = {**answer, "consent": {**answer["consent"], "withheld": []}}
    return category in {part for part in everything_in(rest) if isinstance(part, str)}


@pytest.fixture(scope="module")
def pairs(pool) -> list[tuple[str, str, str]]:
    """Customers who share everything, each with a purpose and a category to withdraw."""
    purposes = [FOR_ITEMS, FOR_CHURN]
    return [
        (customer, purposes[position // len(CATEGORIES) % 2], category)
        for position, (customer, category) in enumerate(
            zip(pool.take(PAIRS), islice(cycle(CATEGORIES), PAIRS), strict=True)
        )
    ]


def asked(service: Client, customer: str, purpose: str) -> dict:
    """The answer of the purpose's route."""
    return service.recommend(customer) if purpose == FOR_ITEMS else service.churn(customer)


def test_the_answer_after_a_withdrawal_does_without_and_is_the_one_foretold(service, pairs):
    """The answer after a withdrawal uses nothing of it and serves the very `without` shown; a new
    grant brings the old answer back.

    What others bought together is behind recommendations as well, and a withdrawal ends that too:
    of these the consent comes back.
    """
    foretold = 0
    for customer, purpose, category in pairs:
        before = asked(service, customer, purpose)
        assert category in before["consent"]["used"]
        receipt = service.say(customer, purpose, category, "withdrawn")
        after = asked(service, customer, purpose)
        assert after["consent"]["ledger_seq"] >= receipt["seq"]
        assert category in after["consent"]["withheld"]
        assert not uses(after, category)
        if purpose == FOR_CHURN:
            without = {
                part["category"]: part["without"]
                for part in before["explanation"]["categories"]["contributions"]
            }
            assert after["probability"] == without[category]
            foretold += 1
        service.say(customer, purpose, category, "granted")
        again = asked(service, customer, purpose)
        assert used_and_withheld(again) == used_and_withheld(before)
        assert again.get("personalized") == before.get("personalized")
        assert purpose == FOR_ITEMS or same(again) == same(before)
    assert foretold >= PAIRS // 3


def test_a_withdrawal_for_one_purpose_leaves_the_other_as_it_was(service, pool):
    """What is withdrawn for recommendations still serves the churn estimate, and the other way
    round.
    """
    customer = pool.one()
    churn = service.churn(customer)
    service.say(customer, FOR_ITEMS, "purchases", "withdrawn")
    assert same(service.churn(customer)) == same(churn)
    assert "purchases" in service.recommend(customer)["consent"]["withheld"]
    other = pool.one()
    items = unmoved(
        lambda: service.recommend(other),
        lambda: service.say(other, FOR_CHURN, "purchases", "refused"),
    )
    assert "purchases" in items["consent"]["used"]
    assert "purchases" in service.churn(other)["consent"]["withheld"]


@pytest.mark.slow
def test_category_after_category_each_estimate_was_foretold(service, pool):
    """Withdrawing category after category, each probability is exactly the one that the answer
    before showed; at last there is none.
    """
    for customer in pool.take(8):
        answer = service.churn(customer)
        for category in ("location", "spending", "order_times"):
            shown = {
                part["category"]: part["without"]
                for part in answer["explanation"]["categories"]["contributions"]
            }
            service.say(customer, FOR_CHURN, category, "withdrawn")
            answer = service.churn(customer)
            assert answer["probability"] == shown[category]
        service.say(customer, FOR_CHURN, "purchases", "withdrawn")
        assert service.churn(customer)["unavailable_because"] == "no_consent"


@pytest.mark.parametrize("only", CATEGORIES)
def test_one_category_alone_is_enough_for_an_answer(service, pool, only):
    """A customer who shares a single category gets an estimate and personal recommendations from
    that category alone.
    """
    customer = pool.one()
    for purpose in (FOR_CHURN, FOR_ITEMS):
        for category in CATEGORIES:
            if category != only:
                service.say(customer, purpose, category, "withdrawn")
    churn, items = service.churn(customer), service.recommend(customer)
    assert churn["available"] and items["personalized"]  # noqa: PT018 - one fact about two answers
    assert churn["consent"]["used"] == items["consent"]["used"] == [only]
    assert {part["category"] for part in churn["explanation"]["contributions"]} <= {only}
    assert {
        part["category"] for item in items["items"] for part in item["explanation"]["contributions"]
    } <= {only, "product"}


def test_everything_withdrawn_gives_best_sellers_and_no_estimate(service, pool):
    """Without any consent everybody gets the same best sellers, told from the product alone, and
    there is no probability.
    """
    first, second = pool.take(2)
    for customer in (first, second):
        for purpose in (FOR_ITEMS, FOR_CHURN):
            for category in CATEGORIES:
                service.say(customer, purpose, category, "withdrawn")
    items = service.recommend(first)
    assert (items["personalized"], items["not_personalized_because"], items["model"]) == (
        False,
        "no_consent",
        None,
    )
    assert len(items["items"]) == 10
    assert items["consent"]["used"] == []
    assert sorted(items["consent"]["withheld"]) == sorted(CATEGORIES)
    explained = [item["explanation"] for item in items["items"]]
    assert {part["category"] for why in explained for part in why["contributions"]} == {"product"}
    assert {reason["category"] for why in explained for reason in why["reasons"]} == {"product"}
    assert all(
        why["base_value"] + sum(part["contribution"] for part in why["contributions"])
        == why["output_value"]
        for why in explained
    )
    assert service.recommend(second)["items"] == items["items"]
    churn = service.churn(first)
    assert (churn["available"], churn["unavailable_because"], churn["model"]) == (
        False,
        "no_consent",
        None,
    )
    assert not {"probability", "band", "explanation", "suggested_actions"} & set(churn)


def test_who_never_consented_gets_what_everybody_gets(service, pool):
    """A customer who was never asked and one who refused everything get the same answer as one who
    withdrew all.
    """
    refused, never_asked = pool.one(()), "zqx-canary-c019"
    assert service.recommend(refused)["not_personalized_because"] == "no_consent"
    assert service.recommend(never_asked)["not_personalized_because"] == "no_consent"
    assert service.recommend(refused)["items"] == service.recommend(never_asked)["items"]
    assert service.churn(never_asked)["unavailable_because"] == "no_consent"


def test_a_withdrawal_is_not_swallowed_by_an_idempotency_key_that_was_used(service, pool):
    """A withdrawal that comes under an earlier grant's idempotency key is refused or obeyed, never
    acknowledged and forgotten.
    """
    customer = pool.one()
    body = {
        "customer_id": customer,
        "purpose": FOR_ITEMS,
        "category": "purchases",
        "method": "test",
        "idempotency_key": "once",
    }
    assert (
        service.http.post(
            "/v1/consents", json=body | {"action": "granted", "notice_version": "1"}
        ).status_code
        == 201
    )
    status = service.http.post("/v1/consents", json=body | {"action": "withdrawn"}).status_code
    assert status in {409, 422} or not uses(service.recommend(customer), "purchases")


def test_the_same_withdrawal_under_the_same_key_is_written_once(service, pool):
    """A repeated delivery is acknowledged with the first one's place in the ledger."""
    body = {
        "customer_id": pool.one(),
        "purpose": FOR_ITEMS,
        "category": "spending",
        "method": "test",
        "action": "withdrawn",
    }
    first, again = (
        service.http.post("/v1/consents", json=body | {"idempotency_key": "delivery-1"}).json()
        for _ in range(2)
    )
    assert (first["seq"], first["hash"]) == (again["seq"], again["hash"])


def test_no_answer_that_starts_after_the_acknowledgement_uses_what_was_withdrawn(service, pool):
    """While eight callers keep asking for both answers, a withdrawal holds for every question that
    starts after it was acknowledged.
    """
    customers = pool.take(RACES)
    with ThreadPoolExecutor(ASKERS) as threads:
        for position, customer in enumerate(customers):
            category = CATEGORIES[position % len(CATEGORIES)]
            acknowledged = threading.Event()
            stop = time.monotonic() + 20

            def ask(
                number: int,
                customer: str = customer,
                acknowledged: threading.Event = acknowledged,
                stop: float = stop,
            ) -> list:
                asked_for = service.recommend if number % 2 else service.churn
                told = []
                while not any(late for late, _ in told) and time.monotonic() < stop:
                    late = acknowledged.is_set()
                    told.append((late, asked_for(customer)))
                return told

            asking = [threads.submit(ask, number) for number in range(ASKERS)]
            time.sleep(0.15)
            for purpose in (FOR_ITEMS, FOR_CHURN):
                service.say(customer, purpose, category, "withdrawn")
            acknowledged.set()
            told = [entry for future in asking for entry in future.result()]
            late = [answer for is_late, answer in told if is_late]
            assert len(late) >= ASKERS
            assert not any(uses(answer, category) for answer in late)
            assert any(uses(answer, category) for is_late, answer in told if not is_late)


@pytest.mark.slow
def test_concurrent_questions_get_the_answers_of_quiet_ones(service, pool):
    """Answers made at the same time for many customers whose features have to be made anew are the
    answers that each gets alone.
    """
    customers = pool.take(6)

    def alone() -> dict[str, tuple[dict, dict]]:
        return {
            customer: (same(service.recommend(customer)), same(service.churn(customer)))
            for customer in customers
        }

    def shaken(customer: str) -> tuple[dict, dict]:
        for action in ("withdrawn", "granted"):
            for purpose in (FOR_ITEMS, FOR_CHURN):
                service.say(customer, purpose, "spending", action)
        return same(service.recommend(customer)), same(service.churn(customer))

    with ThreadPoolExecutor(ASKERS) as threads:
        for _ in range(TRIES):
            before = alone()
            together = dict(zip(customers, threads.map(shaken, customers), strict=True))
            if before == alone():  # else what others bought together was made anew meanwhile
                assert together == before
                return
    pytest.fail("the answers never held still")


def test_answers_validate_while_everything_is_withheld(service, pool):
    """An answer without consent has the shape of every other answer."""
    answer = service.recommend(pool.one(()))
    TypeAdapter(Recommendation).validate_python(answer, extra="forbid")
