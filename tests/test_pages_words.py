"""The words of the pages: all of them translated, none of them idle, all of them plain."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment
from jinja2.ext import extract_from_ast

from explain.words import every_sentence, open_words
from features.tables.tables import STANDARD
from serving.bootstrap import SPOKEN_BY
from serving.churn.actions import TEXTS
from serving.http.pages import page_route
from serving.pages.confirmation import CHANNELS, SAID
from serving.pages.preferences import ACTIONS
from serving.pages.rounding import rounded_to_sum
from serving.pages.why import WHY_NOT
from serving.recommending.recommendation import DISCLOSURES
from tests.plain_words import HARDEST, MOST_WORDS, banned, lix

ROOT = Path(__file__).parent.parent
WORDS = open_words(None, packages=SPOKEN_BY)
OF_PAGES = {text for text, _ in every_sentence(("serving.pages",))}
LANGUAGES = ["de", "es", "fr", "pl"]


def said_in_templates() -> set[str]:
    """Every sentence that a page's template says."""
    files = sorted((ROOT / "serving/pages/templates").iterdir())
    found = [
        part
        for file in files
        for part in extract_from_ast(
            Environment(autoescape=True).parse(file.read_text("utf-8")), ("say",)
        )
    ]
    return {said[0] if isinstance(said, tuple) else said for _, _, said in found} - {None}


def test_every_sentence_of_the_pages_is_translated():
    """What templates and programs say stands in the translations."""
    notices = {
        getattr(page_route, name)
        for name in (
            "EXPIRED",
            "CLOSED",
            "NEW_LINK",
            "REFUSED",
            "REFUSED_TEXT",
            "FAILED",
            "FAILED_TEXT",
        )
    }
    catalog = {
        text for category in STANDARD.categories for text in (category.label, category.description)
    }
    spoken = {
        *said_in_templates(),
        *notices,
        *catalog,
        *TEXTS,
        *WHY_NOT.values(),
        *SAID.values(),
        *CHANNELS.values(),
        *ACTIONS.values(),
    }
    assert spoken | {*DISCLOSURES} <= OF_PAGES


def texts_in_code() -> Iterator[str]:
    """Every text that stands in the code of serving and in the declared tables."""
    declared = (ROOT / "features/tables/declared").glob("*.py")
    for file in (*(ROOT / "serving").rglob("*.py"), *declared):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_no_translation_is_idle():
    """Every sentence of the translations stands somewhere in the sources."""
    files = [
        *(ROOT / "serving/pages/templates").iterdir(),
        ROOT / "features/intake/setup/templates/sayso.toml.j2",
    ]
    sources = "\n".join([file.read_text("utf-8") for file in files] + list(texts_in_code()))
    assert [text for text in OF_PAGES if text not in sources] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_sentence_of_the_pages(language):
    """No language lacks one or has one that no other has."""
    sentences = WORDS.wording(language).sentences
    assert set(sentences) == {text for text, _ in every_sentence(SPOKEN_BY)}


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_the_pages_speak_plainly(language):
    """No sentence of a page has a word of the trade, or more than twenty words."""
    texts = [
        form for text in OF_PAGES for form in WORDS.wording(language).sentences.get(text, (text,))
    ]
    assert [found for text in texts for found in banned(text)] == []
    sentences = [part for text in texts for part in re.split(r"(?<=[.!?:]) ", text)]
    assert [part for part in sentences if len(part.split()) > MOST_WORDS] == []


def test_the_pages_are_easy_to_read():
    """The English of all pages together has a LIX of at most 40."""
    assert lix(" ".join(text if text[-1] in ".!?:" else f"{text}." for text in OF_PAGES)) <= HARDEST


@given(parts=st.lists(st.floats(-100, 100), min_size=1, max_size=10))
def test_rounded_numbers_add_up_and_stay_near(parts):
    """Numbers rounded by the largest remainder add up to their rounded sum, and none is a whole
    away from what it was.
    """
    total = round(sum(parts))
    whole = rounded_to_sum(parts, total)
    assert sum(whole) == total
    assert all(abs(shown - part) <= 1 for shown, part in zip(whole, parts, strict=True))


def test_rounding_nothing_gives_nothing():
    """Without parts there is nothing to give a total to."""
    assert rounded_to_sum([], 3) == []
