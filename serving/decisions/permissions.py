"""Where a customer stands at one moment: what they grant and what they opted out of, read in one
transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from sqlalchemy import Connection, func, select

from features.catalog import Catalog
from features.consent.grants import granted_to
from features.consent.ledger import position
from features.customers import pseudonyms as customers
from features.database.tables import consent_events
from features.errors import LedgerBroken
from serving.decisions.set_bands import SetBand
from serving.delivery.contact_policy import NotNow
from serving.delivery.opt_outs import OptOut, in_force


@dataclass(frozen=True)
class Permissions:
    """`customer` is the pseudonym, None for somebody the shop never told of.

    `granted` are categories for one purpose.

    `band` is the churn band that a reviewer set for them, and `not_now` why nothing is shown at
    this moment, where that was looked up. `imagined` are categories that they grant and are thought
    not to, for an answer that nobody is given.
    """

    customer: int | None
    granted: frozenset[str]
    opt_outs: tuple[OptOut, ...]
    ledger_seq: int
    band: SetBand | None = None
    not_now: NotNow | None = None
    imagined: frozenset[str] = frozenset()
    too_young: bool = False
    """Whether nothing of them may be used because of their age, whatever they grant."""

    def without(self, categories: Collection[str]) -> Permissions:
        """Where the customer would stand had they withdrawn `categories`."""
        gone = self.granted.intersection(categories)
        return replace(self, granted=self.granted - gone, imagined=self.imagined | gone)

    def opted_out(self, scope: str, value: str | None = None) -> bool:
        """Whether an opt-out of that scope (and value) is in force."""
        return any(
            opt_out.scope == scope and (value is None or opt_out.value == value)
            for opt_out in self.opt_outs
        )

    def values(self, scope: str) -> frozenset[str]:
        """What was opted out of by that scope."""
        return frozenset(
            opt_out.value
            for opt_out in self.opt_outs
            if opt_out.scope == scope and opt_out.value is not None
        )

    def same_permission(self, other: Permissions) -> bool:
        """Whether an answer made under one of the two may be given under the other."""
        return replace(self, ledger_seq=other.ledger_seq) == other


def nobody(_customer: int) -> bool:
    """No age is asked for."""
    return False


def permissions_of(
    connection: Connection,
    catalog: Catalog,
    customer_id: str | None,
    purpose: str,
    now: str,
    too_young: Callable[[int], bool] = nobody,
) -> Permissions:
    """The permissions of the shop's customer for `purpose` at the moment `now`; None stands for
    somebody whom nobody knows. Who is `too_young` grants nothing that counts.

    Raises `LedgerBroken` where the newest event is not the one that was written last: what stands
    may then be older than it should.
    """
    return permissions_as(
        connection,
        catalog,
        None if customer_id is None else customers.find(connection, customer_id, catalog.ids),
        purpose,
        now,
        too_young,
    )


def permissions_as(
    connection: Connection,
    catalog: Catalog,
    customer: int | None,
    purpose: str,
    now: str,
    too_young: Callable[[int], bool] = nobody,
) -> Permissions:
    """The permissions of a pseudonym, as `permissions_of` of the shop's customer."""
    seq = position(connection)
    newest = connection.execute(select(func.max(consent_events.c.seq))).scalar() or 0
    if newest != seq:
        raise LedgerBroken(
            f"the ledger ends at event {newest}, but {seq} were written", seq=newest + 1
        )
    if customer is None:
        return Permissions(None, frozenset(), (), seq)
    young = too_young(customer)
    return Permissions(
        customer,
        frozenset() if young else granted_to(connection, catalog, customer, purpose, now),
        tuple(in_force(connection, customer, now)),
        seq,
        too_young=young,
    )
