"""Training the churn model.

What a customer does next changes slowly along each feature and wildly between neighbours, so each leaf leans on its parent the
more, the fewer rows it has (path smoothing), and the trees are small and many.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import lightgbm
import numpy as np

from features.errors import TrainingError
from models.calibration import Calibrator, best_slope, loss_within_periods, shift_to
from models.churn import ChurnModel
from models.churn_rows import ChurnRows
from models.masking import Floats, Masking
from models.outlook import Outlook, fit_outlook
from models.precision import rounded

RISES = dict.fromkeys(("days_since_last_order", "wait_as_share_of_time_known"), 1)
FALLS = dict.fromkeys(
    (
        "orders",
        "order_days",
        "order_days_last_30_days",
        "order_days_last_90_days",
        "order_days_fading_over_30_days",
        "order_days_fading_over_90_days",
        "order_days_fading_over_270_days",
        "products",
        "items",
        "total_spent",
        "spent_last_90_days",
        "spent_fading_over_90_days",
        "spent_fading_over_270_days",
    ),
    -1,
)
DIRECTIONS = RISES | FALLS
"""Which way churn moves with a feature where common sense knows; the trees may not contradict it."""

SIGNS = {"binary": 1, "poisson": -1, "tweedie": -1, "regression": 0}
"""Orders and their value move against churn; when the next order comes follows no such rule."""

Forecast = tuple[Floats, Floats]
FEWEST_CUSTOMERS = 50
FOLDS = 3


@dataclass(frozen=True)
class ChurnSettings:
    """How the churn model is trained."""

    leaves: int = 7
    learning_rate: float = 0.03
    most_trees: int = 500
    tree_step: int = 25
    rows_per_leaf: int = 200
    smoothing: float = 200.0
    l2: float = 10.0
    feature_share: float = 0.6
    masked_copies: int = 2
    masked_weight: float = 0.5
    most_rows: int = 100_000
    most_judged: int = 50_000
    outlook_trees: int = 150
    seed: int = 7
    threads: int = 2


@dataclass(frozen=True)
class ChurnTask:
    """What to learn: from which `features`, under which `masking`, over which horizon (0 where a label says who left)."""

    features: tuple[str, ...]
    masking: Masking
    category_of: Mapping[str, str]
    horizon_days: int


def fit_churn(rows: ChurnRows, task: ChurnTask, settings: ChurnSettings) -> ChurnModel:
    """Train on `rows`; the number of trees and the calibration come from predictions made ahead of time within them.

    Raises `TrainingError` where the rows hold one class only or too few customers.
    """
    require_enough(len(rows.labels))
    _require_both_outcomes(rows)
    _require_differences(rows, task)
    model = fit_size(rows, task, settings, *_tune(rows, task, settings))
    return replace(model, outlook=_outlook(_enough(rows, settings.most_rows, np.random.default_rng(settings.seed)), task, settings))


def fit_size(rows: ChurnRows, task: ChurnTask, settings: ChurnSettings, trees: int, slope: float) -> ChurnModel:
    """The same with so many trees, this slope and no outlook; the level is that of the rows as they are, whatever their emphasis."""
    rows = _enough(rows, settings.most_rows, np.random.default_rng(settings.seed))
    booster = _boost(rows, task, settings, trees)
    raw = slope * np.asarray(booster.predict(rounded(rows.features), raw_score=True))
    weights = replace(rows, emphasis=None).weights
    calibrator = Calibrator(slope, shift_to(raw, float(np.average(rows.labels, weights=weights)), weights))
    return ChurnModel(booster, calibrator, task.features, task.masking, task.category_of, task.horizon_days)


def require_enough(customers: int) -> None:
    """Raises `TrainingError` for fewer customers than anything can be learnt from."""
    if customers < FEWEST_CUSTOMERS:
        raise TrainingError(
            f"only {customers} customers to learn churn from, and {FEWEST_CUSTOMERS} are needed: customers who allow their order "
            "times to be used, with an order before and a whole horizon after a moment. Load more history, ask more customers, or shorten "
            "`horizon_days` in sayso.toml."
        )


def _require_both_outcomes(rows: ChurnRows) -> None:
    if len(np.unique(rows.labels)) < 2:
        said = "every customer left" if rows.labels[:1].any() else "no customer left"
        raise TrainingError(f"within the horizon {said}, so there is nothing to tell apart; choose another horizon, or another label")


def _require_differences(rows: ChurnRows, task: ChurnTask) -> None:
    known = ~np.isnan(rows.features)
    lowest, highest = (edge(rows.features, axis=0, initial=start, where=known) for edge, start in ((np.min, np.inf), (np.max, -np.inf)))
    if not (lowest < highest).any():
        raise TrainingError(
            f"every feature has the same value for all customers ({', '.join(task.features[:5])}), so nothing tells them apart; list more "
            "features in sayso.toml, or look whether the columns they are made of were loaded as they should"
        )


def foretold_loss(rows: ChurnRows, task: ChurnTask, settings: ChurnSettings) -> float:
    """Log loss of forecasts made ahead of time within `rows`, with as many trees as do best: by this, settings are compared.

    Raises `TrainingError` where the history is too short to try anything.
    """
    losses, _ = _foretold(rows, task, settings)
    if not losses:
        raise TrainingError("the history is too short to try settings on: nothing could be foretold and then seen. Load more history.")
    return min(losses)


def _tune(rows: ChurnRows, task: ChurnTask, settings: ChurnSettings) -> tuple[int, float]:
    """Trees and slope that predict best for rows not learnt from; moderate ones where there are too few to try."""
    losses, by_size = _foretold(rows, task, settings)
    if not losses:
        return settings.most_trees // 3, 1.0
    best = int(np.argmin(losses))
    return (best + 1) * settings.tree_step, best_slope(by_size[best])


def _foretold(rows: ChurnRows, task: ChurnTask, settings: ChurnSettings) -> tuple[list[float], list[Sequence[Forecast]]]:
    """For more and more trees: the loss ahead of time, and the forecasts (raw scores, labels) that it comes from, one a trial."""
    generator = np.random.default_rng(settings.seed)
    tries = []
    for learnt, met in trials(rows, task.horizon_days, settings.seed):
        judged = _enough(met, settings.most_judged, generator)
        booster = _boost(_enough(learnt, settings.most_rows, generator), task, settings, settings.most_trees)
        tries.append([(raw, judged.labels) for raw in _growing(booster, judged, settings)])
    by_size: list[Sequence[Forecast]] = list(zip(*tries, strict=True))
    return [loss_within_periods(1.0, periods) for periods in by_size], by_size


def _growing(booster: lightgbm.Booster, rows: ChurnRows, settings: ChurnSettings) -> Iterator[Floats]:
    """Raw scores (rows,) by the first trees, in steps of more and more of them."""
    features, raw = rounded(rows.features), np.zeros(len(rows.labels))
    for begin in range(0, settings.most_trees, settings.tree_step):
        raw = raw + booster.predict(features, raw_score=True, start_iteration=begin, num_iteration=settings.tree_step)
        yield raw


def trials(rows: ChurnRows, horizon_days: int, seed: int) -> Iterator[tuple[ChurnRows, ChurnRows]]:
    """Pairs (rows to learn from, rows to judge by): in time order, or by customers where all rows are of one moment."""
    pairs = _ahead_of_time(rows, horizon_days) if len(np.unique(rows.as_of)) > 1 else _by_customers(rows, seed)
    for learnt, judged in pairs:
        if min(len(np.unique(learnt.labels)), len(np.unique(judged.labels))) == 2 and len(learnt.labels) >= FEWEST_CUSTOMERS:
            yield learnt, judged


def _ahead_of_time(rows: ChurnRows, horizon_days: int, most: int = 3) -> Iterator[tuple[ChurnRows, ChurnRows]]:
    """What was known by a moment, and what came after it, at the newest moments."""
    horizon = np.timedelta64(horizon_days, "D")
    for moment in np.unique(rows.as_of)[::-1][:most]:
        yield rows.at(rows.as_of + horizon <= moment), rows.at(rows.as_of == moment)


def _by_customers(rows: ChurnRows, seed: int) -> Iterator[tuple[ChurnRows, ChurnRows]]:
    """Each third of the rows judged by the other two."""
    fold = np.random.default_rng(seed).permutation(len(rows.labels)) % FOLDS
    for part in range(FOLDS):
        yield rows.at(fold != part), rows.at(fold == part)


def _boost(
    rows: ChurnRows, task: ChurnTask, settings: ChurnSettings, trees: int, objective: str = "binary", target: Floats | None = None
) -> lightgbm.Booster:
    """Boost on the rows and on copies of them with categories withheld; `target` (rows,) is the label unless another is given."""
    wanted = rows.labels if target is None else target
    known = np.isfinite(wanted)
    rows, wanted = rows.at(known), wanted[known]
    generator = np.random.default_rng(settings.seed)
    copies = [task.masking.withhold(rows.features, task.masking.draw(len(wanted), generator)) for _ in range(settings.masked_copies)]
    data = lightgbm.Dataset(
        np.vstack([rounded(part) for part in (rows.features, *copies)]),
        np.tile(wanted, 1 + len(copies)),
        weight=np.concatenate([rows.weights, *[settings.masked_weight * rows.weights] * settings.masked_copies]),
        feature_name=list(task.features),
        params={"verbose": -1},
    )
    return lightgbm.train(_parameters(task.features, settings, objective), data, num_boost_round=trees)


def _outlook(rows: ChurnRows, task: ChurnTask, settings: ChurnSettings) -> Outlook | None:
    if rows.futures is None:
        return None
    return fit_outlook(
        rows.futures, task.horizon_days, lambda objective, target: _boost(rows, task, settings, settings.outlook_trees, objective, target)
    )


def _enough(rows: ChurnRows, most: int, generator: np.random.Generator) -> ChurnRows:
    """All rows, or `most` of them drawn at random: more than that cost time and teach nothing."""
    if len(rows.labels) <= most:
        return rows
    chosen = np.zeros(len(rows.labels), dtype=bool)
    chosen[generator.choice(len(rows.labels), most, replace=False)] = True
    return rows.at(chosen)


def _parameters(features: tuple[str, ...], settings: ChurnSettings, objective: str) -> dict[str, object]:
    return {
        "objective": objective,
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        "min_data_in_leaf": settings.rows_per_leaf,
        "path_smooth": settings.smoothing,
        "lambda_l2": settings.l2,
        "feature_fraction": settings.feature_share,
        "monotone_constraints": [SIGNS[objective] * DIRECTIONS.get(name, 0) for name in features],
        "seed": settings.seed,
        "num_threads": settings.threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
