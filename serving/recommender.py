"""Recommending to a customer: what may be used, what must not be shown, and the answer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from features.online import Layout, OnlineRow, OnlineStore
from features.shop import Shop
from models.next_purchase import NextPurchaseModel
from serving.champions import Champion, Loaded
from serving.deciding import Made, decide
from serving.decisions import Decision
from serving.recommendation import RecommendationInputs, recommend
from serving.requests import RecommendationRequest
from serving.shelf import Shelf
from serving.standing import Standing


class Recommender:
    """Answers `POST /v1/recommendations`."""

    KIND = "recommendation"

    def __init__(self, shop: Shop, champion: Champion[NextPurchaseModel], online: OnlineStore, shelf: Callable[[], Shelf]) -> None:
        self._shop = shop
        self._champion = champion
        self._online = online
        self._shelf = shelf
        self._section = shop.config.models.next_purchase
        self._askable = shop.config.catalog.askable(self._section.purpose)

    def answer(self, request: RecommendationRequest, *, privacy_signal: bool = False) -> dict[str, Any]:
        """The recorded answer. `privacy_signal` tells that the customer's browser asked not to be profiled (`Sec-GPC: 1`)."""

        def make(standing: Standing) -> Made:
            champion = self._champion.current
            inputs = self._inputs(request, standing, champion, privacy_signal=privacy_signal)
            answer = recommend(inputs, champion, self._shelf().titles)
            titles = {item["product_id"]: item["title"] for item in answer["items"]}
            return Made({**inputs.document(), "titles": titles}, answer, answer["model"])

        return decide(self._shop.database, self._shop.clock, self.KIND, request.customer_id, self._section.purpose, make)

    def replay(self, decision: Decision) -> Mapping[str, Any]:
        """The answer made anew from what was recorded, by the version that made it."""
        champion = self._champion.version(decision.model_version) if decision.model_version else None
        stated = json.loads(decision.inputs)
        return recommend(RecommendationInputs.from_document(stated), champion, stated["titles"])

    def _inputs(
        self, request: RecommendationRequest, standing: Standing, champion: Loaded[NextPurchaseModel] | None, *, privacy_signal: bool
    ) -> RecommendationInputs:
        shelf = self._shelf()
        reason = self._not_personalized(request, standing, champion, privacy_signal=privacy_signal)
        row = self._online.ready(standing.customer, standing.granted) if reason is None and standing.customer is not None else None
        if row is not None and row.empty:
            reason, row = "unknown_customer", None
        used = tuple(name for name in self._askable if reason is None and name in standing.granted)
        customer, products, columns = _allowed(row, self._online.layout, champion.model, standing) if row and champion else ({}, (), {})
        hidden = self._hidden(request, standing, shelf)
        return RecommendationInputs(
            k=request.k,
            explain=request.explain,
            used=used,
            withheld=tuple(name for name in self._askable if name not in used),
            not_personalized_because=reason,
            nothing=_silenced(request, standing),
            hidden=hidden,
            wording={"currency": self._shop.config.shop.currency, "home_country": self._shop.config.shop.home_country or ""},
            customer=customer,
            products=products,
            columns=columns,
            best_sellers=() if reason is None else _first_best_sellers(shelf, hidden, request.k),
        )

    def _not_personalized(
        self, request: RecommendationRequest, standing: Standing, champion: Loaded[NextPurchaseModel] | None, *, privacy_signal: bool
    ) -> str | None:
        """Why nothing personal may be used, or can be; None where the answer may be personal."""
        if standing.customer is None:
            return "unknown_customer"
        if _silenced(request, standing) or standing.opted_out("purpose", self._section.purpose):
            return "opted_out"
        if privacy_signal:
            return "privacy_signal"
        if not standing.granted:
            return "no_consent"
        return None if champion else "model_unavailable"

    def _hidden(self, request: RecommendationRequest, standing: Standing, shelf: Shelf) -> tuple[str, ...]:
        """Products that must not appear: opted out, excluded, in the basket, or outside the categories asked for."""
        hidden = {*request.basket, *request.exclude, *standing.values("product")}
        hidden |= shelf.hidden_by(standing.values("product_category"), standing.values("brand"))
        if request.product_categories is not None:
            hidden |= shelf.outside(request.product_categories)
        return tuple(sorted(hidden))


def _silenced(request: RecommendationRequest, standing: Standing) -> bool:
    """Whether the customer wants nothing shown at all, here or anywhere."""
    return standing.opted_out("all") or standing.opted_out("channel", request.channel)


def _allowed(
    row: OnlineRow, layout: Layout, model: NextPurchaseModel, standing: Standing
) -> tuple[dict[str, float], tuple[str, ...], dict[str, list[float | None]]]:
    """The part of a customer's features that the consent of this moment allows, by name; what is missing is left out or None."""
    masking, maker = model.masking, model.maker
    wanted = [layout.customer.index(name) for name in maker.customer]
    customer = masking.customers.allow(row.customer[wanted][None, :], standing.granted)[0]
    known = {name: value for name, value in zip(maker.customer, customer.tolist(), strict=True) if not math.isnan(value)}
    if not masking.entries <= standing.granted:
        return known, (), {name: [] for name in maker.history}
    held = row.columns[:, [layout.history.index(name) for name in maker.history]]
    columns = masking.columns.allow(held, standing.granted).T.tolist()
    return (
        known,
        row.products,
        {name: [None if math.isnan(v) else v for v in column] for name, column in zip(maker.history, columns, strict=True)},
    )


def _first_best_sellers(shelf: Shelf, hidden: Sequence[str], k: int) -> tuple[tuple[str, int], ...]:
    """As many best sellers as an answer can need."""
    passed_over = set(hidden)
    shown = (best for best in shelf.best_sellers if best.product_id not in passed_over)
    return tuple((best.product_id, best.buyers) for best in islice(shown, k))
