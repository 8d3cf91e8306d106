"""The composition root: makes the parts of the running service out of a workspace and joins
them.
"""

from __future__ import annotations

from dataclasses import dataclass

from explain.words import Words, open_words
from features.shop.online import online_stores
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.churn.model import ChurnModel
from models.next_purchase.model import NextPurchaseModel
from models.registry import Registry
from serving.access.api_keys import Keys
from serving.access.audit_log import AuditLog
from serving.access.console_sessions import Sessions
from serving.access.key_uses import KeyUses
from serving.access.one_time_codes import OneTimeCodes
from serving.access.revocations import Revocations
from serving.access.signed_links import Links
from serving.access.visits import Visits
from serving.churn.estimator import ChurnEstimator
from serving.decisions.deciding import Decider
from serving.decisions.log import DecisionLog
from serving.delivery.opt_outs import OptOuts
from serving.live.assortment import AssortmentKeeper
from serving.live.champions import Champion, churn_champion, next_purchase_champion
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
    registry: Registry
    recommender: Recommender
    churn: ChurnEstimator
    what_if: WhatIf
    decisions: DecisionLog
    opt_outs: OptOuts
    reviews: Reviews
    rights: Rights
    keys: Keys
    key_uses: KeyUses
    sessions: Sessions
    links: Links
    visits: Visits
    revocations: Revocations
    codes: OneTimeCodes
    audit_log: AuditLog
    watch: Watch
    words: Words
    assortment: AssortmentKeeper

    def close(self) -> None:
        """Stop what runs in the background and give the connections back."""
        self.watch.stop()
        self.shop.database.close()


@dataclass(frozen=True)
class _Live:
    """What answers are made with, each kept up to date while the service runs."""

    churn: Champion[ChurnModel]
    next_purchase: Champion[NextPurchaseModel]
    assortment: AssortmentKeeper
    statistics: LiveStatistics

    @classmethod
    def of(cls, shop: Shop, registry: Registry, reading: Reading) -> _Live:
        holds = CatalogWatch(shop.workspace).holds
        next_purchase = next_purchase_champion(registry, holds)
        return cls(
            churn_champion(registry, holds),
            next_purchase,
            AssortmentKeeper(shop, reading),
            LiveStatistics(shop, next_purchase, reading),
        )

    @property
    def watch(self) -> Watch:
        parts = (self.assortment, self.churn, self.next_purchase, self.statistics)
        return Watch([part.look for part in parts])


def assemble(workspace: Workspace, base_url: str, reading: Reading = read_here) -> Sayso:
    """The service of `workspace`, reached by customers under `base_url`; what it keeps up with is
    read by `reading`.
    """
    shop = Shop(workspace)
    config, database, now = shop.config, shop.database, shop.clock
    registry = Registry(database, workspace.models)
    live = _Live.of(shop, registry, reading)
    words = open_words(workspace.root, config.shop.language, SPOKEN_BY)
    decider = Decider(database, shop.vault, config.catalog, now)
    for_churn, for_next_purchase = online_stores(shop)
    recommender = Recommender(
        config,
        decider,
        shop.ledger,
        shop.customers,
        live.next_purchase,
        for_next_purchase,
        live.assortment.there,
        live.statistics,
        words,
    )
    estimator = ChurnEstimator(config, decider, live.churn, for_churn, words)
    replays = {recommender.KIND: recommender.replay, estimator.KIND: estimator.replay}
    keys, revocations, secret = Keys(database, now), Revocations(database, now), workspace.secret()
    uses, links = KeyUses(keys, now), Links(secret, base_url, now)
    watch = live.watch
    watch.also(uses.look)
    return Sayso(
        shop=shop,
        registry=registry,
        recommender=recommender,
        churn=estimator,
        what_if=WhatIf(config, database, now, estimator, recommender),
        decisions=DecisionLog(database, shop.vault, replays),
        opt_outs=OptOuts(database, now),
        reviews=Reviews(shop),
        rights=Rights(shop),
        keys=keys,
        key_uses=uses,
        sessions=Sessions(
            keys, revocations, secret, secure=base_url.startswith("https://"), clock=now
        ),
        links=links,
        visits=Visits(database, links),
        revocations=revocations,
        codes=OneTimeCodes(database, secret, now),
        audit_log=AuditLog(database, now),
        watch=watch,
        words=words,
        assortment=live.assortment,
    )
