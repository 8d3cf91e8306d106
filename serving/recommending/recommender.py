"""Recommending to a customer: reads what may be used, and answers."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, replace
from functools import lru_cache, partial
from typing import Any

from explain.coalition_scores import Allowed
from explain.reasons import sentences_of
from explain.templates import recorded_words
from explain.wording import Wording
from explain.words import Words
from features.config.schema import Config
from features.consent.ledger import Ledger
from features.customers.pseudonyms import Customers
from features.shop.online import OnlineRow, OnlineStore
from features.shop.withholding import Withholding
from models.next_purchase.basket_complements import Complement
from models.next_purchase.model import NextPurchaseModel
from serving.access.caller import Caller
from serving.access.privacy_signal import record_signal
from serving.contract.answers import NotPersonalized, RecommendationAnswer
from serving.contract.requests import RecommendationRequest
from serving.decisions.deciding import Decided, Decider, Made
from serving.decisions.permissions import Permissions
from serving.decisions.record import Decision
from serving.delivery.exploration import Draw, fill
from serving.delivery.exposures import Exposure
from serving.live.assortment import Assortment
from serving.live.champions import Champion, Loaded
from serving.live.statistics import LiveStatistics
from serving.recommending.allowed import (
    at_this_moment,
    not_personalized,
    refuse_unknown,
    silenced,
)
from serving.recommending.filters import basket_complements, first_best_sellers, hidden_products
from serving.recommending.known import (
    Knowledge,
    Seen,
    bought_ever,
    bought_lately,
    candidates_of,
)
from serving.recommending.recommendation import (
    DISCLOSURES,
    Listed,
    RecommendationInputs,
    listed,
    rank,
    recommend,
)
from serving.recommending.recorded_question import asked

Read = Callable[[int], OnlineRow]
"""Reads a customer's features; all that were granted."""


class Recommender:
    """Answers `POST /v1/recommendations`."""

    KIND = "recommendation"

    def __init__(
        self,
        config: Config,
        decider: Decider,
        ledger: Ledger,
        customers: Customers,
        champion: Champion[NextPurchaseModel],
        online: OnlineStore,
        assortment: Callable[[], Assortment | None],
        statistics: LiveStatistics,
        words: Words | None = None,
        old_record: Callable[[], str] = str,
    ) -> None:
        """`old_record` says where the shop's record ends where that is old, else nothing."""
        self._decider = decider
        self._ledger = ledger
        self._customers = customers
        self._champion = champion
        self._online = online
        self._assortment = assortment
        self._statistics = statistics
        self._words = words or Words({})
        self._old_record = old_record
        self._shop = config.shop
        self._purpose = config.models.next_purchase.purpose
        self._askable = config.catalog.askable(self._purpose)
        self._contact_policy = config.contact_policy
        self._known = Knowledge(
            online, statistics, Withholding.declared(config.catalog, online.layout)
        )

    def answer(
        self,
        request: RecommendationRequest,
        caller: Caller | None = None,
        *,
        privacy_signal: bool = False,
    ) -> Decided[RecommendationAnswer]:
        """The recorded answer, read by `caller`.

        `privacy_signal` tells that the customer's browser asked not to be profiled (`Sec-GPC: 1`).
        """
        refuse_unknown(request, self._contact_policy, self._assortment())
        if privacy_signal and request.customer_id is not None:
            record_signal(self._ledger, self._customers, request.customer_id, [self._purpose])

        def make(permissions: Permissions) -> Made[RecommendationAnswer]:
            return self._make(
                request, permissions, self._online.ready, privacy_signal=privacy_signal
            )

        return self._decider.decide(
            self.KIND,
            request.customer_id,
            self._purpose,
            make,
            partial(at_this_moment, self._contact_policy, request),
            caller,
        )

    def previews(
        self, request: RecommendationRequest, alternatives: Sequence[Permissions]
    ) -> list[RecommendationAnswer]:
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
    ) -> Made[RecommendationAnswer]:
        """An answer with what it was made from, as it is recorded."""
        inputs, answer = self._answered(request, permissions, read, privacy_signal=privacy_signal)
        titles = {item.product_id: item.title for item in answer.items}
        said = [
            reason
            for item in answer.items
            if item.explanation
            for reason in item.explanation.reasons
        ]
        sentences = sentences_of(said, self._words.wording(answer.language), DISCLOSURES)
        return Made(
            {**inputs.document(), "titles": titles, "sentences": sentences},
            answer,
            answer.model,
            _exposure(request, answer),
        )

    def _answered(
        self,
        request: RecommendationRequest,
        permissions: Permissions,
        read: Read,
        *,
        privacy_signal: bool = False,
    ) -> tuple[RecommendationInputs, RecommendationAnswer]:
        """What an answer is made from, and the answer."""
        champion, assortment = self._at_work()
        inputs = self._inputs(
            request, permissions, champion, assortment, read, privacy_signal=privacy_signal
        )
        wording = self._words.wording(inputs.wording["language"])
        return inputs, recommend(
            inputs, permissions.ledger_seq, champion, assortment.titles, wording
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
        rule, sensitive = self._known.rule(champion.model), self._sensitive(assortment)
        allowed = [
            self._known.allowed(
                rule.allow(row, under.granted), rule, champion, under, basket, sensitive
            )
            for under in alternatives
        ]
        return Seen(champion.model, allowed)

    def replay(self, decision: Decision) -> RecommendationAnswer:
        """The answer made anew from what was recorded, by the version that made it."""
        champion = (
            self._champion.version(decision.model_version) if decision.model_version else None
        )
        stated = json.loads(decision.inputs)
        inputs = RecommendationInputs.from_document(stated, champion)
        return recommend(
            inputs,
            decision.ledger_seq,
            champion,
            stated["titles"],
            Wording(inputs.wording["language"], stated["sentences"]),
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
        reason = not_personalized(
            request,
            permissions,
            self._purpose,
            privacy_signal=privacy_signal,
            champion=champion is not None,
        )
        customer, hidden = permissions.customer, self._hidden(request, permissions, assortment)
        if reason is None and customer is not None and champion is not None:
            personal = self._personal(
                request, read(customer), champion, permissions, assortment, hidden
            )
            if personal is not None:
                return replace(self._common(request, permissions, None), **personal)
            reason = "unknown_customer"
        with_basket = (
            self._complements(request, champion, permissions, assortment, hidden)
            if reason == "anonymous" and champion is not None
            else ()
        )
        shown = {*hidden, *(id for id, _ in with_basket)}
        return replace(
            self._common(request, permissions, reason),
            best_sellers=first_best_sellers(assortment, shown, request.k),
            complements=with_basket,
        )

    def _common(
        self,
        request: RecommendationRequest,
        permissions: Permissions,
        reason: NotPersonalized | None,
    ) -> RecommendationInputs:
        """The inputs that answers have which are personal and which are not, because of
        `reason`.
        """
        allowed = permissions.granted if reason is None else frozenset[str]()
        used = tuple(name for name in self._askable if name in allowed)
        not_now = permissions.not_now
        return RecommendationInputs(
            k=request.k,
            explain=request.explain,
            used=used,
            withheld=tuple(name for name in self._askable if name not in used),
            not_personalized_because=reason,
            nothing=not_now is not None or silenced(request, permissions),
            wording=self._wording(request),
            not_now=asdict(not_now) if reason == "not_now" and not_now is not None else None,
        )

    def _personal(
        self,
        request: RecommendationRequest,
        stored: OnlineRow,
        champion: Loaded[NextPurchaseModel],
        permissions: Permissions,
        assortment: Assortment,
        hidden: Sequence[str],
    ) -> dict[str, Any] | None:
        """The inputs of a personal answer that others do not have; None where nothing at all is
        known of the customer that may be used.
        """
        rule, sensitive = self._known.rule(champion.model), self._sensitive(assortment)
        row = rule.allow(stored, permissions.granted)
        allowed = self._known.allowed(row, rule, champion, permissions, request.basket, sensitive)
        if row.empty and not len(allowed.histories.baskets.products):
            return None
        found = candidates_of(
            champion.model, allowed, [*hidden, *self._known_already(request, champion, allowed)]
        )
        ranking = rank(champion, found.products, found.features, self._contact_policy.floor)
        draw = self._draw(request, found.bought) if found.products else None
        places = fill(ranking.products, request.k, draw or Draw(0.0, ""))
        return {
            "ranked": ranking.products if draw else ranking.products[: request.k],
            "features": ranking.of(places),
            "draw": None if draw is None else asdict(draw),
            "asked": asked(request, basket_counts=rule.entries_allowed(permissions.granted)),
        }

    def _known_already(
        self,
        request: RecommendationRequest,
        champion: Loaded[NextPurchaseModel],
        allowed: Allowed,
    ) -> list[str]:
        """What the customer has bought and the request, or the shop, wants left out for that."""
        policy = self._contact_policy
        if policy.only_new if request.only_new is None else request.only_new:
            return bought_ever(allowed)
        days = request.not_bought_within
        days = policy.not_bought_within if days is None else days
        return bought_lately(champion.model, allowed, days) if days else []

    def _wording(self, request: RecommendationRequest) -> dict[str, str]:
        shop, language = self._shop, self._words.wording(request.language).language
        return recorded_words(shop.currency, shop.home_country, language, self._old_record())

    def _complements(
        self,
        request: RecommendationRequest,
        champion: Loaded[NextPurchaseModel],
        permissions: Permissions,
        assortment: Assortment,
        hidden: Collection[str],
    ) -> tuple[Complement, ...]:
        """What goes with the basket of a visitor without a name."""
        statistics = self._statistics.at(champion, permissions.ledger_seq)
        return basket_complements(request, statistics, self._sensitive(assortment), hidden)

    def _draw(self, request: RecommendationRequest, bought: tuple[str, ...]) -> Draw | None:
        """What discoveries are drawn by; the seed is new each time, and recorded with the
        decision.
        """
        share = self._contact_policy.discover if request.discover is None else request.discover
        return Draw(share, secrets.token_hex(16), bought) if share else None

    def _sensitive(self, assortment: Assortment) -> set[str]:
        """Products that nothing is concluded from."""
        return assortment.hidden_by(self._contact_policy.sensitive, ())

    def _hidden(
        self, request: RecommendationRequest, permissions: Permissions, assortment: Assortment
    ) -> tuple[str, ...]:
        return hidden_products(self._contact_policy, request, permissions, assortment)


def _settled(request: RecommendationRequest) -> RecommendationRequest:
    """The request without anything drawn by lot."""
    return request.model_copy(update={"discover": 0.0})


def _exposure(request: RecommendationRequest, answer: RecommendationAnswer) -> Exposure | None:
    """What an answer shows; None where it shows nothing."""
    items = answer.items
    return (
        Exposure(request.channel, len(items), sum(item.explored for item in items))
        if items
        else None
    )
