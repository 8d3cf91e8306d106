"""How every answer comes about: read where the customer stands, make the answer, and record it only
if they still stand there.

Making an answer takes milliseconds, and a customer may withdraw meanwhile. So the consent is read
again in the very transaction that records the decision; where it changed, the answer is thrown away
and made anew. No lock is held meanwhile, and no answer that starts after a withdrawal was
acknowledged can use what was withdrawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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
from serving.decisions.kept_answers import AnswerOutdated, KeyReused
from serving.decisions.once import Around, Earlier, Once
from serving.decisions.permissions import Permissions, nobody, permissions_of
from serving.decisions.record import Decision
from serving.delivery.exposures import Exposure, record_exposures

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

    `body` is the answer as JSON. `around` is what stands around it in the answer that leaves, of
    one that is given `once` (`serving.decisions.once`); `again` tells that it was given before.
    """

    decision_id: str
    generated_at: str
    customer: int | None
    answer: Body
    body: bytes
    around: Around | None = None
    again: bool = False

    def recorded(self) -> dict[str, Any]:
        """What is kept of the answer, which names no customer."""
        return recorded(self.decision_id, self.generated_at, self.answer)


def recorded(
    decision_id: str, generated_at: str, answer: Any, *, whole: bool = False
) -> dict[str, Any]:
    """What is kept of an answer as plain data, or the `whole` of it."""
    about = {"decision_id": decision_id, "generated_at": generated_at}
    return {**about, **document(answer, kept=not whole)}


Look = Callable[[Connection, Sequence[Permissions], str], list[Permissions]]
"""Adds to where customers stand what else matters to one kind of answer, read in the same
transaction at the same moment.
"""


def as_it_is(
    _connection: Connection, permissions: Sequence[Permissions], _moment: str
) -> list[Permissions]:
    """Nothing else matters."""
    return list(permissions)


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

        def make_all(permissions: Sequence[Permissions]) -> Sequence[Made[Body]]:
            return [make(one) for one in permissions]

        (found,) = self.decide_all(kind, [customer_id], purpose, make_all, look, caller)
        if isinstance(found, SaysoError):
            raise found
        return found

    def decide_all(
        self,
        kind: str,
        customer_ids: Sequence[str | None],
        purpose: str,
        make: Callable[[Sequence[Permissions]], Sequence[Made[Body]]],
        look: Look = as_it_is,
        caller: Caller | None = None,
        once: Once[Body] | None = None,
    ) -> list[Decided[Body] | SaysoError]:
        """The answers to some customers, as `decide` gives one: read together, made together and
        recorded in one transaction, each only if its customer still stands where they did.

        Who is named twice is answered one time after the other. `TooBusy` stands for the answer to
        whoever does not hold still. With `once`, what was answered before is given again, or an
        error where it may not be.
        """
        found: dict[int, Decided[Body] | SaysoError] = {}
        left, tries = list(range(len(customer_ids))), MOST_TRIES
        while left and tries:
            asked = [customer_ids[at] for at in left]
            again = None if once is None else once.of(left)
            turn = self._turn(kind, asked, purpose, make, look, caller, again)
            found |= {left[at]: decided for at, decided in turn.given.items()}
            left = [at for at in left if at not in found]
            tries -= turn.changed
        busy = TooBusy("This customer's consent is changing right now; ask again in a moment.")
        return [found.get(at, busy) for at in range(len(customer_ids))]

    def _turn(
        self,
        kind: str,
        customer_ids: Sequence[str | None],
        purpose: str,
        make: Callable[[Sequence[Permissions]], Sequence[Made[Body]]],
        look: Look,
        caller: Caller | None,
        once: Once[Body] | None,
    ) -> _Turn[Body]:
        """One try to answer all of them, but for who is named a second time."""
        moment, earlier = clock.to_text(self.clock()), dict[int, Earlier]()

        def standing(connection: Connection, asked: Sequence[str | None]) -> list[Permissions]:
            return look(connection, self._found(connection, asked, purpose, moment), moment)

        with self.database.read() as connection:
            permissions = standing(connection, customer_ids)
            if once is not None:
                earlier = once.before(connection, self.vault, permissions, moment)
        if once is not None and earlier:
            given = _again(once, earlier)
            with self.database.write() as connection:
                now = standing(connection, customer_ids)
                still = once.before(connection, self.vault, now, moment)
                given = {at: one for at, one in given.items() if _holds(one, still.get(at))}
                self._note_read(connection, kind, list(given.values()), caller, moment)
            return _Turn(given, changed=len(given) < len(earlier))
        answered = _each_once(permissions)
        before = [permissions[at] for at in answered]
        made = make(before)
        decided = [_decided(moment, one, answer) for one, answer in zip(before, made, strict=True)]
        if once is not None:
            places = zip(answered, decided, strict=True)
            decided = [replace(one, around=once.around(at, one)) for at, one in places]
        ready = [
            _Ready(at, one, answer.exposure, given, _decision(kind, one, answer, given))
            for at, one, answer, given in zip(answered, before, made, decided, strict=True)
        ]

        def recorded(connection: Connection) -> list[bool]:
            # so that nobody is shown anything between what is read here and what is recorded
            decisions.wait_for_turn(connection)
            now = standing(connection, [customer_ids[at] for at in answered])
            return self._recorded(connection, ready, now, caller, once)

        holds = self.database.write_together(recorded)
        new = zip(answered, decided, holds, strict=True)
        return _Turn({at: one for at, one, holds in new if holds}, changed=not all(holds))

    def _recorded(
        self,
        connection: Connection,
        ready: Sequence[_Ready[Body]],
        now: Sequence[Permissions],
        caller: Caller | None,
        once: Once[Body] | None,
    ) -> list[bool]:
        """Record those answers whose customers still stand where they did; which these are."""
        moment = ready[0].decision.created_at
        taken = frozenset[int]() if once is None else once.taken(connection, moment)
        holds = [
            standing.same_permission(one.permissions) and one.place not in taken
            for one, standing in zip(ready, now, strict=True)
        ]
        given = [one for one, hold in zip(ready, holds, strict=True) if hold]
        if given:
            self._record(connection, [(one.decision, one.exposure) for one in given], caller)
            if once is not None:
                kept = [(one.place, one.permissions, one.decided) for one in given]
                once.keep(connection, self.vault, kept)
        return holds

    def _note_read(
        self,
        connection: Connection,
        kind: str,
        given: Sequence[Decided[Body] | SaysoError],
        caller: Caller | None,
        moment: str,
    ) -> None:
        """Note who read the answers that are given again; that is one more read."""
        whose = [
            one.customer for one in given if isinstance(one, Decided) and one.customer is not None
        ]
        if caller is not None and whose:
            audit_log.write(connection, caller, kind, whose, moment)

    def permissions(self, customer_id: str, purpose: str, look: Look = as_it_is) -> Permissions:
        """Where a customer stands now, for an answer that nobody is given."""
        moment = clock.to_text(self.clock())
        with self.database.read() as connection:
            return look(
                connection, self._found(connection, [customer_id], purpose, moment), moment
            )[0]

    def _found(
        self,
        connection: Connection,
        customer_ids: Sequence[str | None],
        purpose: str,
        moment: str,
    ) -> list[Permissions]:
        young = self.too_young
        return permissions_of(connection, self.catalog, customer_ids, purpose, moment, young)

    def _record(
        self,
        connection: Connection,
        made: Sequence[tuple[Decision, Exposure | None]],
        caller: Caller | None,
    ) -> None:
        decisions.record(connection, self.vault, [decision for decision, _ in made])
        known = [
            (decision, decision.customer, exposure)
            for decision, exposure in made
            if decision.customer is not None
        ]
        if not known:
            return
        kind, moment = made[0][0].kind, made[0][0].created_at
        shown = [
            (decision.id, customer, exposure)
            for decision, customer, exposure in known
            if exposure is not None
        ]
        record_exposures(connection, shown, moment)
        if caller is not None:
            whose = [customer for _, customer, _ in known]
            audit_log.write(connection, caller, kind, whose, moment)


@dataclass(frozen=True)
class _Ready(Generic[Body]):
    """An answer that is ready to be recorded: the place of its customer, and where they stood."""

    place: int
    permissions: Permissions
    exposure: Exposure | None
    decided: Decided[Body]
    decision: Decision


@dataclass(frozen=True)
class _Turn(Generic[Body]):
    """What came of one try: the answers given, by their place among those asked for, and whether
    anybody's permissions `changed` meanwhile.
    """

    given: Mapping[int, Decided[Body] | SaysoError]
    changed: bool


def _again(
    once: Once[Body], earlier: Mapping[int, Earlier]
) -> dict[int, Decided[Body] | SaysoError]:
    """What was answered before, or why it may not be again."""
    given: dict[int, Decided[Body] | SaysoError] = {}
    for at, one in earlier.items():
        kept = one.kept
        try:
            answer, body = once.answer_of(one)
        except (KeyReused, AnswerOutdated) as error:
            given[at] = error
            continue
        given[at] = Decided(
            *(kept.decision_id or "", kept.kept_at, kept.customer, answer, body, one.around),
            again=True,
        )
    return given


def _holds(given: Decided[Any] | SaysoError, now: Earlier | None) -> bool:
    """Whether an answer of before may still be given."""
    return isinstance(given, SaysoError) or (now is not None and now.fault is None)


def _each_once(permissions: Sequence[Permissions]) -> list[int]:
    """Where each customer comes first; whoever is not known is somebody else each time."""
    first: dict[int, int] = {}
    for at, one in enumerate(permissions):
        if one.customer is not None:
            first.setdefault(one.customer, at)
    return [
        at
        for at, one in enumerate(permissions)
        if one.customer is None or first[one.customer] == at
    ]


def _decided(moment: str, permissions: Permissions, made: Made[Body]) -> Decided[Body]:
    body = encoded(document(made.answer))
    return Decided(decisions.new_id(), moment, permissions.customer, made.answer, body)


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
