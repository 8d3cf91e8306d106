"""Estimating a customer's churn: what may be used, and the answer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from explain.reasons import sentences_of
from explain.templates import recorded_words
from explain.wording import Wording
from explain.words import Words
from features.config.schema import Config
from features.errors import SaysoError
from features.shop.online import OnlineStore
from features.shop.withholding import Withholding
from models.churn.model import ChurnModel
from serving.access.caller import Caller
from serving.churn.actions import TEXTS
from serving.churn.estimate import DISCLOSURE, ChurnInputs, estimate_all, estimate_churn
from serving.contract.answers import ChurnAnswer, Unavailable
from serving.decisions.deciding import Decided, Decider, Made
from serving.decisions.once import OnceFor
from serving.decisions.permissions import Permissions
from serving.decisions.record import Decision
from serving.decisions.set_bands import bands_of
from serving.live.champions import Champion, Loaded


class ChurnEstimator:
    """Answers `POST /v1/churn`."""

    KIND = "churn"

    def __init__(
        self,
        config: Config,
        decider: Decider,
        champion: Champion[ChurnModel],
        online: OnlineStore,
        words: Words | None = None,
        old_record: Callable[[], str] = str,
    ) -> None:
        """`old_record` says where the shop's record ends where that is old, else nothing."""
        self._decider = decider
        self._champion = champion
        self._online = online
        self._words = words or Words({})
        self._old_record = old_record
        self._shop = config.shop
        self._purpose = config.models.churn.purpose
        self._askable = config.catalog.askable(self._purpose)
        self._declared = Withholding.declared(config.catalog, online.layout)

    @property
    def champion(self) -> Loaded[ChurnModel] | None:
        """The model that answers now; None where there is none."""
        return self._champion.current

    def answer(
        self,
        customer_id: str,
        language: str | None = None,
        caller: Caller | None = None,
        *,
        privacy_signal: bool = False,
        once: OnceFor[ChurnAnswer] | None = None,
    ) -> Decided[ChurnAnswer]:
        """The recorded answer, in `language` or the shop's, read by `caller`; the one of before
        where it was asked for `once`.

        `privacy_signal` tells that the customer's browser asked not to be profiled (`Sec-GPC: 1`),
        which the caller has recorded.
        """
        (decided,) = self.answer_all(
            [customer_id], language, caller, privacy_signal=privacy_signal, once=once
        )
        if isinstance(decided, SaysoError):
            raise decided
        return decided

    def answer_all(
        self,
        customer_ids: Sequence[str],
        language: str | None = None,
        caller: Caller | None = None,
        *,
        privacy_signal: bool = False,
        once: OnceFor[ChurnAnswer] | None = None,
    ) -> list[Decided[ChurnAnswer] | SaysoError]:
        """The recorded answers, as `answer` gives one; `TooBusy` stands for the answer to whoever
        does not hold still.
        """

        def make(permissions: Sequence[Permissions]) -> list[Made[ChurnAnswer]]:
            return self._make(permissions, language, privacy_signal=privacy_signal)

        again = None if once is None else once(self.replay)
        return self._decider.decide_all(
            self.KIND, customer_ids, self._purpose, make, with_bands, caller, again
        )

    def estimate(self, customer_id: str) -> ChurnAnswer:
        """The answer as it would be now, not given to anybody and not recorded."""
        return self.preview(self._decider.permissions(customer_id, self._purpose, with_bands))

    def preview(self, permissions: Permissions) -> ChurnAnswer:
        """The answer as it would be under these permissions, not given to anybody and not
        recorded.
        """
        return self._make([permissions])[0].answer

    @property
    def purpose(self) -> str:
        """What estimates are made for."""
        return self._purpose

    def _make(
        self,
        permissions: Sequence[Permissions],
        language: str | None = None,
        *,
        privacy_signal: bool = False,
    ) -> list[Made[ChurnAnswer]]:
        champion = self._champion.current
        wording = self._words.wording(language)
        reasons = [
            self._unavailable(one, champion, privacy_signal=privacy_signal) for one in permissions
        ]
        inputs = self._inputs(permissions, champion, wording.language, reasons)
        asked = [(one, at.ledger_seq) for one, at in zip(inputs, permissions, strict=True)]
        answers = estimate_all(asked, champion, wording)
        made = []
        for one, answer in zip(inputs, answers, strict=True):
            said = answer.explanation.reasons if answer.explanation else ()
            sentences = sentences_of(said, wording, (DISCLOSURE, *TEXTS))
            made.append(Made({**one.document(), "sentences": sentences}, answer, answer.model))
        return made

    def replay(self, decision: Decision) -> ChurnAnswer:
        """The answer made anew from what was recorded, by the version that made it."""
        champion = (
            self._champion.version(decision.model_version) if decision.model_version else None
        )
        stated = json.loads(decision.inputs)
        inputs = ChurnInputs.from_document(stated)
        wording = Wording(inputs.wording["language"], stated["sentences"])
        return estimate_churn(inputs, decision.ledger_seq, champion, wording)

    def _inputs(
        self,
        permissions: Sequence[Permissions],
        champion: Loaded[ChurnModel] | None,
        language: str,
        reasons: Sequence[Unavailable | None],
    ) -> list[ChurnInputs]:
        """What each estimate is made from; `reasons` are why there is none, where that is so."""
        asked = [one for one, reason in zip(permissions, reasons, strict=True) if reason is None]
        known = {} if champion is None else self._known(asked, champion.model)
        shop = self._shop
        wording = recorded_words(shop.currency, shop.home_country, language, self._old_record())
        return [
            self._of_one(
                one,
                known.get(one.customer),
                wording,
                reason if one.customer in known or reason else "unknown_customer",
            )
            for one, reason in zip(permissions, reasons, strict=True)
        ]

    def _of_one(
        self,
        permissions: Permissions,
        known: Mapping[str, float] | None,
        wording: Mapping[str, str],
        reason: Unavailable | None,
    ) -> ChurnInputs:
        used = tuple(
            name for name in self._askable if reason is None and name in permissions.granted
        )
        return ChurnInputs(
            used=used,
            withheld=tuple(name for name in self._askable if name not in used),
            unavailable_because=reason,
            wording=wording,
            customer={} if reason or known is None else known,
            human_contact=self._shop.human_contact,
            band_set=None if permissions.band is None else permissions.band.document(),
        )

    def _known(
        self, asked: Sequence[Permissions], model: ChurnModel
    ) -> dict[int | None, dict[str, float]]:
        """By customer the features that the consent of this moment allows, by name, without those
        that are not known; without customers of whom nothing at all is.
        """
        layout, rule = self._online.layout, self._declared.also(model.needs)
        stored = self._online.ready_all([one.customer for one in asked if one.customer is not None])
        positions = [layout.customer.index(name) for name in model.features]
        known: dict[int | None, dict[str, float]] = {}
        for one in asked:
            if one.customer is None:
                continue
            row = rule.allow(stored[one.customer], one.granted)
            if not row.empty:
                named = zip(model.features, row.customer[positions].tolist(), strict=True)
                known[one.customer] = {name: it for name, it in named if not math.isnan(it)}
        return known

    def _unavailable(
        self,
        permissions: Permissions,
        champion: Loaded[ChurnModel] | None,
        *,
        privacy_signal: bool,
    ) -> Unavailable | None:
        """Why there is no estimate at all; None where there may be one."""
        if permissions.customer is None:
            return "unknown_customer"
        if permissions.opted_out("all") or permissions.opted_out("purpose", self._purpose):
            return "opted_out"
        if privacy_signal:
            return "privacy_signal"
        if not permissions.granted:
            return "too_young" if permissions.too_young else "no_consent"
        return None if champion else "model_unavailable"


def with_bands(
    connection: Connection, permissions: Sequence[Permissions], moment: str
) -> list[Permissions]:
    """Where customers stand, with the bands that a reviewer set for them."""
    known = [one.customer for one in permissions if one.customer is not None]
    bands = bands_of(connection, known, moment)
    return [
        one if one.customer is None else replace(one, band=bands.get(one.customer))
        for one in permissions
    ]
