"""The languages: every sentence in each of them, plural forms, numbers and dates as people write
them, and a shop's own wording.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.templates import TEMPLATES
from explain.wording import ON_DAY, UP_TO, Wording, form_number, plural_categories
from explain.words import PLACE, Words, WordsRefused, every_sentence, open_words
from tests.made_up_languages import ACCENTED, MIRRORED, accented, write_language
from tests.plain_words import HARDEST, banned, lix

WORDS = open_words(None)
LANGUAGES = ["de", "es", "fr", "pl"]
COUNTS = {"en": (1, 2), "de": (1, 2), "fr": (1, 2), "es": (1, 2), "pl": (1, 2, 5, 1.5)}
"""Numbers that between them ask for every plural form of a language."""


def values_for(text: str, count: float = 3) -> dict[str, object]:
    """Recorded values for all places of a sentence."""
    known = {
        "count": count,
        "times": 1.5,
        "share": 7,
        "ago": 12,
        "wait": 20,
        "amount": 12.5,
        "country": "France",
        "until": "2011-12-09",
        "day": "9 December 2011",
        "said": "Cup.",
    }
    return {name: known[name] for name in PLACE.findall(text)} | (
        {"currency": "EUR"} if "{amount}" in text else {}
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_in_every_language(language):
    """No language lacks a sentence of a template or has one that no template says."""
    sentences = WORDS.wording(language).sentences
    said = (text for one in TEMPLATES.values() for text in (one.text, one.then) if text)
    assert set(sentences) == {*said, "today", "yesterday", ON_DAY, UP_TO}
    assert [text for text, forms in sentences.items() if not all(forms)] == []


@pytest.mark.parametrize("language", [*COUNTS])
def test_every_plural_form_is_said(language):
    """Each form of each counted sentence is reached by some number, and carries that number (the
    first may say it in a word).
    """
    wording = WORDS.wording(language)
    assert {
        form_number(language, len(plural_categories(language)), n) for n in COUNTS["pl"]
    } <= set(range(4))
    for template in TEMPLATES.values():
        if template.many:
            forms = wording.sentences.get(template.text, (template.text, template.many))
            said = [
                wording.fill(template.text, template.many, values_for(template.many, n))
                for n in COUNTS[language]
            ]
            assert len(forms) == len(said)
            assert all(
                wording.number(n) in text
                for n, text in list(zip(COUNTS[language], said, strict=True))[1:]
            )


def test_polish_has_its_four_plural_forms():
    """1, 2, 5, 22 and a fraction are said as Polish grammar wants it."""
    orders, lines = TEMPLATES["orders"], TEMPLATES["lines_per_order"]
    polish = WORDS.wording("pl")
    said = [polish.fill(orders.text, orders.many, {"count": n}) for n in (1, 2, 5, 12, 22)]
    words = ("1 zamówienie", "2 zamówienia", "5 zamówień", "12 zamówień", "22 zamówienia")
    assert said == [f"{number} do tej pory." for number in words]
    assert (
        polish.fill(lines.text, lines.many, {"count": 2.5}) == "Średnio 2,5 produktu w zamówieniu."
    )


def test_numbers_are_said_as_people_say_them():
    """Today and yesterday, thousands, decimals, currencies, countries, dates and lists by
    language.
    """
    english, german, french = Wording(), WORDS.wording("de"), WORDS.wording("fr")
    assert [english.ago(days) for days in (0.4, 1, 17.6, 1_234)] == [
        "today",
        "yesterday",
        "18 days ago",
        "1,234 days ago",
    ]
    assert [german.ago(days) for days in (0.4, 1, 17.6)] == ["heute", "gestern", "vor 18 Tagen"]
    assert [english.wait(days) for days in (0.2, 1.2, 1_234.4)] == ["1 day", "1 day", "1,234 days"]
    assert [german.number(n) for n in (1, 2.5, 12.4, 1_234)] == ["1", "2,5", "12", "1.234"]
    assert (english.money(1_234.5, "GBP"), english.money(2, ""), german.money(1_234.5, "EUR")) == (
        "£1,234.50",
        "2.00",
        "1.234,50\xa0€",
    )
    assert (german.country("United Kingdom"), german.country("Middle-earth")) == (
        "Vereinigtes Königreich",
        "Middle-earth",
    )
    moment = datetime(2026, 11, 21, 20, 40, tzinfo=UTC)
    assert (english.moment(moment), german.day(moment)) == (
        "21 November 2026, 20:40 UTC",
        "21. November 2026",
    )
    assert french.listed(["a", "b", "c"]) == "a, b et c"


@pytest.mark.parametrize("language", list(WORDS.languages))
def test_no_sentence_has_jargon(language):
    """No form of any sentence, in any language, has a word of the trade or claims a cause."""
    forms = [form for forms in WORDS.wording(language).sentences.values() for form in forms]
    english = [
        text for template in TEMPLATES.values() for text in (template.text, template.many) if text
    ]
    assert [found for text in forms or english for found in banned(text)] == []


def test_english_reads_easily():
    """All reasons together, as they are said, have a LIX of at most 40."""
    english = Wording()
    said = [english.fill(t.text, t.many, values_for(t.text + t.many)) for t in TEMPLATES.values()]
    assert lix(" ".join(said)) <= HARDEST
    assert (
        lix(
            "The attribution of probabilities to individual characteristics necessitates"
            " counterfactual evaluation."
        )
        > HARDEST
    )


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("DE_at", "de"),
        ("pl-PL", "pl"),
        ("en-GB", "en"),
        ("it", None),
        ("", None),
        ("x" * 40, None),
    ],
)
def test_a_language_is_found_by_its_tag_or_the_first_part_of_it(asked, spoken):
    """Varieties of a language are answered in it; what is not there is said in the shop's
    language.
    """
    words = open_words(None, "fr")
    assert words.known(asked) == spoken
    assert words.wording(asked).language == (spoken or "fr")


@pytest.mark.parametrize(
    ("header", "spoken"),
    [
        ("de", "de"),
        ("it, de-AT;q=0.8, fr;q=0.9", "fr"),
        ("pl;q=0, es;q=0.1", "es"),
        ("*", None),
        ("", None),
        (",;q=;;", None),
        ("de;q=x, fr;q=0.2", "fr"),
        ("it;q=1," * 5_000, None),
    ],
)
def test_the_browsers_wishes_are_weighed(header, spoken):
    """Of the languages that a browser names the one with the greatest weight is spoken; nonsense is
    passed over.
    """
    assert WORDS.accepted(header) == spoken


@given(header=st.text(max_size=200))
def test_no_header_breaks_it(header):
    """Whatever stands in `Accept-Language`, it names a language that is there, or none."""
    assert WORDS.accepted(header) in {*WORDS.languages, None}


# ---- a shop's own words ----


def own(root: Path, language: str, text: str) -> Words:
    """The languages of a workspace with a file of its own."""
    (root / "words").mkdir(exist_ok=True)
    head = (
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Plural-Forms:'
        ' nplurals=%d; plural=(n != 1);\\n"\n\n'
    )
    head %= max(text.count("msgstr["), 2)
    (root / "words" / f"{language}.po").write_text(head + text, encoding="utf-8")
    return open_words(root, language)


def test_a_shop_rewords_a_sentence(tmp_path):
    """A file with one sentence changes that one, in English too, and leaves all others as they
    are.
    """
    words = own(tmp_path, "de", 'msgid "First order {ago}."\nmsgstr "Bei uns seit: {ago}."\n')
    assert words.wording("de").say("First order {ago}.", ago="gestern") == "Bei uns seit: gestern."
    assert (
        words.wording("de").sentences["Last order {ago}."]
        == WORDS.wording("de").sentences["Last order {ago}."]
    )
    english = own(tmp_path, "en", COUNTED + 'msgstr[0] "One!"\nmsgstr[1] "{count}!"\n')
    orders = TEMPLATES["orders"]
    assert [english.wording("en").fill(orders.text, orders.many, {"count": n}) for n in (1, 7)] == [
        "One!",
        "7!",
    ]


COUNTED = 'msgid "{count} order so far."\nmsgid_plural "{count} orders so far."\n'
REFUSED = {
    "a place is missing": (
        "de",
        'msgid "First order {ago}."\nmsgstr "Bei uns seit langem."\n',
        r"lacks \{ago\}",
    ),
    "a place is unknown": (
        "de",
        'msgid "First order {ago}."\nmsgstr "Seit {ago} und {when}."\n',
        r"has \{when\}, which nothing fills",
    ),
    "a place is code": (
        "de",
        'msgid "First order {ago}."\nmsgstr "{ago} {ago.__class__}"\n',
        "brace",
    ),
    "a number is missing": (
        "de",
        COUNTED + 'msgstr[0] "Eine."\nmsgstr[1] "Viele."\n',
        r"lacks \{count\}",
    ),
    "forms are missing": (
        "pl",
        COUNTED + 'msgstr[0] "{count}"\nmsgstr[1] "{count}"\nmsgstr[2] "{count}"\n',
        "needs 4 forms",
    ),
    "it is no .po file": ("de", "nonsense\n", "no .po file"),
    "the language does not exist": ("xx-nowhere", "", "no language tag"),
    "a new language is not whole": ("it", 'msgid "today"\nmsgstr "oggi"\n', "needs all"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_words_that_cannot_be_used_are_refused_with_the_place_to_look_at(tmp_path, fault):
    """A file that would break a sentence is refused at the start, and the message names the file
    and what is wrong.
    """
    language, text, message = REFUSED[fault]
    with pytest.raises(WordsRefused, match=message) as refused:
        own(tmp_path, language, text)
    assert refused.value.file == f"{language}.po"


@pytest.mark.parametrize("language", [ACCENTED, MIRRORED])
def test_a_new_language_is_a_file(tmp_path, language):
    """A file with every sentence adds a language, whatever number of plural forms it has and
    whichever way it runs.
    """
    write_language(tmp_path, language)
    wording = open_words(tmp_path, packages=("explain", "serving.pages")).wording(language)
    orders = TEMPLATES["orders"]
    assert wording.fill(orders.text, orders.many, {"count": 4}).startswith("[")
    assert wording.direction == ("rtl" if language == MIRRORED else "ltr")
    assert accented("Last order {ago}.") == "[Lást ördér {ago}. ~ ~]"
    assert {text for text, _ in every_sentence()} <= set(wording.sentences)
