"""Recommending to a customer: what may be used, what must not be shown, and the answer."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from itertools import islice
from typing import Any

import numpy as np
from sqlalchemy import Connection

from explain.coalition_scores import Allowed
from explain.reasons import sentences_of
from explain.wording import Wording
from explain.words import Words
from features import clock
from features.config.schema import channel_name
from features.shop.online import Layout, OnlineRow, OnlineStore
from features.shop.shop import Shop
from models.arrays import Floats
from models.next_purchase.basket_complements import Complement, complements
from models.next_purchase.histories import Baskets, Histories
from models.next_purchase.model import NextPurchaseModel
from models.next_purchase.product_statistics import ProductStatistics
from models.trees.quantising import rounded
from serving.access.privacy_signal import record_signal
from serving.contract.requests import RecommendationRequest
from serving.decisions.deciding import Made, decide
from serving.decisions.permissions import Permissions
from serving.decisions.record import Decision
from serving.delivery.contact_policy import not_now, shop_caps
from serving.delivery.exploration import Draw
from serving.delivery.exposures import Exposure, exposures_since
from serving.delivery.frequency_caps import on_channel, window
from serving.delivery.opt_outs import own_caps
from serving.delivery.sensitive import unasked
from serving.live.assortment import Assortment
from serving.live.champions import Champion, Loaded
from serving.live.statistics import LiveStatistics
from serving.recommending.recommendation import (
    DISCLOSURES,
    NO_FEATURES,
    Listed,
    RecommendationInputs,
    listed,
    recommend,
)
from serving.recommending.recorded_question import asked

NOT_NOW, ANONYMOUS = "not_now", "anonymous"
Read = Callable[[int], OnlineRow]
"""Reads a customer's features; all that were granted."""


@dataclass(frozen=True)
class Seen:
    """What the ranker `model` is shown of one customer, under several permissions."""

    model: NextPurchaseModel
    allowed: Sequence[Allowed]

    def knows(self, product_id: str) -> bool:
        """Whether there are statistics of a product under every one of the permissions."""
        return all(part.statistics.positions([product_id])[0] >= 0 for part in self.allowed)


class Recommender:
    """Answers `POST /v1/recommendations`."""

    KIND = "recommendation"

    def __init__(
        self,
        shop: Shop,
        champion: Champion[NextPurchaseModel],
        online: OnlineStore,
        assortment: Callable[[], Assortment | None],
        statistics: LiveStatistics,
        words: Words | None = None,
    ) -> None:
        self._shop = shop
        self._champion = champion
        self._online = online
        self._assortment = assortment
        self._statistics = statistics
        self._words = words or Words({})
        self._section = shop.config.models.next_purchase
        self._askable = shop.config.catalog.askable(self._section.purpose)
        self._contact_policy = shop.config.contact_policy

    def answer(
        self, request: RecommendationRequest, *, privacy_signal: bool = False
    ) -> dict[str, Any]:
        """The recorded answer.

        `privacy_signal` tells that the customer's browser asked not to be profiled (`Sec-GPC: 1`).
        """
        if privacy_signal and request.customer_id is not None:
            record_signal(self._shop, request.customer_id, self._section.purpose)

        def make(permissions: Permissions) -> Made:
            return self._make(
                request, permissions, self._online.ready, privacy_signal=privacy_signal
            )

        return decide(
            self._shop,
            self.KIND,
            request.customer_id,
            self._section.purpose,
            make,
            partial(self._at_this_moment, request),
        )

    def previews(
        self, request: RecommendationRequest, alternatives: Sequence[Permissions]
    ) -> list[Mapping[str, Any]]:
        """The answers as they would be under other permissions of one customer; not given to
        anybody and not recorded.

        Nothing is drawn by lot: what a choice would change must not depend on chance.
        """
        settled, read = _settled(request), lru_cache(1)(self._online.ready)
        return [self._answered(settled, permissions, read)[1] for permissions in alternatives]

    def lists(
        self, request: RecommendationRequest, alternatives: Sequence[Permissions]
    ) -> list[Listed]:
        """What these answers list, by itself."""
        settled, read, (champion, assortment) = (
            _settled(request),
            lru_cache(1)(self._online.ready),
            self._at_work(),
        )
        return [
            listed(
                self._inputs(
                    settled, permissions, champion, assortment, read, privacy_signal=False
                ),
                champion,
            )
            for permissions in alternatives
        ]

    def _make(
        self,
        request: RecommendationRequest,
        permissions: Permissions,
        read: Read,
        *,
        privacy_signal: bool = False,
    ) -> Made:
        """An answer with what it was made from, as it is recorded."""
        inputs, answer = self._answered(request, permissions, read, privacy_signal=privacy_signal)
        titles = {item["product_id"]: item["title"] for item in answer["items"]}
        said = (
            reason
            for item in answer["items"]
            for reason in item.get("explanation", {}).get("reasons", ())
        )
        sentences = sentences_of(said, self._words.wording(inputs.wording["language"]), DISCLOSURES)
        return Made(
            {**inputs.document(), "titles": titles, "sentences": sentences},
            answer,
            answer["model"],
            _exposure(request, answer),
        )

    def _answered(
        self,
        request: RecommendationRequest,
        permissions: Permissions,
        read: Read,
        *,
        privacy_signal: bool = False,
    ) -> tuple[RecommendationInputs, dict[str, Any]]:
        """What an answer is made from, and the answer."""
        champion, assortment = self._at_work()
        inputs = self._inputs(
            request, permissions, champion, assortment, read, privacy_signal=privacy_signal
        )
        return inputs, recommend(
            inputs, champion, assortment.titles, self._words.wording(inputs.wording["language"])
        )

    @property
    def champion(self) -> Loaded[NextPurchaseModel] | None:
        """The model that answers now; None where there is none."""
        return self._at_work()[0]

    def _at_work(self) -> tuple[Loaded[NextPurchaseModel] | None, Assortment]:
        """The model that answers now, and the assortment to choose from.

        Without an assortment no filter would hold, so no model answers.
        """
        assortment = self._assortment()
        return (None, Assortment()) if assortment is None else (self._champion.current, assortment)

    def seen(
        self, alternatives: Sequence[Permissions], request: RecommendationRequest | None = None
    ) -> Seen | None:
        """What the ranker would be shown under each of several permissions of one customer; None
        where there is no champion.

        With a `request`, its basket is what is being bought.
        """
        (champion, assortment), customer = self._at_work(), alternatives[0].customer
        if champion is None or customer is None:
            return None
        row, basket = self._online.ready(customer), () if request is None else request.basket
        return Seen(
            champion.model,
            [
                self._allowed(row, champion, permissions, basket, assortment)
                for permissions in alternatives
            ],
        )

    def replay(self, decision: Decision) -> Mapping[str, Any]:
        """The answer made anew from what was recorded, by the version that made it."""
        champion = (
            self._champion.version(decision.model_version) if decision.model_version else None
        )
        stated = json.loads(decision.inputs)
        inputs = RecommendationInputs.from_document(stated)
        return recommend(
            inputs,
            champion,
            stated["titles"],
            Wording(inputs.wording["language"], stated["sentences"]),
        )

    def _at_this_moment(
        self,
        request: RecommendationRequest,
        connection: Connection,
        permissions: Permissions,
        moment: str,
    ) -> Permissions:
        """Where a customer stands, with whether this is a moment to show them anything."""
        now, own = clock.from_text(moment), own_caps(permissions.opt_outs)
        caps = on_channel(request.channel, (*shop_caps(self._contact_policy), *own))
        known = permissions.customer if caps else None
        before = (
            ()
            if known is None
            else exposures_since(connection, known, request.channel, now - window(caps))
        )
        return replace(
            permissions,
            not_now=not_now(
                self._contact_policy, request.channel, request.time_zone, caps, before, now
            ),
        )

    def _inputs(
        self,
        request: RecommendationRequest,
        permissions: Permissions,
        champion: Loaded[NextPurchaseModel] | None,
        assortment: Assortment,
        read: Read,
        *,
        privacy_signal: bool,
    ) -> RecommendationInputs:
        reason = self._not_personalized(
            request, permissions, champion, privacy_signal=privacy_signal
        )
        found = (
            read(permissions.customer)
            if reason is None and permissions.customer is not None
            else None
        )
        row = None if found is None else self._online.under(found, permissions.granted)
        allowed = (
            self._allowed(row, champion, permissions, request.basket, assortment)
            if row and champion
            else None
        )
        if (
            row is not None
            and row.empty
            and not (allowed and len(allowed.histories.baskets.products))
        ):
            reason, allowed = "unknown_customer", None
        used = tuple(
            name for name in self._askable if reason is None and name in permissions.granted
        )
        hidden = self._hidden(request, permissions, assortment)
        with_basket = (
            self._complements(request, champion, permissions, assortment, hidden)
            if reason == ANONYMOUS
            else ()
        )
        candidates, features, bought = (
            self._candidates(allowed, champion, hidden)
            if allowed and champion
            else ((), NO_FEATURES, ())
        )
        return RecommendationInputs(
            k=request.k,
            explain=request.explain,
            used=used,
            withheld=tuple(name for name in self._askable if name not in used),
            not_personalized_because=reason,
            nothing=_silenced(request, permissions) or permissions.not_now is not None,
            wording={
                "currency": self._shop.config.shop.currency,
                "home_country": self._shop.config.shop.home_country or "",
                "language": self._words.wording(request.language).language,
            },
            candidates=candidates,
            features=features,
            best_sellers=()
            if reason is None
            else _first_best_sellers(
                assortment, {*hidden, *(id for id, _ in with_basket)}, request.k
            ),
            complements=with_basket,
            not_now=asdict(permissions.not_now)
            if reason == NOT_NOW and permissions.not_now is not None
            else None,
            floor=self._contact_policy.floor,
            draw=self._draw(request, bought) if candidates else None,
            asked=asked(
                request, basket_counts=champion.model.masking.entries <= permissions.granted
            )
            if allowed and champion
            else None,
        )

    def _complements(
        self,
        request: RecommendationRequest,
        champion: Loaded[NextPurchaseModel] | None,
        permissions: Permissions,
        assortment: Assortment,
        hidden: Collection[str],
    ) -> tuple[Complement, ...]:
        """What goes with a basket that nobody's name is on; nothing is concluded from a sensitive
        product in it.
        """
        basket = set(request.basket) - assortment.hidden_by(self._contact_policy.sensitive, ())
        if champion is None or not basket:
            return ()
        return complements(
            self._statistics.at(champion, permissions.ledger_seq), basket, hidden, request.k
        )

    def _draw(
        self, request: RecommendationRequest, bought: tuple[str, ...]
    ) -> Mapping[str, Any] | None:
        """What discoveries are drawn by; the seed is new each time, and recorded with the
        decision.
        """
        share = self._contact_policy.discover if request.discover is None else request.discover
        return asdict(Draw(share, secrets.token_hex(16), bought)) if share else None

    def _candidates(
        self, allowed: Allowed, champion: Loaded[NextPurchaseModel], hidden: Sequence[str]
    ) -> tuple[tuple[str, ...], Floats, tuple[str, ...]]:
        """Ids of the products to rank, what the ranker sees of each, and those of them that the
        customer has bought.
        """
        statistics = allowed.statistics
        positions = statistics.positions(hidden)
        made = replace(champion.model.maker, statistics=statistics).make(
            allowed.histories, positions[positions >= 0]
        )
        bought = np.intersect1d(made.products, allowed.histories.products)
        ids = statistics.product_ids
        return (
            tuple(ids[made.products].tolist()),
            rounded(made.features),
            tuple(ids[bought].tolist()),
        )

    def _allowed(
        self,
        row: OnlineRow,
        champion: Loaded[NextPurchaseModel],
        permissions: Permissions,
        basket: Collection[str],
        assortment: Assortment,
    ) -> Allowed:
        """What the consent of this moment allows of a customer and of their basket, and the
        statistics to set it against.

        Nothing is concluded from sensitive products in either.
        """
        statistics = self._statistics.imagined(champion, permissions)
        sensitive = assortment.hidden_by(self._contact_policy.sensitive, ())
        row, basket = _without(row, sensitive), set(basket) - sensitive
        return Allowed(
            _history(row, self._online.layout, champion.model, permissions, statistics, basket),
            statistics,
        )

    def _not_personalized(
        self,
        request: RecommendationRequest,
        permissions: Permissions,
        champion: Loaded[NextPurchaseModel] | None,
        *,
        privacy_signal: bool,
    ) -> str | None:
        """Why nothing personal may be used, or can be; None where the answer may be personal."""
        if permissions.not_now is not None and not _silenced(request, permissions):
            return NOT_NOW
        if permissions.customer is None:
            return ANONYMOUS if request.customer_id is None else "unknown_customer"
        if _silenced(request, permissions) or permissions.opted_out(
            "purpose", self._section.purpose
        ):
            return "opted_out"
        if privacy_signal:
            return "privacy_signal"
        if not permissions.granted:
            return "no_consent"
        return None if champion else "model_unavailable"

    def _hidden(
        self, request: RecommendationRequest, permissions: Permissions, assortment: Assortment
    ) -> tuple[str, ...]:
        """Products that must not appear: opted out, excluded, in the basket, sensitive, or outside
        the categories asked for.
        """
        hidden = {*request.basket, *request.exclude, *permissions.values("product")}
        hidden |= assortment.hidden_by(
            permissions.values("product_category"), permissions.values("brand")
        )
        hidden |= assortment.hidden_by(
            unasked(self._contact_policy.sensitive, request.product_categories), ()
        )
        if request.product_categories is not None:
            hidden |= assortment.outside(request.product_categories)
        return tuple(sorted(hidden))


def _settled(request: RecommendationRequest) -> RecommendationRequest:
    """The request without anything drawn by lot."""
    return request.model_copy(update={"discover": 0.0})


def _silenced(request: RecommendationRequest, permissions: Permissions) -> bool:
    """Whether the customer wants nothing shown at all, here or anywhere."""
    return permissions.opted_out("all") or request.channel in set(
        map(channel_name, permissions.values("channel"))
    )


def _exposure(request: RecommendationRequest, answer: Mapping[str, Any]) -> Exposure | None:
    """What an answer shows; None where it shows nothing."""
    items = answer["items"]
    return (
        Exposure(request.channel, len(items), sum(item["explored"] for item in items))
        if items
        else None
    )


def _without(row: OnlineRow, products: Collection[str]) -> OnlineRow:
    """A customer's features as if they had never met these products, so that nothing is concluded
    from them.
    """
    kept = [position for position, product in enumerate(row.products) if product not in products]
    if len(kept) == len(row.products):
        return row
    return replace(
        row, products=tuple(row.products[position] for position in kept), columns=row.columns[kept]
    )


def _history(
    row: OnlineRow,
    layout: Layout,
    model: NextPurchaseModel,
    permissions: Permissions,
    statistics: ProductStatistics,
    basket: Collection[str],
) -> Histories:
    """The part of a customer's features that the consent of this moment allows; products without
    statistics are passed over.

    What is in the basket needs the consent that what was bought does.
    """
    masking, maker = model.masking, model.maker
    wanted = [layout.customer.index(name) for name in maker.customer]
    customer = masking.customers.allow(row.customer[wanted][None, :], permissions.granted)
    open_to_use = masking.entries <= permissions.granted
    positions, buying = (
        statistics.positions(products if open_to_use else ())
        for products in (row.products, sorted(basket))
    )
    known = np.flatnonzero(positions >= 0)
    order = known[np.argsort(positions[known], kind="stable")]
    held = row.columns[order][:, [layout.history.index(name) for name in maker.history]]
    columns = masking.columns.allow(held, permissions.granted)
    return Histories(
        np.array([0, len(order)]),
        positions[order].astype(np.int64),
        columns,
        customer,
        Baskets.of_one(buying[buying >= 0]),
    )


def _first_best_sellers(
    assortment: Assortment, hidden: Collection[str], k: int
) -> tuple[tuple[str, int], ...]:
    """As many best sellers as an answer can need; `hidden` is quick to look up in."""
    shown = (best for best in assortment.best_sellers if best.product_id not in hidden)
    return tuple((best.product_id, best.buyers) for best in islice(shown, k))
