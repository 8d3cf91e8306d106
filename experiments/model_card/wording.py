"""What a task's card says of its model in particular, and how a card names metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SPOKEN: Mapping[str, str] = {
    "auc": "AUC",
    "ece": "calibration error",
    "ece_by_chance": "by chance alone",
    "ece_by_chance_at_most": "by chance at most",
    "bias": "mean estimate less share who left",
    "brier": "Brier score",
    "phr_at_10": "hit rate@10",
    "ndcg_at_10": "NDCG@10",
}


@dataclass(frozen=True)
class CardWording:
    """The parts of a model card that differ from model to model.

    `purpose` follows "uses this model to"; in `uses` the text `{horizon}` becomes the days that the
    model looks ahead; `judged` is what it is judged by, in the plural. `metrics` are those shown on
    the holdout, `metrics_by_consent` those shown by consent pattern, as MLflow has them.
    """

    purpose: str
    uses: Sequence[str]
    limits: Sequence[str]
    judged: str
    metrics: Sequence[str]
    metrics_by_consent: Sequence[str]
    about_consent: Sequence[str] = ()
    """Sentences on what is shown by consent pattern."""
    about_groups: str = ""
    """Sentences on what is shown by group of customers."""


def spoken(metric: str) -> str:
    """A metric as people read it."""
    return SPOKEN.get(metric) or metric.replace("_at_", "@").replace("_", " ")
