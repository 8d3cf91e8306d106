"""Reasons: short true sentences about what was used, and nothing about what was withheld."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explain.explanation import Contribution
from explain.reasons import CHURN_SENTENCES, MOST_REASONS, RECOMMENDATION_SENTENCES, Wording, ago, counted, days, reasons_for
from features.catalog import PRODUCT
from features.customer_features import CUSTOMER_DEFINITIONS
from features.history_features import HISTORY_DEFINITIONS
from features.pipeline import FOR_RANKING, reads_of
from features.shop import Shop
from models.learned_features import LEARNED_READS, PLACES
from models.product_statistics import PRODUCT_FEATURES

OF_CUSTOMERS = [name for definition in CUSTOMER_DEFINITIONS for name in definition.features]
OF_HISTORIES = [name for definition in HISTORY_DEFINITIONS for name in definition.features]
RANKING = [name for definition in CUSTOMER_DEFINITIONS if definition.expression.__name__ in FOR_RANKING for name in definition.features]
SILENT = {*RANKING, *PLACES}
"""Features of a customer that help to rank products and say nothing of any of them, and places in lists that nobody sees."""
BANNED = re.compile(r"\b(shap|shapley|log-odds|features?|models?|because|score|algorithm)\b", re.IGNORECASE)
WORDING = Wording("GBP", "United Kingdom of Great Britain and Northern Ireland")
MOST_WORDS = 20

numbers = st.one_of(st.sampled_from([0.0, 0.4, 0.5, 1.0, 1.4, 1.5, 2.0, 30.0]), st.floats(0, 1e7))


def values_of(names: list[str]) -> st.SearchStrategy[dict[str, float]]:
    """Values of all features, of the kind that they can have."""
    return st.fixed_dictionaries({name: st.sampled_from([0.0, 1.0]) if name == "home_country" else numbers for name in names})


def test_every_churn_feature_has_a_sentence() -> None:
    """Whatever may speak for or against leaving can be said, and nothing is said of what does not exist."""
    assert set(CHURN_SENTENCES) == set(OF_CUSTOMERS)


def test_every_ranking_feature_has_a_sentence_or_is_silent() -> None:
    """Whatever may speak for a product can be said or is listed here as silent, and nothing is said of what does not exist."""
    columns = {*OF_HISTORIES, *RANKING, *LEARNED_READS, *PRODUCT_FEATURES}
    assert columns - set(RECOMMENDATION_SENTENCES) == SILENT
    assert set(RECOMMENDATION_SENTENCES) <= columns


@settings(max_examples=40, deadline=None)
@given(values=values_of([*OF_CUSTOMERS, *OF_HISTORIES, *LEARNED_READS, *PRODUCT_FEATURES]))
def test_sentences_are_short_and_plain(values: dict[str, float]) -> None:
    """With any values a sentence is one sentence of at most twenty words, without jargon, loose ends or missing numbers, or is none."""
    churn = [sentence(values, WORDING) for sentence in CHURN_SENTENCES.values()]
    assert None not in churn
    for text in (*churn, *(sentence(values, WORDING) for sentence in RECOMMENDATION_SENTENCES.values())):
        if text:
            assert len(text.split()) <= MOST_WORDS
            assert not BANNED.search(text)
            assert re.fullmatch(r"[A-Z0-9][^{}]*[.]", text)
            assert "  " not in text
            assert "nan" not in text.lower().split()


@pytest.mark.parametrize("usual", [0.2, 0.49])
def test_a_rhythm_of_hours_reads_well(usual: float) -> None:
    """Who orders twice around midnight is not said to order every less than a day."""
    said = CHURN_SENTENCES["overdue"]({"days_since_last_order": 3.0, "days_between_orders": usual}, WORDING)
    assert said is not None
    assert "every less" not in said


def test_numbers_are_said_as_people_say_them() -> None:
    """Singular and plural, today and yesterday, thousands and currencies."""
    assert (days(0.2), days(1.2), days(1_234.4)) == ("less than a day", "1 day", "1,234 days")
    assert (ago(0.4), ago(1), ago(17.6)) == ("today", "yesterday", "18 days ago")
    assert (counted(1, "order", "orders"), counted(0, "order", "orders"), counted(2_000, "order", "orders")) == (
        "1 order",
        "0 orders",
        "2,000 orders",
    )
    assert Wording("GBP").money(1_234.5) == "1,234.50 GBP"
    assert Wording().money(2) == "2.00"


@pytest.mark.parametrize("kept", CHURN_SENTENCES)
def test_a_feature_speaks_for_itself(kept: str) -> None:
    """A sentence needs no other feature than its own: a shop may list one without the others."""
    assert CHURN_SENTENCES[kept]({kept: 3.0}, WORDING)


UNTRUE = {
    "bought_with_your_products": (0.0, "Often bought together"),
    "bought_with_your_last_order": (0.0, "Often bought together"),
    "trend": (0.3, "More customers"),
    "price_against_usual": (3.0, "near what you usually pay"),
    "times_bought": (0.0, "You bought"),
}
ABSURD = {"repeat_rate": (0.0, "0 in 100"), "buyers_last_30_days": (0.0, "0 customers"), "buyers_last_90_days": (0.0, "0 customers")}


@pytest.mark.parametrize("feature", [*UNTRUE, *ABSURD])
def test_a_sentence_is_said_where_it_is_true(feature: str) -> None:
    """A feature whose value contradicts the sentence, or makes it absurd, gives no such reason even if its contribution is positive."""
    value, untrue = (UNTRUE | ABSURD)[feature]
    said = reasons_for([Contribution(feature, "any", value, 0.5)], {feature: value}, RECOMMENDATION_SENTENCES, WORDING, helpful_only=True)
    assert not [reason for reason in said if untrue in reason.text]


CATEGORY = {"purchases", "order_times", "spending", "location"}


@st.composite
def explained(draw: st.DrawFn, names: list[str], shown: Mapping[str, str]) -> tuple[list[Contribution], dict[str, float]]:
    """Known features with their contributions, as an explanation lists them."""
    values = draw(values_of(sorted(draw(st.sets(st.sampled_from(names), min_size=1)))))
    sizes = draw(st.lists(st.floats(-3, 3), min_size=len(values), max_size=len(values)))
    return [Contribution(name, shown[name], value, size) for (name, value), size in zip(values.items(), sizes, strict=True)], values


@pytest.fixture(scope="module")
def shown(shop: Shop) -> dict[str, str]:
    """The category that each column of the ranker is shown under."""
    catalog = shop.config.catalog
    reads = {name: reads_of(name) for name in [*RANKING, *OF_HISTORIES]} | LEARNED_READS | dict.fromkeys(PRODUCT_FEATURES, ())
    return {name: catalog.category_of(fields) for name, fields in reads.items()}


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_reasons_are_few_and_their_own(shown: dict[str, str], data: st.DataObject) -> None:
    """At most four reasons, one for each category, each that of a helping contribution, the product's own facts last."""
    contributions, values = data.draw(explained(list(shown), shown))
    reasons = reasons_for(contributions, values, RECOMMENDATION_SENTENCES, WORDING, helpful_only=True)
    categories = [reason.category for reason in reasons]
    assert len(reasons) <= MOST_REASONS
    assert len(set(categories)) == len(categories)
    assert PRODUCT not in categories[:-1]
    helping = {part.category for part in contributions if part.contribution > 0 and part.feature in RECOMMENDATION_SENTENCES}
    assert set(categories) <= helping
    if not values.get("times_bought"):
        assert not any("You bought" in reason.text for reason in reasons)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), withheld=st.sets(st.sampled_from(sorted(CATEGORY)), min_size=1))
def test_nothing_is_said_of_what_is_withheld(shop: Shop, shown: dict[str, str], data: st.DataObject, withheld: set[str]) -> None:
    """Where the features of withheld categories are missing, no reason is of these categories or repeats their numbers."""
    catalog = shop.config.catalog
    needed = {
        name: catalog.categories_of(LEARNED_READS.get(name) or (reads_of(name) if name not in PRODUCT_FEATURES else ())) for name in shown
    }
    there = [name for name in shown if not needed[name] & withheld]
    contributions, values = data.draw(explained(there, shown))
    for helpful_only in (True, False):
        for reason in reasons_for(contributions, values, RECOMMENDATION_SENTENCES, WORDING, helpful_only=helpful_only):
            assert reason.category not in withheld
            if "order_times" in withheld:
                assert not re.search(r"\b(ago|yesterday|today)\b", reason.text)
            if "location" in withheld:
                assert "live" not in reason.text


def test_the_largest_contribution_of_a_category_speaks() -> None:
    """Of two features of one category the one with the larger contribution gives the reason, in whichever order they come."""
    parts = [
        Contribution("orders", "purchases", 3, 0.1),
        Contribution("items", "purchases", 9, -0.4),
        Contribution("total_spent", "spending", 9, 0.2),
    ]
    values = {"orders": 3.0, "items": 9.0, "total_spent": 9.0}
    for order in (parts, parts[::-1]):
        said = reasons_for(order, values, CHURN_SENTENCES, WORDING, helpful_only=False)
        assert [reason.text for reason in said] == ["Bought 9 items so far.", "Spent 9.00 GBP so far."]
    helping = reasons_for(parts, values, CHURN_SENTENCES, WORDING, helpful_only=True)
    assert [reason.text for reason in helping] == ["Spent 9.00 GBP so far.", "Placed 3 orders so far."]


def test_a_product_never_bought_is_not_said_to_be_bought() -> None:
    """The history's features give no reason for a product with no purchase, and the next of the category takes its place."""
    parts = [Contribution("times_bought", "purchases", 0.0, 0.9), Contribution("bought_with_your_products", "purchases", 0.5, 0.1)]
    said = reasons_for(parts, {"times_bought": 0.0, "bought_with_your_products": 0.5}, RECOMMENDATION_SENTENCES, WORDING, helpful_only=True)
    assert [reason.text for reason in said] == ["Often bought together with products that you bought."]
