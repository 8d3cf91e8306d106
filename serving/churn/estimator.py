"""Estimating a customer's churn: what may be used, and the answer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection

from explain.reasons import sentences_of
from explain.templates import recorded_words
from explain.wording import Wording
from explain.words import Words
from features.config.schema import Config
from features.shop.online import OnlineStore
from features.shop.withholding import Withholding
from models.churn.model import ChurnModel
from serving.access.caller import Caller
from serving.churn.actions import TEXTS
from serving.churn.estimate import DISCLOSURE, ChurnInputs, estimate_churn
from serving.contract.answers import ChurnAnswer, Unavailable
from serving.decisions.deciding import Decided, Decider, Made
from serving.decisions.permissions import Permissions
from serving.decisions.record import Decision
from serving.decisions.set_bands import band_of
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
    ) -> Decided[ChurnAnswer]:
        """The recorded answer, in `language` or the shop's, read by `caller`.

        `privacy_signal` tells that the customer's browser asked not to be profiled (`Sec-GPC: 1`),
        which the caller has recorded.
        """

        def make(permissions: Permissions) -> Made[ChurnAnswer]:
            return self._make(permissions, language, privacy_signal=privacy_signal)

        return self._decider.decide(self.KIND, customer_id, self._purpose, make, with_band, caller)

    def estimate(self, customer_id: str) -> ChurnAnswer:
        """The answer as it would be now, not given to anybody and not recorded."""
        return self.preview(self._decider.permissions(customer_id, self._purpose, with_band))

    def preview(self, permissions: Permissions) -> ChurnAnswer:
        """The answer as it would be under these permissions, not given to anybody and not
        recorded.
        """
        return self._make(permissions).answer

    @property
    def purpose(self) -> str:
        """What estimates are made for."""
        return self._purpose

    def _make(
        self,
        permissions: Permissions,
        language: str | None = None,
        *,
        privacy_signal: bool = False,
    ) -> Made[ChurnAnswer]:
        champion = self._champion.current
        wording = self._words.wording(language)
        reason = self._unavailable(permissions, champion, privacy_signal=privacy_signal)
        inputs = self._inputs(permissions, champion, wording.language, reason)
        answer = estimate_churn(inputs, permissions.ledger_seq, champion, wording)
        said = answer.explanation.reasons if answer.explanation else ()
        sentences = sentences_of(said, wording, (DISCLOSURE, *TEXTS))
        return Made({**inputs.document(), "sentences": sentences}, answer, answer.model)

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
        permissions: Permissions,
        champion: Loaded[ChurnModel] | None,
        language: str,
        reason: Unavailable | None,
    ) -> ChurnInputs:
        known: dict[str, float] = {}
        if reason is None and permissions.customer is not None and champion is not None:
            found = self._known(permissions.customer, permissions.granted, champion.model)
            reason, known = ("unknown_customer", {}) if found is None else (None, found)
        used = tuple(
            name for name in self._askable if reason is None and name in permissions.granted
        )
        return ChurnInputs(
            used=used,
            withheld=tuple(name for name in self._askable if name not in used),
            unavailable_because=reason,
            wording=recorded_words(
                self._shop.currency, self._shop.home_country, language, self._old_record()
            ),
            customer=known,
            human_contact=self._shop.human_contact,
            band_set=None if permissions.band is None else permissions.band.document(),
        )

    def _known(
        self, customer: int, granted: frozenset[str], model: ChurnModel
    ) -> dict[str, float] | None:
        """The features that the consent of this moment allows, by name, without those that are not
        known; None where nothing at all is.
        """
        layout = self._online.layout
        row = self._declared.also(model.needs).allow(self._online.ready(customer), granted)
        if row.empty:
            return None
        values = row.customer[[layout.customer.index(name) for name in model.features]].tolist()
        named = zip(model.features, values, strict=True)
        return {name: value for name, value in named if not math.isnan(value)}

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


def with_band(connection: Connection, permissions: Permissions, moment: str) -> Permissions:
    """Where a customer stands, with the band that a reviewer set for them."""
    return (
        permissions
        if permissions.customer is None
        else replace(permissions, band=band_of(connection, permissions.customer, moment))
    )
