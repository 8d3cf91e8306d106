"""Answers of a twin by its real recommender and estimator, without what every answer has of its
own.
"""

from __future__ import annotations

from collections.abc import Sequence

from features.shop.online import OnlineStore
from models.churn.model import ChurnModel
from models.next_purchase.model import NextPurchaseModel
from models.tracking import Tracking
from serving.churn.estimator import ChurnEstimator
from serving.contract.answers import ChurnAnswer, RecommendationAnswer
from serving.contract.requests import RecommendationRequest
from serving.decisions.deciding import Decided, Decider
from serving.decisions.document import document, encoded
from serving.decisions.log import DecisionLog
from serving.live.assortment import Assortment
from serving.live.champions import Champion, churn_champion, next_purchase_champion
from serving.live.statistics import LiveStatistics
from serving.proofs.withheld.twins import Twin
from serving.recommending.recommender import Recommender


class Champions:
    """The models that answer in all worlds, loaded once."""

    def __init__(self, tracking: Tracking) -> None:
        self.churn: Champion[ChurnModel] = churn_champion(tracking)
        self.next_purchase: Champion[NextPurchaseModel] = next_purchase_champion(tracking)
        self.churn.look()
        self.next_purchase.look()


class Desk:
    """Where customers of a twin are answered from the features of `online`."""

    def __init__(
        self, twin: Twin, champions: Champions, online: OnlineStore, assortment: Assortment
    ) -> None:
        self._model = twin.model
        statistics = LiveStatistics(twin.shop, champions.next_purchase)
        statistics.look()
        shop = twin.shop
        decider = Decider(shop.database, shop.vault, shop.config.catalog, shop.clock)
        self._recommender = Recommender(
            shop.config,
            decider,
            shop.ledger,
            shop.customers,
            champions.next_purchase,
            online,
            lambda: assortment,
            statistics,
        )
        self._estimator = ChurnEstimator(shop.config, decider, champions.churn, online)
        self._log = DecisionLog(twin.shop.database, twin.shop.vault, {})

    def ask(self, customer_ids: Sequence[str]) -> dict[str, bytes]:
        """What each customer is answered and what is recorded of it, by customer id."""
        return {customer_id: self._ask(customer_id) for customer_id in customer_ids}

    def _ask(self, customer_id: str) -> bytes:
        decided: Decided[ChurnAnswer] | Decided[RecommendationAnswer] = (
            self._estimator.answer(customer_id)
            if self._model == "churn"
            else self._recommender.answer(RecommendationRequest(customer_id=customer_id))
        )
        decision, _ = self._log.find(decided.decision_id)
        return encoded({"answer": document(decided.answer), "recorded": decision.inputs})
