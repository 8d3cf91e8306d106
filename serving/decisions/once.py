"""Decisions that are given once: the key of their request is recorded with them, in one
transaction, and the same request gets the same answer again, made from the record.

It does not where its customer changed their mind meanwhile: what they allow and opted out of is
read anew, and the answer of before is given only if nothing of it has changed.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Connection

from features.customers.vault import NOBODY, PayloadGone, Vault
from features.errors import ModelUnavailable, SaysoError
from serving.decisions import kept_answers
from serving.decisions.document import digest, document, encoded
from serving.decisions.kept_answers import ERASED, AnswerOutdated, Asking, Kept, KeyReused
from serving.decisions.permissions import Permissions
from serving.decisions.record import Decision, read_many

Body = TypeVar("Body")
Around = tuple[Mapping[str, Any], Mapping[str, Any]]
"""What stands before and after a decision in the answer that leaves."""
CHANGED = (
    "The decision of this `Idempotency-Key` was given, and its customer's consent or opt-outs"
    " changed since. Ask anew, with another key, for an answer by what they allow now."
)
NOT_MADE_AGAIN = (
    "The decision of this `Idempotency-Key` was given, and cannot be made again:"
    " GET /v1/decisions/{id} has what is kept of it, and another key gets a new one."
)


class Given(Protocol):
    """A decision that is being recorded (`serving.decisions.deciding.Decided`)."""

    @property
    def decision_id(self) -> str:
        """Its id."""

    @property
    def generated_at(self) -> str:
        """When it was made."""

    @property
    def around(self) -> Around | None:
        """What stands around it."""


@dataclass(frozen=True)
class Earlier:
    """What was recorded for the same request before, and its `decision`, None where that may not be
    given again because of `fault`.
    """

    kept: Kept
    decision: Decision | None
    around: Around | None = None
    fault: SaysoError | None = None


@dataclass(frozen=True)
class Once(Generic[Body]):
    """What makes the decisions of a request be given once.

    `digests` stand for the request's question about each of the customers asked about; `around`
    says what stands around a decision of the one at a place, and `again` makes a decision's answer
    anew.
    """

    asking: Asking
    digests: Sequence[str]
    around: Callable[[int, Any], Around]
    again: Callable[[Decision], Body]

    def of(self, places: Sequence[int]) -> Once[Body]:
        """The same for some of the customers."""
        return replace(
            self,
            digests=[self.digests[at] for at in places],
            around=lambda at, decided: self.around(places[at], decided),
        )

    def before(
        self, connection: Connection, vault: Vault, standing: Sequence[Permissions], now: str
    ) -> dict[int, Earlier]:
        """What was recorded before, by the place of the customer, who stands there now."""
        found = kept_answers.find(connection, self.digests, now)
        if not found:
            return {}
        ids = [one.decision_id for one in found.values() if one.decision_id is not None]
        decisions = read_many(connection, vault, ids)
        return {
            at: self._earlier(connection, vault, found[one], decisions, standing[at])
            for at, one in enumerate(self.digests)
            if one in found
        }

    def _earlier(
        self,
        connection: Connection,
        vault: Vault,
        kept: Kept,
        decisions: Mapping[str, Decision],
        standing: Permissions,
    ) -> Earlier:
        try:
            kept_answers.require_same(self.asking, kept)
            decision = decisions.get(kept.decision_id or "")
            if kept.content is None or decision is None:
                raise AnswerOutdated(ERASED)
            if kept.standing != standing_of(standing):
                raise AnswerOutdated(CHANGED)
            text = vault.opened(connection, kept.customer, kept.content, _about(kept.digest))
        except (KeyReused, AnswerOutdated) as fault:
            return Earlier(kept, None, fault=fault)
        except PayloadGone:
            return Earlier(kept, None, fault=AnswerOutdated(ERASED))
        head, links = json.loads(zlib.decompress(text))
        return Earlier(kept, decision, (head, links))

    def answer_of(self, earlier: Earlier) -> tuple[Body, bytes]:
        """The answer of before, and the same as JSON, to the last bit as it was given.

        Raises `KeyReused`, and `AnswerOutdated` where it may not or cannot be given again.
        """
        if earlier.fault is not None:
            raise earlier.fault
        refusal = AnswerOutdated(NOT_MADE_AGAIN.format(id=earlier.kept.decision_id))
        if earlier.decision is None or not earlier.decision.inputs:
            raise refusal
        try:
            made = self.again(earlier.decision)
        except ModelUnavailable:
            raise refusal from None
        body = encoded(document(made))
        if digest(body) != earlier.decision.said:
            raise refusal
        return made, body

    def taken(self, connection: Connection, now: str) -> frozenset[int]:
        """The places of those for whom something was recorded meanwhile."""
        found = kept_answers.find(connection, self.digests, now)
        return frozenset(at for at, one in enumerate(self.digests) if one in found)

    def keep(
        self,
        connection: Connection,
        vault: Vault,
        given: Sequence[tuple[int, Permissions, Given]],
    ) -> None:
        """Record that these decisions were given, each by the place of its customer, within the
        transaction that records them.
        """
        whose = {NOBODY if one.customer is None else one.customer for _, one, _ in given}
        keys = vault.keys_for_sealing(connection, whose)
        rows = []
        for at, standing, decided in given:
            text = zlib.compress(encoded(decided.around))
            key = keys[NOBODY if standing.customer is None else standing.customer]
            rows.append(
                Kept(
                    self.digests[at],
                    self.asking.fingerprint,
                    decided.generated_at,
                    standing.customer,
                    decided.decision_id,
                    standing_of(standing),
                    key.seal(text, _about(self.digests[at])),
                )
            )
        whole = self.asking.digest
        if rows and whole not in {one.digest for one in rows}:  # several: one row tells of all
            rows.append(Kept(whole, self.asking.fingerprint, rows[0].kept_at))
        kept_answers.keep(connection, rows)


OnceFor = Callable[[Callable[[Decision], Body]], Once[Body]]
"""Makes a request's decisions be given once, told how an answer is made anew."""


def once_for(
    asking: Asking,
    names: Sequence[str],
    around: Callable[[int, Any], Around],
) -> OnceFor[Body]:
    """Has the questions of a request be answered once, each told apart by its name (none: there is
    only one).
    """
    digests = [asking.part(name) for name in names] or [asking.digest]
    return lambda again: Once(asking, digests, around, again)


def standing_of(permissions: Permissions) -> str:
    """What a customer allows and opted out of, as a digest."""
    said = [
        permissions.customer is None,
        permissions.too_young,
        sorted(permissions.granted),
        sorted(opt_out.id for opt_out in permissions.opt_outs),
    ]
    return hashlib.sha256(encoded(said)).hexdigest()


def _about(digest: str) -> str:
    return f"around:{digest}"
