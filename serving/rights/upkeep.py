"""Upkeep: what has to be done every day so that consent runs out and data goes when they should."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import pyarrow as pa
from sqlalchemy import Connection, delete, select, update

from features import clock
from features.consent.event import ALLOWING, EXPIRED, ConsentEvent
from features.customers.pseudonyms import erased_among
from features.database.tables import (
    audience_members,
    audit_log,
    consent_state,
    decision_events,
    decisions,
    exposures,
    kept_answers,
    online_features,
    opt_outs,
    reviews,
    set_bands,
)
from features.errors import NotFound, WorkspaceError
from features.events.arrivals import forget_old
from features.progress import Progress, silent
from features.shop.online import refresh_online
from features.shop.shop import Shop
from features.warehouse.retention import without_expired
from serving.access.one_time_codes import forget_old_codes
from serving.access.revocations import Revocations
from serving.decisions.kept_answers import LIFE
from serving.rights.rights import Rights
from serving.webhooks.queue import forget_old_calls

METHOD = "upkeep"


@dataclass(frozen=True)
class UpkeepReport:
    """What was done: grants that ran out, values deleted by field (rows under their table's name),
    and decisions emptied.

    `erased` counts erasures that had been cut off, or were asked for under another form of the id.

    `deleted` counts old rows of the database (reviews, reads in the audit log, opt-outs that ended,
    codes, revocations) under their table's name as well.

    `not_read` says which data sources may not be read any more, and why.
    """

    expired: int
    deleted: dict[str, int]
    decisions_emptied: int
    not_read: dict[str, str] = field(default_factory=dict)
    erased: int = 0


def upkeep(shop: Shop, progress: Progress = silent) -> UpkeepReport:
    """Do it now; doing it twice does nothing more."""
    progress("finishing erasures", 0.0)
    erased = _finish_erasures(shop)
    progress("recording consents that ran out", 0.1)
    expired = _expire(shop)
    progress("deleting what is past its retention", 0.2)
    deleted = _delete_old_rows(shop)
    emptied = _empty_decisions(shop)
    records = _delete_old_records(shop)
    today = shop.clock().date()
    faults = {
        name: fault
        for name, source in shop.config.catalog.sources.items()
        if (fault := source.fault(today))
    }
    if (expired or deleted or faults) and shop.warehouse.filled:
        progress("making online features anew", 0.6)
        with contextlib.suppress(WorkspaceError):  # no order is left that anything could be made of
            refresh_online(shop)
    shop.database.scrub()
    progress("done", 1.0)
    return UpkeepReport(expired, deleted | records, emptied, faults, erased)


def _finish_erasures(shop: Shop) -> int:
    """Erase who is to be kept out and is still there; how many."""
    with shop.database.write() as connection:
        left = erased_among(connection, shop.vault, shop.config.catalog.ids)
    rights = Rights(shop)
    for customer_id in shop.customers.external_ids(sorted(left)).values():
        with contextlib.suppress(NotFound):  # a visitor, who went with the customer
            rights.erase(customer_id)
    return len(left)


def _expire(shop: Shop) -> int:
    """Write an event for every grant whose time is over.

    It is not used since that moment; now the ledger says so too.
    """
    known = shop.customers.all()
    with shop.database.write() as connection:
        events = list(_run_out(shop, connection, known))
        if events:
            shop.ledger.write(connection, events)
    return len(events)


def _run_out(
    shop: Shop, connection: Connection, known: Mapping[int, str]
) -> Iterator[ConsentEvent]:
    column, catalog = consent_state.c, shop.config.catalog
    query = select(consent_state).where(
        column.action.in_(ALLOWING), column.valid_until <= clock.to_text(shop.clock())
    )
    for row in connection.execute(query).all():
        if (
            row.customer in known
            and row.purpose in catalog.purposes
            and row.category in catalog.askable(row.purpose)
        ):
            yield ConsentEvent(
                known[row.customer], row.purpose, row.category, EXPIRED, METHOD, actor="sayso"
            )


def _delete_old_rows(shop: Shop) -> dict[str, int]:
    deleted: dict[str, int] = {}
    now, catalog = shop.clock(), shop.config.catalog

    def within(name: str, rows: pa.Table) -> pa.Table:
        kept, gone = without_expired(name, rows, catalog, now)
        deleted.update({what: max(count, deleted.get(what, 0)) for what, count in gone.items()})
        return kept

    shop.warehouse.rewrite(within)
    if deleted:
        with shop.database.write() as connection:
            connection.execute(delete(online_features))
    return deleted


def _empty_decisions(shop: Shop) -> int:
    limit = clock.to_text(shop.clock() - timedelta(days=shop.config.shop.decisions_kept_days))
    with shop.database.write() as connection:
        old = update(decisions).where(
            decisions.c.created_at < limit, decisions.c.content.is_not(None)
        )
        return int(connection.execute(old.values(content=None)).rowcount)


def _forget_arrivals(shop: Shop, connection: Connection) -> int:
    """Rows that the shop sent go when none of their fields may be kept any longer."""
    kept: dict[str, int] = {}
    for one in shop.config.catalog.fields.values():
        kept[one.table] = max(one.retention_days, kept.get(one.table, 0))
    now = shop.clock()
    return sum(
        forget_old(connection, table, clock.to_text(now - timedelta(days=days)))
        for table, days in kept.items()
    )


def _delete_old_records(shop: Shop) -> dict[str, int]:
    """Reviews go when the content of decisions goes, but for those that still wait; reads and
    events go after the days that `sayso.toml` says.

    Set bands, opt-outs and codes go when they end, and revocations with what they revoked.
    """
    now, section = shop.clock(), shop.config.shop
    limit, unread, today = (
        clock.to_text(now - timedelta(days=section.decisions_kept_days)),
        clock.to_text(now - timedelta(days=section.audit_log_kept_days)),
        clock.to_text(now),
    )
    events_until = clock.to_text(now - timedelta(days=shop.config.events.kept_days))
    old = {
        reviews: (reviews.c.open_for.is_(None), reviews.c.resolved_at < limit),
        audit_log: (audit_log.c.at < unread,),
        exposures: (exposures.c.shown_at < limit,),
        audience_members: (audience_members.c.given_at < limit,),
        decision_events: (decision_events.c.occurred_at < events_until,),
        kept_answers: (kept_answers.c.kept_at < clock.to_text(now - LIFE),),
        set_bands: (set_bands.c.until <= today,),
        opt_outs: (opt_outs.c.until <= today,),
    }
    with shop.database.write() as connection:
        counts = {
            table.name: int(connection.execute(delete(table).where(*rule)).rowcount)
            for table, rule in old.items()
        }
        counts["arrivals"] = _forget_arrivals(shop, connection)
    counts["one_time_codes"] = forget_old_codes(shop.database, now)
    counts["webhook_calls"] = forget_old_calls(shop.database, now)
    counts["revocations"] = Revocations(shop.database, shop.clock).forget_old()
    return {name: count for name, count in counts.items() if count}
