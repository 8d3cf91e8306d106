"""The made-up shop of any size: what its orders are, what a training on it takes, and how right its
answers are.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from experiments.audits.consent_patterns import patterns
from experiments.benchmarks.churn import public_trial
from experiments.benchmarks.labelled_customers import folds
from experiments.benchmarks.scale import PROCESS, measured, scales
from features.errors import TrainingError
from features.synthetic.orders import draw_orders
from models.churn.model import ChurnModel
from models.churn.rows import ChurnRows
from models.churn.settings import ChurnSettings
from models.churn.training import fit_churn
from models.metrics import churn_metrics
from serving.cli import command_line

QUICK = ChurnSettings(
    learning_rate=0.1,
    most_trees=50,
    rows_per_leaf=40,
    taught_trees=50,
    masked_rows=10_000,
    threads=1,
)
PROMISED = 0.02


def test_every_customer_orders_within_the_record() -> None:
    """Each customer has a first order, none lies outside the record, and the same seed makes the
    same orders.
    """
    orders = draw_orders(PROCESS, 500, 200)
    assert orders["customer"].nunique() == 500
    assert orders["ordered_at"].is_monotonic_increasing
    assert (orders["ordered_at"].max() - orders["ordered_at"].min()).days < 200
    assert (orders["amount"] > 0).all()
    assert orders.equals(draw_orders(PROCESS, 500, 200))
    assert not orders.equals(draw_orders(PROCESS, 500, 200, seed=8))


@pytest.mark.slow
def test_a_size_is_measured_on_the_path_that_trains() -> None:
    """Rows are made at as many moments as asked for and trained on; the seconds are those of the
    clock.
    """
    ticks = iter([10.0, 13.0, 20.0])
    found = measured(1_500, 4, settings=QUICK, clock=lambda: next(ticks))
    assert (found.customers, found.moments) == (1_500, 4)
    assert (found.feature_seconds, found.training_seconds, found.seconds) == (3.0, 7.0, 10.0)
    assert found.rows > found.customers
    assert found.auc > 0.6
    assert found.peak_rss_mb > 100


def test_too_small_a_shop_is_said() -> None:
    """A tenth of a few customers is too few to learn from, and the error says how many are
    needed.
    """
    with pytest.raises(TrainingError, match="50 are needed"):
        scales(200, 4, settings=QUICK)


@pytest.mark.slow
def test_the_command_tells_both_sizes() -> None:
    """`sayso benchmark scale --json` has the seconds of a tenth and of the whole, and their
    ratio.
    """
    said = CliRunner().invoke(
        command_line(), ["benchmark", "scale", "--customers", "4000", "--moments", "4", "--json"]
    )
    report = json.loads(said.stdout)
    assert report["ratio"] == pytest.approx(report["whole"]["seconds"] / report["tenth"]["seconds"])
    assert report["whole"]["rows"] > 5 * report["tenth"]["rows"]


def calibration_errors(model: ChurnModel, judged: ChurnRows) -> dict[str, float]:
    """Of the judged rows, by what is withheld."""
    return {
        pattern or "all": churn_metrics(
            judged.labels, model.probability(model.masking.allow(judged.features, granted))
        )["ece"]
        for pattern, granted in patterns(model.masking.categories).items()
    }


@pytest.mark.slow
def test_answers_for_other_customers_are_calibrated_whatever_is_withheld() -> None:
    """Customers of one moment, half of them learnt from: of the others forecasts are as exact as
    promised under every pattern.
    """
    trial = public_trial(draw_orders(PROCESS, 40_000, 300), 90)
    (known, judged), _ = folds(trial.judged, 2, seed=7)
    assert np.unique(judged.as_of).size == 1
    errors = calibration_errors(fit_churn(known, trial.task, ChurnSettings()), judged)
    print({name: round(error, 4) for name, error in errors.items()}, f"of {len(judged.labels):,}")  # noqa: T201 - a figure of docs
    assert max(errors.values()) <= PROMISED


@pytest.mark.slow
@pytest.mark.parametrize("days", [450, 600])
def test_answers_ahead_of_time_are_calibrated_whatever_is_withheld(days: int) -> None:
    """Where customers stay as they are but grow older, forecasts of the next horizon are as exact
    as promised under every pattern.
    """
    trial = public_trial(draw_orders(PROCESS, 20_000, days), 90)
    errors = calibration_errors(
        fit_churn(trial.known, trial.task, ChurnSettings(), trial.today), trial.judged
    )
    print(  # noqa: T201
        {name: round(error, 4) for name, error in errors.items()},
        f"of {len(trial.judged.labels):,}",
    )
    assert trial.judged.labels.mean() > trial.known.labels.mean() + 0.05
    assert max(errors.values()) <= PROMISED
