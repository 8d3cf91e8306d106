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
from serving.decisions.permissions import Standing, standing_of
from serving.decisions.record import Decision
from serving.delivery.exposures import Shown, record_shown

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
    shown: Shown | None = None


Look = Callable[[Connection, Standing, str], Standing]
"""Adds to where a customer stands what else matters to one kind of answer, read in the same
transaction at the same moment.
"""


def as_it_is(_connection: Connection, standing: Standing, _moment: str) -> Standing:
    """Nothing else matters."""
    return standing


def decide(
    shop: Shop,
    kind: str,
    customer_id: str | None,
    purpose: str,
    make: Callable[[Standing], Made],
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
            standing = look(
                connection, standing_of(connection, catalog, customer_id, purpose, moment), moment
            )
        made = make(standing)
        id = decisions.new_id()
        answer = {"decision_id": id, "generated_at": moment, **made.answer}
        answer["consent"] = {"ledger_seq": standing.ledger_seq, **made.answer["consent"]}
        decision = _decision(id, kind, standing, moment, made, answer)
        with shop.database.write() as connection:
            decisions.wait_for_turn(
                connection
            )  # so that nobody is shown anything between what is read here and what is recorded
            now_standing = look(
                connection, standing_of(connection, catalog, customer_id, purpose, moment), moment
            )
            if now_standing.same_permission(standing):
                decisions.record(connection, shop.vault, decision)
                if made.shown is not None and standing.customer is not None:
                    record_shown(connection, id, standing.customer, made.shown, moment)
                return answer
    raise TooBusy("This customer's consent is changing right now; ask again in a moment.")


def _decision(
    id: str, kind: str, standing: Standing, moment: str, made: Made, answer: Mapping[str, Any]
) -> Decision:
    inputs, said = canonical(made.inputs), canonical(answer)
    model = made.model or {}
    return Decision(
        id,
        standing.customer,
        kind,
        moment,
        standing.ledger_seq,
        model.get("name"),
        model.get("version"),
        inputs,
        said,
    )
