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
from features.customers.vault import Vault
from features.database.engine import Database
from features.errors import SaysoError
from serving.access import audit_log
from serving.access.caller import Caller
from serving.decisions import record as decisions
from serving.decisions.document import ModelName, digest, document, encoded
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

    `body` is the answer as JSON.
    """

    decision_id: str
    generated_at: str
    customer: int | None
    answer: Body
    body: bytes

    def recorded(self) -> dict[str, Any]:
        """What is kept of the answer, which names no customer."""
        return recorded(self.decision_id, self.generated_at, self.answer)


def recorded(
    decision_id: str, generated_at: str, answer: Any, *, whole: bool = False
) -> dict[str, Any]:
    """What is kept of an answer as plain data, or the `whole` of it."""
    about = {"decision_id": decision_id, "generated_at": generated_at}
    return {**about, **document(answer, kept=not whole)}


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
            body = encoded(document(made.answer))
            decided = Decided(decisions.new_id(), moment, permissions.customer, made.answer, body)
            decision = _decision(kind, permissions, made, decided)

            def recorded(
                connection: Connection,
                permissions: Permissions = permissions,
                decision: Decision = decision,
                exposure: Exposure | None = made.exposure,
                standing: Callable[[Connection], Permissions] = standing,
            ) -> bool:
                # so that nobody is shown anything between what is read here and what is recorded
                decisions.wait_for_turn(connection)
                if not standing(connection).same_permission(permissions):
                    return False
                self._record(connection, decision, exposure, caller)
                return True

            if self.database.write_together(recorded):
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
        self,
        connection: Connection,
        decision: Decision,
        exposure: Exposure | None,
        caller: Caller | None,
    ) -> None:
        decisions.record(connection, self.vault, decision)
        customer, moment = decision.customer, decision.created_at
        if customer is None:
            return
        if exposure is not None:
            record_exposure(connection, decision.id, customer, exposure, moment)
        if caller is not None:
            audit_log.write(connection, caller, decision.kind, [customer], moment)


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
        encoded(made.inputs).decode(),
        encoded(decided.recorded()).decode(),
        digest(decided.body),
    )
