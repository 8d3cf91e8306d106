"""When two ids are of one customer, and the shape of ids, which may be told where they may not."""

from __future__ import annotations

import unicodedata

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalog import CustomerIds
from features.customers.id_normalisation import id_shape, is_nobody, normalised


@pytest.mark.parametrize(
    ("ids", "shape"),
    [
        (["000001", "000020"], "6 digits"),
        (["1", "20", "4711"], "1 to 4 digits"),
        (["Zoë"], "3 letters"),
        (["c01", "12345", "d02"], "3 letters and digits"),
        (["ann@example.com", "jo@example.com"], "14 to 15 characters of an e-mail address"),
        (["DE/1", "O'Neil 2"], "4 to 8 characters"),
        (["two\nlines"], "9 characters"),
        ([], "none"),
    ],
)
def test_the_shape_of_most_ids_is_told(ids: list[str], shape: str) -> None:
    """How long they are and of what they are made; what is rarer does not count."""
    assert id_shape(pd.Series(ids, dtype="str")) == shape


EXACT, FOLDED = CustomerIds(), CustomerIds(casefold=True)
NO_ZEROS = CustomerIds(ignore_leading_zeros=True)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("77", "77 "),
        ("77", "\ufeff77\u200b"),
        ("77", "\u00a077\t"),
        ("anna@example.com", "Anna@Example.COM"),
        ("müller", "mu\u0308ller"),
        ("jürgen@example.de", " JU\u0308RGEN@Example.de"),
    ],
)
def test_one_id_is_one_however_it_is_written(first: str, second: str) -> None:
    """Spaces, the Unicode form and the case of an address do not count."""
    assert normalised(first, EXACT) == normalised(second, EXACT)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("A1", "a1"),
        ("077", "77"),
        ("A 1", "A1"),
        ("A 1", "A  1"),
        ("ﬁ1", "fi1"),
        ("Muller", "Müller"),
        ("a.b@example.com", "ab@example.com"),
        ("Ann@one two", "ann@one two"),
    ],
)
def test_two_ids_stay_two(first: str, second: str) -> None:
    """Whatever else ids differ in, they are of two customers."""
    assert normalised(first, EXACT) != normalised(second, EXACT)


def test_a_shop_can_say_more() -> None:
    """`sayso.toml` can take ids of either case for one, and numbers with zeros before them."""
    assert normalised("A1", FOLDED) == normalised("a1", FOLDED)
    assert normalised("077", NO_ZEROS) == normalised("77", NO_ZEROS)
    assert normalised("000", NO_ZEROS) == "0"
    assert normalised("0a7", NO_ZEROS) != normalised("a7", NO_ZEROS)
    assert len({EXACT.name, FOLDED.name, NO_ZEROS.name}) == 3


@pytest.mark.parametrize(
    "text", ["", " ", "\u200b", "null", "NaN", "None", "<NA>", " NULL ", "n/a"]
)
def test_what_stands_for_nothing_is_nobody(text: str) -> None:
    """What programs write where there is no value names nobody."""
    assert is_nobody(text)


@pytest.mark.parametrize("text", ["0", "nullify", "Nan Goldin", "none@example.com", "-"])
def test_an_id_like_nothing_is_somebody(text: str) -> None:
    """An id that merely looks like it is an id."""
    assert not is_nobody(text)


@given(text=ANY, ids=st.sampled_from([EXACT, FOLDED, NO_ZEROS]))
def test_the_form_of_an_id_is_its_own_form(text: str, ids: CustomerIds) -> None:
    """What was brought to the one form stays as it is."""
    once = normalised(text, ids)
    assert normalised(once, ids) == once


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="@"), max_size=20))
def test_an_id_that_is_no_address_keeps_every_character(text: str) -> None:
    """Nothing is taken from within an id, and no letter is changed into another."""
    assert normalised(text, EXACT) in unicodedata.normalize("NFC", text)
