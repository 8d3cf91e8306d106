"""Where a customer stands at one moment: what they grant and what they opted out of, read in one
transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Executable,
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
from features.customers.pseudonyms import find_all
from features.database.prepared import Prepared, PreparedForMany
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
    customer_ids: Sequence[str | None],
    purpose: str,
    now: str,
    too_young: Callable[[int], bool] = nobody,
) -> list[Permissions]:
    """The permissions of each of the shop's customers for `purpose` at the moment `now`; None
    stands for somebody whom nobody knows. Who is `too_young` grants nothing that counts.

    Raises `LedgerBroken` where the newest event is not the one that was written last: what stands
    may then be older than it should.
    """
    customers = find_all(connection, customer_ids, catalog.ids)
    return permissions_as(connection, catalog, customers, purpose, now, too_young)


def permissions_as(
    connection: Connection,
    catalog: Catalog,
    customers: Sequence[int | None],
    purpose: str,
    now: str,
    too_young: Callable[[int], bool] = nobody,
) -> list[Permissions]:
    """The permissions of pseudonyms, as `permissions_of` of the shop's customers."""
    standing = _standing(catalog.versions_in_force(purpose))
    young = {one for one in customers if one is not None and too_young(one)}
    granted: dict[int | None, set[str]] = {customer: set() for customer in customers}
    opt_outs: dict[int | None, list[OptOut]] = {customer: [] for customer in customers}
    for what, seq, newest, *row in standing.rows(
        connection, list(granted), purpose=purpose, now=now
    ):
        if what == GRANT:
            granted[seq].add(row[0])
        elif what == OPT_OUT:
            opt_outs[seq].append(OptOut(*row))
        else:
            _require_whole(seq, newest)
            end = seq
    return [
        Permissions(
            customer,
            frozenset() if customer in young else frozenset(granted[customer]),
            tuple(sorted(opt_outs[customer], key=lambda one: (one.created_at, one.id))),
            end,
            too_young=customer in young,
        )
        for customer in customers
    ]


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
"""What a row of `_standing` tells of; then comes where the ledger ends, or whose the rest of it is.
"""


@cache
def _standing(versions: tuple[str, ...]) -> PreparedForMany:
    """All that permissions are read from, in one query: the end of the ledger as it was noted and
    as it is, the categories granted under `versions` of the notice, and the opt-outs in force.
    """
    return PreparedForMany(partial(_of_all, versions), BigInteger())


def _of_all(versions: tuple[str, ...], whose: Sequence[ColumnElement[int]]) -> Executable:
    now = bindparam("now", type_=Text)
    nothing = [cast(null(), Text) for _ in range(5)]
    number = cast(null(), BigInteger)
    head = select(literal_column("0").label("what"), ledger_head.c.seq, _newest(), *nothing)
    grants = granted_in_force(whose, versions, bindparam("purpose", type_=Text), now)
    category = select(
        literal_column("1"), grants.c.customer, number, grants.c.category, *nothing[1:]
    )
    stated = opt_outs_in_force(whose, now)
    own = (stated.c[name] for name in ("id", "scope", "value", "until", "created_at"))
    opt_out = select(literal_column("2"), stated.c.customer, number, *own)
    return union_all(head, category, opt_out)
