"""Looking a decision up, and making it again to see that it comes out the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from features.customers.pseudonyms import external_id_of, kept
from features.customers.vault import Vault
from features.database.engine import Database
from features.errors import ModelUnavailable
from serving.decisions import record as decisions
from serving.decisions.deciding import recorded
from serving.decisions.document import digest, document, encoded
from serving.decisions.record import Decision
from serving.decisions.undelivered import DECISION, undelivered_among

Replay = Callable[[Decision], Any]
"""Makes the answer of a decision anew, typed as it was."""


class DecisionLog:
    """The recorded decisions of one database; `replays` make an answer anew, by kind of
    decision.
    """

    def __init__(self, database: Database, vault: Vault, replays: Mapping[str, Replay]) -> None:
        self._database = database
        self._vault = vault
        self._replays = replays

    def find(self, id: str) -> tuple[Decision, str | None]:
        """A decision, and the shop's id of its customer (None for one the shop never told of).

        Raises `NotFound`.
        """
        with self._database.read() as connection:
            decision = decisions.read(connection, self._vault, id)
            if decision.customer is None:
                return decision, None
            customer = kept(connection, decision.customer)
            return replace(decision, customer=customer), external_id_of(connection, customer)

    def delivered(self, id: str) -> bool:
        """Whether the answer can have reached who asked for it."""
        with self._database.read() as connection:
            return not undelivered_among(connection, DECISION, [id])

    def identical(self, decision: Decision) -> bool:
        """Whether the record is intact and its inputs give the recorded answer again, bit for bit.

        Raises `ModelUnavailable` where the version that decided is gone.
        """
        if not decision.intact or not decision.answer:
            return False
        return _is_what_was_said(self._replays[decision.kind](decision), decision)

    def told(self, decision: Decision) -> dict[str, Any]:
        """The answer as it was given, with what is made anew from its inputs; without that where
        it does not come out as it was, or the version that decided is gone.

        Raises `DecisionDamaged` where the record can no longer be read.
        """
        kept = decision.document()
        if not decision.said:
            return kept
        try:
            again = self._replays[decision.kind](decision)
        except ModelUnavailable:
            return kept
        if not _is_what_was_said(again, decision):
            return kept
        whole: dict[str, Any] = json.loads(encoded(document(again)))
        return {**kept, **whole}


def _is_what_was_said(again: Any, decision: Decision) -> bool:
    """Whether an answer that was made again is the one that was given, to the last bit."""
    if decision.said and digest(encoded(document(again))) != decision.said:
        return False
    made = recorded(decision.id, decision.created_at, again, whole=not decision.said)
    same: bool = json.loads(encoded(made)) == decision.document()
    return same
