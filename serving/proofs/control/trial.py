"""One customer's trial: what each withdrawal would do is foretold, done, and held against what is
served then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from explain.game import Game
from explain.rank_game import RankGame
from features.consent.event import ConsentEvent
from serving.bootstrap import Sayso
from serving.contract.answers import ChurnAnswer, RecommendationAnswer
from serving.contract.requests import MOST_ITEMS, RecommendationRequest
from serving.decisions.document import plain
from serving.proofs.stage.switches import Withdrawal

CHURN, RECOMMENDATIONS = "/v1/churn", "/v1/recommendations"


@dataclass
class Score:
    """What all trials came to."""

    pairs: int = 0
    probabilities: int = 0
    endings: int = 0
    lists: int = 0
    changed: int = 0
    places: int = 0
    scores: int = 0
    answers: int = 0
    faults: list[str] = field(default_factory=list)

    def require(self, holds: bool, fault: str) -> None:
        """Note the fault unless it `holds`."""
        if not holds:
            self.faults.append(fault)

    @property
    def figures(self) -> dict[str, int]:
        """The score by name."""
        return {
            "pairs of a customer and a category withdrawn": self.pairs,
            "churn: probabilities equal to the one foretold, to the last bit": self.probabilities,
            "churn: no estimate left, as foretold": self.endings,
            "recommendations: lists equal to the one foretold": self.lists,
            "of these, lists that the withdrawal changed": self.changed,
            "places equal to the one foretold": self.places,
            "scores equal to the one foretold, to the last bit": self.scores,
            "answers searched for the category withdrawn": self.answers,
        }


class Trial:
    """A customer with these products in the basket who withdraws the categories `left`, one after
    another, for both purposes.
    """

    def __init__(
        self, sayso: Sayso, customer_id: str, left: Sequence[str], basket: Sequence[str] = ()
    ) -> None:
        self._sayso = sayso
        self._id = customer_id
        self._request = RecommendationRequest(
            customer_id=customer_id, k=MOST_ITEMS, basket=tuple(basket)
        )
        self._customer = sayso.shop.customers.pseudonym(customer_id)
        self.left = list(left)

    def withdraw_next(self, score: Score) -> None:
        """Foretell, withdraw the next category, and compare."""
        category = self.left.pop(0)
        churn = self._sayso.what_if.of_churn(self._customer)
        listed = self._recommended()
        shown = [item.product_id for item in listed.items]
        ranks = self._sayso.what_if.of_recommendation(self._customer, shown, self._request)
        self._withdraw(category)
        score.pairs += 1
        if churn is not None:
            _compare_churn(churn, category, self._estimated(), score)
        if ranks is not None:
            _compare_ranks(ranks, category, self._recommended(), score)
        self._search(category, score)

    def _withdraw(self, category: str) -> None:
        models = self._sayso.shop.config.models
        for purpose in {models.churn.purpose, models.next_purchase.purpose}:
            self._sayso.shop.ledger.append(
                ConsentEvent(self._id, purpose, category, "withdrawn", "selftest")
            )

    def _recommended(self) -> RecommendationAnswer:
        return self._sayso.recommender.answer(self._request).answer

    def _estimated(self) -> ChurnAnswer:
        return self._sayso.churn.answer(self._id).answer

    def _search(self, category: str, score: Score) -> None:
        """The category must stand nowhere in what is served now but among what is withheld."""
        for route, answer in (
            (CHURN, self._estimated()),
            (RECOMMENDATIONS, self._recommended()),
        ):
            score.answers += 1
            used = Withdrawal(self._id, route, "", category).used_in(plain(answer))
            score.require(
                not used, f"an answer on {route} still shows `{category}`, which was withdrawn"
            )


def _compare_churn(foretold: Game, category: str, served: ChurnAnswer, score: Score) -> None:
    """The probability served is the one foretold; where nothing is left to go by there is none, and
    everybody's was foretold.
    """
    without = next(part.without for part in foretold.played if part.category == category)
    if served.available:
        score.probabilities += 1
        score.require(
            served.probability == without,
            f"without `{category}` {without} was foretold and {served.probability} is served",
        )
    else:
        score.endings += 1
        score.require(
            without == foretold.base_value,
            f"without `{category}` {without} was foretold, and there is no estimate any more",
        )


def _compare_ranks(
    foretold: RankGame, category: str, served: RecommendationAnswer, score: Score
) -> None:
    """The list served is the one foretold, and so is every product's place; its score too, where
    the list is a personal one.
    """
    items = {item.product_id: item for item in served.items}
    expected = foretold.lists.without[category][:MOST_ITEMS]
    score.lists += 1
    score.changed += expected != foretold.lists.now[:MOST_ITEMS]
    score.require(
        tuple(items) == expected, f"without `{category}` another list is served than foretold"
    )
    for product in foretold.products:
        item = items.get(product.product_id)
        place = product.place_without[category]
        if item is not None:
            score.places += 1
            score.require(
                item.rank == place,
                f"without `{category}` place {place} was foretold and {item.rank} is served",
            )
        if item is not None and served.personalized:
            without = next(
                part.without for part in product.score.played if part.category == category
            )
            score.scores += 1
            score.require(
                item.score == without,
                f"without `{category}` score {without} was foretold and {item.score} is served",
            )
