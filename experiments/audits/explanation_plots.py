"""Pictures of explanations, for MLflow.

They show means over many customers and nobody's own values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from experiments.trials.plots import ACCENT, INK, QUIET, drawn_figure
from models.arrays import Floats

MOST_FEATURES = 15
FEWEST_ROWS = 20
THIRDS = ((QUIET, "lowest third of its values"), (INK, "middle third"), (ACCENT, "highest third"))


def summary_plot(features: Sequence[str], values: Floats, contributions: Floats) -> Figure:
    """What each feature adds to the score on average, apart for customers with low, middle and high
    values of it.

    It tells what a beeswarm of SHAP values tells, without a dot for each customer: their values are
    nobody else's business.
    """
    figure, axes = drawn_figure(
        "What moves the score, and which way", "mean contribution to the score", ""
    )
    strength = np.abs(contributions).mean(axis=0)
    order = np.argsort(strength, kind="stable")[-MOST_FEATURES:]
    axes.barh(range(len(order)), strength[order], color=QUIET, alpha=0.35, label="mean size")
    for third, (colour, label) in enumerate(THIRDS):
        means = [_mean_of_third(values[:, i], contributions[:, i], third) for i in order]
        axes.scatter(means, range(len(order)), color=colour, label=label, zorder=3)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(order)), [features[i] for i in order])
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.4, -0.1), ncols=4)
    return figure


def _mean_of_third(values: Floats, contributions: Floats, third: int) -> float:
    """`NaN` where too few customers are in it."""
    known = ~np.isnan(values)
    if known.sum() < 3 * FEWEST_ROWS:
        return float("nan")
    ends = np.quantile(values[known], [0, 1 / 3, 2 / 3, 1])
    inside = (
        known
        & (values >= ends[third])
        & ((values < ends[third + 1]) | ((third == 2) & (values <= ends[3])))
    )
    return float(contributions[inside].mean()) if inside.sum() >= FEWEST_ROWS else float("nan")


def deletion_plot(moves: Mapping[str, Floats]) -> Figure:
    """Mean distance from the full answer by how many features are missing, one line per order of
    removal.
    """
    figure, axes = drawn_figure(
        "Answers when features are taken away", "features taken away", "mean change of the score"
    )
    for colour, (name, move) in zip((ACCENT, QUIET), moves.items(), strict=True):
        axes.plot(range(len(move)), move, color=colour, label=name)
    axes.legend(frameon=False)
    return figure
