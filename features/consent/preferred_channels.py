"""The channel by which a customer would rather be written to, as the shop recorded it: whom to
write to first by which, and no permission to.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd
from sqlalchemy import Connection, select

from features import clock
from features.clock import Clock
from features.config.schema import channel_name
from features.consent.contact_permissions import customer_column
from features.customers.pseudonyms import Customers
from features.database.engine import Database, upsert
from features.database.tables import preferred_channels
from features.errors import SourceError

CALLED = (
    "preferred channel",
    "preferred contact channel",
    "preferred contact method",
    "preferred communication channel",
    "preferred communication method",
    "contact preference",
)
"""How exports call it."""
BATCH = 5_000


def preferred_column(columns: Sequence[str]) -> str | None:
    """The column of a file that says so; None where there is none beside one of customers."""
    plain = {" ".join(name.casefold().replace("_", " ").split()): name for name in columns}
    found = next((plain[name] for name in CALLED if name in plain), None)
    return None if customer_column(columns) is None else found


def channels_said(
    frame: pd.DataFrame, column: str, file: Path, known: Collection[str]
) -> pd.Series:
    """The channel that each line of `frame` names (texts alone, its index the lines of the file);
    empty where it names none.

    Raises `SourceError` for a channel that the shop does not have.
    """
    names = []
    for line, text in frame[column].items():
        name = channel_name(text) if text.strip() else ""
        if name and name not in known:
            raise SourceError(
                f"`{column}` is {text!r}, which is no channel of this shop; known are"
                f" {', '.join(sorted(known))} (`channels` under [contact_policy] in sayso.toml"
                " names them)",
                file=file,
                line=int(str(line)),
            )
        names.append(name)
    return pd.Series(names, index=frame.index, dtype="str")


def keep_preferred(
    frame: pd.DataFrame,
    said: pd.Series,
    column: str,
    database: Database,
    customers: Customers,
    now: Clock,
) -> int:
    """Keep the channels of `channels_said` in place of earlier ones; of how many customers. Of
    several lines of a customer the last counts.
    """
    whose = customer_column([str(name) for name in frame.columns])
    if whose is None:
        return 0
    named = frame[whose].str.lstrip("'")
    tells = (named != "") & (said != "")
    pseudonyms = customers.assign(named[tells])
    about = {"stated_in": column, "recorded_at": clock.to_text(now())}
    newest = {
        int(customer): {"customer": int(customer), "channel": channel, **about}
        for customer, channel in zip(pseudonyms, said[tells], strict=True)
        if pd.notna(customer)
    }
    rows = list(newest.values())
    with database.write() as connection:
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            upsert(connection, preferred_channels, ("customer",), batch)
    return len(rows)


def preferred(connection: Connection) -> dict[int, str]:
    """The channel that each customer prefers, of whom it is known."""
    column = preferred_channels.c
    found = connection.execute(select(column.customer, column.channel))
    return {row.customer: row.channel for row in found}
