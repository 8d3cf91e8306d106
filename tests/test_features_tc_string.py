"""TC strings are read bit by bit as the specification has them; what is none is refused with the
field to blame.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.consent.tools.tc_string import TCStringError, read_tc_string
from tests import tc_strings as made

OF_SPECIFICATION = (
    "COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEUACCKAAA.IFoEUQQgAIQwgIwQABAEAAAAOIAACAIAAAAQAIAgEAACEAAA"
    "AAgAQBAAAAAAAGBAAgAAAAAAAFAAECAAAgAAQARAEQAAAAAJAAIAAgAAAYQEAAAQmAgBC3ZAYzUw"
)
"""The example of the specification, whose vendors are 2, 6 and 8."""
FULL = {
    "purposes": {1, 3, 4},
    "interests": {2, 7, 10},
    "vendors": made.by_range([(2, 2), (10, 755)]),
    "interested": made.by_field([3, 9]),
    "restrictions": [(3, 0, [(755, 755)]), (4, 1, [(1, 9)])],
}


def test_the_example_of_the_specification_is_read():
    """Its fields are those that the specification's own tools show."""
    read = read_tc_string(OF_SPECIFICATION)
    assert (read.cmp_id, read.cmp_version, read.screen) == (27, 0, 0)
    assert (read.language, read.publisher_country) == ("EN", "AA")
    assert (read.vendor_list_version, read.policy_version) == (15, 2)
    assert read.created == datetime(2020, 2, 20, 23, 57, 39, 300000, UTC)
    assert read.updated == read.created
    assert read.purposes == {1, 2, 3}
    assert [one for one in range(1, 20) if one in read.vendors] == [2, 6, 8]
    assert read.disclosed is not None
    assert 12 in read.disclosed
    assert 3 not in read.disclosed
    assert not read.service_specific


def test_every_field_is_told_apart():
    """Consent and legitimate interest, bits and ranges, restrictions and all segments."""
    read = read_tc_string(
        f"{made.encoded(made.core(**FULL))}.{made.publisher({2, 24}, {5})}.{made.disclosed()}"
    )
    assert read.purposes == {1, 3, 4}
    assert [one in read.vendors for one in (1, 2, 3, 9, 10, 755, 756)] == [
        *(False, True, False, False, True, True, False)
    ]
    assert read.forbids(755, 3)
    assert not read.forbids(754, 3)
    assert not read.forbids(5, 4)  # consent is required, and may be there
    assert read.publisher_purposes == {2, 24}
    assert read.updated == made.MONDAY
    assert read.purpose_one_asked
    assert read.tool == "CMP 300 version 7, policy 5, vendor list 176"


def test_legitimate_interest_is_no_consent():
    """A string that has nothing but legitimate interests consents to nothing."""
    every = range(1, 25)
    read = read_tc_string(
        made.encoded(
            made.core(interests=every, vendors=made.by_field([]), interested=made.by_field([755]))
        )
        + "."
        + made.publisher((), every)
    )
    assert read.purposes == read.publisher_purposes == frozenset()
    assert 755 not in read.vendors


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "Version"),
        ("BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA", "Version"),  # of version 1
        ("CO!fyGB", "Version"),
        (OF_SPECIFICATION[:9], "LastUpdated"),
        (made.encoded(made.core())[:40], "VendorConsent.BitField"),
        (
            made.encoded(made.core(vendors=made.number(9, 16) + "1" + made.entries([(8, 12)]))),
            "VendorConsent.RangeEntry",
        ),
        (made.encoded(made.core(vendors=made.by_range([(5, 2)]))), "VendorConsent.RangeEntry"),
        (made.encoded(made.core(vendors=made.by_range([(0, 0)]))), "VendorConsent.RangeEntry"),
        (made.encoded(made.core() + "0" * 9 + "1"), "the end"),
        (
            made.encoded(made.core()[:114] + made.number(40, 6) + made.core()[120:]),
            "ConsentLanguage",
        ),
        (f"{made.encoded(made.core())}.", "SegmentType"),
        (f"{made.encoded(made.core())}.{made.encoded(made.number(5, 3))}", "SegmentType"),
        (f"{made.encoded(made.core())}.{made.disclosed()}.{made.disclosed()}", "SegmentType"),
        (f"{made.encoded(made.core())}.{made.publisher({1})[:4]}", "PubPurposesConsent"),
    ],
)
def test_what_is_no_tc_string_is_refused_with_its_field(text, field):
    """The sentence says at which field of the specification reading ended."""
    with pytest.raises(TCStringError, match="cannot be read at its field") as refused:
        read_tc_string(text)
    assert refused.value.field == field


@settings(max_examples=25)
@given(
    st.sets(st.integers(1, 24)),
    st.sets(st.integers(1, 24)),
    st.sets(st.integers(1, 900)),
    st.booleans(),
    st.integers(0, 2**36 - 1),
)
def test_what_was_written_is_read_again(purposes, interests, vendors, ranged, tenths):
    """Whatever is consented to, by bits or by ranges, whenever."""
    runs = [(one, one) for one in sorted(vendors)]
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=100 * tenths)
    bits = made.core(
        purposes,
        interests,
        made.by_range(runs) if ranged else made.by_field(vendors),
        updated=moment,
    )
    read = read_tc_string(made.encoded(bits))
    assert read.purposes == purposes
    assert {one for one in range(1, 902) if one in read.vendors} == vendors
    assert abs(read.updated - moment) < timedelta(milliseconds=200)  # float seconds of the writer


@settings(max_examples=50)
@given(st.text(alphabet=made.LETTERS + ".", max_size=80))
def test_no_text_does_anything_but_be_read_or_be_refused(text):
    """Whatever comes, it is a TC string or refused as none."""
    with suppress(TCStringError):
        assert read_tc_string("C" + text).created.tzinfo is UTC
