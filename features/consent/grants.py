"""What a customer allows at one moment: the grants in force.

The one place that says when a grant counts. A withdrawal becomes a row of `consent_state` whose
action is no grant, the row is not in force, the category is not granted, the gate
(`features.warehouse.gate`) passes no row of it, and a feature of no rows is `NaN`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Subquery,
    and_,
    bindparam,
    literal,
    or_,
    select,
)

from features import clock
from features.catalog import Catalog
from features.consent.event import ALLOWING, EXPIRED, RENEWED
from features.consent.timing import EFFECTIVE, Rule
from features.database.tables import consent_state

State = tuple[int, str, str]
"""Whose state, for which purpose, of which category."""
BATCH = 1_000
BEGINNING = "1970-01-01T00:00:00.000000Z"
"""Earlier than anything that is recorded."""
Moments = NDArray[np.datetime64]
Granted = tuple[int, str, str | None]
"""A grant: its customer, its category, and from when on it covers data."""
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
    versions: Collection[str] | BindParameter[Any],
    purpose: str | ColumnElement[str],
    now: str | ColumnElement[str],
) -> ColumnElement[bool]:
    """The rule for values, or for places that values are put into later."""
    given = versions if isinstance(versions, BindParameter) else [literal(one) for one in versions]
    column = consent_state.c
    return and_(
        column.purpose == purpose,
        column.action.in_([literal(action) for action in ALLOWING]),
        or_(column.valid_until.is_(None), column.valid_until > now),
        column.notice_version.in_(given),
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


def covered_from(
    connection: Connection, catalog: Catalog, customers: Collection[int], purpose: str, now: str
) -> dict[int, dict[str, str | None]]:
    """The categories that customers grant for `purpose` at the moment `now`, each with the moment
    from which on its data is covered (None: all of it); whoever grants nothing is left out.
    """
    column = consent_state.c
    query = select(column.customer, column.category, column.covers_from).where(
        column.customer.in_(customers), in_force(catalog, purpose, now)
    )
    found: dict[int, dict[str, str | None]] = {}
    for customer, category, since in connection.execute(query):
        found.setdefault(customer, {})[category] = since
    return found


GRANTS = (
    select(consent_state.c.customer, consent_state.c.category, consent_state.c.covers_from)
    .where(_stands(bindparam("versions", expanding=True), bindparam("purpose"), bindparam("now")))
    .order_by(consent_state.c.customer, consent_state.c.category)
)
GRANTS_OF_ONE = GRANTS.where(consent_state.c.customer == bindparam("customer"))
"""Made once, since making a statement takes longer than asking it."""


def grants(
    connection: Connection, catalog: Catalog, purpose: str, now: str, customer: int | None = None
) -> pd.DataFrame:
    """The grants in force for `purpose`, of everybody or of one `customer`; one row per grant.

    Columns customer (int64), category (str) and covers_from (datetime64, naive UTC): data recorded
    earlier than that is not covered; `NaT` where the notice said that all of it is.
    """
    rows = granted_rows(connection, catalog, purpose, now, customer)
    # Column by column, since pandas needs many times as long for rows.
    return pd.DataFrame(
        {
            "customer": np.array([row[0] for row in rows], dtype=np.int64),
            "category": pd.array([row[1] for row in rows], dtype="str"),
            "covers_from": _moments([row[2] for row in rows]),
        }
    )


def nobody() -> pd.DataFrame:
    """The grants of nobody, as `grants` gives those of somebody."""
    none = {"customer": np.empty(0, np.int64), "category": pd.array([], dtype="str")}
    return pd.DataFrame({**none, "covers_from": _moments([])})


def of_one(rows: Sequence[Granted]) -> dict[str, tuple[NDArray[np.int64], Moments]]:
    """The grants of one customer by category, as the gate takes them: whose they are, and from when
    on data is covered.
    """
    return {
        category: (
            np.array([customer], np.int64),
            _moments([BEGINNING if covers_from is None else covers_from]),
        )
        for customer, category, covers_from in rows
    }


def granted_rows(
    connection: Connection, catalog: Catalog, purpose: str, now: str, customer: int | None = None
) -> list[Granted]:
    """The same as rows: customer, category and covers_from as the database has it."""
    values = {"purpose": purpose, "now": now, "versions": catalog.versions_in_force(purpose)}
    found = connection.execute(
        GRANTS if customer is None else GRANTS_OF_ONE, {**values, "customer": customer}
    )
    return [(row[0], row[1], row[2]) for row in found]


def granted_for_anything(
    connection: Connection, catalog: Catalog, customers: Collection[int], now: str
) -> set[tuple[int, str]]:
    """Which categories each of `customers` grants for at least one purpose, as pairs."""
    column, wanted = consent_state.c, list(customers)
    stands = or_(*(in_force(catalog, purpose, now) for purpose in catalog.purposes))
    found = set[tuple[int, str]]()
    for start in range(0, len(wanted), BATCH):
        whose = column.customer.in_(wanted[start : start + BATCH])
        rows = connection.execute(select(column.customer, column.category).where(whose, stands))
        found |= {(row.customer, row.category) for row in rows}
    return found


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


def _moments(texts: Sequence[str | None]) -> Moments:
    moments = [
        np.datetime64("NaT") if text is None else clock.from_text(text).replace(tzinfo=None)
        for text in texts
    ]
    return np.array(moments, dtype="datetime64[us]")
