"""The composition root: makes the parts of the running service out of a workspace and joins
them.
"""

from __future__ import annotations

from dataclasses import dataclass

from explain.words import Words, open_words
from features.shop.online import online_stores
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.tracking import Tracking
from serving.access.api_keys import Keys
from serving.access.console_sessions import Sessions
from serving.access.signed_links import Links
from serving.churn.estimator import ChurnEstimator
from serving.decisions.log import DecisionLog
from serving.delivery.opt_outs import OptOuts
from serving.live.assortment import AssortmentKeeper
from serving.live.champions import churn_champion, next_purchase_champion
from serving.live.config_watch import CatalogWatch
from serving.live.reader_process import Reading, read_here
from serving.live.refresher import Watch
from serving.live.statistics import LiveStatistics
from serving.recommending.recommender import Recommender
from serving.reviews.queue import Reviews
from serving.rights.rights import Rights
from serving.what_if import WhatIf

SPOKEN_BY = ("explain", "serving.pages")
"""Packages that say something to customers, with their translations."""


@dataclass(frozen=True)
class Sayso:
    """A shop's running service."""

    shop: Shop
    tracking: Tracking
    recommender: Recommender
    churn: ChurnEstimator
    what_if: WhatIf
    decisions: DecisionLog
    opt_outs: OptOuts
    reviews: Reviews
    rights: Rights
    keys: Keys
    sessions: Sessions
    links: Links
    watch: Watch
    words: Words
    assortment: AssortmentKeeper

    def close(self) -> None:
        """Stop what runs in the background and give the connections back."""
        self.watch.stop()
        self.shop.database.close()


def assemble(workspace: Workspace, base_url: str, reading: Reading = read_here) -> Sayso:
    """The service of `workspace`, reached by customers under `base_url`; what it keeps up with is
    read by `reading`.
    """
    shop = Shop(workspace)
    tracking = Tracking.of(workspace)
    for_churn, for_next_purchase = online_stores(shop)
    catalog = CatalogWatch(workspace)
    churn, next_purchase = (
        churn_champion(tracking, catalog.holds),
        next_purchase_champion(tracking, catalog.holds),
    )
    assortment = AssortmentKeeper(shop, reading)
    statistics = LiveStatistics(shop, next_purchase, reading)
    words = open_words(workspace.root, shop.config.shop.language, SPOKEN_BY)
    recommender = Recommender(
        shop, next_purchase, for_next_purchase, lambda: assortment.current, statistics, words
    )
    estimator = ChurnEstimator(shop, churn, for_churn, words)
    keys = Keys(shop.database, shop.clock)
    return Sayso(
        shop=shop,
        tracking=tracking,
        recommender=recommender,
        churn=estimator,
        what_if=WhatIf(shop, estimator, recommender),
        decisions=DecisionLog(
            shop.database,
            shop.vault,
            {recommender.KIND: recommender.replay, estimator.KIND: estimator.replay},
        ),
        opt_outs=OptOuts(shop.database, shop.clock),
        reviews=Reviews(shop),
        rights=Rights(shop),
        keys=keys,
        sessions=Sessions(keys, workspace.secret(), secure=base_url.startswith("https://")),
        links=Links(workspace.secret(), base_url),
        watch=Watch([assortment.look, churn.look, next_purchase.look, statistics.look]),
        words=words,
        assortment=assortment,
    )
