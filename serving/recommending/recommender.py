"""Recommending to a customer: reads what may be used, and answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial

from explain.reasons import sentences_of
from explain.wording import Wording
from explain.words import Words
from features.config.schema import Config
from features.consent.ledger import Ledger
from features.customers.pseudonyms import Customers
from features.errors import SaysoError
from features.shop.online import OnlineStore
from features.shop.withholding import Withholding
from models.next_purchase.model import NextPurchaseModel
from serving.access.caller import Caller
from serving.access.privacy_signal import record_signal
from serving.contract.answers import RecommendationAnswer
from serving.contract.requests import RecommendationRequest
from serving.decisions.deciding import Decided, Decider, Made
from serving.decisions.once import OnceFor
from serving.decisions.permissions import Permissions
from serving.decisions.record import Decision
from serving.delivery.exposures import Exposure
from serving.delivery.product_lists import NoSuchList, ProductList, ProductLists
from serving.delivery.sending_moment import refuse_moment
from serving.live.assortment import Assortment
from serving.live.champions import Champion, Loaded
from serving.live.statistics import LiveStatistics
from serving.recommending.allowed import at_this_moment, refuse_unknown
from serving.recommending.gathering import Gatherer
from serving.recommending.known import Knowledge, Seen
from serving.recommending.recommendation import (
    DISCLOSURES,
    Listed,
    RecommendationInputs,
    listed,
    recommend,
    recommend_all,
)

NO_PRODUCTS = frozenset[str]()


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
        product_lists: ProductLists | None = None,
    ) -> None:
        """`old_record` says where the shop's record ends where that is old, else nothing."""
        self._lists = product_lists
        self._decider = decider
        self._ledger = ledger
        self._customers = customers
        self._champion = champion
        self._online = online
        self._assortment = assortment
        self._words = words or Words({})
        self._known = Knowledge(
            online, statistics, Withholding.declared(config.catalog, online.layout)
        )
        self._gatherer = Gatherer(config, self._known, self._words, old_record)

    def answer(
        self,
        request: RecommendationRequest,
        caller: Caller | None = None,
        *,
        privacy_signal: bool = False,
        once: OnceFor[RecommendationAnswer] | None = None,
    ) -> Decided[RecommendationAnswer]:
        """The recorded answer, read by `caller`; the one of before where it was asked for `once`.

        `privacy_signal` tells that the customer's browser asked not to be profiled (`Sec-GPC: 1`).
        """
        (decided,) = self.answer_all(
            request, [request.customer_id], caller, privacy_signal=privacy_signal, once=once
        )
        if isinstance(decided, SaysoError):
            raise decided
        return decided

    def answer_all(
        self,
        request: RecommendationRequest,
        customer_ids: Sequence[str | None],
        caller: Caller | None = None,
        *,
        privacy_signal: bool = False,
        once: OnceFor[RecommendationAnswer] | None = None,
    ) -> list[Decided[RecommendationAnswer] | SaysoError]:
        """The recorded answers to each of `customer_ids` in place of the one whom `request` names,
        as `answer` gives one; `TooBusy` stands for the answer to whoever does not hold still.
        """
        self.refuse_unknown(request)
        if privacy_signal:
            for customer_id in customer_ids:
                if customer_id is not None:
                    record_signal(
                        self._ledger, self._customers, customer_id, [self._gatherer.purpose]
                    )

        def make(permissions: Sequence[Permissions]) -> list[Made[RecommendationAnswer]]:
            self.refuse_moment(request)  # here, as what was answered before is answered later too
            return self._make(request, permissions, privacy_signal=privacy_signal)

        return self._decider.decide_all(
            self.KIND,
            customer_ids,
            self._gatherer.purpose,
            make,
            partial(at_this_moment, self._gatherer.policy, request),
            caller,
            None if once is None else once(self.replay),
        )

    def refuse_unknown(self, request: RecommendationRequest) -> None:
        """Raises `UnknownName`, or `NoSuchList`, for a request that names what there is not."""
        refuse_unknown(request, self._gatherer.policy, self._assortment())
        if request.exclude_list is not None:
            self._excluded(request)

    def _excluded(self, request: RecommendationRequest) -> ProductList | None:
        """The list that a request names, as it stands. Raises `NoSuchList`."""
        if request.exclude_list is None:
            return None
        if self._lists is None:
            raise NoSuchList(f"there is no list of products {request.exclude_list!r}")
        return self._lists.named(request.exclude_list)

    def refuse_moment(self, request: RecommendationRequest) -> None:
        """Raises `SendAtRefused` where the answer is to be shown in the past, or too late."""
        if request.send_at is not None:
            within, now = self._gatherer.policy.send_at_within, self._decider.clock()
            told = " (`send_at_within` under [contact_policy] in sayso.toml)"
            refuse_moment(request.send_at, within, now, told)

    def previews(
        self, request: RecommendationRequest, alternatives: Sequence[Permissions]
    ) -> list[RecommendationAnswer]:
        """The answers as they would be under other permissions of one customer; not given to
        anybody and not recorded.

        Nothing is drawn by lot: what a choice would change must not depend on chance.
        """
        settled = self._settled(request)
        found = self._answered(settled, alternatives, self._excluded(settled))
        return [answer for _, answer in found]

    def lists(
        self, request: RecommendationRequest, alternatives: Sequence[Permissions]
    ) -> list[Listed]:
        """What these answers list, by itself."""
        champion, assortment = self._at_work()
        settled = self._settled(request)
        excluded = self._excluded(settled)
        found = self._gatherer.inputs(
            settled,
            alternatives,
            champion,
            assortment,
            NO_PRODUCTS if excluded is None else excluded.products,
            privacy_signal=False,
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
        excluded, wording = self._excluded(request), self._words.wording(request.language)
        named = {} if excluded is None else {"exclude_list": excluded.version}
        for inputs, answer in self._answered(
            request, permissions, excluded, privacy_signal=privacy_signal
        ):
            titles = {item.product_id: item.title for item in answer.items}
            said = [
                reason
                for item in answer.items
                if item.explanation
                for reason in item.explanation.reasons
            ]
            sentences = sentences_of(said, wording, DISCLOSURES)
            kept = {"titles": titles, "sentences": sentences, **named}
            exposure = _exposure(request, answer)
            made.append(Made({**inputs.document(), **kept}, answer, answer.model, exposure))
        return made

    def _answered(
        self,
        request: RecommendationRequest,
        permissions: Sequence[Permissions],
        excluded: ProductList | None,
        *,
        privacy_signal: bool = False,
    ) -> list[tuple[RecommendationInputs, RecommendationAnswer]]:
        """What answers are made from, and the answers."""
        champion, assortment = self._at_work()
        inputs = self._gatherer.inputs(
            request,
            permissions,
            champion,
            assortment,
            NO_PRODUCTS if excluded is None else excluded.products,
            privacy_signal=privacy_signal,
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
        rule, sensitive = self._known.rule(champion.model), self._gatherer.sensitive(assortment)
        allowed = [
            self._known.allowed(
                rule.allow(row, under.granted), rule, champion, under, basket, sensitive
            )
            for under in alternatives
        ]
        return Seen(champion.model, allowed)

    def _settled(self, request: RecommendationRequest) -> RecommendationRequest:
        """The request without anything drawn by lot, and without a list that is gone since."""
        settled = request.model_copy(update={"discover": 0.0})
        try:
            self._excluded(settled)
        except NoSuchList:
            return settled.model_copy(update={"exclude_list": None})
        return settled

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


def _exposure(request: RecommendationRequest, answer: RecommendationAnswer) -> Exposure | None:
    """What an answer shows; None where it shows nothing."""
    items = answer.items
    return (
        Exposure(request.channel, len(items), sum(item.explored for item in items), answer.send_at)
        if items
        else None
    )
