"""Estimating a customer's churn: what may be used, and the answer."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from explain.reasons import sentences_of
from explain.wording import Wording
from explain.words import Words
from features import clock
from features.shop.online import Layout, OnlineRow, OnlineStore
from features.shop.shop import Shop
from models.churn.model import ChurnModel
from serving.churn.actions import TEXTS
from serving.churn.estimate import DISCLOSURE, ChurnInputs, estimate_churn
from serving.decisions.deciding import Made, decide
from serving.decisions.permissions import Permissions, permissions_of
from serving.decisions.record import Decision
from serving.decisions.set_bands import band_of
from serving.live.champions import Champion, Loaded


class ChurnEstimator:
    """Answers `POST /v1/churn`."""

    KIND = "churn"

    def __init__(
        self,
        shop: Shop,
        champion: Champion[ChurnModel],
        online: OnlineStore,
        words: Words | None = None,
    ) -> None:
        self._shop = shop
        self._champion = champion
        self._online = online
        self._words = words or Words({})
        self._section = shop.config.models.churn
        self._askable = shop.config.catalog.askable(self._section.purpose)

    @property
    def champion(self) -> Loaded[ChurnModel] | None:
        """The model that answers now; None where there is none."""
        return self._champion.current

    def answer(self, customer_id: str, language: str | None = None) -> dict[str, Any]:
        """The recorded answer, in `language` or the shop's."""

        def make(permissions: Permissions) -> Made:
            return self._make(permissions, language)

        return decide(self._shop, self.KIND, customer_id, self._section.purpose, make, with_band)

    def estimate(self, customer_id: str) -> Mapping[str, Any]:
        """The answer as it would be now, not given to anybody and not recorded."""
        moment = clock.to_text(self._shop.clock())
        with self._shop.database.read() as connection:
            found = permissions_of(
                connection, self._shop.config.catalog, customer_id, self._section.purpose, moment
            )
            permissions = with_band(connection, found, moment)
        return self.preview(permissions)

    def preview(self, permissions: Permissions) -> Mapping[str, Any]:
        """The answer as it would be under these permissions, not given to anybody and not
        recorded.
        """
        return self._make(permissions).answer

    def _make(self, permissions: Permissions, language: str | None = None) -> Made:
        champion = self._champion.current
        wording = self._words.wording(language)
        inputs = self._inputs(permissions, champion, wording.language)
        answer = estimate_churn(inputs, champion, wording)
        said = answer.get("explanation", {}).get("reasons", ())
        sentences = sentences_of(said, wording, (DISCLOSURE, *TEXTS))
        return Made({**inputs.document(), "sentences": sentences}, answer, answer["model"])

    def replay(self, decision: Decision) -> Mapping[str, Any]:
        """The answer made anew from what was recorded, by the version that made it."""
        champion = (
            self._champion.version(decision.model_version) if decision.model_version else None
        )
        stated = json.loads(decision.inputs)
        inputs = ChurnInputs.from_document(stated)
        return estimate_churn(
            inputs, champion, Wording(inputs.wording["language"], stated["sentences"])
        )

    def _inputs(
        self, permissions: Permissions, champion: Loaded[ChurnModel] | None, language: str
    ) -> ChurnInputs:
        reason = self._unavailable(permissions, champion)
        row = (
            self._row(permissions.customer, permissions.granted)
            if reason is None and permissions.customer is not None
            else None
        )
        if row is not None and row.empty:
            reason, row = "unknown_customer", None
        used = tuple(
            name for name in self._askable if reason is None and name in permissions.granted
        )
        shop = self._shop.config.shop
        return ChurnInputs(
            used=used,
            withheld=tuple(name for name in self._askable if name not in used),
            unavailable_because=reason,
            wording={
                "currency": shop.currency,
                "home_country": shop.home_country or "",
                "language": language,
            },
            customer=_allowed(row, self._online.layout, champion.model, permissions)
            if row and champion
            else {},
            human_contact=shop.human_contact,
            band_set=None if permissions.band is None else permissions.band.document(),
        )

    def _row(self, customer: int, granted: Collection[str]) -> OnlineRow:
        """The customer's features, as they are made where only these categories are granted."""
        return self._online.under(self._online.ready(customer), granted)

    def _unavailable(
        self, permissions: Permissions, champion: Loaded[ChurnModel] | None
    ) -> str | None:
        """Why there is no estimate at all; None where there may be one."""
        if permissions.customer is None:
            return "unknown_customer"
        if permissions.opted_out("all") or permissions.opted_out("purpose", self._section.purpose):
            return "opted_out"
        if not permissions.granted:
            return "no_consent"
        return None if champion else "model_unavailable"


def with_band(connection: Connection, permissions: Permissions, moment: str) -> Permissions:
    """Where a customer stands, with the band that a reviewer set for them."""
    return (
        permissions
        if permissions.customer is None
        else replace(permissions, band=band_of(connection, permissions.customer, moment))
    )


def _allowed(
    row: OnlineRow, layout: Layout, model: ChurnModel, permissions: Permissions
) -> dict[str, float]:
    """The features that the consent of this moment allows, by name."""
    values = row.customer[[layout.customer.index(name) for name in model.features]]
    allowed = model.masking.allow(values[None, :], permissions.granted)[0].tolist()
    return {
        name: value
        for name, value in zip(model.features, allowed, strict=True)
        if not math.isnan(value)
    }
