"""The contact policy as pure decisions: caps, quiet hours over clock changes, the floor, and a
draw whose chances are known.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from features.config.schema import CapSection, ContactPolicySection
from serving.delivery.contact_policy import (
    Cap,
    Full,
    NotNow,
    QuietHours,
    cap_of,
    full,
    not_now,
    on_channel,
    quiet_until,
    shop_caps,
    window,
)
from serving.delivery.exploration import Draw, fill
from serving.recommending.filters import unasked, worth_showing

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TINY = timedelta(microseconds=1)
CAPS = st.builds(Cap, st.just("email"), st.integers(0, 5), st.integers(1, 30))
MOMENTS = st.lists(
    st.integers(0, 40 * 86_400).map(lambda seconds: NOW - timedelta(seconds=seconds)), max_size=12
)
ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Pacific/Apia",
    ]
)
CLOCKS = st.times().map(lambda moment: moment.replace(microsecond=0))
AROUND_CHANGES = st.one_of(
    st.datetimes(datetime(2026, 3, 28), datetime(2026, 3, 30), timezones=st.just(UTC)),  # noqa: DTZ001 - Hypothesis adds the zone
    st.datetimes(datetime(2026, 10, 24), datetime(2026, 10, 26), timezones=st.just(UTC)),  # noqa: DTZ001 - as above
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 - as above
)
RANKED = [f"p{number:02}" for number in range(30)]


@given(
    most=st.integers(1, 3),
    days=st.integers(1, 4),
    at=st.lists(st.integers(0, 12), max_size=8),
    now=st.integers(0, 12),
)
def test_a_cap_counts_what_is_planned_like_what_was_shown(most, days, at, now):
    """One more is refused exactly where some window of the cap's days would hold too many, and the
    moment that is named instead is the first one from then on at which none would.
    """
    shown = [NOW + timedelta(days=day) for day in at]
    cap = Cap("email", most, days)

    def too_many(moment: datetime) -> bool:
        every = [*shown, moment]
        return any(
            sum(begin <= one < begin + timedelta(days=days) for one in every) > most
            for begin in every
            if begin <= moment < begin + timedelta(days=days)
        )

    here = NOW + timedelta(days=now)
    reached = full([cap], shown, here)
    free = next(day for day in range(40) if not too_many(here + timedelta(days=day)))
    assert (reached.until if reached else here) == here + timedelta(days=free)


@given(cap=CAPS, moments=MOMENTS)
def test_whoever_waits_for_a_cap_never_exceeds_it(cap, moments):
    """Showing something only when no cap is full leaves at most that many in any window, and
    waiting until told is exactly long enough.
    """
    shown, now = [], NOW - timedelta(days=80)
    for moment in sorted(moments):
        now = max(now, moment)
        reached = full([cap], shown, now)
        if reached is None:
            shown.append(now)
        elif reached.until is not None:
            assert full([cap], shown, reached.until - TINY) is not None
            assert full([cap], shown, reached.until) is None
    for first in shown:
        assert (
            sum(first <= moment < first + timedelta(days=cap.days) for moment in shown) <= cap.most
        )


@given(caps=st.lists(CAPS, max_size=4), moments=MOMENTS)
def test_of_several_caps_the_strictest_holds(caps, moments):
    """Something may be shown just where every cap alone allows it, and the wait is the longest of
    all.
    """
    alone = [full([cap], moments, NOW) for cap in caps]
    reached = full(caps, moments, NOW)
    assert (reached is None) == all(one is None for one in alone)
    if reached is not None and reached.until is not None:
        assert reached.until == max(
            one.until for one in alone if one is not None and one.until is not None
        )


def test_a_cap_of_none_is_always_full():
    """At most none is full before anything was shown, without an end."""
    assert full([Cap("email", 0, 7)], [], NOW) == Full(None)
    assert full([Cap("email", 0, 7), Cap("email", 1, 7)], [NOW], NOW) == Full(None)
    assert full([], [NOW] * 9, NOW) is None


@given(cap=CAPS)
def test_a_cap_is_read_as_it_was_written(cap):
    """A customer's own cap comes back from its text."""
    assert cap_of(cap.text) == cap


@pytest.mark.parametrize(
    "text",
    [
        "",
        "email",
        "email:1",
        "email:/7",
        "email:1/0",
        "email:-1/7",
        "email:1/7 ",
        "a:b:1/7",
        "email:1/7/1",
        ":1/7",
    ],
)
def test_what_is_no_cap_is_refused(text):
    """Anything else is refused with how it is written."""
    with pytest.raises(ValueError, match="email:1/7"):
        cap_of(text)


def test_a_customers_own_cap_is_stricter_or_nothing():
    """With the shop's three a week, their own one a week allows one, and their own nine a week
    still three.
    """
    shop = on_channel("email", (Cap("email", 3, 7), Cap("sms", 0, 1)))
    for own, allowed in ((Cap("email", 1, 7), 1), (Cap("email", 9, 7), 3)):
        caps = (*shop, own)
        assert [full(caps, [NOW] * count, NOW) is None for count in range(4)] == [
            count < allowed for count in range(4)
        ]
    assert window((*shop, Cap("email", 1, 30))) == timedelta(days=30)


@given(begin=CLOCKS, end=CLOCKS, zone=ZONES, now=AROUND_CHANGES)
@example(
    begin=time(21),
    end=time(2, 30),
    zone="Europe/Berlin",
    now=datetime(2026, 10, 25, 1, 10, tzinfo=UTC),
)
@example(
    begin=time(21),
    end=time(2, 30),
    zone="Europe/Berlin",
    now=datetime(2026, 3, 29, 0, 59, tzinfo=UTC),
)
@example(
    begin=time(2, 30),
    end=time(2, 45),
    zone="Europe/Berlin",
    now=datetime(2026, 10, 25, 1, 35, tzinfo=UTC),
)
def test_it_is_quiet_just_while_the_customers_clock_says_so(begin, end, zone, now):
    """Over every clock change: quiet exactly within the hours on the local clock, until a moment
    later than now that is not quiet.
    """
    hours = QuietHours(begin, end, ("email",))
    until = quiet_until(hours, "email", ZoneInfo(zone), now)
    assert (until is not None) == hours.include(now.astimezone(ZoneInfo(zone)).time())
    assert quiet_until(hours, "web", ZoneInfo(zone), now) is None
    if until is not None:
        assert now < until <= now + timedelta(hours=26)
        assert quiet_until(hours, "email", ZoneInfo(zone), until) is None or _struck_again(
            zone, until
        )


def _struck_again(zone: str, moment: datetime) -> bool:
    """Whether the clock strikes this moment's hour a second time, so that what has just ended may
    begin once more.
    """
    local = moment.astimezone(ZoneInfo(zone))
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


@pytest.mark.parametrize(
    ("zone", "now", "until"),
    [
        ("UTC", "2026-06-01T20:59:59", None),
        ("UTC", "2026-06-01T21:00:00", "2026-06-02T08:00:00"),
        ("UTC", "2026-06-02T08:00:00", None),
        ("Europe/Berlin", "2026-06-01T19:30:00", "2026-06-02T06:00:00"),
        ("Europe/Berlin", "2026-03-28T22:00:00", "2026-03-29T06:00:00"),
        ("Europe/Berlin", "2026-10-24T22:00:00", "2026-10-25T07:00:00"),
        ("Asia/Tokyo", "2026-06-01T20:59:59", "2026-06-01T23:00:00"),
    ],
)
def test_quiet_hours_end_by_the_local_clock(zone, now, until):
    """From nine in the evening to eight in the morning, where the customer is, also in the night of
    a clock change.
    """
    hours = QuietHours(time(21), time(8), ("email",))
    found = quiet_until(hours, "email", ZoneInfo(zone), datetime.fromisoformat(f"{now}+00:00"))
    assert found == (None if until is None else datetime.fromisoformat(f"{until}+00:00"))


def test_hours_that_begin_when_they_end_are_none():
    """With the same hour twice it is never quiet."""
    assert not any(
        QuietHours(time(8), time(8), ("email",)).include(time(hour)) for hour in range(24)
    )


def test_a_moment_is_refused_with_its_reason():
    """Quiet hours come before caps, by the zone that the request names, else the shop's; each with
    when it ends.
    """
    stated = ContactPolicySection(caps=(CapSection(channel="email", most=1),))
    caps, evening = shop_caps(stated), NOW + timedelta(hours=10)
    assert not_now(stated, "email", None, caps, [], NOW) is None
    assert not_now(stated, "email", None, caps, [NOW], NOW) == NotNow(
        "frequency", "2026-06-08T12:00:00.000000Z"
    )
    assert not_now(stated, "email", None, caps, [NOW], evening) == NotNow(
        "quiet_hours", "2026-06-02T08:00:00.000000Z"
    )
    assert not_now(stated, "email", "America/Los_Angeles", caps, [], evening) is None
    assert not_now(stated, "web", None, (), [NOW] * 9, evening) is None
    assert not_now(stated, "email", None, (Cap("email", 0, 1),), [], NOW) == NotNow(
        "frequency", None
    )


@given(
    floor=st.floats(0, 0.99),
    scores=st.lists(st.floats(-20, 20), max_size=20),
    known=st.floats(-5, 5),
)
def test_the_floor_keeps_what_is_preferred_often_enough(floor, scores, known):
    """A product is worth showing just where its chance against an unknown one reaches the floor."""
    kept = worth_showing(np.array(scores, dtype=float), known, floor)
    for score, worth in zip(scores, kept.tolist(), strict=True):
        chance = 1 / (1 + math.exp(known - score))
        assert worth == (chance >= floor) or math.isclose(chance, floor, abs_tol=1e-9)


def test_a_floor_of_nothing_keeps_everything():
    """With a floor of 0 every product is worth showing."""
    assert worth_showing(np.array([-1e9, 0.0]), 5.0, 0.0).all()


def test_what_is_sensitive_is_shown_to_who_asks():
    """Only the sensitive product categories that a request names are shown."""
    assert unasked(["health", "adult"], None) == {"health", "adult"}
    assert unasked(["health", "adult"], ["health", "toys"]) == {"adult"}


@given(
    products=st.integers(0, 30),
    k=st.integers(1, 12),
    share=st.floats(0, 0.5),
    seed=st.text(max_size=8),
    bought=st.sets(st.sampled_from(RANKED)),
    scores=st.none() | st.lists(st.floats(-20, 20), min_size=30, max_size=30),
)
def test_a_list_is_filled_with_the_best_and_with_discoveries(
    products, k, share, seed, bought, scores
):
    """Every place is taken once; discoveries are new to the customer and none of the best; the
    others keep their order.
    """
    ranked, draw = RANKED[:products], Draw(share, seed, tuple(bought))
    if scores is not None:
        draw = draw.weighed(ranked, sorted(scores[:products], reverse=True), k)
    places = fill(ranked, k, draw)
    assert len(places) == min(k, products) == len({place.product for place in places})
    kept = [place.product for place in places if not place.explored]
    found = [place for place in places if place.explored]
    assert kept == ranked[: len(kept)]
    assert all(place.product in ranked[k:] and place.product not in bought for place in found)
    assert len(found) <= math.floor(share * len(places)) + 1
    assert all(0 < place.propensity <= 1 for place in places)
    recorded = json.loads(json.dumps(asdict(draw)))
    assert fill(ranked, k, Draw.from_document(recorded)) == places


def test_without_discoveries_the_list_is_the_rankers():
    """With a share of 0 the best stand in their order, each with certainty."""
    places = fill(RANKED, 5, Draw(0.0, "any"))
    assert [(place.product, place.explored, place.propensity) for place in places] == [
        (product, False, 1.0) for product in RANKED[:5]
    ]


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize(
    ("products", "k", "share"), [(8, 4, 0.3), (30, 10, 0.2), (6, 5, 0.5), (7, 3, 0.05)]
)
def test_propensities_are_the_chances_of_the_draw(products, k, share, weighed):
    """Over 8,000 draws each product is seen at each place as often as its recorded propensity says,
    within five deviations.
    """
    draws, seen, said, ranked = 8_000, Counter(), {}, RANKED[:products]
    scores = [3.0 - 0.1 * at for at in range(products)]
    steps = Draw(share, "", (RANKED[k],)).weighed(ranked, scores, k).steps if weighed else None
    for number in range(draws):
        draw = Draw(share, str(number), (RANKED[k],), steps)
        for at, place in enumerate(fill(ranked, k, draw)):
            seen[at, place.product] += 1
            assert said.setdefault((at, place.product), place.propensity) == place.propensity
    for key, propensity in said.items():
        deviation = math.sqrt(draws * propensity * (1 - propensity))
        assert abs(seen[key] - draws * propensity) <= 5 * deviation + 1e-9, key
    for at in range(k):
        assert math.isclose(
            sum(chance for (place, _), chance in said.items() if place == at), 1.0, abs_tol=1e-9
        )


def test_what_the_ranker_prefers_is_discovered_sooner():
    """A product whose score is higher by one is discovered e times as often, within four
    deviations; one far below is still possible.
    """
    draws, scores = 20_000, [9.0, 2.0, 1.0, -90.0]
    steps = Draw(0.5, "").weighed(RANKED[:4], scores, 1).steps
    places = [fill(RANKED[:4], 1, Draw(0.5, str(number), (), steps))[0] for number in range(draws)]
    seen = Counter(place.product for place in places if place.explored)
    first, second = seen[RANKED[1]], seen[RANKED[2]]
    chance = math.e / (1 + math.e)
    deviation = math.sqrt((first + second) * chance * (1 - chance))
    assert abs(first - (first + second) * chance) <= 4 * deviation
    chances = {place.product: place.propensity for place in places if place.explored}
    assert math.isclose(chances[RANKED[1]] / chances[RANKED[2]], math.e, rel_tol=1e-9)
    assert chances[RANKED[1]] > 0.36


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
def test_the_draw_is_fair_where_no_score_was_recorded(share):
    """Every product of the pool and every place is drawn as often as every other, and the share of
    discoveries is the one asked for.
    """
    draws, products, where = 10_000, Counter(), Counter()
    for number in range(draws):
        for at, place in enumerate(fill(RANKED, 10, Draw(share, f"fair {number}"))):
            if place.explored:
                products[place.product] += 1
                where[at] += 1
    total = sum(products.values())
    assert abs(total / (10 * draws) - share) < 0.005
    for counts, kinds in ((products, 20), (where, 10)):
        expected = total / kinds
        assert len(counts) == kinds
        chi_squared = sum((count - expected) ** 2 / expected for count in counts.values())
        assert chi_squared < kinds - 1 + 5 * math.sqrt(2 * (kinds - 1))
