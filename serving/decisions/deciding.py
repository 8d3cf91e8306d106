"""How every answer comes about: read where the customer stands, make the answer, and record it only
if they still stand there.

Making an answer takes milliseconds, and a customer may withdraw meanwhile. So the consent is read
again in the very transaction that records the decision; where it changed, the answer is thrown away
and made anew. No lock is held meanwhile, and no answer that starts after a withdrawal was
acknowledged can use what was withdrawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from features import clock
from features.catalog import Catalog
from features.clock import Clock
from features.consent.chain import canonical
from features.customers.vault import Vault
from features.database.engine import Database
from features.errors import SaysoError
from serving.access import audit_log
from serving.access.caller import Caller
from serving.decisions import record as decisions
from serving.decisions.document import ModelName, document
from serving.decisions.permissions import Permissions, nobody, permissions_of
from serving.decisions.record import Decision
from serving.delivery.exposures import Exposure, record_exposure

MOST_TRIES = 5


class TooBusy(SaysoError):
    """The customer's consent kept changing while the answer was made."""


Body = TypeVar("Body")
"""What an answer says; a dataclass of `serving.contract.answers`."""


@dataclass(frozen=True)
class Made(Generic[Body]):
    """An answer that was made, before it is recorded: what it was made from, by which model, and
    what it shows to the customer.
    """

    inputs: Mapping[str, Any]
    answer: Body
    model: ModelName | None
    exposure: Exposure | None = None


@dataclass(frozen=True)
class Decided(Generic[Body]):
    """An answer that was recorded as the decision `decision_id`; `customer` is the pseudonym, None
    for somebody the shop never told of.
    """

    decision_id: str
    generated_at: str
    customer: int | None
    answer: Body

    def recorded(self) -> dict[str, Any]:
        """The answer as it is recorded, without anything that names the customer."""
        return {
            "decision_id": self.decision_id,
            "generated_at": self.generated_at,
            **document(self.answer),
        }


Look = Callable[[Connection, Permissions, str], Permissions]
"""Adds to where a customer stands what else matters to one kind of answer, read in the same
transaction at the same moment.
"""


def as_it_is(_connection: Connection, permissions: Permissions, _moment: str) -> Permissions:
    """Nothing else matters."""
    return permissions


@dataclass(frozen=True)
class Decider:
    """Gives answers and records them. `catalog` says what was asked of customers."""

    database: Database
    vault: Vault
    catalog: Catalog
    clock: Clock
    too_young: Callable[[int], bool] = nobody
    """Of which customers nothing may be used because of their age."""

    def decide(
        self,
        kind: str,
        customer_id: str | None,
        purpose: str,
        make: Callable[[Permissions], Made[Body]],
        look: Look = as_it_is,
        caller: Caller | None = None,
    ) -> Decided[Body]:
        """The answer to a customer, recorded, with the `caller` who reads it in the audit log.

        `make` turns where they stand, as `look` completes it, into an answer.

        Raises `TooBusy` where that does not hold still.
        """
        for _ in range(MOST_TRIES):
            moment = clock.to_text(self.clock())

            def standing(connection: Connection, moment: str = moment) -> Permissions:
                return look(
                    connection, self._found(connection, customer_id, purpose, moment), moment
                )

            with self.database.read() as connection:
                permissions = standing(connection)
            made = make(permissions)
            decided = Decided(decisions.new_id(), moment, permissions.customer, made.answer)
            decision = _decision(kind, permissions, made, decided)
            with self.database.write() as connection:
                # so that nobody is shown anything between what is read here and what is recorded
                decisions.wait_for_turn(connection)
                if standing(connection).same_permission(permissions):
                    self._record(connection, decision, made.exposure)
                    if caller is not None and decision.customer is not None:
                        audit_log.write(connection, caller, kind, [decision.customer], moment)
                    return decided
        raise TooBusy("This customer's consent is changing right now; ask again in a moment.")

    def permissions(self, customer_id: str, purpose: str, look: Look = as_it_is) -> Permissions:
        """Where a customer stands now, for an answer that nobody is given."""
        moment = clock.to_text(self.clock())
        with self.database.read() as connection:
            return look(connection, self._found(connection, customer_id, purpose, moment), moment)

    def _found(
        self, connection: Connection, customer_id: str | None, purpose: str, moment: str
    ) -> Permissions:
        young = self.too_young
        return permissions_of(connection, self.catalog, customer_id, purpose, moment, young)

    def _record(
        self, connection: Connection, decision: Decision, exposure: Exposure | None
    ) -> None:
        decisions.record(connection, self.vault, decision)
        if exposure is not None and decision.customer is not None:
            record_exposure(
                connection, decision.id, decision.customer, exposure, decision.created_at
            )


def _decision(
    kind: str, permissions: Permissions, made: Made[Body], decided: Decided[Body]
) -> Decision:
    model = made.model
    return Decision(
        decided.decision_id,
        permissions.customer,
        kind,
        decided.generated_at,
        permissions.ledger_seq,
        None if model is None else model.name,
        None if model is None else model.version,
        canonical(made.inputs, document),
        canonical(decided.recorded(), document),
    )
