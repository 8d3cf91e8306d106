"""What merged customers said: of several standings of one person the most restrictive counts.

No event is rewritten. The number that is kept gets an event that states the most restrictive
standing once more, and each number that goes is closed by an event of its own, so that the chain
proves the merge and nothing is in force under a number of before. A visitor who becomes a customer
is merged alike, but that nothing is granted for the customer that they did not grant themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from features.catalog import Catalog
from features.consent.batch import STATE_KEY
from features.consent.chain import link
from features.consent.event import ALLOWING, EXPIRED, MERGED, WITHDRAWN
from features.consent.grants import STATE_COLUMNS, fold, is_in_force
from features.consent.ledger import LATER_COLUMNS
from features.consent.timing import Rule
from features.database.engine import upsert
from features.database.tables import consent_events, consent_state, ledger_head

METHOD, ACTOR = "merged_ids", "sayso"
JOINED = "joined_visitor"
"""The method of the events by which a visitor becomes a customer."""
BATCH = 1_000
COPIED = ("notice_version", "notice", "notice_language", "notice_digest")
Standing = dict[str, Any]


def merge_consents(
    connection: Connection,
    catalog: Catalog,
    into: Mapping[int, int],
    nobody: frozenset[int],
    now: str,
) -> int:
    """Write the events of a merge, within a transaction that writes; how many.

    `into` has the kept number by each number that goes into it; what stands for `nobody` is
    withdrawn.
    """
    events = [
        _event(one, now, action=WITHDRAWN)
        for number in sorted(nobody)
        for one in _standings(connection, [number])
        if one["action"] in ALLOWING
    ]
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for number, kept in into.items():
        groups[kept].append(number)
    for kept, numbers in groups.items():
        events += _of_one(connection, catalog, kept, numbers, now)
    _append(connection, events)
    return len(events)


def join_consents(
    connection: Connection, catalog: Catalog, visitor: int, customer: int, actor: str, now: str
) -> dict[str, str | None]:
    """Write the events by which a visitor becomes a customer, within a transaction that writes.

    What the visitor withheld is withheld, and a grant of both ends as early as either; what only
    the visitor granted is not granted. Returns the categories of which the visitor's rows may come
    along, as both grant them for everything that the customer grants them for; each with the moment
    from which on the visitor's grants cover data (None: all of it).
    """
    standings = _standings(connection, [customer, visitor])
    said = {(one["customer"], one["purpose"], one["category"]): one for one in standings}
    events: list[dict[str, Any]] = []
    both: dict[str, list[str | None]] = {}
    only_customer: set[str] = set()
    for purpose, category in dict.fromkeys((one["purpose"], one["category"]) for one in standings):
        own, theirs = (said.get((who, purpose, category)) for who in (customer, visitor))
        counts = _of_visitor(own, theirs, catalog, now)
        if counts is not None and counts != own:
            copied = _notice_of(connection, counts["seq"])
            event = _event({**counts, **copied, "customer": customer}, now, counts["action"])
            events.append({**event, "method": JOINED, "actor": actor})
        if counts is not None and _stands(counts, catalog, now):
            if _stands(theirs, catalog, now):
                both.setdefault(category, []).append(theirs["covers_from"] if theirs else None)
            else:
                only_customer.add(category)
    closing = [_event(one, now, MERGED) for one in standings if one["customer"] == visitor]
    events += [{**one, "method": JOINED, "actor": actor} for one in closing]
    _append(connection, events)
    return {
        category: max((one for one in since if one is not None), default=None)
        for category, since in both.items()
        if category not in only_customer
    }


def _of_visitor(
    own: Standing | None, theirs: Standing | None, catalog: Catalog, now: str
) -> Standing | None:
    """What stands for a customer, who had `own`, once a visitor with `theirs` is them."""
    if theirs is None or theirs["action"] in {MERGED, EXPIRED}:
        return own
    if theirs["action"] not in ALLOWING:
        return most_restrictive([one for one in (own, theirs) if one is not None], catalog)
    if own is None or not (_stands(own, catalog, now) and _stands(theirs, catalog, now)):
        return own
    ends = [one["valid_until"] for one in (own, theirs) if one["valid_until"] is not None]
    return {**own, "valid_until": min(ends, default=None)}


def _stands(one: Standing | None, catalog: Catalog, now: str) -> bool:
    if one is None or one["purpose"] not in catalog.purposes:
        return False
    return is_in_force(one, catalog.versions_in_force(one["purpose"]), now)


def _notice_of(connection: Connection, seq: int) -> dict[str, Any]:
    """What an event of the ledger says of the notice that was shown."""
    query = select(consent_events).where(consent_events.c.seq == seq)
    found = connection.execute(query).mappings().one()
    return {name: found[name] for name in COPIED}


def most_restrictive(standings: Sequence[Standing], catalog: Catalog) -> dict[str, Any]:
    """Of several standings of one person for one purpose and category the one that allows least.

    A grant ends as early and reaches as little back as any of theirs; what withholds shuts out
    every grant that is older than any of theirs.
    """

    def allows(one: Mapping[str, Any]) -> tuple[bool, bool, str]:
        known = one["purpose"] in catalog.purposes
        versions = catalog.versions_in_force(one["purpose"]) if known else ()
        return (
            one["action"] in ALLOWING,
            one["notice_version"] in versions,
            one["valid_until"] or "~",
        )

    least = min(standings, key=allows)
    if least["action"] in ALLOWING:
        reach = [one["covers_from"] for one in standings if one["covers_from"] is not None]
        return {**least, "covers_from": max(reach, default=None)}
    withheld = [one["occurred_at"] for one in standings if one["action"] not in ALLOWING]
    return {**least, "occurred_at": max(withheld)}


def _of_one(
    connection: Connection, catalog: Catalog, kept: int, numbers: Sequence[int], now: str
) -> list[dict[str, Any]]:
    standings = _standings(connection, [kept, *numbers])
    about: defaultdict[tuple[str, str], list[Standing]] = defaultdict(list)
    for one in standings:
        if one["action"] != MERGED:
            about[one["purpose"], one["category"]].append(one)
    events = []
    for said in about.values():
        counts = most_restrictive(said, catalog)
        own = next((one for one in said if one["customer"] == kept), None)
        if own is None or any(own[name] != counts[name] for name in STATE_COLUMNS if name != "seq"):
            copied = _notice_of(connection, counts["seq"])
            events.append(_event({**counts, **copied, "customer": kept}, now, counts["action"]))
    events += [
        _event(one, now, action=MERGED)
        for one in standings
        if one["customer"] != kept and one["action"] != MERGED
    ]
    return events


def _standings(connection: Connection, numbers: Sequence[int]) -> list[dict[str, Any]]:
    query = select(consent_state).where(consent_state.c.customer.in_(numbers))
    found = connection.execute(query.order_by(*(consent_state.c[name] for name in STATE_KEY)))
    return [dict(row) for row in found.mappings()]


def _event(one: Standing, now: str, action: str) -> dict[str, Any]:
    """The row of an event about a standing, but for its place in the chain."""
    allows = action in ALLOWING
    return {
        "customer": one["customer"],
        "purpose": one["purpose"],
        "category": one["category"],
        "action": action,
        "method": METHOD,
        "actor": ACTOR,
        "occurred_at": one["occurred_at"] if action != MERGED else now,
        "received_at": now,
        "idempotency_key": None,
        "valid_until": one["valid_until"] if allows else None,
        "covers_from": one["covers_from"] if allows else None,
        "evidence_digest": None,
        "stated_at": None,
        "rule": Rule.MERGED.value,
        **{name: one.get(name) for name in COPIED},
    }


def _append(connection: Connection, events: Sequence[dict[str, Any]]) -> None:
    head = connection.execute(select(ledger_head).with_for_update()).one()
    seq, previous, rows = head.seq, head.hash, []
    for event in events:
        seq += 1
        row = {**event, "seq": seq, "previous_hash": previous}
        previous = link(row, LATER_COLUMNS)
        rows.append({**row, "hash": previous})
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        connection.execute(insert(consent_events), part)
        touched = {row["customer"] for row in part}
        before = {
            tuple(one[name] for name in STATE_KEY): {name: one[name] for name in STATE_COLUMNS}
            for one in _standings(connection, sorted(touched))
        }
        state = fold(part, before)
        changed = [
            {**dict(zip(STATE_KEY, key, strict=True)), **stands} for key, stands in state.items()
        ]
        upsert(connection, consent_state, STATE_KEY, changed)
    connection.execute(update(ledger_head).values(seq=seq, hash=previous))
