"""A consent event: one thing that was said about one category for one purpose, and the rules that
it has to keep.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from features import clock
from features.catalog import Catalog, Notice
from features.customers.id_normalisation import is_nobody, normalised
from features.errors import ConsentError

GRANTED, RENEWED = "granted", "renewed"
WITHDRAWN, EXPIRED, PRIVACY_SIGNAL = "withdrawn", "expired", "privacy_signal"
ALLOWING = (GRANTED, RENEWED)
"""Actions after which data may be used; after any other one it may not."""
ACTIONS = (GRANTED, "refused", WITHDRAWN, EXPIRED, RENEWED, "objected", PRIVACY_SIGNAL)
MERGED = "merged"
"""What closes the number of an id that was merged into another; nobody says it."""
OWN_PAGE = "preference_page"
"""The method of what a customer says on their own page; nobody else may state it."""

LONGEST = {
    "customer_id": 128,
    "method": 128,
    "actor": 64,
    "idempotency_key": 128,
    "evidence": 4_000,
}
LONGEST_RECEIPT = 64_000
"""Of what a consent tool sent, with what is kept beside it."""
CLOCKS_DIFFER = timedelta(days=1)
"""A client's clock may be ahead of ours by so much."""


@dataclass(frozen=True)
class ConsentEvent:
    """One thing that a customer said about one category for one purpose.

    `method` says how the customer was asked and `actor` who passed it on (both in the shop's words,
    never naming the customer); what proves it, such as the reference of a form, is `evidence`,
    which is kept encrypted and can be deleted.

    A moment without an offset is of `time_zone`, or where that is None of the shop's zone.
    `own_page` tells that the customer said it on their own page, and `receipt` that the evidence is
    what a consent tool sent, which may be longer.
    """

    customer_id: str
    purpose: str
    category: str
    action: str
    method: str
    notice_version: str | None = None
    occurred_at: str | None = None
    idempotency_key: str | None = None
    actor: str = "customer"
    notice_language: str | None = None
    valid_until: str | None = None
    evidence: str | None = None
    time_zone: str | None = None
    own_page: bool = False
    receipt: bool = False


def check_event(event: ConsentEvent, catalog: Catalog, received: datetime) -> None:
    """Raises `ConsentError` for an event that refers to an unknown purpose, category, action or
    notice, or is badly formed.
    """
    if event.purpose not in catalog.purposes:
        raise ConsentError(
            f"the purpose {event.purpose!r} does not exist; known are {_list(catalog.purposes)}",
            field="purpose",
        )
    if event.category not in (askable := catalog.askable(event.purpose)):
        raise ConsentError(
            f"the category {event.category!r} is not asked for {event.purpose!r}; asked for are"
            f" {_list(askable)}",
            field="category",
        )
    if event.action not in ACTIONS:
        raise ConsentError(
            f"the action {event.action!r} does not exist; known are {_list(ACTIONS)}",
            field="action",
        )
    _check_notice(event, catalog)
    _check_texts(event, normalised(event.customer_id, catalog.ids))
    if said_at(event, catalog, received) > received + CLOCKS_DIFFER:
        raise ConsentError(f"{event.occurred_at!r} lies in the future", field="occurred_at")
    moment_of(event.valid_until, "valid_until", received, zone_of(event, catalog))


def notice_of(event: ConsentEvent, catalog: Catalog) -> Notice | None:
    """The very text that the customer saw; None where the event refers to none."""
    return (
        None
        if event.notice_version is None
        else catalog.notice(event.purpose, event.notice_version, event.notice_language)
    )


def valid_until(event: ConsentEvent, catalog: Catalog, occurred: datetime) -> str | None:
    """When what the event allows runs out: what it says itself, but never later than the purpose
    lets it; None: never.
    """
    if event.action not in ALLOWING:
        return None
    days = catalog.purposes[event.purpose].valid_days
    ends = [] if days is None else [occurred + timedelta(days=days)]
    if event.valid_until is not None:
        ends.append(moment_of(event.valid_until, "valid_until", occurred, zone_of(event, catalog)))
    return clock.to_text(min(ends)) if ends else None


def zone_of(event: ConsentEvent, catalog: Catalog) -> ZoneInfo:
    """The zone that the event's times without an offset are of."""
    return ZoneInfo(event.time_zone or catalog.time_zone)


def said_at(event: ConsentEvent, catalog: Catalog, received: datetime) -> datetime:
    """The moment at which the customer said it: `received` where the event states none.

    Where a clock that was put back showed the time twice, a grant is taken for the earlier moment
    and what withholds for the later one. Raises `ConsentError` where it states no moment.
    """
    later = event.action not in ALLOWING
    zone = zone_of(event, catalog)
    return moment_of(event.occurred_at, "occurred_at", received, zone, later=later)


def moment_of(
    stated: str | None, field: str, otherwise: datetime, zone: ZoneInfo, *, later: bool = False
) -> datetime:
    """The moment that a text states, by the clocks of `zone` where it has no offset.

    Raises `ConsentError` where it states none.
    """
    if stated is None:
        return otherwise
    try:
        return clock.from_text(stated, zone, later=later)
    except (ValueError, OverflowError):
        raise ConsentError(
            f"{stated!r} is no moment; write it as 2026-11-21T20:40:00Z", field=field
        ) from None


def _check_notice(event: ConsentEvent, catalog: Catalog) -> None:
    if event.action in ALLOWING and event.notice_version is None:
        raise ConsentError(
            "a grant needs the version of the notice that the customer saw", field="notice_version"
        )
    if event.notice_version is None:
        return
    if catalog.notice(event.purpose, event.notice_version) is None:
        raise ConsentError(
            f"the notice of {event.purpose!r} has no version {event.notice_version!r}",
            field="notice_version",
        )
    if notice_of(event, catalog) is None:
        raise ConsentError(
            f"version {event.notice_version!r} of the notice of {event.purpose!r} does not exist in"
            f" {event.notice_language!r}",
            field="notice_language",
        )


def _check_texts(event: ConsentEvent, customer_id: str) -> None:
    if is_nobody(event.customer_id):
        raise ConsentError(
            f"{event.customer_id[:40]!r} is nobody's id; write the one that the orders have",
            field="customer_id",
        )
    if event.method == OWN_PAGE and not event.own_page:
        raise ConsentError(
            f"the method `{OWN_PAGE}` is of what a customer says on their own page; say how the"
            " shop asked them, such as `web_form`",
            field="method",
        )
    lengths = LONGEST | ({"evidence": LONGEST_RECEIPT} if event.receipt else {})
    for field, longest in lengths.items():
        text = customer_id if field == "customer_id" else getattr(event, field)
        if text is not None and (not 0 < len(text) <= longest or not text.isprintable()):
            raise ConsentError(
                f"this must be a text of 1 to {longest} printable characters, and is {text[:40]!r}",
                field=field,
            )


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
