"""A typed answer is written in the order of its fields, and its numbers keep every bit."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from msgspec import structs

from explain.explanation import FeatureContribution, SaidReason
from serving.contract.answers import ConsentUsed, Item, ItemExplanation, RecommendationAnswer
from serving.decisions.document import document, encoded, plain
from serving.http.api.addressed import AnswerResponse

REASON = SaidReason("purchases", "You bought this.", "bought", {"count": 3}, "for")
ITEM = Item(rank=1, product_id="mug", title="Tasse", score=1e-05, explored=False, propensity=1.0)
ANSWER = RecommendationAnswer(
    personalized=True,
    not_personalized_because=None,
    automated=True,
    disclosure="Chosen automatically.",
    language="en",
    model=None,
    consent=ConsentUsed(ledger_seq=3, used=("purchases",), withheld=()),
    items=[ITEM],
)


def test_an_answer_keeps_its_order_and_leaves_out_what_is_absent():
    """Nothing stands for a field that this answer does not have; an empty one is null."""
    written = AnswerResponse(ANSWER).body.decode()
    assert written == (
        '{"personalized":true,"not_personalized_because":null,"automated":true,'
        '"disclosure":"Chosen automatically.","language":"en","model":null,'
        '"consent":{"ledger_seq":3,"used":["purchases"],"withheld":[]},'
        '"items":[{"rank":1,"product_id":"mug","title":"Tasse","score":0.00001,"explored":false,'
        '"propensity":1.0}]}'
    )


@pytest.mark.parametrize(("because", "not_before"), [("frequency", None), ("quiet_hours", "12:00")])
def test_a_field_may_be_empty_where_the_one_it_is_told_with_is_there(because, not_before):
    """When to come back is told with why nothing is shown now, also where it is never."""
    held = plain(replace(ANSWER, not_now_because=because, not_before=not_before))
    assert (held["not_now_because"], held["not_before"]) == (because, not_before)
    assert not {"not_now_because", "not_before"} & set(plain(ANSWER))


def test_reasons_may_stand_without_numbers():
    """An explanation that was asked for in words holds nothing else."""
    part = FeatureContribution("times_bought", "purchases", 3.0, 1e16)
    words = ItemExplanation(reasons=[REASON])
    whole = ItemExplanation(base_value=0.0, output_value=1.0, contributions=[part], reasons=[])
    assert list(plain(words)) == ["reasons"]
    assert list(plain(words)["reasons"][0]) == [
        "category",
        "text",
        "template",
        "values",
        "direction",
    ]
    assert b'"contribution":1e16' in AnswerResponse(replace(ITEM, explanation=whole)).body


def test_what_is_recorded_is_what_is_written():
    """What is kept of an answer is what its reader gets, but for what is made anew."""
    part = FeatureContribution("times_bought", "purchases", 3.0, 0.1)
    why = ItemExplanation(base_value=0.0, output_value=0.1, contributions=[part], reasons=[REASON])
    answer = replace(ANSWER, items=[replace(ITEM, explanation=why)])
    said, kept = plain(answer), json.loads(encoded(document(answer, kept=True)))
    assert said["items"][0]["explanation"].pop("contributions") == [structs.asdict(part)]
    assert kept == said


@pytest.mark.parametrize("number", [0.1, 1 / 3, 1e-05, 5e-324, 1e16, 1.7976931348623157e308, -0.0])
def test_a_number_keeps_every_bit(number):
    """Whatever way it is written, it is read as the same number."""
    assert json.loads(encoded(number)).hex() == number.hex()
