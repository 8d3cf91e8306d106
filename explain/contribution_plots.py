"""Pictures of contributions: one row's by `shap`'s waterfall, many rows' by its beeswarm, and all
together as a summary.

The summary holds means over many customers and no single one's values, so it may be kept with a
training run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import shap
from matplotlib.figure import Figure

from models.arrays import Bools, Floats

RAISES, LOWERS, QUIET = "#c8663f", "#24405e", "#b9c2cc"
MOST_SHOWN = 14
WIDTH, LINE = 9.0, 0.42
SAID_PLAINLY = {"$E[f(X)]$": "with nothing known:", "$f(x)$": "answer:"}
"""The library's names of both ends; the first is an expectation there, and here the answer of which
everything is withheld.
"""
FEWEST_OF_A_KIND = 10
"""A mean over fewer customers than this is not shown."""


def waterfall(explanation: shap.Explanation, title: str) -> Figure:
    """How the features lead from the answer without any of them to the answer of one row."""
    figure = _drawn(
        lambda shown: shap.plots.waterfall(shown, max_display=MOST_SHOWN, show=False),
        explanation,
        title,
    )
    for axes in figure.axes:
        name, *value = [label.get_text() for label in axes.get_xticklabels()]
        if plain := SAID_PLAINLY.get(name.strip()):
            axes.set_xticks(
                axes.get_xticks(),
                [f"{name.replace(name.strip(), plain)} {value[0].strip().strip('$= ')}", ""],
            )
    return figure


def beeswarm(explanation: shap.Explanation, title: str) -> Figure:
    """The contributions of many rows, one point for each, coloured by the feature's value."""
    figure = _drawn(
        lambda shown: shap.plots.beeswarm(
            shown, max_display=MOST_SHOWN, show=False, plot_size=None
        ),
        explanation,
        title,
    )
    figure.axes[0].set_xlabel("contribution")
    return figure


def write(figure: Figure, file: Path) -> None:
    """Write a picture, as large as its labels need, in the format that the file's ending names."""
    figure.savefig(file, dpi=150, bbox_inches="tight", pad_inches=0.3)


def _drawn(
    draw: Callable[[shap.Explanation], object], explanation: shap.Explanation, title: str
) -> Figure:
    """What `draw` draws on the current figure of pyplot, which only knows of it meanwhile."""
    names = [name.replace("_", " ") for name in explanation.feature_names]
    shown = shap.Explanation(
        explanation.values, explanation.base_values, explanation.data, feature_names=names
    )
    size = (WIDTH, 1.6 + LINE * min(len(names), MOST_SHOWN))
    figure = plt.figure(figsize=size)
    try:
        draw(shown)
        figure.set_size_inches(size)
        figure.axes[0].set_title(title, loc="left", fontsize=13, pad=34)
        return figure
    finally:
        plt.close(figure)


def summary_plot(
    contributions: Floats, features: Floats, names: Sequence[str], unit: str
) -> Figure:
    """What each feature contributes on average where its value is high, and where it is low: (rows,
    features) each.

    High is above the median of the rows in which it is known. Features in the order of their mean
    size, the largest on top.
    """
    order = np.argsort(-np.abs(contributions).mean(axis=0), kind="stable")[:MOST_SHOWN][::-1]
    figure = Figure(figsize=(WIDTH, 1.6 + LINE * len(order)), layout="constrained")
    axes = figure.subplots()
    lines = np.arange(len(order))
    for offset, colour, label, chosen in (
        (0.18, RAISES, "value above its median", np.greater),
        (-0.18, LOWERS, "at or below", np.less_equal),
    ):
        means = [_mean(contributions[:, at], _of_kind(features[:, at], chosen)) for at in order]
        axes.barh(lines + offset, means, height=0.34, color=colour, label=label)
    axes.set_yticks(lines, [names[at].replace("_", " ") for at in order])
    axes.axvline(0, color=QUIET, linewidth=1)
    axes.set_xlabel(f"mean contribution ({unit})")
    axes.set_title("What features contribute, over all customers judged", loc="left")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    return figure


def _of_kind(values: Floats, chosen: Callable[[Floats, float], Bools]) -> Bools:
    known = values[~np.isnan(values)]
    middle = float(np.median(known)) if len(known) else np.nan
    return chosen(values, middle)


def _mean(contributions: Floats, chosen: Bools) -> float:
    return float(contributions[chosen].mean()) if chosen.sum() >= FEWEST_OF_A_KIND else 0.0
