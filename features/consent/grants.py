"""What a customer allows at one moment: the grants in force.

The one place that says when a grant counts. A withdrawal becomes a row of `consent_state` whose
action is no grant, the row is not in force, the category is not granted, the gate
(`features.warehouse.gate`) passes no row of it, and a feature of no rows is `NaN`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Connection, Subquery, and_, literal, or_, select

from features import clock
from features.catalog import Catalog
from features.consent.event import ALLOWING, EXPIRED, RENEWED
from features.consent.timing import EFFECTIVE, Rule
from features.database.tables import consent_state

State = tuple[int, str, str]
"""Whose state, for which purpose, of which category."""
STATE_COLUMNS = ("action", "seq", "occurred_at", "notice_version", "valid_until", "covers_from")
"""What the ledger keeps of the event that decides."""


def in_force(catalog: Catalog, purpose: str, now: str) -> ColumnElement[bool]:
    """A grant counts while it stands, has not run out, and rests on a notice that still means what
    it said.
    """
    return _stands(catalog.versions_in_force(purpose), purpose, now)


def granted_in_force(
    customers: Sequence[ColumnElement[int]],
    versions: Collection[str],
    purpose: ColumnElement[str],
    now: ColumnElement[str],
) -> Subquery:
    """The categories that each of some customers grants, as a part of a larger query; `versions`
    as for `is_in_force`.
    """
    stands = _stands(versions, purpose, now)
    column = consent_state.c
    query = select(column.customer, column.category)
    return query.where(column.customer.in_(customers), stands).subquery()


def _stands(
    versions: Collection[str], purpose: str | ColumnElement[str], now: str | ColumnElement[str]
) -> ColumnElement[bool]:
    column = consent_state.c
    return and_(
        column.purpose == purpose,
        column.action.in_([literal(action) for action in ALLOWING]),
        or_(column.valid_until.is_(None), column.valid_until > now),
        column.notice_version.in_([literal(version) for version in versions]),
    )


def is_in_force(state: Mapping[str, Any], versions: Collection[str], now: str) -> bool:
    """The rule of `in_force` for a state that was read already; `versions` of the notice are those
    that still mean what they said.
    """
    runs_out = state["valid_until"]
    return (
        state["action"] in ALLOWING
        and (runs_out is None or runs_out > now)
        and state["notice_version"] in versions
    )


def granted_to(
    connection: Connection, catalog: Catalog, customer: int, purpose: str, now: str
) -> frozenset[str]:
    """Categories that a customer grants for `purpose` at the moment `now`."""
    query = select(consent_state.c.category).where(
        consent_state.c.customer == customer, in_force(catalog, purpose, now)
    )
    return frozenset(connection.execute(query).scalars())


def grants(
    connection: Connection,
    catalog: Catalog,
    purpose: str,
    now: str,
    customers: Collection[int] | None = None,
) -> pd.DataFrame:
    """The grants in force for `purpose`, of everybody or of some `customers`; one row per grant.

    Columns customer (int64), category (str) and covers_from (datetime64, naive UTC): data recorded
    earlier than that is not covered; `NaT` where the notice said that all of it is.
    """
    column = consent_state.c
    query = select(column.customer, column.category, column.covers_from).where(
        in_force(catalog, purpose, now)
    )
    if customers is not None:
        query = query.where(column.customer.in_(customers))
    found = connection.execute(query.order_by(column.customer, column.category))
    # Of which pandas makes a frame four times as quickly as of the rows themselves.
    rows = [tuple(row) for row in found]
    frame = pd.DataFrame(rows, columns=["customer", "category", "covers_from"])
    return frame.astype({"customer": "int64", "category": "str"}).assign(
        covers_from=_moments(frame["covers_from"])
    )


def takes_effect(event: Mapping[str, Any], standing: Mapping[str, Any] | None) -> bool:
    """Whether an event changes where its customer stands: as the rule says that was kept with it
    (`features.consent.timing`).

    Events of before have none. Of these what withholds always does. A renewal goes on with a grant
    and cannot make one. A grant does not where it happened before the refusal or withdrawal that
    stands: one that was delivered late cannot undo that.
    """
    if (rule := event.get("rule")) is not None:
        return rule in EFFECTIVE
    if event["action"] == RENEWED:
        return standing is not None and standing["action"] in (*ALLOWING, EXPIRED)
    if event["action"] not in ALLOWING or standing is None or standing["action"] in ALLOWING:
        return True
    return bool(event["occurred_at"] >= standing["occurred_at"])


def fold(
    events: Iterable[Mapping[str, Any]], folded: dict[State, dict[str, Any]] | None = None
) -> dict[State, dict[str, Any]]:
    """The state that `events`, in the order of the ledger, amount to: the columns `STATE_COLUMNS`
    of the event that decides.
    """
    state = {} if folded is None else folded
    for event in events:
        key = (event["customer"], event["purpose"], event["category"])
        standing = state.get(key)
        if takes_effect(event, standing):
            state[key] = {name: event[name] for name in STATE_COLUMNS}
            late = event.get("rule") == Rule.LATE_WITHDRAWAL
            if (
                standing is not None
                and (late or standing["action"] not in ALLOWING)
                and event["action"] not in ALLOWING
            ):
                # The later one shuts out late grants.
                state[key]["occurred_at"] = max(event["occurred_at"], standing["occurred_at"])
    return state


def _moments(texts: pd.Series) -> pd.Series:
    moments = [
        pd.NaT if text is None else pd.Timestamp(clock.from_text(text)).tz_convert(None)
        for text in texts
    ]
    return pd.Series(moments, index=texts.index, dtype="datetime64[us]")
