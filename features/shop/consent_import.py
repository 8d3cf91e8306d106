"""Consents from a file: CSV or Parquet, one event a row, taken in whole or not at all."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from features.consent.contact_permissions import contact_columns, import_contact_permissions
from features.consent.event import LONGEST, ConsentEvent
from features.consent.ledger import Ledger, Receipt
from features.consent.preferred_channels import (
    channels_said,
    keep_preferred,
    preferred_column,
)
from features.consent.timing import Rule
from features.customers.id_normalisation import id_shape
from features.customers.pseudonyms import merged_numbers
from features.errors import ConsentError, SourceError
from features.shop.consent_file import consent_rows
from features.shop.shop import Shop

REQUIRED = (
    "customer_id",
    "purpose",
    "category",
    "action",
    "notice_version",
    "method",
    "occurred_at",
)
OPTIONAL = ("actor", "idempotency_key", "notice_language", "valid_until", "evidence")
FAULTS_SHOWN = 5


@dataclass(frozen=True)
class ImportReport:
    """What became of a file's rows: new events, events that were there before, rows of erased
    customers, contact permissions.

    Of the `customers` of the events the shop knows no orders of `without_orders`. Where these are
    most of them, `ids_in_orders` and `ids_in_file` say what ids look like here and there, since a
    file may have altered them.

    `by_rule` counts the new events that a rule of time decided on (`features.consent.timing`), but
    for those that were simply the newest.
    """

    added: int = 0
    repeated: int = 0
    erased: int = 0
    contact_permissions: int = 0
    preferred_channels: int = 0
    customers: int = 0
    without_orders: int = 0
    ids_in_orders: str | None = None
    ids_in_file: str | None = None
    by_rule: dict[str, int] = field(default_factory=dict)


def import_consents(file: Path, shop: Shop, time_zone: str | None = None) -> ImportReport:
    """Append the events of `file`, in its order; its times without an offset are of `time_zone`, or
    of the shop's zone.

    A file that only says who may be written to is kept as that, and grants nothing.

    Raises `SourceError` where the file cannot be read, lacks a column or holds a row that breaks a
    rule; nothing is written then.
    """
    frame = consent_rows(file)
    if not {"purpose", "category"} <= set(frame.columns):
        report = _contacts(frame, file, shop)
        if report is not None:
            return report
    _require_columns(frame, file)
    events = [replace(event, time_zone=time_zone) for event in _events(frame, file.name)]
    _refuse_faulty(file, frame.index.tolist(), events, shop.ledger)
    pseudonyms = shop.customers.assign(
        pd.Series([event.customer_id for event in events], dtype="str")
    )
    known = [
        (event, int(pseudonym))
        for event, pseudonym in zip(events, pseudonyms, strict=True)
        if pd.notna(pseudonym)
    ]
    receipts = shop.ledger.append_all(_each_once(known, shop))
    repeated = sum(receipt.repeated for receipt in receipts)
    report = ImportReport(
        len(receipts) - repeated,
        repeated,
        len(events) - len(known),
        by_rule=_by_rule(receipts),
    )
    return _held_against_orders(
        report,
        {event.customer_id: pseudonym for event, pseudonym in zip(events, pseudonyms, strict=True)},
        shop,
    )


def _contacts(frame: pd.DataFrame, file: Path, shop: Shop) -> ImportReport | None:
    """Keep who may be written to, and by which channel rather; None where a file says neither."""
    names = [str(name) for name in frame.columns]
    contact, column = contact_columns(names), preferred_column(names)
    if contact is None and column is None:
        return None
    store = (shop.database, shop.customers, shop.clock)
    said = None
    if column is not None:
        said = channels_said(frame, column, file, shop.config.contact_policy.known_channels)
    kept = 0
    if contact is not None:
        kept = import_contact_permissions(frame, contact, file, *store)
    if said is None or column is None:
        return ImportReport(contact_permissions=kept)
    preferred = keep_preferred(frame, said, column, *store)
    return ImportReport(contact_permissions=kept, preferred_channels=preferred)


def _held_against_orders(
    report: ImportReport, pseudonyms: Mapping[str, int], shop: Shop
) -> ImportReport:
    """The report with how many of the file's customers are known by their orders; the others may
    order yet.
    """
    in_file = pd.Series(pseudonyms, dtype="Int64").dropna().drop_duplicates()
    who_ordered = shop.warehouse.who_ordered() if shop.warehouse.filled else pd.Index([])
    new = in_file[~in_file.isin(who_ordered)]
    report = replace(report, customers=len(in_file), without_orders=len(new))
    if len(who_ordered) == 0 or 2 * len(new) <= len(in_file):
        return report
    in_orders = pd.Series(shop.customers.external_ids(who_ordered.tolist()), dtype="str")
    return replace(
        report,
        ids_in_orders=id_shape(in_orders),
        ids_in_file=id_shape(new.index.to_series().astype("str")),
    )


def _require_columns(frame: pd.DataFrame, file: Path) -> None:
    if missing := [name for name in REQUIRED if name not in frame.columns]:
        raise SourceError(
            f"the columns {', '.join(missing)} are missing; found are"
            f" {', '.join(map(str, frame.columns))}. A consent names its purpose and category, the"
            " version of the notice that the customer saw, how they were asked (method) and when"
            " (occurred_at). A bare `subscribed` or `accepts marketing` is permission to write to"
            " somebody and allows no use of their data.",
            file=file,
        )


def _events(frame: pd.DataFrame, file_name: str) -> Iterator[ConsentEvent]:
    """What the rows say; that a file said it stands before whom the file names as actor."""
    names = [name for name in (*REQUIRED, *OPTIONAL) if name in frame.columns]
    for row in frame[names].to_dict("records"):
        stated = {str(name): text for name, text in row.items() if text}
        required = {
            name: stated.pop(name, "")
            for name in ("customer_id", "purpose", "category", "action", "method")
        }
        told = f" ({stated.pop('actor')})" if "actor" in stated else ""
        actor = "".join(sign for sign in f"file:{file_name}{told}" if sign.isprintable())
        yield ConsentEvent(**required, **stated, actor=actor[: LONGEST["actor"]])


def _refuse_faulty(
    file: Path, lines: Sequence[int], events: list[ConsentEvent], ledger: Ledger
) -> None:
    faults = []
    for line, event in zip(lines, events, strict=True):
        try:
            if not event.customer_id:
                raise ConsentError("the customer is missing", field="customer_id")
            if event.occurred_at is None:
                raise ConsentError("the moment is missing", field="occurred_at")
            ledger.check(event)
        except ConsentError as error:
            faults.append((line, error))
    if faults:
        told = "; ".join(
            f"line {line}, {error.field}: {error}" for line, error in faults[:FAULTS_SHOWN]
        )
        raise SourceError(
            f"{len(faults)} of {len(events)} rows break a rule, so nothing was imported: {told}",
            file=file,
            line=faults[0][0],
        )


def _by_rule(receipts: Sequence[Receipt]) -> dict[str, int]:
    """How many new events a rule of time decided on, by rule."""
    rules = [receipt.rule for receipt in receipts if not receipt.repeated]
    return dict(Counter(str(rule) for rule in rules if rule != Rule.NEWEST))


def _each_once(known: Sequence[tuple[ConsentEvent, int]], shop: Shop) -> list[ConsentEvent]:
    """The events with keys of their own, so that importing a file twice adds nothing; what was
    imported under a number that was merged since keeps the key of then.
    """
    with shop.database.read() as connection:
        merged = merged_numbers(connection)
    before: defaultdict[int, list[int]] = defaultdict(list)
    for number, kept in merged.items():
        before[kept].append(number)
    then = {
        position: [_once(event, number) for number in before[pseudonym]]
        for position, (event, pseudonym) in enumerate(known)
        if pseudonym in before
    }
    written = shop.ledger.written_before(
        [one.idempotency_key for ones in then.values() for one in ones if one.idempotency_key]
    )
    return [
        next(
            (one for one in then.get(position, ()) if one.idempotency_key in written),
            _once(event, pseudonym),
        )
        for position, (event, pseudonym) in enumerate(known)
    ]


def _once(event: ConsentEvent, pseudonym: int) -> ConsentEvent:
    """The event with a key of its own, so that importing a file twice adds nothing."""
    if event.idempotency_key is not None:
        return event
    said = (
        str(pseudonym),
        event.purpose,
        event.category,
        event.action,
        str(event.notice_version),
        str(event.occurred_at),
    )
    return replace(
        event, idempotency_key="file:" + hashlib.sha256("\n".join(said).encode()).hexdigest()
    )
