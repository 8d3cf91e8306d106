"""The churn model: who orders nothing within the horizon.

LightGBM on customer features at many moments, with categories withheld at random, calibrated ahead of time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import lightgbm
import numpy as np

from features.errors import TrainingError
from models.calibration import Calibrator, best_slope, loss_within_periods, shift_to
from models.churn_rows import ChurnRows
from models.masking import Floats, Masking
from models.precision import rounded

RISES = {"days_since_last_order": 1}
FALLS = dict.fromkeys(
    (
        "orders",
        "order_days",
        "order_days_last_30_days",
        "order_days_last_90_days",
        "products",
        "items",
        "total_spent",
        "spent_last_90_days",
    ),
    -1,
)
DIRECTIONS = RISES | FALLS
"""Which way churn moves with a feature where common sense knows; the trees may not contradict it."""

FEWEST_CUSTOMERS = 50


@dataclass(frozen=True)
class ChurnSettings:
    """How the churn model is trained."""

    leaves: int = 7
    learning_rate: float = 0.03
    most_trees: int = 300
    tree_step: int = 25
    rows_per_leaf: int = 200
    l2: float = 10.0
    feature_share: float = 0.6
    masked_copies: int = 2
    masked_weight: float = 0.5
    seed: int = 7
    threads: int = 2


@dataclass(frozen=True)
class ChurnModel:
    """A trained model: `features` in the order of its columns, `category_of` the category that each is shown under."""

    booster: lightgbm.Booster
    calibrator: Calibrator
    features: tuple[str, ...]
    masking: Masking
    category_of: Mapping[str, str]
    horizon_days: int

    def raw(self, features: Floats) -> Floats:
        """The booster's score of (rows, features), before calibration; one thread, since single answers are small."""
        return np.asarray(self.booster.predict(rounded(features), raw_score=True, num_threads=1), dtype=np.float64)

    def log_odds(self, features: Floats) -> Floats:
        """Calibrated log-odds of churn, shape (rows,)."""
        return self.calibrator.log_odds(self.raw(features))

    def probability(self, features: Floats) -> Floats:
        """Calibrated probability of churn, shape (rows,)."""
        return self.calibrator.probability(self.raw(features))

    def save(self, folder: Path) -> None:
        """Write the model as data: the booster's text and a manifest."""
        self.booster.save_model(folder / "booster.txt")
        manifest = {
            "features": self.features,
            "categories": self.masking.categories,
            "needs": self.masking.needs.tolist(),
            "category_of": dict(self.category_of),
            "calibrator": asdict(self.calibrator),
            "horizon_days": self.horizon_days,
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> ChurnModel:
        """Read what `save` wrote."""
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return cls(
            booster=lightgbm.Booster(model_file=folder / "booster.txt"),
            calibrator=Calibrator(**manifest["calibrator"]),
            features=tuple(manifest["features"]),
            masking=Masking(tuple(manifest["categories"]), np.array(manifest["needs"], dtype=bool)),
            category_of=manifest["category_of"],
            horizon_days=manifest["horizon_days"],
        )


@dataclass(frozen=True)
class ChurnTask:
    """What to learn: from which `features`, under which `masking`, over which horizon."""

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
    trees, slope = _tune(rows, task, settings)
    booster = _boost(rows, task, settings, trees)
    raw = slope * np.asarray(booster.predict(rounded(rows.features), raw_score=True))
    observed = float(np.average(rows.labels, weights=rows.weights))
    calibrator = Calibrator(slope, shift_to(raw, observed, rows.weights))
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
        raise TrainingError(f"within the horizon {said}, so there is nothing to tell apart; change `horizon_days` in sayso.toml")


def _tune(rows: ChurnRows, task: ChurnTask, settings: ChurnSettings) -> tuple[int, float]:
    """Trees and slope that predict best ahead of time; moderate ones where the history is too short to try."""
    sizes = range(settings.tree_step, settings.most_trees + 1, settings.tree_step)
    tries = []
    for earlier, later in _ahead_of_time(rows, task.horizon_days):
        booster = _boost(earlier, task, settings, settings.most_trees)
        tries.append([(np.asarray(booster.predict(rounded(later.features), raw_score=True, num_iteration=n)), later.labels) for n in sizes])
    if not tries:
        return settings.most_trees // 3, 1.0
    by_size = list(zip(*tries, strict=True))
    best = int(np.argmin([loss_within_periods(1.0, periods) for periods in by_size]))
    return sizes[best], best_slope(by_size[best])


def _ahead_of_time(rows: ChurnRows, horizon_days: int, most: int = 3) -> Iterator[tuple[ChurnRows, ChurnRows]]:
    """Pairs (what was known by then, what came after) at the newest moments that leave something to learn from."""
    horizon = np.timedelta64(horizon_days, "D")
    for moment in np.unique(rows.as_of)[::-1][:most]:
        earlier, later = rows.at(rows.as_of + horizon <= moment), rows.at(rows.as_of == moment)
        if min(len(np.unique(earlier.labels)), len(np.unique(later.labels))) == 2 and len(earlier.labels) >= FEWEST_CUSTOMERS:
            yield earlier, later


def _boost(rows: ChurnRows, task: ChurnTask, settings: ChurnSettings, trees: int) -> lightgbm.Booster:
    generator = np.random.default_rng(settings.seed)
    copies = [task.masking.withhold(rows.features, task.masking.draw(len(rows.labels), generator)) for _ in range(settings.masked_copies)]
    weights = [rows.weights, *[settings.masked_weight * rows.weights] * settings.masked_copies]
    data = lightgbm.Dataset(
        rounded(np.vstack([rows.features, *copies])),
        np.tile(rows.labels, 1 + len(copies)),
        weight=np.concatenate(weights),
        feature_name=list(task.features),
        params={"verbose": -1},
    )
    return lightgbm.train(_parameters(task.features, settings), data, num_boost_round=trees)


def _parameters(features: tuple[str, ...], settings: ChurnSettings) -> dict[str, object]:
    return {
        "objective": "binary",
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        "min_data_in_leaf": settings.rows_per_leaf,
        "lambda_l2": settings.l2,
        "feature_fraction": settings.feature_share,
        "monotone_constraints": [DIRECTIONS.get(name, 0) for name in features],
        "seed": settings.seed,
        "num_threads": settings.threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
