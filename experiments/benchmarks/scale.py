"""How training grows with the shop: seconds and memory for features and for the churn model, on
made-up shops of two sizes.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from experiments.benchmarks.churn import churn_gate, public_task
from experiments.trials.churn_trial import split_history
from features.definitions.definition import ShopFacts
from features.intake.public_orders import known_until
from features.progress import Progress, part_of, silent
from features.synthetic.order_days import AtRandom
from features.synthetic.orders import draw_orders
from models.churn.rows import MOMENTS_PER_HORIZON
from models.churn.settings import FEWEST_CUSTOMERS, ChurnSettings
from models.churn.training import fit_churn
from models.metrics import churn_metrics

HORIZON_DAYS = 90
PROCESS = AtRandom(on_first_day=FEWEST_CUSTOMERS)
"""As many customers as anything is learnt from come on the first day, so that the record begins
there.
"""
SMALLER = 10
"""The smaller shop has a tenth of the customers."""
UNIT = 1_024 if sys.platform == "darwin" else 1
"""Systems disagree in what they count the memory of a process."""
Clock = Callable[[], float]


@dataclass(frozen=True)
class Scale:
    """What one size took: `moments` with rows of features, the newest to judge by; memory is the
    most the process ever had.
    """

    customers: int
    moments: int
    orders: int
    rows: int
    feature_seconds: float
    training_seconds: float
    peak_rss_mb: float
    auc: float
    ece: float
    ece_by_chance: float

    @property
    def seconds(self) -> float:
        """Features and training together."""
        return self.feature_seconds + self.training_seconds


def scales(
    customers: int, moments: int, progress: Progress = silent, settings: ChurnSettings | None = None
) -> dict[str, Any]:
    """A shop of a tenth of the customers and the whole one: the report of `sayso benchmark scale
    --json`.

    Raises `TrainingError` where these are too few customers or moments to learn from.
    """
    tenth = measured(customers // SMALLER, moments, part_of(progress, 0.0, 0.1), settings)
    whole = measured(customers, moments, part_of(progress, 0.1, 1.0), settings)
    return {
        "tenth": {**asdict(tenth), "seconds": tenth.seconds},
        "whole": {**asdict(whole), "seconds": whole.seconds},
    }


def measured(
    customers: int,
    moments: int,
    progress: Progress = silent,
    settings: ChurnSettings | None = None,
    clock: Clock = time.perf_counter,
) -> Scale:
    """Make features at so many moments and train as `sayso train churn` does: on the past, then
    anew on everything.
    """
    # There are enough customers within the first day.
    days = 2 * HORIZON_DAYS + (moments - 1) * HORIZON_DAYS // MOMENTS_PER_HORIZON + 1
    progress(f"making up {customers:,} customers", 0.0)
    orders, task = draw_orders(PROCESS, customers, days), public_task(HORIZON_DAYS)
    settings = settings or ChurnSettings()
    gate = churn_gate(orders)
    progress(f"making features of {customers:,} customers at {moments} moments", 0.1)
    begun = clock()
    history = split_history(gate, task, known_until(orders), ShopFacts())
    made = clock()
    progress(f"training on {len(history.everything.labels):,} rows", 0.4)
    trial = history.trial(task)
    judged = fit_churn(trial.known, task, settings, trial.today)
    forecast = judged.probability(trial.judged.features)
    fit_churn(history.everything, task, settings, history.today)
    trained = clock()
    metrics = churn_metrics(trial.judged.labels, forecast)
    return Scale(
        customers=customers,
        moments=history.moments,
        orders=len(orders),
        rows=len(history.everything.labels),
        feature_seconds=made - begun,
        training_seconds=trained - made,
        peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / UNIT / 1_024,
        auc=metrics["auc"],
        ece=metrics["ece"],
        ece_by_chance=metrics["ece_by_chance"],
    )
