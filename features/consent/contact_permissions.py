"""Contact permission: that a customer may be written to.

It allows no use of their data, whatever a shop's system calls it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from features import clock
from features.clock import Clock
from features.customers.id_normalisation import is_nobody
from features.customers.pseudonyms import Customers
from features.database.engine import Database, upsert
from features.database.tables import contact_permissions
from features.errors import SourceError

CHANNEL_OF = {
    "accepts marketing": "email",
    "accepts email marketing": "email",
    "email marketing consent": "email",
    "email opt in": "email",
    "marketing opt in": "email",
    "newsletter": "email",
    "subscribed": "email",
    "accepts sms marketing": "sms",
    "sms opt in": "sms",
}
"""How exports call such a permission, and the channel that it is for."""
CUSTOMER_COLUMNS = ("customer id", "id", "email")
SAID = {
    "yes": True,
    "true": True,
    "1": True,
    "subscribed": True,
    "no": False,
    "false": False,
    "0": False,
    "unsubscribed": False,
    "": False,
}
BATCH = 5_000


@dataclass(frozen=True)
class ContactColumns:
    """Which columns of a file say who the customer is, and for which channel they may be written
    to.
    """

    customer: str
    channels: Mapping[str, str]


def contact_columns(columns: Sequence[str]) -> ContactColumns | None:
    """The columns of a file that holds contact permissions; None for any other file."""
    plain, customer = _plain(columns), customer_column(columns)
    channels = {plain[name]: channel for name, channel in CHANNEL_OF.items() if name in plain}
    return ContactColumns(customer, channels) if customer is not None and channels else None


def customer_column(columns: Sequence[str]) -> str | None:
    """The column that says who the customer is; None where none does."""
    plain = _plain(columns)
    return next((plain[name] for name in CUSTOMER_COLUMNS if name in plain), None)


def _plain(columns: Sequence[str]) -> dict[str, str]:
    """Columns by their names however they are written."""
    return {
        column.strip().casefold().replace("_", " ").replace("-", " "): column for column in columns
    }


def import_contact_permissions(
    frame: pd.DataFrame,
    columns: ContactColumns,
    file: Path,
    database: Database,
    customers: Customers,
    now: Clock,
) -> int:
    """Keep the permissions of `frame` (texts alone, its index the lines of the file) in place of
    earlier ones; how many.

    Raises `SourceError` for a value that is neither yes nor no, and for what is nobody's id;
    nothing is kept then.
    """
    # Some exports mark numbers as text with an apostrophe.
    named = frame[columns.customer].str.lstrip("'")
    stated = frame[named != ""]
    allowed = {column: _allowed(stated[column], column, file) for column in columns.channels}
    _refuse_nobody(named[named != ""], file)
    pseudonyms = customers.assign(named[named != ""])
    recorded_at = clock.to_text(now())
    newest: dict[tuple[int, str], dict[str, object]] = {}
    for column, channel in columns.channels.items():
        for customer, yes in zip(pseudonyms, allowed[column], strict=True):
            if pd.notna(customer):
                newest[int(customer), channel] = {
                    "customer": int(customer),
                    "channel": channel,
                    "allowed": yes,
                    "stated_in": column,
                    "recorded_at": recorded_at,
                }
    rows = list(newest.values())
    with database.write() as connection:
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            upsert(connection, contact_permissions, ("customer", "channel"), batch)
    return len(rows)


def _refuse_nobody(named: pd.Series, file: Path) -> None:
    nobody = named[named.map(is_nobody)]
    for line, id in nobody.items():
        raise SourceError(
            f"the customer is {id!r}, which is nobody's id", file=file, line=int(str(line))
        )


def _allowed(words: pd.Series, column: str, file: Path) -> list[bool]:
    found = []
    for line, word in words.items():
        if (allowed := SAID.get(word.casefold())) is None:
            raise SourceError(
                f"`{column}` is {word!r}, which is neither yes nor no",
                file=file,
                line=int(str(line)),
            )
        found.append(allowed)
    return found
