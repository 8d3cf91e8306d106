"""What holds for every answer: it adds up, leaves out what is withheld, and can be made again."""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import replace
from itertools import chain

import pytest
from sqlalchemy import select, update

from features.consent.chain import link
from features.database import tables
from features.shop.shop import Shop
from serving.decisions import record as decisions
from tests.serving_shop import CATEGORIES, FOR_CHURN, FOR_ITEMS, Client, customer_id, everything_in
from tests.synthetic_shop import CUSTOMERS

pytest_plugins = ["tests.serving_fixtures"]

ASKED = 80
MOST_ERROR = 1e-6
MOST_GAME_ERROR = 1e-9
Answers = dict[str, dict[str, dict]]


@pytest.fixture(scope="module")
def answers(service: Client) -> Answers:
    """Both answers and the consents of customers drawn at random, over HTTP."""
    drawn = random.Random(5).sample(range(CUSTOMERS), ASKED)
    return {
        customer: {
            "items": service.recommend(customer),
            "churn": service.churn(customer),
            "consents": _consents(service, customer),
        }
        for customer in map(customer_id, drawn)
    }


def _consents(service: Client, customer: str) -> dict[str, list]:
    """What a customer allows; nothing where the shop does not know them, or another test erased
    them.
    """
    response = service.http.get(f"/v1/customers/{customer}/consents")
    return {"state": []} if response.status_code == 404 else service.answer(response)


def granted(answer: dict, purpose: str) -> set[str]:
    """The categories in force for a purpose, as the service states them on a route of their own."""
    return {
        entry["category"]
        for entry in answer["consents"]["state"]
        if entry["purpose"] == purpose and entry["action"] == "granted"
    }


def test_contributions_add_up_to_the_score_of_every_item(answers):
    """The base value plus all contributions of an item is its score."""
    items = [item for answer in answers.values() for item in answer["items"]["items"]]
    errors = [abs(_sum(item["explanation"]) - item["score"]) for item in items]
    assert len(errors) > 9 * ASKED
    assert max(errors) <= MOST_ERROR
    assert all(item["explanation"]["output_value"] == item["score"] for item in items)


def test_contributions_add_up_to_the_log_odds_of_churn(answers):
    """The base value plus all contributions is the estimate's log-odds, whose logistic is the
    probability.
    """
    estimates = [answer["churn"] for answer in answers.values() if answer["churn"]["available"]]
    assert len(estimates) > ASKED / 2
    for estimate in estimates:
        assert (
            abs(_sum(estimate["explanation"]) - estimate["explanation"]["output_value"])
            <= MOST_ERROR
        )
        assert (
            abs(
                1 / (1 + math.exp(-estimate["explanation"]["output_value"]))
                - estimate["probability"]
            )
            <= MOST_GAME_ERROR
        )


def test_the_category_game_adds_up_to_the_probability(answers):
    """The base value of the category game plus all its contributions is the probability, and all
    granted categories play.
    """
    for answer in answers.values():
        if answer["churn"]["available"]:
            game = answer["churn"]["explanation"]["categories"]
            assert abs(_sum(game) - answer["churn"]["probability"]) <= MOST_GAME_ERROR
            assert game["output_value"] == answer["churn"]["probability"]
            assert {part["category"] for part in game["contributions"]} == granted(
                answer, FOR_CHURN
            )


def test_both_views_of_churn_share_their_base_value(answers):
    """What everybody gets is the same in log-odds and in probability."""
    for answer in answers.values():
        if answer["churn"]["available"]:
            why = answer["churn"]["explanation"]
            assert 1 / (1 + math.exp(-why["base_value"])) == pytest.approx(
                why["categories"]["base_value"], abs=MOST_GAME_ERROR
            )


def test_an_answer_states_what_it_used_and_withheld(answers):
    """Used and withheld together are all categories, and used are exactly the granted ones."""
    for answer in answers.values():
        for kind, purpose in (("items", FOR_ITEMS), ("churn", FOR_CHURN)):
            stated = answer[kind]["consent"]
            assert sorted(stated["used"] + stated["withheld"]) == sorted(CATEGORIES)
            opted_out = "opted_out" in (
                answer[kind].get("not_personalized_because"),
                answer[kind].get("unavailable_because"),
            )
            assert set(stated["used"]) == (set() if opted_out else granted(answer, purpose))


def test_a_withheld_category_stands_nowhere_but_under_withheld(answers):
    """No contribution, reason or other text of an answer carries a withheld category."""
    seen = 0
    for answer in chain.from_iterable((a["items"], a["churn"]) for a in answers.values()):
        withheld = set(answer["consent"]["withheld"])
        rest = {**answer, "consent": {**answer["consent"], "withheld": []}}
        assert not withheld & {part for part in everything_in(rest) if isinstance(part, str)}
        seen += bool(withheld)
    assert seen > ASKED / 4


def test_contributions_of_exactly_nothing_are_left_out(answers):
    """A contribution that is listed is not zero, and its value is a number."""
    parts = [
        part
        for answer in answers.values()
        for item in answer["items"]["items"]
        for part in item["explanation"]["contributions"]
    ]
    assert parts
    assert all(part["contribution"] != 0 and math.isfinite(part["value"]) for part in parts)


def test_some_answers_are_personal(answers):
    """The figures above are not about empty explanations: what drives this shop's customers
    contributes to some answer.
    """
    of_items = {
        part["category"]
        for a in answers.values()
        for item in a["items"]["items"]
        for part in item["explanation"]["contributions"]
    }
    of_churn = {
        part["category"]
        for a in answers.values()
        if a["churn"]["available"]
        for part in a["churn"]["explanation"]["contributions"]
    }
    assert {"purchases", "product"} <= of_items
    assert {"order_times", "purchases", "spending"} <= of_churn


def test_reasons_rest_on_categories_that_were_used(answers):
    """A reason is about a used category or about the product, and no category gives two."""
    for answer in answers.values():
        used = {*answer["items"]["consent"]["used"], "product"}
        for item in answer["items"]["items"]:
            said = [reason["category"] for reason in item["explanation"]["reasons"]]
            assert set(said) <= used
            assert len(said) == len(set(said)) <= 4


def test_every_decision_is_made_again_identically(service, answers):
    """A replay of every decision comes out the same, and shows the answer as it was given."""
    for answer in chain.from_iterable((a["items"], a["churn"]) for a in answers.values()):
        again = service.replay(answer["decision_id"])
        assert again.pop("replay") == {"identical": True}
        signed_anew = {"why_url", "preferences_url", "event_url", "request_id", "data_until"} | (
            set() if again["customer_id"] else {"customer_id"}
        )
        assert {n: v for n, v in again.items() if n in answer and n not in signed_anew} == {
            n: v for n, v in answer.items() if n not in signed_anew
        }


@pytest.mark.parametrize("kind", ["recommend", "churn"])
def test_an_altered_byte_of_a_decision_is_told(service, served, pool, kind):
    """Whichever byte of a stored decision is altered, the service says that it was changed and
    shows nothing of it.
    """
    id = getattr(service, kind)(pool.one())["decision_id"]
    stored = _stored(served, id)["content"]
    for position in random.Random(1).sample(range(len(stored)), 8):
        _store(
            served,
            id,
            content=stored[:position] + bytes([stored[position] ^ 1]) + stored[position + 1 :],
        )
        _assert_refused(service, id)
    _store(served, id, content=stored)
    assert service.replay(id)["replay"] == {"identical": True}


def test_a_forged_hash_does_not_make_an_altered_answer_identical(service, served, pool):
    """Whoever alters the answer, seals it and gives the record a hash that fits it is found out by
    making the answer anew.
    """
    id = service.recommend(pool.one())["decision_id"]
    before = _stored(served, id)
    with served.database.write() as connection:
        key = served.vault.key(connection, before["customer"])
    with served.database.read() as connection:
        said = decisions.read(connection, served.vault, id)
    altered = replace(said, answer=said.answer.replace('"rank":1,', '"rank":7,'))
    content = key.seal(decisions.packed(altered), f"decision:{id}")
    row = {name: value for name, value in before.items() if name not in ("hash", "content")}
    row["content_digest"] = hashlib.sha256(content).hexdigest()
    _store(served, id, content=content, hash=link(row), content_digest=row["content_digest"])
    again = service.replay(id)
    assert again["items"][0]["rank"] == 7
    assert again["replay"] == {"identical": False}
    _store(served, id, **before)


@pytest.mark.parametrize("broken", [b"", b"\x00", b"\x01", b"\x00{}", b"\x01" + bytes(40), b"null"])
def test_a_decision_that_is_no_document_any_more_is_no_fault_of_the_service(
    service, served, pool, broken
):
    """A stored decision that was cut off or replaced is told as damaged, never a 5xx."""
    id = service.churn(pool.one())["decision_id"]
    before = _stored(served, id)
    _store(served, id, content=broken)
    _assert_refused(service, id)
    _store(served, id, **before)


def test_a_decision_moved_to_another_customer_is_told(service, served, pool):
    """A stored decision that was given to another customer is told as damaged."""
    mine, theirs = (service.recommend(customer)["decision_id"] for customer in pool.take(2))
    before = _stored(served, mine)
    _store(served, mine, customer=_stored(served, theirs)["customer"])
    _assert_refused(service, mine)
    _store(served, mine, **before)


def test_decisions_hold_no_customer_id(served, answers):
    """Neither inputs nor answers of stored decisions hold the shop's ids of customers."""
    with served.database.read() as connection:
        rows = connection.execute(select(tables.decisions)).mappings().all()
        opened = [
            decisions.opened(connection, served.vault, dict(row)) for row in rows if row["content"]
        ]
    assert len(opened) >= 2 * len(answers)
    assert all("ledger_seq" in found.answer for found in opened)
    assert not any("canary" in text for found in opened for text in (found.inputs, found.answer))


def test_the_chain_of_all_decisions_holds(served, answers):
    """After all these answers every decision verifies."""
    with served.database.read() as connection:
        assert decisions.verify_decisions(connection) >= 2 * len(answers)


def _assert_refused(service: Client, id: str) -> None:
    """A decision is told as changed, made again or not, and nothing of it is shown."""
    for replay in ("true", "false"):
        response = service.http.get(f"/v1/decisions/{id}", params={"replay": replay})
        assert 400 <= response.status_code < 500, response.text
        assert "changed" in response.text
        assert "explanation" not in response.text


def _sum(explanation: dict) -> float:
    return explanation["base_value"] + sum(
        part["contribution"] for part in explanation["contributions"]
    )


def _stored(shop: Shop, id: str) -> dict:
    with shop.database.read() as connection:
        return dict(
            connection.execute(select(tables.decisions).where(tables.decisions.c.id == id))
            .mappings()
            .one()
        )


def _store(shop: Shop, id: str, /, **values: object) -> None:
    with shop.database.write() as connection:
        connection.execute(
            update(tables.decisions).where(tables.decisions.c.id == id).values(**values)
        )
