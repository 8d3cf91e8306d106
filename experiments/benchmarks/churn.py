"""Sayso's churn model beside its peers: the class, features and settings of `sayso train churn` on
data that anybody can check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from experiments.benchmarks.peers.bg_nbd import BgNbd
from experiments.benchmarks.peers.order_models import order_model_peer
from experiments.benchmarks.peers.scores import logistic_rfm_peer, recency_peer
from experiments.benchmarks.peers.tables import (
    boosting_machine_peer,
    logistic_peer,
    random_forest_peer,
)
from experiments.trials.churn_trial import ChurnTrial, split_history
from experiments.trials.paired_bootstrap import PairedBootstrap, interval
from features.catalog import Catalog
from features.definitions.definition import ShopFacts
from features.definitions.frames import features_for, reads_of
from features.errors import TrainingError
from features.intake.public_orders import known_until, public_catalog, public_gate
from features.progress import Progress, silent
from features.warehouse.fields import AMOUNT, ORDERED_AT
from features.warehouse.gate import Gate
from models.arrays import Floats
from models.churn.settings import ChurnSettings, ChurnTask
from models.churn.training import fit_churn
from models.masking import Masking
from models.metrics import churn_metrics
from models.repeat_orders.pareto_nbd import ParetoNbd

Peer = Callable[[ChurnTrial], Floats]
PEERS: Mapping[str, Peer] = {
    "recency": recency_peer,
    "logistic_rfm": logistic_rfm_peer,
    "logistic": logistic_peer,
    "bg_nbd": partial(order_model_peer, BgNbd),
    "pareto_nbd": partial(order_model_peer, ParetoNbd),
    "random_forest": random_forest_peer,
    "ebm": boosting_machine_peer,
}
SEED = 7
PURPOSE = "churn_prediction"
GIVEN = (ORDERED_AT, AMOUNT)
"""The fields that a table of public orders fills."""


def public_task(horizon_days: int) -> ChurnTask:
    """What to learn of public orders: from every churn feature that times and amounts suffice
    for.
    """
    catalog = _catalog()
    features = features_for(catalog, "churn", PURPOSE)
    masking = Masking.of(
        [catalog.categories_of(reads_of(name)) for name in features], catalog.askable(PURPOSE)
    )
    return ChurnTask(
        features,
        masking,
        {name: catalog.category_of(reads_of(name)) for name in features},
        horizon_days,
    )


def churn_gate(orders: pd.DataFrame) -> Gate:
    """The gate to public orders (customer, ordered_at, amount), through which everybody's times and
    amounts may be seen.
    """
    return public_gate(orders, _catalog(), PURPOSE)


def _catalog() -> Catalog:
    return public_catalog(PURPOSE, GIVEN)


def public_trial(orders: pd.DataFrame, horizon_days: int) -> ChurnTrial:
    """The newest horizon of `orders` (customer, ordered_at, amount) to be judged on, and all that
    was known before it.

    Raises `TrainingError` where the history is too short, or of too few customers.
    """
    task = public_task(horizon_days)
    return split_history(churn_gate(orders), task, known_until(orders), ShopFacts()).trial(task)


def compare(
    trials: Sequence[ChurnTrial],
    progress: Progress = silent,
    settings: ChurnSettings | None = None,
    peers: Mapping[str, Peer] = PEERS,
) -> dict[str, Any]:
    """Every method fitted on each trial and judged on the judged rows of all: the report of `sayso
    benchmark churn --json`.

    `differences` hold Sayso minus the peer, with 95% intervals of a paired bootstrap. Raises
    `TrainingError` where Sayso itself cannot be trained; a peer that cannot be is an `error` in the
    report.
    """
    labels = np.concatenate([trial.judged.labels for trial in trials])
    bootstrap = PairedBootstrap(labels, SEED)
    progress("sayso", 0.0)
    ours = np.concatenate([_sayso(trial, settings or ChurnSettings()) for trial in trials])
    drawn = bootstrap.metrics(ours)
    methods: dict[str, Any] = {"sayso": churn_metrics(labels, ours)}
    differences: dict[str, Any] = {}
    for position, (name, peer) in enumerate(peers.items(), start=1):
        progress(name, position / (len(peers) + 1))
        try:
            theirs = np.concatenate([peer(trial) for trial in trials])
            methods[name] = churn_metrics(labels, theirs)
        except (TrainingError, ValueError, np.linalg.LinAlgError) as error:
            methods[name] = differences[name] = {"error": str(error)}
            continue
        differences[name] = {
            metric: interval(drawn[metric] - draws)
            for metric, draws in bootstrap.metrics(theirs).items()
        }
    return {
        "customers": len(labels),
        "base_rate": float(labels.mean()),
        "methods": methods,
        "differences": differences,
    }


def _sayso(trial: ChurnTrial, settings: ChurnSettings) -> Floats:
    return fit_churn(trial.known, trial.task, settings, trial.today).probability(
        trial.judged.features
    )
