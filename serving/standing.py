"""Where a customer stands at one moment: what they grant and what they opted out of, read in one transaction."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from features import customers
from features.consent import granted_to, position
from serving.opt_outs import OptOut, in_force


@dataclass(frozen=True)
class Standing:
    """`customer` is the pseudonym, None for somebody the shop never told of. `granted` are categories for one purpose."""

    customer: int | None
    granted: frozenset[str]
    opt_outs: tuple[OptOut, ...]
    ledger_seq: int

    def opted_out(self, scope: str, value: str | None = None) -> bool:
        """Whether an opt-out of that scope (and value) is in force."""
        return any(opt_out.scope == scope and (value is None or opt_out.value == value) for opt_out in self.opt_outs)

    def values(self, scope: str) -> frozenset[str]:
        """What was opted out of by that scope."""
        return frozenset(opt_out.value for opt_out in self.opt_outs if opt_out.scope == scope and opt_out.value is not None)

    def same_permission(self, other: Standing) -> bool:
        """Whether an answer made under one of the two may be given under the other."""
        return (self.customer, self.granted, self.opt_outs) == (other.customer, other.granted, other.opt_outs)


def standing_of(connection: Connection, customer_id: str, purpose: str, now: str) -> Standing:
    """The standing of the shop's customer for `purpose` at the moment `now`."""
    seq = position(connection)
    customer = customers.find(connection, customer_id)
    if customer is None:
        return Standing(None, frozenset(), (), seq)
    return Standing(customer, granted_to(connection, customer, purpose), tuple(in_force(connection, customer, now)), seq)
