"""Consent in time: what counts is told from when it was said and when it was received, by one rule
for all who write, and the ledger and the answer say which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import clock as times
from features.consent.event import ALLOWING, OWN_PAGE
from features.consent.grants import fold
from features.consent.ledger import Ledger
from features.consent.timing import EFFECTIVE, WORDS, Rule, rule_for
from features.consent.verification import verify_ledger
from features.customers.vault import Vault
from features.database.engine import Database
from features.errors import ConsentError
from tests.made_up_consents import (
    NOON,
    Moments,
    catalog_of,
    granting,
    ledger_of,
    pseudonym_of,
    said,
)

GRANT, WITHDRAWAL = "granted", "withdrawn"


@pytest.fixture
def moments() -> Moments:
    """A clock that stands at noon until a test puts it."""
    return Moments()


@pytest.fixture
def told(database: Database, vault: Vault, moments: Moments) -> Ledger:
    """An empty ledger, once in each kind of database."""
    return ledger_of(database, vault, moments)


def at(hours: float) -> str:
    """The moment so many hours after noon."""
    return times.to_text(NOON + timedelta(hours=hours))


def allowed(database: Database, moments: Moments) -> bool:
    """Whether ann's purchases may be used."""
    return granting(database, moments) == {"purchases"}


def history(ledger: Ledger, database: Database) -> list[dict[str, Any]]:
    """All events of ann."""
    return ledger.history(pseudonym_of(database, "ann"))


def test_a_grant_dated_ahead_cannot_beat_a_withdrawal(
    told: Ledger, database: Database, moments: Moments
) -> None:
    """A shop east of UTC exports local times: its grant of before a withdrawal stays undone."""
    told.append(said(action=WITHDRAWAL))
    moments.now += timedelta(minutes=15)
    receipt = told.append(said(occurred_at=at(2)))
    assert (receipt.rule, receipt.takes_effect) == (Rule.DATED_AHEAD, False)
    assert not allowed(database, moments)
    newest = history(told, database)[-1]
    assert (newest["occurred_at"], newest["stated_at"]) == (at(0.25), at(2))


def test_a_grant_dated_ahead_counts_as_received(
    told: Ledger, database: Database, moments: Moments
) -> None:
    """Where nothing was taken back it holds, from its receipt on; a withdrawal ends it as ever."""
    assert told.append(said(occurred_at=at(2))).rule == Rule.NEWEST
    assert allowed(database, moments)
    moments.now += timedelta(minutes=1)
    assert told.append(said(action=WITHDRAWAL, occurred_at=at(0.01))).takes_effect
    assert not allowed(database, moments)
    moments.now += timedelta(minutes=1)
    assert told.append(said()).rule == Rule.NEWEST
    assert allowed(database, moments)


def test_a_late_withdrawal_beats_a_newer_grant(
    told: Ledger, database: Database, moments: Moments
) -> None:
    """It wins, and the very grant that it ended cannot undo it by being sent again."""
    grant = said(occurred_at=at(-1))
    told.append(grant)
    receipt = told.append(said(action=WITHDRAWAL, occurred_at=at(-5)))
    assert (receipt.rule, receipt.takes_effect) == (Rule.LATE_WITHDRAWAL, True)
    assert told.append(grant).rule == Rule.OLDER_GRANT
    assert not allowed(database, moments)
    assert told.append(said(occurred_at=at(-0.5))).takes_effect
    assert allowed(database, moments)


@pytest.mark.parametrize(
    ("newer", "rule"),
    [
        ({"method": OWN_PAGE, "own_page": True}, Rule.NEWER_OWN_PAGE),
        ({"evidence": "form 7", "occurred_at": at(-1)}, Rule.NEWER_EVIDENCE),
    ],
)
def test_a_grant_beyond_doubt_stands(
    told: Ledger, database: Database, moments: Moments, newer: dict[str, Any], rule: Rule
) -> None:
    """A newer grant of the customer's own page, or with later evidence, beats a late withdrawal,
    but none that is said now.
    """
    told.append(said(**newer))
    receipt = told.append(said(action=WITHDRAWAL, occurred_at=at(-5)))
    assert (receipt.rule, receipt.takes_effect) == (rule, False)
    assert receipt.explanation == WORDS[rule]
    assert allowed(database, moments)
    assert told.append(said(action=WITHDRAWAL)).takes_effect
    assert not allowed(database, moments)


def test_evidence_dated_ahead_is_no_later_evidence(
    told: Ledger, database: Database, moments: Moments
) -> None:
    """A grant of which nobody knows when it was said beats no withdrawal by its evidence."""
    told.append(said(evidence="form 7", occurred_at=at(3)))
    moments.now += timedelta(hours=4)
    receipt = told.append(said(action=WITHDRAWAL, occurred_at=at(-1)))
    assert receipt.rule == Rule.LATE_WITHDRAWAL
    assert not allowed(database, moments)


def test_nobody_else_writes_in_the_name_of_the_page(told: Ledger) -> None:
    """The method of the customer's own page is refused of others, as it would outlast a late
    withdrawal.
    """
    with pytest.raises(ConsentError, match="own page"):
        told.append(said(method=OWN_PAGE))


def test_a_withdrawal_without_a_moment_is_never_late(
    told: Ledger, database: Database, moments: Moments
) -> None:
    """Where the clock stepped back since the grant, what is withdrawn now is withdrawn, and what is
    granted after that is granted.
    """
    told.append(said(method=OWN_PAGE, own_page=True))
    moments.now -= timedelta(minutes=1)
    assert told.append(said(action=WITHDRAWAL)).takes_effect
    assert not allowed(database, moments)
    moments.now -= timedelta(minutes=1)
    assert told.append(said(method=OWN_PAGE, own_page=True)).takes_effect
    assert allowed(database, moments)


@pytest.mark.parametrize(
    ("zone", "stated", "moment"),
    [
        ("UTC", "2024-06-01T10:00:00", "2024-06-01T10:00:00.000000Z"),
        ("Europe/Athens", "2024-06-01T10:00:00", "2024-06-01T07:00:00.000000Z"),
        ("Europe/Athens", "2024-06-01T10:00:00Z", "2024-06-01T10:00:00.000000Z"),
        ("America/New_York", "2024-05-31T20:00:00", "2024-06-01T00:00:00.000000Z"),
    ],
)
def test_a_time_without_an_offset_is_of_the_zone(
    database: Database, vault: Vault, moments: Moments, zone: str, stated: str, moment: str
) -> None:
    """The shop's zone, or that of the event's source, says what clocks showed."""
    for catalog, own in (
        (replace(catalog_of(), time_zone=zone), None),
        (replace(catalog_of(), time_zone="Asia/Tokyo"), zone),
    ):
        ledger = ledger_of(database, vault, moments, catalog)
        seq = ledger.append(said(occurred_at=stated, time_zone=own)).seq
        rows = {row["seq"]: row for row in history(ledger, database)}
        assert rows[seq]["occurred_at"] == moment


def test_of_a_time_that_clocks_show_twice_what_withholds_has_the_later(
    database: Database, vault: Vault, moments: Moments
) -> None:
    """In the hour in which clocks are put back a withdrawal beats a grant of the same time."""
    moments.now = datetime(2024, 11, 1, tzinfo=UTC)
    ledger = ledger_of(database, vault, moments, replace(catalog_of(), time_zone="Europe/Berlin"))
    twice = "2024-10-27T02:30:00"
    assert ledger.append(said(action=WITHDRAWAL, occurred_at=twice)).takes_effect
    assert ledger.append(said(occurred_at=twice)).rule == Rule.OLDER_GRANT
    found = [row["occurred_at"] for row in history(ledger, database)]
    assert found == ["2024-10-27T01:30:00.000000Z", "2024-10-27T00:30:00.000000Z"]


SAID = st.fixed_dictionaries(
    {
        "action": st.sampled_from([GRANT, GRANT, WITHDRAWAL, "refused", "objected", "expired"]),
        "stated": st.one_of(st.none(), st.integers(-20, 10)),
        "page": st.booleans(),
        "evidence": st.booleans(),
        "passes": st.integers(-1, 6),
    }
)


def row_of(one: Mapping[str, Any], seq: int, received: int) -> dict[str, Any]:
    """The row of the ledger of one thing said; moments are whole numbers that sort as text does."""
    stated = received if one["stated"] is None else received + one["stated"]
    grants = one["action"] == GRANT
    return {
        "seq": seq,
        "customer": 1,
        "purpose": "advice",
        "category": "purchases",
        "action": one["action"],
        "method": OWN_PAGE if one["page"] else "web_form",
        "evidence_digest": "d" if one["evidence"] and grants else None,
        "occurred_at": f"{min(stated, received):06}",
        "received_at": f"{received:06}",
        "stated_at": f"{stated:06}" if stated > received else None,
        "notice_version": "1",
        "valid_until": None,
        "covers_from": None,
    }


@settings(max_examples=100)
@given(spoken=st.lists(SAID, min_size=1, max_size=12))
def test_consent_follows_from_when_it_was_said(spoken: Sequence[Mapping[str, Any]]) -> None:
    """Whatever is said in whatever order: no grant of which it is not known that it is newer beats
    what withholds, what is withdrawn now counts, and a late withdrawal loses to a grant beyond
    doubt alone.
    """
    state: dict[tuple[int, str, str], dict[str, Any]] = {}
    rows: list[dict[str, Any]] = []
    now = 500
    for one in spoken:
        now += one["passes"]
        row = row_of(one, len(rows) + 1, now)
        before = state.get((1, "advice", "purchases"))
        rule = rule_for(row, before, lambda seq: rows[seq - 1], stated=one["stated"] is not None)
        row["rule"] = rule.value
        rows.append(row)
        fold([row], state)
        after = state[1, "advice", "purchases"]["action"] in ALLOWING
        withheld = before is not None and before["action"] not in ALLOWING
        if row["action"] == GRANT and withheld and after:
            assert one["stated"] is None or row["occurred_at"] >= before["occurred_at"]
            assert row["stated_at"] is None or before["action"] == "expired"
        if row["action"] != GRANT and one["stated"] is None:
            assert not after
        if row["action"] != GRANT and after:
            assert before is not None
            grant = rows[before["seq"] - 1]
            assert row["occurred_at"] < grant["occurred_at"]
            assert grant["method"] == OWN_PAGE or (
                grant["evidence_digest"] and grant["stated_at"] is None
            )
        assert (state[1, "advice", "purchases"]["seq"] == row["seq"]) is (rule in EFFECTIVE)
    assert fold(rows) == state


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spoken=st.lists(SAID, min_size=2, max_size=8))
def test_the_ledger_keeps_to_the_rule(
    told: Ledger, database: Database, moments: Moments, spoken: Sequence[Mapping[str, Any]]
) -> None:
    """The state that answers obey is what the events and the rules kept with them amount to, and
    what the receipts say.
    """
    who = f"customer of event {told.position()}"
    for one in spoken:
        moments.now += timedelta(hours=max(0, one["passes"]))
        hours = one["stated"]
        stated = None if hours is None else times.to_text(moments.now + timedelta(hours=hours))
        receipt = told.append(
            said(
                who,
                one["action"],
                occurred_at=stated,
                evidence="form" if one["evidence"] else None,
                method=OWN_PAGE if one["page"] else "web_form",
                own_page=one["page"],
            )
        )
        grants = one["action"] == GRANT
        stands = granting(database, moments, who) == {"purchases"}
        if receipt.takes_effect:
            assert stands is grants
    verify_ledger(database, catalog_of())
