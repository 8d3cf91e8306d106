"""From a definition to the customers of an audience: who may be written to, what is known of them,
whom the rules fit, and the decision that records it before anything of it leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NoReturn

import numpy as np

from explain.templates import ShopWords
from explain.words import Words
from features import clock
from features.config.audiences import AudienceSection
from features.errors import ModelUnavailable
from features.shop.shop import Shop
from models.arrays import Floats
from models.churn.model import ChurnModel
from serving.access import audit_log
from serving.access.caller import Caller
from serving.audiences.audience import KIND, Asked, Member, UnknownAudience
from serving.audiences.choosing import chosen
from serving.audiences.giving import Giving, Ready
from serving.audiences.known import Known, estimates, features_known, set_by_review
from serving.audiences.people import People, who_may_be_written_to
from serving.audiences.telling import Teller
from serving.decisions import record as decisions
from serving.decisions.document import encoded
from serving.decisions.record import Decision
from serving.delivery.sending_moment import refuse_moment
from serving.live.champions import Champion, Loaded

AT_A_TIME = 250
"""Customers that are given in one transaction, so that a withdrawal waits for no more."""
LONGEST_AHEAD = timedelta(days=31)
"""How far ahead a campaign may be prepared."""


class Audiences:
    """The audiences that a shop defines."""

    def __init__(
        self,
        shop: Shop,
        champion: Champion[ChurnModel],
        words: Words,
        old_record: Callable[[], str] = str,
    ) -> None:
        """`old_record` says where the shop's record ends where that is old, else nothing."""
        self._shop, self._champion, self._words = shop, champion, words
        self._old_record = old_record

    def find(self, name: str) -> AudienceSection:
        """The definition of an audience. Raises `UnknownAudience`."""
        defined = self._shop.config.audiences
        if name not in defined:
            raise UnknownAudience(name, defined)
        return defined[name]

    def give(self, asked: Asked, caller: Caller) -> Iterator[list[Member]]:
        """The customers of an audience, some of them at a time and each recorded before; nothing
        comes first while it is made ready, step by step.

        Raises `UnknownAudience`, `SendAtRefused`, `NobodyGranted`, `NotTheMoment`, and
        `ModelUnavailable` where it rests on a model that is not there.
        """
        audience, now = self.find(asked.name), self._shop.clock()
        at = _moment_of(asked, now)
        yield []
        if asked.privacy_signal:  # nobody is profiled, so nobody is known to be in it
            return
        for ready in self._steps(audience, clock.to_text(now), at):
            if ready is None:
                yield []
                continue
            decision_id = self._record(asked, audience, ready, clock.to_text(now), caller)
            teller = self._teller(asked, audience, ready)
            giving = Giving(self._shop, asked, audience, ready, teller, decision_id)
            for start in range(0, len(ready.chosen.places), AT_A_TIME):
                places = ready.chosen.places[start : start + AT_A_TIME].tolist()
                yield giving.give(places, clock.to_text(now), caller)

    def _steps(self, audience: AudienceSection, now: str, at: datetime) -> Iterator[Ready | None]:
        """Nothing after each step but the last."""
        shop = self._shop
        with shop.database.read() as connection:
            people = who_may_be_written_to(
                connection, shop.config, shop.minimum_age, audience, now, at
            )
        yield None
        features = features_known(shop, audience, people.customers, people.granted)
        yield None
        model = self._model(audience)
        chance, value = self._estimates(audience, model, people)
        known = Known(features, chance, value, set_by_review(shop) if audience.bands else {})
        yield Ready(people, known, chosen(audience, people.customers, known), model)

    def _model(self, audience: AudienceSection) -> Loaded[ChurnModel] | None:
        """The churn model where a rule rests on it. Raises `ModelUnavailable`."""
        if not audience.needs_churn:
            return None
        model = self._champion.current
        if model is None:
            raise ModelUnavailable(
                "This audience has a rule on `bands` or `value_at_least`, and there is no churn"
                " champion that could answer: `sayso train churn` and `sayso promote churn` make"
                " one."
            )
        return model

    def _estimates(
        self, audience: AudienceSection, model: Loaded[ChurnModel] | None, people: People
    ) -> tuple[Floats, Floats]:
        if model is None:
            nothing = np.full(len(people.customers), np.nan)
            return nothing, nothing
        if audience.value_at_least is not None and model.model.outlook is None:
            raise ModelUnavailable(
                "This audience has a rule on `value_at_least`, and the churn champion tells of no"
                " value: train it again once customers have ordered anew, or leave the rule out."
            )
        return estimates(self._shop, model.model, people.customers)

    def _record(
        self, asked: Asked, audience: AudienceSection, ready: Ready, now: str, caller: Caller
    ) -> str:
        """Record that an audience leaves, durable once this returns; the id of the decision."""
        id = decisions.new_id()
        name = None if ready.model is None else ready.model.name
        inputs = {
            "audience": asked.name,
            "definition": audience.model_dump(mode="json"),
            "send_at": None if asked.send_at is None else clock.to_text(asked.send_at),
            "language": self._words.wording(asked.language).language,
            "pseudonymised": asked.pseudonymised,
            "actor": caller.actor,
        }
        left_out = {**ready.people.left_out, **ready.chosen.left_out}
        answer = {
            "decision_id": id,
            "generated_at": now,
            "audience": asked.name,
            "customers": len(ready.chosen.places),
            "left_out": {why: count for why, count in left_out.items() if count},
            "model": name,
            "consent": {"ledger_seq": ready.people.ledger_seq, "used": [], "withheld": []},
        }
        decision = Decision(
            id,
            None,
            KIND,
            now,
            ready.people.ledger_seq,
            None if name is None else name["name"],
            None if name is None else name["version"],
            encoded(inputs).decode(),
            encoded(answer).decode(),
        )
        with self._shop.database.write() as connection:
            decisions.record(connection, self._shop.vault, [decision])
            audit_log.write(connection, caller, KIND, (None,), now)
        return id

    def _teller(self, asked: Asked, audience: AudienceSection, ready: Ready) -> Teller:
        shop, until = self._shop.config.shop, self._old_record()
        return Teller(
            audience,
            self._shop.config.catalog,
            ready.known,
            ShopWords(
                shop.currency, shop.home_country or "", clock.from_text(until) if until else None
            ),
            self._words.wording(asked.language),
            None if ready.model is None else ready.model.model.horizon_days,
        )


def not_made_again(_decision: Decision) -> NoReturn:
    """Raises `ModelUnavailable`: what was known of everybody is not kept with an audience."""
    raise ModelUnavailable(
        "An audience is recorded with its definition and with who was in it; it is not made again."
    )


def _moment_of(asked: Asked, now: datetime) -> datetime:
    """When an audience is written to. Raises `SendAtRefused`."""
    if asked.send_at is None:
        return now
    refuse_moment(asked.send_at, LONGEST_AHEAD.days, now)
    return asked.send_at
