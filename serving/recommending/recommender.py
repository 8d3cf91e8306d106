"""Recommending to a customer: reads what may be used, and answers."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explain.coalition_scores import Allowed
from explain.reasons import sentences_of
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
from serving.decisions.deciding import Decided, Decider, Made, TooBusy
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
    NOTHING,
    Asked,
    Candidates,
    Knowledge,
    Seen,
    bought_ever,
    bought_lately,
    candidates_of,
    hidden_of_each,
)
from serving.recommending.recommendation import (
    DISCLOSURES,
    Listed,
    RecommendationInputs,
    listed,
    rank,
    recommend,
    recommend_all,
    worth,
)
from serving.recommending.recorded_question import asked

Read = Callable[[Sequence[int]], Mapping[int, OnlineRow]]
"""Reads the features of customers; all that were granted."""


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
    ) -> None:
        self._decider = decider
        self._ledger = ledger
        self._customers = customers
        self._champion = champion
        self._online = online
        self._assortment = assortment
        self._statistics = statistics
        self._words = words or Words({})
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
        (decided,) = self.answer_all(
            request, [request.customer_id], caller, privacy_signal=privacy_signal
        )
        if isinstance(decided, TooBusy):
            raise decided
        return decided

    def answer_all(
        self,
        request: RecommendationRequest,
        customer_ids: Sequence[str | None],
        caller: Caller | None = None,
        *,
        privacy_signal: bool = False,
    ) -> list[Decided[RecommendationAnswer] | TooBusy]:
        """The recorded answers to each of `customer_ids` in place of the one whom `request` names,
        as `answer` gives one; `TooBusy` stands for the answer to whoever does not hold still.
        """
        self.refuse_unknown(request)
        if privacy_signal:
            for customer_id in customer_ids:
                if customer_id is not None:
                    record_signal(self._ledger, self._customers, customer_id, [self._purpose])

        def make(permissions: Sequence[Permissions]) -> list[Made[RecommendationAnswer]]:
            return self._make(request, permissions, privacy_signal=privacy_signal)

        return self._decider.decide_all(
            self.KIND,
            customer_ids,
            self._purpose,
            make,
            partial(at_this_moment, self._contact_policy, request),
            caller,
        )

    def refuse_unknown(self, request: RecommendationRequest) -> None:
        """Raises `UnknownName` for a request that names what there is not."""
        refuse_unknown(request, self._contact_policy, self._assortment())

    def previews(
        self, request: RecommendationRequest, alternatives: Sequence[Permissions]
    ) -> list[RecommendationAnswer]:
        """The answers as they would be under other permissions of one customer; not given to
        anybody and not recorded.

        Nothing is drawn by lot: what a choice would change must not depend on chance.
        """
        found = self._answered(_settled(request), alternatives)
        return [answer for _, answer in found]

    def lists(
        self, request: RecommendationRequest, alternatives: Sequence[Permissions]
    ) -> list[Listed]:
        """What these answers list, by itself."""
        champion, assortment = self._at_work()
        found = self._inputs(
            _settled(request), alternatives, champion, assortment, privacy_signal=False
        )
        return [listed(inputs, champion) for inputs in found]

    def _make(
        self,
        request: RecommendationRequest,
        permissions: Sequence[Permissions],
        *,
        privacy_signal: bool = False,
    ) -> list[Made[RecommendationAnswer]]:
        """Answers with what they were made from, as they are recorded."""
        made = []
        wording = self._words.wording(request.language)
        for inputs, answer in self._answered(request, permissions, privacy_signal=privacy_signal):
            titles = {item.product_id: item.title for item in answer.items}
            said = [
                reason
                for item in answer.items
                if item.explanation
                for reason in item.explanation.reasons
            ]
            kept = {"titles": titles, "sentences": sentences_of(said, wording, DISCLOSURES)}
            exposure = _exposure(request, answer)
            made.append(Made({**inputs.document(), **kept}, answer, answer.model, exposure))
        return made

    def _answered(
        self,
        request: RecommendationRequest,
        permissions: Sequence[Permissions],
        *,
        privacy_signal: bool = False,
    ) -> list[tuple[RecommendationInputs, RecommendationAnswer]]:
        """What answers are made from, and the answers."""
        champion, assortment = self._at_work()
        inputs = self._inputs(
            request, permissions, champion, assortment, privacy_signal=privacy_signal
        )
        wording = self._words.wording(request.language)
        asked = [(one, at.ledger_seq) for one, at in zip(inputs, permissions, strict=True)]
        answers = recommend_all(asked, champion, assortment.titles, wording)
        return list(zip(inputs, answers, strict=True))

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
        permissions: Sequence[Permissions],
        champion: Loaded[NextPurchaseModel] | None,
        assortment: Assortment,
        *,
        privacy_signal: bool,
    ) -> list[RecommendationInputs]:
        """What each answer is made from."""
        reasons = [
            not_personalized(
                request,
                one,
                self._purpose,
                privacy_signal=privacy_signal,
                champion=champion is not None,
            )
            for one in permissions
        ]
        hidden = [self._hidden(request, one, assortment) for one in permissions]
        asked = [at for at, reason in enumerate(reasons) if reason is None]
        personal: dict[int, dict[str, Any]] = {}
        if champion is not None and asked:
            known = [Asked(permissions[at], hidden[at]) for at in asked]
            found = self._personal(request, known, champion, assortment)
            personal = {asked[at]: inputs for at, inputs in found.items()}
        return [
            replace(self._common(request, one, None), **personal[at])
            if at in personal
            else self._impersonal(
                request, one, reasons[at] or "unknown_customer", champion, assortment, hidden[at]
            )
            for at, one in enumerate(permissions)
        ]

    def _impersonal(
        self,
        request: RecommendationRequest,
        permissions: Permissions,
        reason: NotPersonalized,
        champion: Loaded[NextPurchaseModel] | None,
        assortment: Assortment,
        hidden: Collection[str],
    ) -> RecommendationInputs:
        """The inputs of an answer that is not personal, because of `reason`."""
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
        asked_for: Sequence[Asked],
        champion: Loaded[NextPurchaseModel],
        assortment: Assortment,
    ) -> dict[int, dict[str, Any]]:
        """The inputs of personal answers that others do not have, by the place of each customer;
        without those of whom nothing at all is known that may be used.
        """
        rule, sensitive = self._known.rule(champion.model), self._sensitive(assortment)
        stored = self._online.ready_all([one.customer for one in asked_for])
        known: dict[int, Allowed] = {}
        for at, one in enumerate(asked_for):
            row = rule.allow(stored[one.customer], one.permissions.granted)
            allowed = self._known.allowed(
                row, rule, champion, one.permissions, request.basket, sensitive
            )
            if not row.empty or len(allowed.histories.baskets.products):
                known[at] = allowed
        hidden = hidden_of_each(
            [(allowed.statistics, asked_for[at].hidden) for at, allowed in known.items()],
            [self._known_already(request, champion, allowed) for allowed in known.values()],
        )
        candidates = candidates_of(champion.model, list(known.values()), hidden)
        return {
            at: self._ranked(
                request,
                champion,
                found,
                basket_counts=rule.entries_allowed(asked_for[at].permissions.granted),
            )
            for at, found in zip(known, candidates, strict=True)
        }

    def _ranked(
        self,
        request: RecommendationRequest,
        champion: Loaded[NextPurchaseModel],
        found: Candidates,
        *,
        basket_counts: bool,
    ) -> dict[str, Any]:
        """The inputs of a personal answer by its candidates."""
        draw = self._draw(request, found) if len(found.products) else None
        fit = worth(champion, found.scores, self._contact_policy.floor)
        ranking = rank(
            found.products, found.features, found.scores, fit, None if draw else request.k
        )
        places = fill(ranking.products, request.k, draw or Draw(0.0, ""))
        return {
            "ranked": ranking.products,
            "features": ranking.of(places),
            "draw": None if draw is None else asdict(draw),
            "asked": asked(request, basket_counts=basket_counts),
        }

    def _known_already(
        self,
        request: RecommendationRequest,
        champion: Loaded[NextPurchaseModel],
        allowed: Allowed,
    ) -> NDArray[np.int64]:
        """What the customer has bought (positions) and the request, or the shop, wants left out for
        that.
        """
        policy = self._contact_policy
        if policy.only_new if request.only_new is None else request.only_new:
            return bought_ever(allowed)
        days = request.not_bought_within
        days = policy.not_bought_within if days is None else days
        return bought_lately(champion.model, allowed, days) if days else NOTHING

    def _wording(self, request: RecommendationRequest) -> dict[str, str]:
        return {
            "currency": self._shop.currency,
            "home_country": self._shop.home_country or "",
            "language": self._words.wording(request.language).language,
        }

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

    def _draw(self, request: RecommendationRequest, found: Candidates) -> Draw | None:
        """What discoveries are drawn by; the seed is new each time, and recorded with the
        decision.
        """
        share = self._contact_policy.discover if request.discover is None else request.discover
        if not share:
            return None
        return Draw(share, secrets.token_hex(16), tuple(found.products[found.bought].tolist()))

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
