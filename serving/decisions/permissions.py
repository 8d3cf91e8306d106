"""Where a customer stands at one moment: what they grant and what they opted out of, read in one
transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cache

from sqlalchemy import (
    BigInteger,
    Connection,
    ScalarSelect,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    null,
    select,
    union_all,
)

from features.catalog import Catalog
from features.consent.grants import granted_in_force
from features.customers.pseudonyms import find
from features.database.prepared import Prepared
from features.database.tables import consent_events, ledger_head
from features.errors import LedgerBroken
from serving.decisions.set_bands import SetBand
from serving.delivery.contact_policy import NotNow
from serving.delivery.opt_outs import OptOut, opt_outs_in_force


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
    customer = None if customer_id is None else find(connection, customer_id, catalog.ids)
    return permissions_as(connection, catalog, customer, purpose, now, too_young)


def permissions_as(
    connection: Connection,
    catalog: Catalog,
    customer: int | None,
    purpose: str,
    now: str,
    too_young: Callable[[int], bool] = nobody,
) -> Permissions:
    """The permissions of a pseudonym, as `permissions_of` of the shop's customer."""
    standing = _standing(catalog.versions_in_force(purpose))
    found = standing.rows(connection, whose=customer, purpose=purpose, now=now)
    (_, seq, newest, *_), rows = found[0], found[1:]
    _require_whole(seq, newest)
    young = customer is not None and too_young(customer)
    granted = frozenset(row[3] for row in rows if row[0] == GRANT and not young)
    opt_outs = (OptOut(*row[3:]) for row in rows if row[0] == OPT_OUT)
    return Permissions(
        customer,
        granted,
        tuple(sorted(opt_outs, key=lambda one: (one.created_at, one.id))),
        seq,
        too_young=young,
    )


def require_whole_ledger(connection: Connection) -> None:
    """Raises `LedgerBroken` where the ledger does not end with what was written last."""
    for seq, newest in _END.rows(connection):
        _require_whole(seq, newest)


def _require_whole(seq: int, newest: int) -> None:
    if newest != seq:
        raise LedgerBroken(
            f"the ledger ends at event {newest}, but {seq} were written", seq=newest + 1
        )


def _newest() -> ScalarSelect[int]:
    return select(func.coalesce(func.max(consent_events.c.seq), 0)).scalar_subquery()


_END = Prepared(select(ledger_head.c.seq, _newest()))
HEAD, GRANT, OPT_OUT = 0, 1, 2
"""What a row of `_standing` tells of; the head comes first."""


@cache
def _standing(versions: tuple[str, ...]) -> Prepared:
    """All that permissions are read from, in one query: the end of the ledger as it was noted and
    as it is, the categories granted under `versions` of the notice, and the opt-outs in force.
    """
    whose, now = bindparam("whose", type_=BigInteger), bindparam("now", type_=Text)
    nothing = [cast(null(), Text) for _ in range(5)]
    number = cast(null(), BigInteger)
    head = select(literal_column("0").label("what"), ledger_head.c.seq, _newest(), *nothing)
    grants = granted_in_force(whose, versions, bindparam("purpose", type_=Text), now)
    category = select(literal_column("1"), number, number, grants.c.category, *nothing[1:])
    stated = opt_outs_in_force(whose, now)
    own = (stated.c[name] for name in ("id", "scope", "value", "until", "created_at"))
    opt_out = select(literal_column("2"), number, number, *own)
    return Prepared(union_all(head, category, opt_out).order_by(literal_column("1")))
