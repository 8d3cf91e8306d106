"""Answers of a twin by its real recommender and estimator, without what every answer has of its
own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from features.consent.chain import canonical
from features.shop.online import OnlineStore
from models.churn.model import ChurnModel
from models.next_purchase.model import NextPurchaseModel
from models.tracking import Tracking
from serving.churn.estimator import ChurnEstimator
from serving.contract.requests import RecommendationRequest
from serving.decisions.log import DecisionLog
from serving.live.assortment import Assortment
from serving.live.champions import Champion, churn_champion, next_purchase_champion
from serving.live.statistics import LiveStatistics
from serving.proofs.withheld.twins import Twin
from serving.recommending.recommender import Recommender

OWN_TO_EACH = ("decision_id", "generated_at")


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
        self._recommender = Recommender(
            twin.shop, champions.next_purchase, online, lambda: assortment, statistics
        )
        self._estimator = ChurnEstimator(twin.shop, champions.churn, online)
        self._log = DecisionLog(twin.shop.database, twin.shop.vault, {})

    def ask(self, customer_ids: Sequence[str]) -> dict[str, bytes]:
        """What each customer is answered and what is recorded of it, by customer id."""
        return {customer_id: self._ask(customer_id) for customer_id in customer_ids}

    def _ask(self, customer_id: str) -> bytes:
        if self._model == "churn":
            answer = self._estimator.answer(customer_id)
        else:
            answer = self._recommender.answer(RecommendationRequest(customer_id=customer_id))
        decision, _ = self._log.find(answer["decision_id"])
        return canonical({"answer": _shared(answer), "recorded": decision.inputs}).encode()


def _shared(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in OWN_TO_EACH}
