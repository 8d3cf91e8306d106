"""What a customer's choices change: the answers that serving would give them with less of their
data, asked for and not guessed.

Every number here is an answer of the parts that answer customers, under permissions from which
categories are taken away. Nothing is recorded, nobody is given the answer, and nothing is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from explain.coalition_scores import coalition_scores
from explain.game import MOST_PLAYERS, Game, coalitions
from explain.rank_game import Lists, RankGame, rank_game
from features import clock
from features.clock import Clock
from features.config.schema import Config
from features.database.engine import Database
from serving.churn.estimator import ChurnEstimator
from serving.contract.answers import ChurnAnswer, RecommendationAnswer
from serving.contract.requests import RecommendationRequest
from serving.decisions.permissions import Permissions, nobody, permissions_as
from serving.recommending.known import Seen
from serving.recommending.recommender import Recommender

EVERY_PRODUCT = 1_000_000


class WhatIf:
    """Answers "what if I did not share this" for the customers (pseudonyms) of one shop."""

    def __init__(
        self,
        config: Config,
        database: Database,
        clock: Clock,
        churn: ChurnEstimator,
        recommender: Recommender,
        too_young: Callable[[int], bool] = nobody,
    ) -> None:
        self._too_young = too_young
        self._catalog = config.catalog
        self._models = config.models
        self._database = database
        self._clock = clock
        self._churn = churn
        self._recommender = recommender
        self._askable = config.catalog.askable(config.models.next_purchase.purpose)

    def of_churn(self, customer: int) -> Game | None:
        """The consent game of the estimate in probability points, as it would be given now; None
        where there is none.

        Without the last category there is no estimate any more; the number is then what is known of
        nobody.
        """
        return churn_game(
            self._churn.preview(self._permissions(customer, self._models.churn.purpose))
        )

    def recommendations(
        self, customer: int, request: RecommendationRequest
    ) -> RecommendationAnswer:
        """The answer to `request` as it would be given now."""
        (answer,) = self._recommender.previews(
            request, [self._permissions(customer, self._models.next_purchase.purpose)]
        )
        return answer

    def of_recommendation(
        self,
        customer: int,
        product_ids: Sequence[str],
        request: RecommendationRequest | None = None,
    ) -> RankGame | None:
        """What each granted category changes of the places of `product_ids` among all products;
        None where nothing is personal now.

        `request` says what else was asked (basket, exclusions, ...). Products without statistics
        are left out.
        """
        permissions = self._permissions(customer, self._models.next_purchase.purpose)
        lists, players = self._lists(customer, permissions, request), self._players(permissions)
        seen = None if lists is None else self._seen(permissions, players, request)
        if lists is None or seen is None:
            return None
        known = [product for product in dict.fromkeys(product_ids) if seen.knows(product)]
        return rank_game(players, known, coalition_scores(seen.model, seen.allowed, known), lists)

    def lists(self, customer: int, request: RecommendationRequest | None = None) -> Lists | None:
        """The lists alone that serving would give now, without each granted category and for
        everybody; `request` and None as above.
        """
        return self._lists(
            customer,
            self._permissions(customer, self._models.next_purchase.purpose),
            request,
        )

    def _lists(
        self, customer: int, permissions: Permissions, request: RecommendationRequest | None
    ) -> Lists | None:
        players = self._players(permissions)
        if not players or len(players) > MOST_PLAYERS:
            return None
        # Whose alternatives these are is what counts.
        asked = _of_every_product(request or RecommendationRequest(customer_id=str(customer)))
        imagined = [
            permissions,
            *(permissions.without([name]) for name in players),
            permissions.without(players),
        ]
        now, *without, nothing = self._recommender.lists(asked, imagined)
        if not now.personalized:
            return None
        return Lists(
            now.products,
            {name: rest.products for name, rest in zip(players, without, strict=True)},
            nothing.products,
        )

    def seen_under_every_coalition(self, customer: int) -> Seen | None:
        """What the ranker is shown of a customer under each coalition of what they grant; None
        where there is nothing to show.
        """
        permissions = self._permissions(customer, self._models.next_purchase.purpose)
        return self._seen(permissions, self._players(permissions))

    def _seen(
        self,
        permissions: Permissions,
        players: Sequence[str],
        request: RecommendationRequest | None = None,
    ) -> Seen | None:
        present = coalitions(len(players)).tolist()
        return self._recommender.seen(
            [
                permissions.without(
                    [name for name, held in zip(players, row, strict=True) if not held]
                )
                for row in present
            ],
            request,
        )

    def _players(self, permissions: Permissions) -> list[str]:
        return [name for name in self._askable if name in permissions.granted]

    def _permissions(self, customer: int, purpose: str) -> Permissions:
        now = clock.to_text(self._clock())
        with self._database.read() as connection:
            young = self._too_young
            return permissions_as(connection, self._catalog, [customer], purpose, now, young)[0]


def churn_game(answer: ChurnAnswer) -> Game | None:
    """The consent game that an answer to `POST /v1/churn` states; None where it has no estimate."""
    if answer.explanation is None:
        return None
    stated = answer.explanation.categories
    return Game(stated.base_value, stated.output_value, tuple(stated.contributions))


def _of_every_product(request: RecommendationRequest) -> RecommendationRequest:
    return request.model_copy(update={"k": EVERY_PRODUCT})
