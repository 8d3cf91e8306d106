"""Who may be written to at all: who grants something for the purpose, wants no silence, may be
written to on a channel and has not been written to too often. Everybody at once, in arrays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, false, select

from features import clock
from features.config.audiences import AudienceSection
from features.config.schema import Config, ContactPolicySection, channel_name
from features.consent.grants import grants
from features.consent.ledger import position
from features.consent.preferred_channels import preferred
from features.database.tables import contact_permissions
from features.warehouse.minimum_age import MinimumAge
from models.arrays import Bools
from serving.audiences.audience import NobodyGranted, NotTheMoment
from serving.decisions.permissions import require_whole_ledger
from serving.delivery.contact_policy import (
    Cap,
    QuietHours,
    cap_of,
    full,
    on_channel,
    quiet_until,
    shop_caps,
    window,
)
from serving.delivery.exposures import exposures_on
from serving.delivery.opt_outs import FREQUENCY, Scope, Stated, opt_outs_of_all

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class People:
    """`customers` (customers,) in order, who may be written to on at least one of `channels`:
    `open` (customers, channels) says on which.

    `granted` are their grants for the purpose, `preferred` the channels that they prefer, as far
    as these are known, and `left_out` counts the others by why they are not here. They stood so
    where the ledger ended with `ledger_seq`, while `opt_outs`, by their ids, were in force and the
    shop's record said of the `refused`, by customer and channel, that they may not be written to.
    """

    customers: Numbers
    channels: tuple[str, ...]
    open: Bools
    granted: pd.DataFrame
    preferred: Mapping[int, str]
    left_out: Mapping[str, int]
    opt_outs: frozenset[str]
    refused: frozenset[tuple[int, str]]
    ledger_seq: int


SILENCING: tuple[Scope, ...] = ("all", "purpose", "channel", FREQUENCY)
"""Opt-outs that decide on whether somebody is written to."""


def channels_open(policy: ContactPolicySection, channels: Sequence[str], at: datetime) -> list[str]:
    """The channels that are not quiet at a moment.

    Raises `NotTheMoment` where all of them are.
    """
    hours = QuietHours(policy.quiet_from, policy.quiet_until, policy.quiet_channels)
    zone = ZoneInfo(policy.time_zone)
    quiet = {channel: quiet_until(hours, channel, zone, at) for channel in channels}
    ends = [end for end in quiet.values() if end is not None]
    if len(ends) == len(quiet):
        until = clock.to_text(min(ends))
        raise NotTheMoment(
            f"It is quiet on {' and '.join(channels)} until {until} (`quiet_from` and `quiet_until`"
            " under [contact_policy]). Ask again then or, to prepare it now, say with `send_at`"
            " when it will be sent.",
            not_before=until,
        )
    return [channel for channel, end in quiet.items() if end is None]


def who_may_be_written_to(
    connection: Connection,
    config: Config,
    ages: MinimumAge,
    audience: AudienceSection,
    now: str,
    at: datetime,
) -> People:
    """Everybody who may be written to for an audience at the moment `at`, as things stand `now`.

    Raises `NobodyGranted`, `NotTheMoment`, and `LedgerBroken` where it is not known how they stand.
    """
    channels = channels_open(config.contact_policy, audience.channels, at)
    require_whole_ledger(connection)
    granted = grants(connection, config.catalog, audience.purpose, now)
    if granted.empty:
        raise NobodyGranted(
            f"Nobody grants anything for the purpose `{audience.purpose}` at this moment, so nobody"
            " may be written to for it. Customers are asked for their consent under that purpose"
            " (`GET /v1/notices` lists what they may be asked)."
        )
    everybody = granted["customer"].unique()
    admitted = ages.admitted(granted)
    customers = np.sort(admitted["customer"].unique().astype("int64"))
    left_out = {"too_young": len(everybody) - len(customers)}
    stated = opt_outs_of_all(connection, SILENCING, now)
    quiet = np.isin(customers, list(silent_for(stated, audience.purpose)))
    left_out["opted_out"] = int(quiet.sum())
    customers = customers[~quiet]
    open, why = _open(connection, config.contact_policy, channels, customers, stated, at)
    left_out |= why
    reached = open.any(axis=1)
    return People(
        customers[reached],
        tuple(channels),
        open[reached],
        admitted[admitted["customer"].isin(customers[reached])],
        preferred(connection),
        left_out,
        frozenset(one.id for one in stated),
        refused_of(connection, channels),
        position(connection),
    )


def silent_for(stated: Iterable[Stated], purpose: str) -> set[int]:
    """Who wants nothing at all, or nothing for that purpose."""
    return {
        one.customer
        for one in stated
        if one.scope == "all" or (one.scope == "purpose" and one.value == purpose)
    }


def refused_of(
    connection: Connection, channels: Sequence[str], among: Collection[int] | None = None
) -> frozenset[tuple[int, str]]:
    """Who may not be written to on which channel, by the shop's own record; of everybody, or of the
    customers `among`.
    """
    column = contact_permissions.c
    query = select(column.customer, column.channel).where(
        column.channel.in_(channels), column.allowed == false()
    )
    if among is not None:
        query = query.where(column.customer.in_(among))
    return frozenset((row.customer, row.channel) for row in connection.execute(query))


def _open(
    connection: Connection,
    policy: ContactPolicySection,
    channels: Sequence[str],
    customers: Numbers,
    stated: Sequence[Stated],
    at: datetime,
) -> tuple[Bools, dict[str, int]]:
    """On which channels each customer may be written to (customers, channels), and how many may on
    none, by what closed the last of them.
    """
    closed = {
        "opted_out_of_channel": _opted_out(channels, stated),
        "no_contact_permission": _not_permitted(connection, channels, customers),
        "frequency": _written_to_enough(connection, policy, channels, customers, stated, at),
    }
    open = np.ones((len(customers), len(channels)), dtype=bool)
    left_out, left = {}, len(customers)
    for why, by_channel in closed.items():
        for column, channel in enumerate(channels):
            open[:, column] &= ~np.isin(customers, list(by_channel[channel]))
        still = int(open.any(axis=1).sum())
        left_out[why], left = left - still, still
    return open, left_out


def _opted_out(channels: Sequence[str], stated: Iterable[Stated]) -> dict[str, Collection[int]]:
    said = [
        (one.customer, channel_name(one.value))
        for one in stated
        if one.scope == "channel" and one.value
    ]
    return {channel: {one for one, name in said if name == channel} for channel in channels}


def _not_permitted(
    connection: Connection, channels: Sequence[str], customers: Numbers
) -> dict[str, Collection[int]]:
    """Who may not be written to by the shop's own record.

    Unknown is no where the shop keeps such a record of the channel; where it told of none at all,
    there is nothing that anybody could be missing in.
    """
    column, found = contact_permissions.c, dict[str, Collection[int]]()
    for channel in channels:
        query = select(column.customer, column.allowed).where(column.channel == channel)
        said = {row.customer: row.allowed for row in connection.execute(query)}
        allowed = [one for one, yes in said.items() if yes]
        found[channel] = customers[~np.isin(customers, allowed)].tolist() if said else ()
    return found


def _written_to_enough(
    connection: Connection,
    policy: ContactPolicySection,
    channels: Sequence[str],
    customers: Numbers,
    stated: Iterable[Stated],
    at: datetime,
) -> dict[str, Collection[int]]:
    """Who has reached a cap, the shop's or one of their own, at the moment `at`."""
    own: dict[int, list[Cap]] = {}
    for one in stated:
        if one.scope == FREQUENCY and one.value is not None:
            own.setdefault(one.customer, []).append(cap_of(one.value))
    found = dict[str, Collection[int]]()
    for channel in channels:
        shops = on_channel(channel, shop_caps(policy))
        if any(cap.most == 0 for cap in shops):
            found[channel] = customers.tolist()
            continue
        theirs = {one: on_channel(channel, caps) for one, caps in own.items()}
        since = at - max(window(caps) for caps in (shops, *theirs.values()))
        shown = exposures_on(connection, channel, since, at)
        found[channel] = {
            customer
            for customer in {*shown, *theirs}
            if full((*shops, *theirs.get(customer, ())), shown.get(customer, ()), at)
        }
    return found
