"""The workspace of a made-up shop, which nothing but the selftest that made it touches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args

from experiments.training.registry import task
from experiments.training.train import train as train_task
from features.config.environment import Settings
from features.definitions.feature import ModelName
from features.intake.ingest import ingest
from features.intake.setup.new_workspace import create
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from features.synthetic.presets import PROVED
from features.synthetic.shop import Preset, SyntheticShop
from models.churn.settings import ChurnSettings
from models.next_purchase.ranker import NextPurchaseSettings
from models.registry import Version
from models.tracking import Tracking

MODELS: tuple[ModelName, ...] = get_args(ModelName)
CHURN = ChurnSettings(most_trees=75, rows_per_leaf=20, outlook_trees=40, threads=1)
NEXT_PURCHASE = NextPurchaseSettings(trees=60, rows_per_leaf=20, threads=1)
SETTINGS: Mapping[ModelName, object] = {"churn": CHURN, "next_purchase": NEXT_PURCHASE}


def draw_shop(seed: int, customers: int, preset: Preset = PROVED) -> SyntheticShop:
    """What a made-up shop of so many customers recorded."""
    return replace(preset, customers=customers).draw(seed)


def make_shop(
    folder: Path,
    seed: int,
    customers: int,
    database_url: str | None = None,
    preset: Preset = PROVED,
) -> Shop:
    """The workspace of a made-up shop, loaded, with its database where `database_url` says; nobody
    has agreed to anything yet.
    """
    create(folder / "shop", draw_shop(seed, customers, preset).write_all(folder))
    shop = open_shop(folder / "shop", database_url)
    ingest(shop.workspace, shop.database)
    return shop


def workspace_in(root: Path, database_url: str | None = None) -> Workspace:
    """The workspace in `root` with everything of it there, but for its database where another is
    named, whatever the environment says.
    """
    database, mlflow = (f"sqlite:///{root / name}" for name in ("sayso.db", "mlflow.db"))
    database = database_url or database
    return Workspace.open(root, Settings(workspace=root, database_url=database, mlflow_uri=mlflow))


def open_shop(root: Path, database_url: str | None = None) -> Shop:
    """The shop of that workspace."""
    return Shop(workspace_in(root, database_url))


def train(shop: Shop, tracking: Tracking, model: ModelName) -> Version:
    """A small model, trained the way every model is."""
    return train_task(task(model), shop, tracking, settings=SETTINGS[model]).version


def promote_both(shop: Shop) -> None:
    """Train both models and make them champions, whatever their quality: a shop this small proves
    nothing of that.
    """
    tracking = Tracking.of(shop.workspace, shop.database)
    for model in MODELS:
        tracking.promote(train(shop, tracking, model), {})
