"""Looking for better settings than the defaults: Optuna, judged ahead of time within the past; the
defaults are tried first.

What is found is therefore never worse than the defaults where it was looked for, and the newest
horizon, by which a version is judged, had no say in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import optuna

from features.errors import TrainingError
from features.progress import Progress, silent


@dataclass(frozen=True)
class Range:
    """Values from `low` to `high` that a setting may take: whole numbers where both are; as ratios,
    not distances, with `log`.
    """

    low: float
    high: float
    log: bool = False

    def reaching(self, value: float) -> Range:
        """The range, reaching as far as `value` where that lies beyond it."""
        return replace(self, low=min(self.low, value), high=max(self.high, value))

    def suggested(self, trial: optuna.Trial, name: str) -> float:
        """The value to try."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, log=self.log)
        return trial.suggest_float(name, self.low, self.high, log=self.log)


CHURN_SPACE: Mapping[str, Range] = {
    "leaves": Range(3, 15),
    "learning_rate": Range(0.01, 0.1, log=True),
    "rows_per_leaf": Range(20, 500, log=True),
    "smoothing": Range(1.0, 500.0, log=True),
    "l2": Range(0.1, 50.0, log=True),
    "feature_share": Range(0.3, 1.0),
}
NEXT_PURCHASE_SPACE: Mapping[str, Range] = {
    "leaves": Range(7, 31),
    "learning_rate": Range(0.03, 0.15, log=True),
    "trees": Range(80, 300),
    "rows_per_leaf": Range(50, 500, log=True),
    "l2": Range(0.1, 50.0, log=True),
    "feature_share": Range(0.3, 1.0),
    "truncation": Range(10, 40),
}


@dataclass(frozen=True)
class Tried:
    """One attempt: what was tried, and its loss ahead of time (smaller is better)."""

    parameters: Mapping[str, float]
    loss: float


Settings = TypeVar("Settings")


def tuned(
    settings: Settings,
    space: Mapping[str, Range],
    loss: Callable[[Settings], float],
    trials: int,
    progress: Progress = silent,
) -> tuple[Settings, tuple[Tried, ...]]:
    """The settings with the least `loss` among `trials` attempts, and all attempts in order;
    `settings` themselves come first.

    Tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011), seeded: the same data gives
    the same attempts. An attempt that cannot be trained is passed over; raises `TrainingError`
    where not even the first can be.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    everything: dict[str, Any] = asdict(settings)  # type: ignore[call-overload]  # a dataclass
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=everything["seed"]))
    stated = {name: value for name, value in everything.items() if name in space}
    study.enqueue_trial(stated)

    def judged(trial: optuna.Trial) -> float:
        progress(
            f"looking for better settings, {trial.number + 1} of {trials}", trial.number / trials
        )
        chosen: dict[str, Any] = {
            name: possible.reaching(stated[name]).suggested(trial, name)
            for name, possible in space.items()
        }
        try:
            return loss(replace(settings, **chosen))  # type: ignore[type-var]  # as above
        except TrainingError as error:
            if trial.number == 0:
                raise
            raise optuna.TrialPruned from error

    study.optimize(judged, n_trials=trials)
    tried = tuple(
        Tried(trial.params, trial.value) for trial in study.trials if trial.value is not None
    )
    return replace(settings, **study.best_params), tried  # type: ignore[type-var]  # as above
