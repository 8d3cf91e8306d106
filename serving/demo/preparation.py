"""Bringing a workspace to the point where it answers: each step is done only if it was not done
before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from experiments.promotion.gates import judge
from experiments.promotion.rollout import PromotionRefused, promote
from experiments.training.registry import task
from experiments.training.train import train
from features.config.environment import Settings
from features.consent.simulated import simulated_consents
from features.errors import TrainingError
from features.intake.bundled import bundled_file
from features.intake.ingest import ingest
from features.intake.setup.new_workspace import create
from features.progress import Progress, part_of
from features.shop.online import refresh_online
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.registry import CHAMPION, Version
from models.tracking import Tracking

SEED = 7
SHARES: Mapping[str, tuple[float, float]] = {
    "churn": (0.2, 0.45),
    "next_purchase": (0.45, 0.95),
}
"""The models that the demo shows, and from where to where in its progress each is trained."""


@dataclass(frozen=True)
class Prepared:
    """A workspace that answers, and its champions by model; `refused` says of a model that has
    none why.
    """

    shop: Shop
    champions: Mapping[str, Version]
    refused: Mapping[str, str] = field(default_factory=dict)


def prepare_demo(root: Path, settings: Settings, progress: Progress) -> Prepared:
    """The bundled shop in `root` with simulated consents and both models promoted; what is there
    already stays.
    """
    if not (root / "sayso.toml").is_file():
        progress("recognising the columns of the bundled orders", 0.0)
        create(root, [bundled_file()], shop="Online Retail")
    shop = Shop(Workspace.open(root, settings))
    if not shop.warehouse.filled:
        progress("loading and cleaning the orders", 0.05)
        ingest(shop.workspace, shop.database)
    _simulate(shop, progress)
    tracking = Tracking.of(shop.workspace, shop.database)
    champions = {
        name: _champion(shop, tracking, name, part_of(progress, *share))
        for name, share in SHARES.items()
    }
    return Prepared(shop, champions)


def prepare_trial(shop: Shop, progress: Progress) -> Prepared:
    """A shop of one's own, loaded before, with simulated consents and those models promoted that
    pass their gates.
    """
    _simulate(shop, progress)
    tracking = Tracking.of(shop.workspace, shop.database)
    champions, refused = dict[str, Version](), dict[str, str]()
    for name, share in SHARES.items():
        try:
            champions[name] = _champion(shop, tracking, name, part_of(progress, *share))
        except (PromotionRefused, TrainingError) as error:
            refused[name] = str(error)
    return Prepared(shop, champions, refused)


def _simulate(shop: Shop, progress: Progress) -> None:
    """Consents of a made-up kind for all customers, where there are none yet."""
    if shop.ledger.position():
        return
    progress("simulating consents", 0.1)
    shop.ledger.append_all(
        simulated_consents(shop.config.catalog, sorted(shop.customers.all().values()), SEED)
    )
    progress("making online features", 0.15)
    refresh_online(shop)


def _champion(shop: Shop, tracking: Tracking, model: str, progress: Progress) -> Version:
    standing = tracking.by_alias(model, CHAMPION)
    if standing is not None:
        return standing
    train(task(model), shop, tracking, progress)
    challenger, results = judge(shop, tracking, model)
    promote(tracking, challenger, results, shop.clock())
    return challenger
