"""The composition root: makes the parts of the running service out of a workspace and joins
them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from explain.words import Words, open_words
from features.config.environment import Settings
from features.database.engine import Patience
from features.intake.over_http.door import Door
from features.shop.faults import faults_of_data
from features.shop.online import online_stores
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.churn.model import ChurnModel
from models.next_purchase.model import NextPurchaseModel
from models.registry import CHAMPION, Registry
from serving.access.api_keys import Keys
from serving.access.audit_log import AuditLog
from serving.access.console_sessions import Sessions
from serving.access.key_uses import KeyUses
from serving.access.one_time_codes import OneTimeCodes
from serving.access.revocations import Revocations
from serving.access.signed_links import Links
from serving.access.visits import Visits
from serving.audiences.audience import KIND as AUDIENCE
from serving.audiences.exporting import Audiences, not_made_again
from serving.churn.estimator import ChurnEstimator
from serving.decisions.deciding import Decider
from serving.decisions.kept_answers import Asking
from serving.decisions.log import DecisionLog
from serving.decisions.standing import Standing
from serving.delivery.opt_outs import OptOuts
from serving.delivery.product_lists import ProductLists
from serving.events.intake import EventIntake
from serving.events.links import EventLinks
from serving.live.assortment import AssortmentKeeper
from serving.live.champions import Champion, churn_champion, next_purchase_champion
from serving.live.config_watch import CatalogWatch
from serving.live.health import (
    Check,
    Health,
    NotReady,
    check_data,
    check_database,
    check_disk,
    check_keys,
)
from serving.live.reader_process import Reading, read_here
from serving.live.refresher import Watch
from serving.live.statistics import LiveStatistics
from serving.recommending.recommender import Recommender
from serving.reviews.queue import Reviews
from serving.rights.rights import Rights
from serving.webhooks.courier import Courier
from serving.webhooks.outbox import Outbox
from serving.webhooks.queue import Queue
from serving.webhooks.targets import Targets
from serving.what_if import WhatIf

BESIDE_THREADS = 8
"""Connections for customers' choices, what watches in the background, and health."""
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
    standing: Standing
    opt_outs: OptOuts
    product_lists: ProductLists
    reviews: Reviews
    rights: Rights
    keys: Keys
    key_uses: KeyUses
    sessions: Sessions
    links: Links
    events: EventIntake
    event_links: EventLinks
    visits: Visits
    revocations: Revocations
    codes: OneTimeCodes
    door: Door
    audit_log: AuditLog
    watch: Watch
    calls: Watch
    """What calls the shop's own programs; its receivers may take their time."""
    audiences: Audiences
    targets: Targets
    queue: Queue
    words: Words
    assortment: AssortmentKeeper
    health: Health
    asking: Callable[[str, str, Sequence[bytes]], Asking]
    """A request that its caller named: by API key, by the name, and the parts of what it asks."""
    answering: Callable[[], list[tuple[str, str]]]
    """The models that answer now, with their versions."""

    def close(self) -> None:
        """Stop what runs in the background and give the connections back."""
        self.watch.stop()
        self.calls.stop()
        self.health.close()
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

    def answering(self) -> list[tuple[str, str]]:
        there = [champion.current for champion in (self.churn, self.next_purchase)]
        return [(one.name["name"], one.name["version"]) for one in there if one is not None]

    @property
    def watch(self) -> Watch:
        parts = (self.assortment, self.churn, self.next_purchase, self.statistics)
        return Watch([part.look for part in parts])


def assemble(workspace: Workspace, base_url: str, reading: Reading = read_here) -> Sayso:
    """The service of `workspace`, reached by customers under `base_url`; what it keeps up with is
    read by `reading`.
    """
    shop = Shop(workspace, patience=patience_of(workspace.settings))
    config, database, now = shop.config, shop.database, shop.clock
    registry = Registry(database, workspace.models)
    live = _Live.of(shop, registry, reading)
    words = open_words(workspace.root, config.shop.language, SPOKEN_BY)
    decider = Decider(database, shop.vault, config.catalog, now, shop.minimum_age.withholds)
    for_churn, for_next_purchase = online_stores(shop)
    product_lists = ProductLists(database, now)

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
        live.assortment.old_record,
        product_lists,
    )
    estimator = ChurnEstimator(
        config, decider, live.churn, for_churn, words, live.assortment.old_record
    )
    audiences = Audiences(shop, live.churn, words, live.assortment.old_record)
    replays = {
        AUDIENCE: not_made_again,
        recommender.KIND: recommender.replay,
        estimator.KIND: estimator.replay,
    }
    purposes = {
        recommender.KIND: config.models.next_purchase.purpose,
        estimator.KIND: config.models.churn.purpose,
    }
    keys, revocations, secret = Keys(database, now), Revocations(database, now), workspace.secret()
    uses, links = KeyUses(keys, now), Links(secret, base_url, now)
    codes = OneTimeCodes(database, secret, now, Outbox.of(shop))
    watch = live.watch
    watch.also(uses.look)
    courier = Courier.of(shop)
    return Sayso(
        shop=shop,
        registry=registry,
        recommender=recommender,
        churn=estimator,
        what_if=WhatIf(config, database, now, estimator, recommender, shop.minimum_age.withholds),
        decisions=DecisionLog(database, shop.vault, replays),
        standing=Standing(database, config.catalog, now, purposes, shop.minimum_age.withholds),
        opt_outs=OptOuts(database, now),
        product_lists=product_lists,
        reviews=Reviews(shop),
        rights=Rights(shop),
        keys=keys,
        key_uses=uses,
        sessions=Sessions(
            keys, revocations, secret, secure=base_url.startswith("https://"), clock=now
        ),
        links=links,
        events=EventIntake(
            database,
            shop.vault,
            config,
            now,
            purposes,
        ),
        event_links=EventLinks(secret, base_url, now),
        visits=Visits(database, links),
        revocations=revocations,
        codes=codes,
        door=Door(config, workspace.tables, database, shop.vault, now),
        audit_log=AuditLog(database, now),
        watch=watch,
        calls=Watch([] if courier is None else [courier.look]),
        audiences=audiences,
        targets=Targets.of(shop),
        queue=Queue(database, now),
        words=words,
        assortment=live.assortment,
        health=health_of(shop, registry, live),
        asking=partial(Asking.of, secret),
        answering=live.answering,
    )


def patience_of(settings: Settings) -> Patience:
    """How long the service waits for its database: less long than its callers wait."""
    seconds = settings.database_seconds
    connections = 2 * settings.threads + BESIDE_THREADS
    return Patience(seconds, seconds, settings.answer_seconds, connections)


def health_of(shop: Shop, registry: Registry, live: _Live) -> Health:
    """What has to work for the service to be ready."""
    holds = CatalogWatch(shop.workspace).holds

    def check_catalog() -> None:
        if not holds():
            raise NotReady("sayso.toml cannot be read. Mend it.")

    def check_workspace() -> None:
        if found := faults_of_data(shop.workspace, shop.database):
            raise NotReady(found[0])

    def check_models() -> None:
        for champion in (live.churn, live.next_purchase):
            if champion.current is None and registry.by_alias(champion.name, CHAMPION):
                raise NotReady(f"The champion of {champion.name} cannot be loaded.")

    checks: dict[str, Check] = {
        "catalog": check_catalog,
        "keys": partial(check_keys, shop.workspace),
        "disk": partial(check_disk, shop.workspace),
        "database": partial(check_database, shop.database),
        "workspace": check_workspace,
        "model": check_models,
    }

    def check_age() -> None:
        check_data(live.assortment.old_record())

    return Health(checks, {"data": check_age})
