"""How good answers are under every consent pattern: everything granted, each single category
withheld, nothing granted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.trials.findings import Findings, bounds
from experiments.trials.paired_bootstrap import PairedBootstrap, drawn_means, interval
from experiments.trials.plots import calibration_plot
from experiments.trials.top_products import ranked_products
from models.arrays import Floats
from models.churn.model import ChurnModel
from models.churn.rows import ChurnRows
from models.metrics import churn_metrics, most_calibration_error_by_chance, ranking_by_customer
from models.next_purchase.model import NextPurchaseModel
from models.next_purchase.ranker import Examples

SEED = 7
FIGURES = ("auc", "ece", "ece_by_chance", "bias", "log_loss")
MOST_CALIBRATION_ERROR = 0.05
"""How far forecasts may be off, whatever is withheld."""


def patterns(categories: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What is granted, by the name of the pattern; the name of everything granted is empty."""
    single = {
        f"without_{name}": tuple(other for other in categories if other != name)
        for name in categories
    }
    return {"": tuple(categories), **single, "without_all": ()}


def churn_by_pattern(model: ChurnModel, judged: ChurnRows) -> Findings:
    """AUC, log loss and calibration error on the judged rows, with intervals and the error that
    chance explains, by pattern.
    """
    metrics: dict[str, float] = {}
    forecasts: dict[str, Floats] = {}
    for pattern, granted in patterns(model.masking.categories).items():
        answers = model.probability(model.masking.allow(judged.features, granted))
        forecasts[pattern or "all granted"] = answers
        metrics |= {
            f"{pattern}.{name}".lstrip("."): value
            for name, value in _judged(judged.labels, answers).items()
        }
    return Findings(
        metrics=metrics,
        figures={"calibration_by_consent": calibration_plot(judged.labels, forecasts)},
    )


def _judged(labels: Floats, answers: Floats) -> dict[str, float]:
    measured = churn_metrics(labels, answers)
    figures = {name: measured[name] for name in FIGURES}
    figures["ece_by_chance_at_most"] = most_calibration_error_by_chance(answers, SEED)
    figures["ece_at_limit"] = most_calibration_error_by_chance(
        answers, SEED, MOST_CALIBRATION_ERROR
    )
    for name, draws in PairedBootstrap(labels, SEED).metrics(answers).items():
        figures |= bounds(name, interval(draws))
    return figures


def ranking_by_pattern(
    model: NextPurchaseModel,
    judged: Examples,
    answers: Sequence[Sequence[str]],
    truth: Sequence[set[str]],
    k: int,
) -> Findings:
    """Recall, NDCG and hit rate on the judged orders, with intervals, by pattern; `answers` are
    those with everything granted.
    """
    metrics: dict[str, float] = {}
    for pattern, granted in patterns(model.masking.categories).items():
        said = (
            ranked_products(model, model.masking.allow(judged.histories, granted), k)
            if pattern
            else answers
        )
        by_customer = ranking_by_customer(said, truth, k)
        metrics |= {
            f"{pattern}.{name}".lstrip("."): value
            for name, value in ranking_figures(by_customer).items()
        }
    return Findings(metrics=metrics)


def ranking_figures(by_customer: dict[str, Floats]) -> dict[str, float]:
    """Means over customers with the ends of their intervals; `@` is written `_at_`."""
    figures: dict[str, float] = {}
    for name, values in by_customer.items():
        plain = name.replace("@", "_at_")
        figures |= {
            plain: float(np.mean(values)),
            **bounds(plain, interval(drawn_means(values, SEED))),
        }
    return figures
