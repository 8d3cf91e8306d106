"""What recommendations are made from: read, for several customers together, as far as each of them
allows it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explain.coalition_scores import Allowed
from explain.templates import recorded_words
from explain.words import Words
from features import clock
from features.config.schema import Config
from models.next_purchase.basket_complements import Complement
from models.next_purchase.model import NextPurchaseModel
from serving.contract.answers import NotPersonalized
from serving.contract.requests import RecommendationRequest
from serving.decisions.permissions import Permissions
from serving.delivery.exploration import Draw, fill
from serving.live.assortment import Assortment
from serving.live.champions import Loaded
from serving.recommending.allowed import not_personalized, silenced
from serving.recommending.filters import (
    Hidden,
    basket_complements,
    first_best_sellers,
    hidden_from_all,
    hidden_products,
    worth_showing,
)
from serving.recommending.known import (
    NOTHING,
    Asked,
    Candidates,
    Knowledge,
    bought_ever,
    bought_lately,
    candidates_of,
)
from serving.recommending.recommendation import RecommendationInputs, rank
from serving.recommending.recorded_question import asked


class Gatherer:
    """Gathers the inputs of answers for one purpose.

    `policy` is the shop's contact policy, `known` where what is known of customers comes from, and
    `old_record` says where the shop's record ends where that is old, else nothing.
    """

    def __init__(
        self,
        config: Config,
        known: Knowledge,
        words: Words,
        old_record: Callable[[], str] = str,
    ) -> None:
        self.policy = config.contact_policy
        self.purpose = config.models.next_purchase.purpose
        self._known = known
        self._words = words
        self._old_record = old_record
        self._shop = config.shop
        self._askable = config.catalog.askable(self.purpose)

    def inputs(
        self,
        request: RecommendationRequest,
        permissions: Sequence[Permissions],
        champion: Loaded[NextPurchaseModel] | None,
        assortment: Assortment,
        excluded: frozenset[str],
        *,
        privacy_signal: bool,
    ) -> list[RecommendationInputs]:
        """What each answer is made from; none lists what a list of the shop's `excluded`."""
        reasons = [
            not_personalized(
                request,
                one,
                self.purpose,
                privacy_signal=privacy_signal,
                champion=champion is not None,
            )
            for one in permissions
        ]
        from_all = hidden_from_all(self.policy, request, assortment, excluded)
        hidden = [hidden_products(request, one, assortment, from_all) for one in permissions]
        asked = [at for at, reason in enumerate(reasons) if reason is None]
        personal: dict[int, dict[str, Any]] = {}
        if champion is not None and asked:
            known = [Asked(permissions[at], hidden[at]) for at in asked]
            found = self._personal(request, known, champion, assortment)
            personal = {asked[at]: inputs for at, inputs in found.items()}
        wording = self._wording(request)
        return [
            replace(self._common(request, one, None, wording), **personal[at])
            if at in personal
            else replace(
                self._common(request, one, reason or "unknown_customer", wording),
                **self._impersonal(
                    request, one, reason or "unknown_customer", champion, assortment, hidden[at]
                ),
            )
            for at, (one, reason) in enumerate(zip(permissions, reasons, strict=True))
        ]

    def _impersonal(
        self,
        request: RecommendationRequest,
        permissions: Permissions,
        reason: NotPersonalized,
        champion: Loaded[NextPurchaseModel] | None,
        assortment: Assortment,
        hidden: Hidden,
    ) -> dict[str, Any]:
        """The inputs of an answer that is not personal, because of `reason`, which others do not
        have.
        """
        with_basket = (
            self._complements(request, champion, permissions, assortment, hidden)
            if reason == "anonymous" and champion is not None
            else ()
        )
        shown = hidden.also([id for id, _ in with_basket])
        return {
            "best_sellers": first_best_sellers(assortment, shown, request.k),
            "complements": with_basket,
        }

    def _common(
        self,
        request: RecommendationRequest,
        permissions: Permissions,
        reason: NotPersonalized | None,
        wording: Mapping[str, str],
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
            wording=wording,
            not_now=asdict(not_now) if reason == "not_now" and not_now is not None else None,
            send_at=None if request.send_at is None else clock.to_text(request.send_at),
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
        rule, sensitive = self._known.rule(champion.model), self.sensitive(assortment)
        stored = self._known.online.ready_all([one.customer for one in asked_for])
        known: dict[int, Allowed] = {}
        for at, one in enumerate(asked_for):
            row = rule.allow(stored[one.customer], one.permissions.granted)
            allowed = self._known.allowed(
                row, rule, champion, one.permissions, request.basket, sensitive
            )
            if not row.empty or len(allowed.histories.baskets.products):
                known[at] = allowed
        hidden = self._known.positions.hidden_of_each(
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
        fit = worth_showing(found.scores, champion.attribution.base_value, self.policy.floor)
        ranking = rank(
            found.products, found.features, found.scores, fit, None if draw else request.k
        )
        if draw is not None:
            draw = draw.weighed(ranking.products, ranking.scores.tolist(), request.k)
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
        policy = self.policy
        if policy.only_new if request.only_new is None else request.only_new:
            return bought_ever(champion.model.maker, allowed)
        days = request.not_bought_within
        days = policy.not_bought_within if days is None else days
        return bought_lately(champion.model, allowed, days) if days else NOTHING

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
        statistics = self._known.statistics.at(champion, permissions.ledger_seq)
        return basket_complements(request, statistics, self.sensitive(assortment), hidden)

    def _draw(self, request: RecommendationRequest, found: Candidates) -> Draw | None:
        """What discoveries are drawn by; the seed is new each time, and recorded with the
        decision.
        """
        share = self.policy.discover if request.discover is None else request.discover
        if not share:
            return None
        return Draw(share, secrets.token_hex(16), tuple(found.products[found.bought].tolist()))

    def sensitive(self, assortment: Assortment) -> set[str]:
        """Products that nothing is concluded from."""
        return assortment.hidden_by(self.policy.sensitive, ())
