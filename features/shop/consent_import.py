"""Consents from a file: CSV or Parquet, one event a row, taken in whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from features.consent.contact_permissions import contact_columns, import_contact_permissions
from features.consent.event import LONGEST, ConsentEvent
from features.consent.ledger import Ledger
from features.customers.id_normalisation import id_shape
from features.errors import ConsentError, SourceError
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
    """

    added: int = 0
    repeated: int = 0
    erased: int = 0
    contact_permissions: int = 0
    customers: int = 0
    without_orders: int = 0
    ids_in_orders: str | None = None
    ids_in_file: str | None = None


def import_consents(file: Path, shop: Shop) -> ImportReport:
    """Append the events of `file`, in its order.

    A file that only says who may be written to is kept as that, and grants nothing.

    Raises `SourceError` where the file cannot be read, lacks a column or holds a row that breaks a
    rule; nothing is written then.
    """
    frame = _read(file)
    contact = contact_columns([str(name) for name in frame.columns])
    if contact is not None and not {"purpose", "category"} <= set(frame.columns):
        kept = import_contact_permissions(
            frame, contact, file, shop.database, shop.customers, shop.clock
        )
        return ImportReport(contact_permissions=kept)
    _require_columns(frame, file)
    events = list(_events(frame, file.name))
    _refuse_faulty(file, events, shop.ledger)
    pseudonyms = shop.customers.assign(
        pd.Series([event.customer_id for event in events], dtype="str")
    )
    known = [
        _once(event, pseudonym)
        for event, pseudonym in zip(events, pseudonyms, strict=True)
        if pd.notna(pseudonym)
    ]
    receipts = shop.ledger.append_all(known)
    repeated = sum(receipt.repeated for receipt in receipts)
    report = ImportReport(len(receipts) - repeated, repeated, len(events) - len(known))
    return _held_against_orders(
        report,
        {event.customer_id: pseudonym for event, pseudonym in zip(events, pseudonyms, strict=True)},
        shop,
    )


def _held_against_orders(
    report: ImportReport, pseudonyms: Mapping[str, int], shop: Shop
) -> ImportReport:
    """The report with how many of the file's customers are known by their orders; the others may
    order yet.
    """
    in_file = pd.Series(pseudonyms, dtype="Int64").dropna()
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


def _read(file: Path) -> pd.DataFrame:
    """All cells as text; the empty text where there is nothing."""
    try:
        if file.suffix.lower() == ".parquet":
            frame = pd.read_parquet(file)
        else:
            frame = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise SourceError("there is no such file", file=file) from None
    except (ValueError, OSError) as error:
        raise SourceError(f"this is neither CSV in UTF-8 nor Parquet: {error}", file=file) from None
    return frame.map(_text)


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


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if pd.isna(value):
        return ""
    if isinstance(value, pd.Timestamp):
        return str(value.isoformat())
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _refuse_faulty(file: Path, events: list[ConsentEvent], ledger: Ledger) -> None:
    faults = []
    for line, event in enumerate(events, start=2):
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
