"""Consents from a file: CSV or Parquet, one event a row, taken in whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from features.consent import ConsentEvent, Ledger
from features.customers import Customers
from features.errors import ConsentError, SourceError

REQUIRED = ("customer_id", "purpose", "category", "action", "notice_version", "method", "occurred_at")
OPTIONAL = ("actor", "idempotency_key")
FAULTS_SHOWN = 5


def import_consents(file: Path, ledger: Ledger, customers: Customers) -> tuple[int, int]:
    """Append the events of `file`, in its order; how many were new, and how many were there before.

    Raises `SourceError` where the file cannot be read, lacks a column or holds a row that breaks a rule; nothing is written then.
    """
    events = list(_events(_read(file)))
    _refuse_faulty(file, events, ledger)
    pseudonyms = customers.assign(pd.Series([event.customer_id for event in events], dtype="str"))
    receipts = ledger.append_all([_once(event, pseudonym) for event, pseudonym in zip(events, pseudonyms, strict=True)])
    repeated = sum(receipt.repeated for receipt in receipts)
    return len(receipts) - repeated, repeated


def _read(file: Path) -> pd.DataFrame:
    try:
        if file.suffix.lower() == ".parquet":
            frame = pd.read_parquet(file)
        else:
            frame = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise SourceError("there is no such file", file=file) from None
    except (ValueError, OSError) as error:
        raise SourceError(f"this is neither CSV in UTF-8 nor Parquet: {error}", file=file) from None
    if missing := [name for name in REQUIRED if name not in frame.columns]:
        raise SourceError(
            f"the columns {', '.join(missing)} are missing; found are {', '.join(map(str, frame.columns))}. A consent names its purpose "
            "and category, the version of the notice that the customer saw, how they were asked (method) and when (occurred_at). A bare "
            "`subscribed` or `accepts marketing` is permission to write to somebody and allows no use of their data.",
            file=file,
        )
    return frame


def _events(frame: pd.DataFrame) -> Iterator[ConsentEvent]:
    names = [name for name in (*REQUIRED, *OPTIONAL) if name in frame.columns]
    for row in frame[names].to_dict("records"):
        stated = {str(name): _text(value) for name, value in row.items()}
        required = {name: stated.pop(name) or "" for name in ("customer_id", "purpose", "category", "action", "method")}
        yield ConsentEvent(**required, **{name: value for name, value in stated.items() if value is not None})


def _text(value: Any) -> str | None:
    if isinstance(value, pd.Timestamp):
        return str(value.isoformat())
    text = "" if value is None or value != value else str(value).strip()  # noqa: PLR0124 - only NaN and NaT differ from themselves
    return text or None


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
        told = "; ".join(f"line {line}, {error.field}: {error}" for line, error in faults[:FAULTS_SHOWN])
        raise SourceError(
            f"{len(faults)} of {len(events)} rows break a rule, so nothing was imported: {told}", file=file, line=faults[0][0]
        )


def _once(event: ConsentEvent, pseudonym: int) -> ConsentEvent:
    """The event with a key of its own, so that importing a file twice adds nothing."""
    if event.idempotency_key is not None:
        return event
    said = (str(pseudonym), event.purpose, event.category, event.action, str(event.notice_version), str(event.occurred_at))
    return replace(event, idempotency_key="file:" + hashlib.sha256("\n".join(said).encode()).hexdigest())
