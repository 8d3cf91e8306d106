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
from typing import Any

from sqlalchemy import Connection

from features import clock
from features.consent.chain import canonical
from features.errors import SaysoError
from features.shop.shop import Shop
from serving.decisions import record as decisions
from serving.decisions.permissions import Permissions, permissions_of
from serving.decisions.record import Decision
from serving.delivery.exposures import Exposure, record_exposure

MOST_TRIES = 5


class TooBusy(SaysoError):
    """The customer's consent kept changing while the answer was made."""


@dataclass(frozen=True)
class Made:
    """An answer that was made, before it is recorded: what it was made from, by which model, and
    what it shows to the customer.
    """

    inputs: Mapping[str, Any]
    answer: Mapping[str, Any]
    model: Mapping[str, str] | None
    exposure: Exposure | None = None


Look = Callable[[Connection, Permissions, str], Permissions]
"""Adds to where a customer stands what else matters to one kind of answer, read in the same
transaction at the same moment.
"""


def as_it_is(_connection: Connection, permissions: Permissions, _moment: str) -> Permissions:
    """Nothing else matters."""
    return permissions


def decide(
    shop: Shop,
    kind: str,
    customer_id: str | None,
    purpose: str,
    make: Callable[[Permissions], Made],
    look: Look = as_it_is,
) -> dict[str, Any]:
    """The answer to a customer, recorded.

    `make` turns where they stand, as `look` completes it, into an answer.

    Raises `TooBusy` where that does not hold still.
    """
    catalog = shop.config.catalog
    for _ in range(MOST_TRIES):
        moment = clock.to_text(shop.clock())
        with shop.database.read() as connection:
            permissions = look(
                connection,
                permissions_of(connection, catalog, customer_id, purpose, moment),
                moment,
            )
        made = make(permissions)
        id = decisions.new_id()
        answer = {"decision_id": id, "generated_at": moment, **made.answer}
        answer["consent"] = {"ledger_seq": permissions.ledger_seq, **made.answer["consent"]}
        decision = _decision(id, kind, permissions, moment, made, answer)
        with shop.database.write() as connection:
            decisions.wait_for_turn(
                connection
            )  # so that nobody is shown anything between what is read here and what is recorded
            permitted_now = look(
                connection,
                permissions_of(connection, catalog, customer_id, purpose, moment),
                moment,
            )
            if permitted_now.same_permission(permissions):
                decisions.record(connection, shop.vault, decision)
                if made.exposure is not None and permissions.customer is not None:
                    record_exposure(connection, id, permissions.customer, made.exposure, moment)
                return answer
    raise TooBusy("This customer's consent is changing right now; ask again in a moment.")


def _decision(
    id: str, kind: str, permissions: Permissions, moment: str, made: Made, answer: Mapping[str, Any]
) -> Decision:
    inputs, said = canonical(made.inputs), canonical(answer)
    model = made.model or {}
    return Decision(
        id,
        permissions.customer,
        kind,
        moment,
        permissions.ledger_seq,
        model.get("name"),
        model.get("version"),
        inputs,
        said,
    )
