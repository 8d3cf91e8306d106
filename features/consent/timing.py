"""When a consent event counts, told from the times at which it was said and received.

The one rule for all who write to the ledger. What it decides is kept with the event (`rule`), so
that the chain proves it and the state follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from features.consent.event import ALLOWING, EXPIRED, OWN_PAGE, RENEWED


class Rule(StrEnum):
    """Which rule of time decided whether an event changes where its customer stands."""

    NEWEST = "newest"
    DATED_AHEAD = "dated_ahead"
    OLDER_GRANT = "older_grant"
    LATE_WITHDRAWAL = "late_withdrawal"
    NEWER_OWN_PAGE = "newer_own_page"
    NEWER_EVIDENCE = "newer_evidence"
    NOTHING_TO_RENEW = "nothing_to_renew"
    MERGED = "merged"


EFFECTIVE = frozenset({Rule.NEWEST, Rule.LATE_WITHDRAWAL, Rule.MERGED})
"""An event changes where its customer stands by one of these, and by no other."""
WORDS: Mapping[str, str] = {
    Rule.NEWEST: "This is the newest that the customer said, and it counts.",
    Rule.DATED_AHEAD: (
        "The grant is dated ahead of its receipt, so it cannot be told to be newer than the refusal"
        " or withdrawal that stands; that one still counts."
    ),
    Rule.OLDER_GRANT: (
        "The grant is older than the refusal or withdrawal that stands; that one still counts."
    ),
    Rule.LATE_WITHDRAWAL: (
        "This was said before the grant that stood and arrived after it; what withholds counts, so"
        " the grant does no longer."
    ),
    Rule.NEWER_OWN_PAGE: (
        "This was said before the grant that stands, which the customer gave on their own page; the"
        " grant still counts."
    ),
    Rule.NEWER_EVIDENCE: (
        "This was said before the grant that stands, which carries later evidence; the grant still"
        " counts."
    ),
    Rule.NOTHING_TO_RENEW: "There is no grant that this could renew, so nothing changes.",
    Rule.MERGED: (
        "Ids of one customer were merged, or a visitor became a customer; of what they said the"
        " most restrictive counts."
    ),
}
"""What each rule says to whoever wrote the event."""

Said = Callable[[int], Mapping[str, Any]]
"""The event of the ledger with a sequence number."""


def rule_for(
    event: Mapping[str, Any], standing: Mapping[str, Any] | None, said: Said, *, stated: bool
) -> Rule:
    """The rule by which `event` (a row of the ledger) counts against what stands.

    `stated` tells that the event came with a moment; one without was said when it was received.
    """
    if event["action"] == RENEWED:
        renewable = standing is not None and standing["action"] in (*ALLOWING, EXPIRED)
        return Rule.NEWEST if renewable else Rule.NOTHING_TO_RENEW
    if standing is None:
        return Rule.NEWEST
    if event["action"] in ALLOWING:
        return _grant(event, standing, said, stated=stated)
    return _withholding(event, standing, said) if stated else Rule.NEWEST


def _grant(
    event: Mapping[str, Any], standing: Mapping[str, Any], said: Said, *, stated: bool
) -> Rule:
    """A grant beats what withholds only where it is known to be newer."""
    if standing["action"] in ALLOWING or not stated:
        return Rule.NEWEST
    if event["stated_at"] is not None and standing["action"] != EXPIRED:
        return Rule.DATED_AHEAD
    if event["occurred_at"] < standing["occurred_at"]:
        return Rule.OLDER_GRANT
    again = event["occurred_at"] == standing["occurred_at"]
    if again and said(standing["seq"])["rule"] == Rule.LATE_WITHDRAWAL:
        return Rule.OLDER_GRANT  # the very grant that the withdrawal ended, sent once more
    return Rule.NEWEST


def _withholding(event: Mapping[str, Any], standing: Mapping[str, Any], said: Said) -> Rule:
    """What withholds counts, but for what is older than a grant that is beyond doubt."""
    if standing["action"] not in ALLOWING or event["occurred_at"] >= standing["occurred_at"]:
        return Rule.NEWEST
    grant = said(standing["seq"])
    if grant["method"] == OWN_PAGE:
        return Rule.NEWER_OWN_PAGE
    if grant["evidence_digest"] is not None and grant["stated_at"] is None:
        return Rule.NEWER_EVIDENCE
    return Rule.LATE_WITHDRAWAL
