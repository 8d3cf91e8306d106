"""Reasons: short true sentences about what was used, and nothing about what was withheld."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explain.explanation import FeatureContribution, SaidReason
from explain.reasons import MOST_REASONS, reasons_for, said_again, sentences_of, words_of
from explain.templates import (
    AUDIENCE,
    CHURN_TEMPLATES,
    DISCOVERY,
    FOR,
    LOWERS,
    RAISES,
    RECOMMENDATION_TEMPLATES,
    SILENT,
    TEMPLATES,
    ShopWords,
    Template,
    template_of,
)
from explain.wording import Wording
from explain.words import open_words
from features.catalog import PRODUCT
from features.definitions.definitions import STANDARD
from features.definitions.frames import is_of_history, reads_of
from features.definitions.sentence import Sentence, Value
from features.tables.tables import STANDARD as TABLES
from models.next_purchase.basket_complements import BASKET_FEATURE
from models.next_purchase.candidate_features import CANDIDATE_READS
from models.next_purchase.product_statistics import PRODUCT_FEATURES
from tests.plain_words import MOST_WORDS, banned

OF_CUSTOMERS = [name for name in STANDARD.by_feature if not is_of_history(name)]
OF_HISTORIES = [name for name in STANDARD.by_feature if is_of_history(name)]
RANKING = [one.name for one in STANDARD.used_by("next_purchase") if not is_of_history(one.name)]
SHOP = ShopWords("GBP", "United Kingdom")
ENGLISH = Wording()
WORDS = open_words(None)

numbers = st.one_of(st.sampled_from([0.0, 0.4, 0.5, 1.0, 1.4, 1.5, 2.0, 30.0]), st.floats(0, 1e7))


def values_of(names: list[str]) -> st.SearchStrategy[dict[str, float]]:
    """Values of all features, of the kind that they can have."""
    return st.fixed_dictionaries(
        {name: st.sampled_from([0.0, 1.0]) if name == "home_country" else numbers for name in names}
    )


def spoken_for(templates: tuple[Template, ...]) -> set[str]:
    """The features that have a sentence."""
    return {feature for template in templates for feature in template.features}


def filled(
    templates: tuple[Template, ...],
    values: Mapping[str, float],
    wording: Wording = ENGLISH,
    shop: ShopWords = SHOP,
) -> list[str]:
    """All sentences that are true of the values."""
    recorded = [(template, template.fill(values, shop)) for template in templates]
    return [
        wording.fill(*words_of(template, said), said)
        for template, said in recorded
        if said is not None
    ]


def test_every_churn_feature_has_a_sentence() -> None:
    """Whatever may speak for or against leaving can be said, and nothing is said of what does not
    exist.
    """
    assert spoken_for(CHURN_TEMPLATES) == set(OF_CUSTOMERS)


def test_every_ranking_feature_has_a_sentence_or_is_silent_for_a_reason() -> None:
    """Whatever may speak for a product can be said, or is listed as silent with the reason; nothing
    is said of what does not exist.
    """
    columns = {*OF_HISTORIES, *RANKING, *CANDIDATE_READS, *PRODUCT_FEATURES}
    assert columns - spoken_for(RECOMMENDATION_TEMPLATES) == set(SILENT)
    assert spoken_for(RECOMMENDATION_TEMPLATES) <= {*columns, BASKET_FEATURE}
    assert all(SILENT.values())


def test_every_sentence_has_a_key_of_its_own() -> None:
    """No two sentences share a key, since a recorded reason is said again by it."""
    assert list(TEMPLATES.values()) == [
        *CHURN_TEMPLATES,
        *RECOMMENDATION_TEMPLATES,
        DISCOVERY,
        *AUDIENCE,
    ]


@pytest.mark.parametrize("language", list(WORDS.languages))
@settings(max_examples=8, deadline=None)
@given(values=values_of([*OF_CUSTOMERS, *OF_HISTORIES, *CANDIDATE_READS, *PRODUCT_FEATURES]))
def test_sentences_are_short_and_plain(language: str, values: dict[str, float]) -> None:
    """With any values and in every language a sentence is one of at most twenty words, without
    jargon or loose ends, or is none.
    """
    for text in filled(
        (*CHURN_TEMPLATES, *RECOMMENDATION_TEMPLATES), values, WORDS.wording(language)
    ):
        assert len(text.split()) <= MOST_WORDS
        assert not banned(text)
        assert re.fullmatch(r"\S[^{}]*[.]", text)
        assert text[0] == text[0].upper()
        assert "  " not in text
        assert "nan" not in text.lower().split()


@settings(max_examples=40, deadline=None)
@given(values=values_of(OF_CUSTOMERS))
def test_every_churn_feature_speaks_whatever_its_value(values: dict[str, float]) -> None:
    """With any values each feature of a customer has a sentence that is true."""
    for feature in OF_CUSTOMERS:
        assert filled(
            tuple(template for template in CHURN_TEMPLATES if feature in template.features), values
        )


def reasons_of(
    parts: Sequence[FeatureContribution],
    values: Mapping[str, float],
    templates: tuple[Template, ...],
    shop: ShopWords,
    wording: Wording,
    *,
    helpful_only: bool,
) -> list[SaidReason]:
    """The reasons of one answer."""
    explained = [(parts, values)]
    (reasons,) = reasons_for(explained, templates, shop, wording, helpful_only=helpful_only)
    return reasons


@pytest.mark.parametrize("kept", OF_CUSTOMERS)
def test_a_feature_speaks_for_itself(kept: str) -> None:
    """A sentence needs no other feature than its own: a shop may list one without the others."""
    assert reasons_of(
        [FeatureContribution(kept, "any", 3.0, 0.5)],
        {kept: 3.0},
        CHURN_TEMPLATES,
        SHOP,
        ENGLISH,
        helpful_only=False,
    )


@pytest.mark.parametrize("usual", [0.2, 0.49])
def test_a_rhythm_of_hours_reads_well(usual: float) -> None:
    """Who orders twice around midnight is not said to order every less than a day."""
    assert (
        filled(CHURN_TEMPLATES, {"days_since_last_order": 3.0, "days_between_orders": usual})[0]
        == "Last order 3 days ago."
    )
    assert filled(CHURN_TEMPLATES, {"days_between_orders": usual}) == [
        "Orders follow one another within a day."
    ]


UNTRUE = {
    "bought_with_your_products": (0.0, "Often bought together"),
    "bought_with_your_last_order": (0.0, "Often bought together"),
    "trend": (0.3, "More customers"),
    "price_against_usual": (3.0, "near what you usually pay"),
    "times_bought": (0.0, "You bought"),
}
ABSURD = {
    "repeat_rate": (0.0, "0 in 100"),
    "buyers_last_30_days": (0.0, "0 customers"),
    "buyers_last_90_days": (0.0, "0 customers"),
}


@pytest.mark.parametrize("feature", [*UNTRUE, *ABSURD])
def test_a_sentence_is_said_where_it_is_true(feature: str) -> None:
    """A feature whose value contradicts the sentence, or makes it absurd, gives no such reason even
    if its contribution is positive.
    """
    value, untrue = (UNTRUE | ABSURD)[feature]
    said = reasons_of(
        [FeatureContribution(feature, "any", value, 0.5)],
        {feature: value},
        RECOMMENDATION_TEMPLATES,
        SHOP,
        ENGLISH,
        helpful_only=True,
    )
    assert not [reason for reason in said if untrue in reason.text]


CATEGORY = {"purchases", "order_times", "spending", "location"}


@st.composite
def explained(
    draw: st.DrawFn, names: list[str], shown: Mapping[str, str]
) -> tuple[list[FeatureContribution], dict[str, float]]:
    """Known features with their contributions, as an explanation lists them."""
    values = draw(values_of(sorted(draw(st.sets(st.sampled_from(names), min_size=1)))))
    sizes = draw(st.lists(st.floats(-3, 3), min_size=len(values), max_size=len(values)))
    return [
        FeatureContribution(name, shown[name], value, size)
        for (name, value), size in zip(values.items(), sizes, strict=True)
    ], values


@pytest.fixture(scope="module")
def shown() -> dict[str, str]:
    """The category that each column of the ranker is shown under."""
    reads = (
        {name: reads_of(name) for name in [*RANKING, *OF_HISTORIES]}
        | CANDIDATE_READS
        | dict.fromkeys(PRODUCT_FEATURES, ())
    )
    return {name: category_of(fields) for name, fields in reads.items()}


def category_of(fields: Sequence[str]) -> str:
    """That of the first field, as its table declares it."""
    if not fields:
        return PRODUCT
    table, _, column = fields[0].partition(".")
    entry = TABLES[table].by_name[column].entry
    assert entry is not None
    return entry.category


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_reasons_are_few_and_their_own(shown: dict[str, str], data: st.DataObject) -> None:
    """At most four reasons, one for each category, each that of a helping contribution, the
    product's own facts last.
    """
    contributions, values = data.draw(explained(list(shown), shown))
    reasons = reasons_of(
        contributions, values, RECOMMENDATION_TEMPLATES, SHOP, ENGLISH, helpful_only=True
    )
    categories = [reason.category for reason in reasons]
    assert len(reasons) <= MOST_REASONS
    assert len(set(categories)) == len(categories)
    assert PRODUCT not in categories[:-1]
    helping = {
        part.category
        for part in contributions
        if part.contribution > 0 and part.feature in spoken_for(RECOMMENDATION_TEMPLATES)
    }
    assert set(categories) <= helping
    if not values.get("times_bought"):
        assert not any("You bought" in reason.text for reason in reasons)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), withheld=st.sets(st.sampled_from(sorted(CATEGORY)), min_size=1))
def test_nothing_is_said_of_what_is_withheld(
    shown: dict[str, str], data: st.DataObject, withheld: set[str]
) -> None:
    """Where the features of withheld categories are missing, no reason is of these categories or
    repeats their numbers.
    """
    needed = {
        name: {
            category_of([field])
            for field in CANDIDATE_READS.get(name)
            or (reads_of(name) if name not in PRODUCT_FEATURES else ())
        }
        for name in shown
    }
    there = [name for name in shown if not needed[name] & withheld]
    contributions, values = data.draw(explained(there, shown))
    for helpful_only in (True, False):
        for reason in reasons_of(
            contributions,
            values,
            RECOMMENDATION_TEMPLATES,
            SHOP,
            ENGLISH,
            helpful_only=helpful_only,
        ):
            assert reason.category not in withheld
            if {"order_times", "browsing"} <= withheld:
                assert not re.search(r"\b(ago|yesterday|today)\b", reason.text)
            if "location" in withheld:
                assert "residence" not in reason.text
                assert "you live" not in reason.text


def test_the_largest_contribution_of_a_category_speaks() -> None:
    """Of two features of one category the one with the larger contribution gives the reason, in
    whichever order they come.
    """
    parts = [
        FeatureContribution("orders", "purchases", 3, 0.1),
        FeatureContribution("items", "purchases", 9, -0.4),
        FeatureContribution("total_spent", "spending", 9, 0.2),
    ]
    values = {"orders": 3.0, "items": 9.0, "total_spent": 9.0}
    for order in (parts, parts[::-1]):
        said = reasons_of(order, values, CHURN_TEMPLATES, SHOP, ENGLISH, helpful_only=False)
        assert [reason.text for reason in said] == ["9 items bought so far.", "£9.00 spent so far."]
        assert [reason.direction for reason in said] == [LOWERS, RAISES]
    helping = reasons_of(parts, values, CHURN_TEMPLATES, SHOP, ENGLISH, helpful_only=True)
    assert [reason.text for reason in helping] == ["£9.00 spent so far.", "3 orders so far."]


def test_a_product_never_bought_is_not_said_to_be_bought() -> None:
    """The history's features give no reason for a product with no purchase, and the next of the
    category takes its place.
    """
    parts = [
        FeatureContribution("times_bought", "purchases", 0.0, 0.9),
        FeatureContribution("bought_with_your_products", "purchases", 0.5, 0.1),
    ]
    said = reasons_of(
        parts,
        {"times_bought": 0.0, "bought_with_your_products": 0.5},
        RECOMMENDATION_TEMPLATES,
        SHOP,
        ENGLISH,
        helpful_only=True,
    )
    assert [reason.text for reason in said] == [
        "Often bought together with products that you bought."
    ]


def test_a_recorded_reason_is_said_again_in_another_language() -> None:
    """From its key and values a reason is said in any language; one without a key, or with an
    unknown one, is not.
    """
    (reason,) = reasons_of(
        [FeatureContribution("times_bought", "purchases", 3.0, 0.5)],
        {"times_bought": 3.0, "days_since_last_bought": 12.2},
        RECOMMENDATION_TEMPLATES,
        SHOP,
        ENGLISH,
        helpful_only=True,
    )
    assert reason.text == "You bought this 3 times, last 12 days ago."
    assert (reason.template, reason.values, reason.direction) == (
        "bought.last",
        {"count": 3, "ago": 12},
        FOR,
    )
    recorded = asdict(reason)
    assert (
        said_again(recorded, WORDS.wording("de"))
        == "Sie haben dies 3-mal gekauft, zuletzt vor 12 Tagen."
    )
    assert said_again(recorded, ENGLISH) == reason.text
    for unknown in ({"text": "x"}, {**recorded, "template": "gone"}, {**recorded, "values": {}}):
        assert said_again(unknown, ENGLISH) is None


def test_what_is_recorded_of_a_language_says_the_same_again() -> None:
    """The sentences kept with a decision are enough to say its reasons once more, even if the
    translations are others by then.
    """
    values = {"orders": 5.0, "total_spent": 9.0, "days_since_last_order": 1.0}
    parts = [FeatureContribution(name, name, value, 0.5) for name, value in values.items()]
    polish = WORDS.wording("pl")
    said = reasons_of(parts, values, CHURN_TEMPLATES, SHOP, polish, helpful_only=False)
    kept = Wording("pl", sentences_of(said, polish))
    assert 0 < len(kept.sentences) < len(polish.sentences)
    assert reasons_of(parts, values, CHURN_TEMPLATES, SHOP, kept, helpful_only=False) == said


OLD = ShopWords("GBP", "United Kingdom", datetime(2011, 12, 10, tzinfo=UTC))
"""A shop whose record ends with 9 December 2011."""
LONG_AGO = {
    "days_since_last_order": 1.6,
    "days_between_orders": 20.0,
    "order_days_last_30_days": 2.0,
    "order_days_last_90_days": 4.0,
    "products_last_90_days": 5.0,
    "spent_last_90_days": 12.5,
    "overdue": 1.5,
}
NOW_WORDS = re.compile(r"\b(ago|last [0-9]|lately|today|yesterday)\b")


def test_an_old_record_is_spoken_of_by_its_days() -> None:
    """Sentences name the day on which something happened and the last day on record, in every
    language, and none speaks of now.
    """
    said = filled(CHURN_TEMPLATES, LONG_AGO, shop=OLD)
    assert "Last order on 8 December 2011; usually 20 days between orders." in said
    assert "Orders on 2 days of the 30 up to 9 December 2011." in said
    assert "£12.50 spent in the 90 days up to 9 December 2011." in said
    assert [text for text in said if NOW_WORDS.search(text)] == []
    history = {"times_bought": 3.0, "days_since_last_bought": 0.2}
    assert filled(RECOMMENDATION_TEMPLATES, history, WORDS.wording("de"), OLD)[0] == (
        "Sie haben dies 3-mal gekauft, zuletzt am 9. Dezember 2011."
    )


def test_whatever_speaks_of_now_is_told_up_to_the_last_day_on_record() -> None:
    """A sentence without words of its own for an old record says until when it holds."""
    sentence = Sentence("x", "{count} bought in the last 7 days.", places={"count": Value()})
    template = template_of(sentence, ["bought"])
    (said,) = filled((template,), {"bought": 3.0}, WORDS.wording("en"), OLD)
    assert said == "Up to 9 December 2011: 3 bought in the last 7 days."
    assert filled((template,), {"bought": 3.0}) == ["3 bought in the last 7 days."]
    assert [one.key for one in TEMPLATES.values() if one.then and NOW_WORDS.search(one.then)] == []


def test_a_fresh_record_is_spoken_of_as_before() -> None:
    """Nothing is recorded or said that was not, so that earlier decisions are made again alike."""
    for template in CHURN_TEMPLATES:
        recorded = template.fill(LONG_AGO, SHOP)
        assert recorded is None or not {"until", "on"} & recorded.keys()
    stated = {"currency": "GBP", "home_country": "United Kingdom", "language": "en"}
    assert ShopWords.stated(stated) == SHOP
    assert ShopWords.stated({**stated, "until": "2011-12-10T00:00:00.000000Z"}) == OLD


def test_what_was_said_of_an_old_record_is_said_again() -> None:
    """A recorded reason is said in another language with the same days, and a replay keeps the
    translations that it was said in.
    """
    (template,) = (one for one in CHURN_TEMPLATES if one.key == "spent.90")
    recorded = template.fill(LONG_AGO, OLD)
    assert recorded is not None
    reason = {"template": template.key, "values": recorded, "text": ""}
    german = said_again(reason, WORDS.wording("de"))
    assert german == "12,50\xa0£ in den 90 Tagen bis zum 9. Dezember 2011 ausgegeben."
    said = SaidReason("spending", str(german), template.key, recorded, "lowers")
    kept = sentences_of([said], WORDS.wording("de"))
    assert said_again(reason, Wording("de", kept)) == german
