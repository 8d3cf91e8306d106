"""What happens in the holdout has no influence on the model that is judged there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path

import pandas as pd
import pytest

import experiments.training.churn
import experiments.training.next_purchase
from features.intake.ingest import ingest
from features.intake.setup.new_workspace import create
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.churn.training import fit_churn
from models.next_purchase.ranker import fit_next_purchase
from models.registry import Version
from models.tracking import Run
from tests.serving_shop import CHURN, NEXT_PURCHASE, said, write_lines

pytestmark = pytest.mark.early

HOLDOUT_DAYS = {"churn": 90, "next_purchase": 30}


class Unregistered:
    """Takes a run and registers nothing."""

    def by_alias(self, _model: str, _alias: str) -> None:
        """There is no version."""

    def record(self, run: Run) -> Version:
        """The run as a version that nobody will find."""
        return Version(run.model, "0", "0", pd.Timestamp(0).to_pydatetime(), run.metrics, run.tags)


def judged_model(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    change: Callable[[pd.DataFrame], pd.DataFrame],
) -> str:
    """Text of the model that is judged on the holdout, of the shop whose orders within the holdout
    went through `change`.
    """
    numbers = count(1)
    monkeypatch.setattr(
        "features.customers.pseudonyms.secrets.randbits", lambda _bits: next(numbers)
    )  # the order of rows is theirs
    file = write_lines(folder / "orders.csv")
    lines = pd.read_csv(file)
    moments = pd.to_datetime(lines["ordered_at"])
    begin = moments.max().normalize() + pd.Timedelta(days=1) - timedelta(days=HOLDOUT_DAYS[model])
    inside = moments >= begin
    assert inside.sum() > 200
    pd.concat([lines[~inside], change(lines[inside].copy())]).to_csv(file, index=False)
    create(folder / "mugs", [file])
    shop = Shop(Workspace.open(folder / "mugs"))
    ingest(shop.workspace, shop.database)
    shop.ledger.append_all(said(shop))
    fitted = []
    module, name, fit = {
        "churn": (experiments.training.churn, "fit_churn", fit_churn),
        "next_purchase": (
            experiments.training.next_purchase,
            "fit_next_purchase",
            fit_next_purchase,
        ),
    }[model]

    def noted(*given: object) -> object:
        fitted.append(fit(*given))
        return fitted[-1]

    monkeypatch.setattr(module, name, noted)
    if model == "churn":
        experiments.training.churn.train_churn(shop, Unregistered(), settings=CHURN)
    else:
        experiments.training.next_purchase.train_next_purchase(
            shop, Unregistered(), settings=NEXT_PURCHASE
        )
    shop.database.close()
    tried, final = (one.booster.model_to_string() for one in fitted)
    assert tried != final
    return tried


def poisoned(part: pd.DataFrame) -> pd.DataFrame:
    """Other products, prices and quantities, and a third of the orders gone; the last day stays
    what it was.
    """
    changed = part.assign(product_id="p59", quantity=1_000, unit_price=999.0, title="Poison")
    kept = changed["order_id"].str[-1].isin(list("0123456")) | (
        part["ordered_at"] == part["ordered_at"].max()
    )
    return changed[kept]


@pytest.mark.parametrize("model", HOLDOUT_DAYS)
def test_poisoning_the_holdout_leaves_the_judged_model_as_it_was(tmp_path, monkeypatch, model):
    """The model that is judged is byte for byte the same whatever was ordered within the
    holdout.
    """
    texts = []
    for name, change in (("clean", lambda part: part), ("poisoned", poisoned)):
        (tmp_path / name).mkdir()
        with monkeypatch.context() as patch:
            texts.append(judged_model(tmp_path / name, patch, model, change))
    assert texts[0] == texts[1]
