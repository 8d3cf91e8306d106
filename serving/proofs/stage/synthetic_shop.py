"""The workspace of a drawn world, which nothing but the selftest that made it touches."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from experiments.training.churn import train_churn
from experiments.training.next_purchase import train_next_purchase
from features.config.environment import Settings
from features.definitions.feature import ModelName
from features.intake.ingest import ingest
from features.intake.setup.new_workspace import create
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.churn.settings import ChurnSettings
from models.next_purchase.ranker import NextPurchaseSettings
from models.tracking import Tracking, Version
from serving.proofs.stage.synthetic_orders import draw_world

MODELS: tuple[ModelName, ...] = get_args(ModelName)
CHURN = ChurnSettings(most_trees=75, rows_per_leaf=20, outlook_trees=40, threads=1)
NEXT_PURCHASE = NextPurchaseSettings(trees=60, rows_per_leaf=20, threads=1)


def make_shop(folder: Path, seed: int, customers: int) -> Shop:
    """A shop whose source is a drawn world, loaded; nobody has agreed to anything yet."""
    create(folder / "shop", [draw_world(seed, customers).write(folder / "orders.csv")])
    shop = open_shop(folder / "shop")
    ingest(shop.workspace, shop.database)
    return shop


def open_shop(root: Path) -> Shop:
    """The shop in `root` with everything of it there, whatever the environment says."""
    database, mlflow = (f"sqlite:///{root / name}" for name in ("sayso.db", "mlflow.db"))
    return Shop(
        Workspace.open(root, Settings(workspace=root, database_url=database, mlflow_uri=mlflow))
    )


def train(shop: Shop, tracking: Tracking, model: ModelName) -> Version:
    """A small model, trained the way every model is."""
    if model == "churn":
        return train_churn(shop, tracking, settings=CHURN).version
    return train_next_purchase(shop, tracking, settings=NEXT_PURCHASE).version


def promote_both(shop: Shop) -> None:
    """Train both models and make them champions, whatever their quality: a shop this small proves
    nothing of that.
    """
    tracking = Tracking.of(shop.workspace)
    for model in MODELS:
        tracking.promote(train(shop, tracking, model), {})
