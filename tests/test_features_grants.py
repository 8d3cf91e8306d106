"""What is in force: how each action changes it, when it ends, and from when on it covers data."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import clock as times
from features.catalog import Catalog
from features.clock import Clock
from features.consent.event import ACTIONS, ALLOWING
from features.consent.grants import fold, grants
from features.consent.ledger import UNKNOWN, ConsentEvent, Ledger
from features.consent.verification import verify_ledger
from features.customers.pseudonyms import Customers
from features.customers.vault import Vault
from features.database.engine import Database
from features.database.tables import consent_events, consent_state
from tests.made_up_consents import (
    CATEGORIES,
    NOON,
    PURPOSES,
    Moments,
    advice,
    catalog_of,
    granting,
    ledger_of,
    pseudonym_of,
    rows_of,
    said,
    state_of,
)

NEVER_TOGETHER = [HealthCheck.function_scoped_fixture]
TICK = timedelta(microseconds=1)
JANUARY, FEBRUARY, MARCH = (f"2024-0{month}-01T10:00:00.000000Z" for month in (1, 2, 3))
WITHHOLDING = tuple(action for action in ACTIONS if action not in ALLOWING)
COVERING = catalog_of(
    ["advice"], notices=[advice("1"), advice("2", covers_earlier_data=True), advice("3")]
)


def covered_from(
    database: Database, catalog: Catalog, clock: Clock, purpose: str = "advice"
) -> list[str | None]:
    """From when on each grant in force covers data, as text; None: from the beginning."""
    with database.read() as connection:
        found = grants(connection, catalog, purpose, times.to_text(clock()))["covers_from"]
    return [None if pd.isna(moment) else times.to_text(moment) for moment in found]


events = st.lists(
    st.builds(
        said,
        customer=st.sampled_from(["ann", "bob", "çelik"]),
        action=st.sampled_from(ACTIONS),
        purpose=st.sampled_from(PURPOSES),
        category=st.sampled_from(CATEGORIES[:2]),
        notice_version=st.sampled_from(["1", "2"]),
        occurred_at=st.sampled_from([None, JANUARY, FEBRUARY, MARCH]),
        valid_until=st.sampled_from([None, MARCH, "2025-01-01"]),
    ),
    max_size=12,
)


@settings(max_examples=20, deadline=None, suppress_health_check=NEVER_TOGETHER)
@given(batches=st.lists(events, max_size=3))
def test_the_state_is_the_fold_of_all_events(
    ledger: Ledger, database: Database, batches: list[list[ConsentEvent]]
) -> None:
    """After any sequence of events the stored state is what the events of the ledger amount to, in
    whichever batches they came.
    """
    before = ledger.position()
    for batch in batches:
        ledger.append_all(batch)
    assert state_of(rows_of(database, consent_state)) == fold(rows_of(database, consent_events))
    assert (
        ledger.position()
        == verify_ledger(database, catalog_of())
        == before + sum(map(len, batches))
    )


def plainly_granted(batch: list[ConsentEvent], now: datetime) -> set[tuple[str, str, str]]:
    """A plain reading of who grants what after a withdrawal of everything at `now`, and these
    events after it, all at `now`.
    """
    stands: dict[tuple[str, str, str], bool] = {}
    lapsed: dict[tuple[str, str, str], bool] = {}
    for event in batch:
        key = (event.customer_id, event.purpose, event.category)
        if event.action == "renewed" and not (stands.get(key) or lapsed.get(key)):
            continue
        stands[key] = event.action in ALLOWING
        lapsed[key] = event.action == "expired"
        if (
            stands[key]
            and event.valid_until is not None
            and times.from_text(event.valid_until) <= now
        ):
            stands[key], lapsed[key] = False, True
    return {key for key, yes in stands.items() if yes}


said_now = events.map(
    lambda batch: [ConsentEvent(**{**vars(event), "occurred_at": None}) for event in batch]
)


@settings(max_examples=20, deadline=None, suppress_health_check=NEVER_TOGETHER)
@given(batch=said_now)
def test_only_the_newest_word_counts(
    ledger: Ledger, database: Database, clock: Clock, batch: list[ConsentEvent]
) -> None:
    """A category is granted exactly when the last event about it says so, in `granted`,
    `granted_to` and `state` alike.
    """
    everyone = ("ann", "bob", "çelik")
    ledger.append_all(
        [
            said(name, "withdrawn", purpose, category)
            for name in everyone
            for purpose in PURPOSES
            for category in CATEGORIES
        ]
    )
    ledger.append_all(batch)
    allowed = plainly_granted(batch, clock())
    for name in everyone:
        pseudonym = pseudonym_of(database, name)
        stated = {
            (name, row["purpose"], row["category"])
            for row in ledger.state(pseudonym)
            if row["allowed"]
        }
        assert stated == {key for key in allowed if key[0] == name}
        for purpose in PURPOSES:
            wanted = {
                category
                for customer, what_for, category in allowed
                if (customer, what_for) == (name, purpose)
            }
            table = ledger.granted(purpose)
            assert (
                set(table.loc[table["customer"] == pseudonym, "category"])
                == granting(database, clock, name, purpose)
                == wanted
            )


def test_unknown_is_no(ledger: Ledger, database: Database, vault: Vault, clock: Clock) -> None:
    """Who was never asked, and what was never asked of somebody, is granted nowhere and stands as
    unknown.
    """
    ledger.append(said("ann", "refused", category="location"))
    (stranger,) = Customers(database, vault).assign(pd.Series(["bob"]))
    assert ledger.granted("advice").empty
    assert granting(database, clock, "ann") == granting(database, clock, "bob") == frozenset()
    assert {(row["action"], row["allowed"]) for row in ledger.state(int(stranger))} == {
        (UNKNOWN, False)
    }
    stands = [
        row["action"]
        for row in ledger.state(pseudonym_of(database, "ann"))
        if row["purpose"] == "advice"
    ]
    assert stands == [UNKNOWN, "refused", UNKNOWN]


# ---- what each action does ----


@pytest.mark.parametrize("action", WITHHOLDING)
@pytest.mark.parametrize("before", ALLOWING)
def test_whatever_withholds_ends_a_grant(
    ledger: Ledger, database: Database, clock: Clock, action: str, before: str
) -> None:
    """After a refusal, withdrawal, expiry, objection or privacy signal nothing is granted, however
    old its own time is.
    """
    ledger.append_all([said(), said(action=before)])
    assert granting(database, clock) == {"purchases"}
    ledger.append(said(action=action, occurred_at=JANUARY))
    assert granting(database, clock) == frozenset()
    (row,) = [
        row for row in ledger.state(pseudonym_of(database, "ann")) if row["action"] != UNKNOWN
    ]
    assert (row["action"], row["allowed"], row["valid_until"]) == (action, False, None)


@pytest.mark.parametrize("action", WITHHOLDING)
def test_a_new_grant_counts_after_whatever_withheld(
    ledger: Ledger, database: Database, clock: Clock, action: str
) -> None:
    """A customer who grants again, later or at the same moment, is taken at their word."""
    ledger.append_all([said(action=action), said()])
    assert granting(database, clock) == {"purchases"}


@pytest.mark.parametrize(
    "before", [None, *(action for action in WITHHOLDING if action != "expired")]
)
def test_a_renewal_makes_no_grant(
    ledger: Ledger, database: Database, clock: Clock, before: str | None
) -> None:
    """Where nothing was granted, or it was taken back, a renewal stands in the ledger and changes
    nothing.
    """
    first = [] if before is None else [said(action=before)]
    ledger.append_all([*first, said(action="renewed")])
    assert granting(database, clock) == frozenset()
    assert [row["action"] for row in rows_of(database, consent_state)] == [
        event.action for event in first
    ]
    assert verify_ledger(database, catalog_of()) == len(first) + 1


def test_a_renewal_goes_on_with_what_ran_out(
    ledger: Ledger, database: Database, clock: Clock
) -> None:
    """A renewal revives a grant that ran out, and one that the ledger says has expired."""
    for category, over in (
        ("purchases", said(valid_until=MARCH)),
        ("times", said(action="expired", category="times")),
    ):
        ledger.append_all([said(category=category), over])
        assert category not in granting(database, clock)
        ledger.append(said(action="renewed", category=category))
        assert category in granting(database, clock)


# ---- what arrives late ----


@pytest.mark.parametrize("action", WITHHOLDING)
@pytest.mark.parametrize("apart", [True, False], ids=["one by one", "in one batch"])
def test_a_grant_delivered_late_does_not_undo_what_withholds(
    ledger: Ledger, database: Database, clock: Clock, action: str, apart: bool
) -> None:
    """A grant that happened before the withdrawal that stands changes nothing when it arrives after
    it.
    """
    told = [
        said(occurred_at=JANUARY),
        said(action=action, occurred_at=MARCH),
        said(occurred_at=FEBRUARY),
    ]
    for batch in [[event] for event in told] if apart else [told]:
        ledger.append_all(batch)
    assert granting(database, clock) == frozenset()
    ledger.append(said(occurred_at=MARCH))
    assert granting(database, clock) == {"purchases"}


def test_an_older_withdrawal_does_not_open_the_door_to_a_late_grant(
    ledger: Ledger, database: Database, clock: Clock
) -> None:
    """After withdrawals of March and of January have arrived, in this order, a late grant of
    February undoes neither.
    """
    ledger.append_all(
        [said(action="withdrawn", occurred_at=MARCH), said(action="refused", occurred_at=JANUARY)]
    )
    ledger.append(said(occurred_at=FEBRUARY))
    assert granting(database, clock) == frozenset()


def test_a_moment_of_an_early_year_is_an_early_moment(
    ledger: Ledger, database: Database, clock: Clock
) -> None:
    """A year of fewer than four digits, as a typing error gives it, makes a grant older and not
    newer.
    """
    ledger.append_all(
        [said(action="withdrawn", occurred_at=MARCH), said(occurred_at="0024-05-01T00:00:00Z")]
    )
    ledger.append(said(category="times", valid_until="0024-05-01T00:00:00Z"))
    assert granting(database, clock) == frozenset()


# ---- when a grant ends ----


@pytest.mark.parametrize(
    ("valid_days", "stated", "ends"),
    [
        (None, "2024-07-01T00:00:00+02:00", datetime(2024, 6, 30, 22)),  # noqa: DTZ001 - as the database has it
        (30, None, datetime(2024, 7, 1, 12)),  # noqa: DTZ001 - as above
        (30, "2024-06-15T00:00:00Z", datetime(2024, 6, 15)),  # noqa: DTZ001 - as above
        (30, "2030-01-01T00:00:00Z", datetime(2024, 7, 1, 12)),  # noqa: DTZ001 - as above
    ],
    ids=["by the event", "by the purpose", "the event's comes first", "the purpose's comes first"],
)
@pytest.mark.parametrize("action", ALLOWING)
def test_a_grant_ends_at_the_very_microsecond(
    database: Database,
    vault: Vault,
    valid_days: int | None,
    stated: str | None,
    ends: datetime,
    action: str,
) -> None:
    """A grant stands to the last microsecond before its end and no longer; then its state is
    expired.
    """
    catalog = catalog_of(valid_days={} if valid_days is None else {"advice": valid_days})
    clock = Moments(NOON)
    ledger = ledger_of(database, vault, clock, catalog)
    first = [] if action == "granted" else [said(occurred_at=JANUARY)]
    ledger.append_all([*first, said(action=action, valid_until=stated)])
    ends = ends.replace(tzinfo=NOON.tzinfo)
    for now, allowed in ((ends - TICK, True), (ends, False), (ends + TICK, False)):
        clock.now = now
        assert granting(database, clock, catalog=catalog) == ({"purchases"} if allowed else set())
        assert len(ledger.granted("advice")) == allowed
        state = ledger.state(pseudonym_of(database, "ann"))[0]
        assert (state["action"], state["allowed"]) == (
            (action, True) if allowed else ("expired", False)
        )
        assert state["valid_until"] == times.to_text(ends)


def test_a_purpose_that_ends_counts_from_when_the_customer_spoke(
    database: Database, vault: Vault
) -> None:
    """A grant of January, delivered in June under a purpose that allows thirty days, has run out
    already.
    """
    catalog, clock = catalog_of(valid_days={"advice": 30}), Moments(NOON)
    ledger = ledger_of(database, vault, clock, catalog)
    ledger.append_all([said(occurred_at=JANUARY), said(purpose="forecast", occurred_at=JANUARY)])
    assert granting(database, clock, catalog=catalog) == frozenset()
    assert granting(database, clock, purpose="forecast", catalog=catalog) == {"purchases"}


def test_what_withholds_never_runs_out(ledger: Ledger, database: Database) -> None:
    """A withdrawal with an end is a withdrawal without one."""
    ledger.append(said(action="withdrawn", valid_until="2030-01-01"))
    assert [row["valid_until"] for row in rows_of(database, consent_events)] == [None]


def test_a_text_that_asks_anew_ends_older_grants(
    database: Database, vault: Vault, clock: Clock
) -> None:
    """Once a version means something else, grants under earlier ones do not count; those under it
    and later ones do.
    """
    before = [advice("1"), advice("2")]
    ledger = ledger_of(database, vault, clock, catalog_of(["advice"], notices=before))
    asked = zip(("ann", "bob"), ("1", "2"), strict=True)
    ledger.append_all([said(name, notice_version=version) for name, version in asked])
    catalog = catalog_of(
        ["advice"],
        notices=[*before, advice("3", asks_anew=True), advice("3", language="de"), advice("4")],
    )
    anew = ledger_of(database, vault, clock, catalog)
    anew.append_all(
        [
            said("eve", notice_version="3"),
            said("dan", notice_version="4"),
            said("zoe", notice_version="2"),
        ]
    )
    granted = {
        name: granting(database, clock, name, catalog=catalog)
        for name in ("ann", "bob", "eve", "dan", "zoe")
    }
    assert {name for name, categories in granted.items() if categories} == {"eve", "dan"}
    assert len(anew.granted("advice")) == 2
    state = anew.state(pseudonym_of(database, "ann"))[0]
    assert (state["allowed"], state["notice_version"]) == (False, "1")


def test_a_text_that_only_reads_better_ends_nothing(
    database: Database, vault: Vault, clock: Clock
) -> None:
    """A new version of the same meaning leaves older grants as they are."""
    ledger_of(database, vault, clock, catalog_of(["advice"], notices=[advice("1")])).append(said())
    catalog = catalog_of(["advice"], notices=[advice("1"), advice("2")])
    assert granting(database, clock, catalog=catalog) == {"purchases"}


# ---- from when on data is covered ----


def coverage(database: Database, vault: Vault, *told: dict[str, Any]) -> list[str | None]:
    """From when on data is covered after these events about one category, in June."""
    clock = Moments(NOON)
    ledger = ledger_of(database, vault, clock, COVERING)
    for one in told:
        ledger.append(said(**one))
    return covered_from(database, COVERING, clock)


GRANT, WITHDRAWAL, EARLIER = (
    {"notice_version": "1"},
    {"action": "withdrawn", "notice_version": None},
    {"notice_version": "2"},
)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([{**GRANT, "occurred_at": FEBRUARY}], FEBRUARY),
        ([GRANT], times.to_text(NOON)),
        ([EARLIER], None),
        ([{**GRANT, "occurred_at": JANUARY}, {**GRANT, "occurred_at": MARCH}], JANUARY),
        ([{**GRANT, "occurred_at": MARCH}, {**GRANT, "occurred_at": JANUARY}], JANUARY),
        (
            [
                {**GRANT, "occurred_at": JANUARY},
                {**GRANT, "action": "renewed", "occurred_at": MARCH},
            ],
            JANUARY,
        ),
        (
            [
                {**GRANT, "occurred_at": JANUARY},
                {**WITHDRAWAL, "occurred_at": FEBRUARY},
                {**GRANT, "occurred_at": MARCH},
            ],
            MARCH,
        ),
        (
            [
                {**EARLIER, "occurred_at": JANUARY},
                {**WITHDRAWAL, "occurred_at": FEBRUARY},
                {**GRANT, "occurred_at": MARCH},
            ],
            MARCH,
        ),
        ([{**EARLIER, "occurred_at": JANUARY}, {**GRANT, "notice_version": "3"}], None),
        ([{**GRANT, "occurred_at": JANUARY}, EARLIER], None),
        (
            [
                {**GRANT, "occurred_at": JANUARY},
                {**WITHDRAWAL, "action": "expired"},
                {**GRANT, "action": "renewed"},
            ],
            times.to_text(NOON),
        ),
    ],
    ids=[
        "a grant covers what comes after it",
        "a grant without a time counts from when it was received",
        "a notice may speak of earlier data",
        "a grant that goes on reaches as far back",
        "an older grant that arrives late reaches further back",
        "a renewal reaches as far back",
        "after a withdrawal a grant begins anew",
        "after a withdrawal everything is covered no more",
        "what covered everything goes on to",
        "a grant that goes on may come to cover everything",
        "what had expired begins anew",
    ],
)
def test_a_grant_covers_data_from_its_beginning(
    database: Database, vault: Vault, told: list[dict[str, Any]], expected: str | None
) -> None:
    """Data is covered from the beginning of an unbroken grant, and earlier where the notice said
    so.
    """
    assert coverage(database, vault, *told) == [expected]


def test_a_grant_that_ran_out_does_not_cover_the_time_without_one(
    database: Database, vault: Vault
) -> None:
    """A grant that ended in February and is given again in March covers nothing from between, as if
    an event had said that it expired.
    """
    told = [
        {**GRANT, "occurred_at": JANUARY, "valid_until": FEBRUARY},
        {**GRANT, "occurred_at": MARCH},
    ]
    assert coverage(database, vault, *told) == [MARCH]


def test_a_text_that_asks_anew_covers_from_its_own_grant(
    database: Database, vault: Vault, clock: Clock
) -> None:
    """Data from before is not covered under a text that means something else and does not speak of
    it, though it was under the old one.
    """
    old = [advice("1", covers_earlier_data=True)]
    ledger_of(database, vault, clock, catalog_of(["advice"], notices=old)).append(
        said(occurred_at=JANUARY)
    )
    catalog = catalog_of(["advice"], notices=[*old, advice("2", asks_anew=True)])
    ledger_of(database, vault, clock, catalog).append(said(notice_version="2", occurred_at=MARCH))
    assert covered_from(database, catalog, clock) == [MARCH]


def test_grants_have_their_types_also_where_there_are_none(ledger: Ledger) -> None:
    """The frame of grants has the same columns and types whether it is empty or not."""
    empty = ledger.granted("advice")
    ledger.append(said())
    kinds = {"customer": "int64", "category": "str", "covers_from": "datetime64[us]"}
    assert (
        empty.dtypes.astype(str).to_dict()
        == ledger.granted("advice").dtypes.astype(str).to_dict()
        == kinds
    )
