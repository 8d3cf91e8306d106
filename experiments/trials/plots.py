"""Pictures of a training run, for MLflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.arrays import Floats
from models.metrics import BINS

INK = "#24405e"
ACCENT = "#c8663f"
QUIET = "#b9c2cc"
COLOURS = (
    ACCENT,
    INK,
    QUIET,
    "#5b8a72",
    "#8a6fa8",
    "#c9a227",
    "#7a4b3a",
    "#4f9bb5",
    "#a33b5c",
    "#6b6b6b",
)


def calibration_plot(labels: Floats, probabilities: Mapping[str, Floats]) -> Figure:
    """Forecast against frequency in ten bins, one line per method."""
    figure, axes = drawn_figure(
        "What was forecast, and how often it happened",
        "forecast probability of churn",
        "share who left",
    )
    axes.plot([0, 1], [0, 1], color=QUIET, linestyle="--", label="perfectly calibrated")
    for colour, (name, forecast) in zip(cycle(COLOURS), probabilities.items(), strict=False):
        at = np.minimum((forecast * BINS).astype(int), BINS - 1)
        filled = np.unique(at)
        means = [(forecast[at == b].mean(), labels[at == b].mean()) for b in filled]
        axes.plot(*zip(*means, strict=True), marker="o", color=colour, label=name)
    axes.legend(frameon=False)
    return figure


def gain_plot(labels: Floats, probabilities: Mapping[str, Floats]) -> Figure:
    """Share of the leavers found among the customers ranked highest."""
    figure, axes = drawn_figure(
        "Leavers found by ranking customers",
        "share of customers contacted",
        "share of leavers among them",
    )
    axes.plot([0, 1], [0, 1], color=QUIET, linestyle="--", label="at random")
    for colour, (name, forecast) in zip(cycle(COLOURS), probabilities.items(), strict=False):
        found = np.cumsum(labels[np.argsort(-forecast, kind="stable")]) / labels.sum()
        axes.plot(np.arange(1, len(found) + 1) / len(found), found, color=colour, label=name)
    axes.legend(frameon=False)
    return figure


def comparison_plot(metric: str, values: Mapping[str, float]) -> Figure:
    """One metric of all methods as bars, the first one ours."""
    figure, axes = drawn_figure(f"{metric} on the holdout", metric, "")
    names = list(values)[::-1]
    bars = axes.barh(
        names, [values[name] for name in names], color=[INK] * (len(names) - 1) + [ACCENT]
    )
    axes.bar_label(bars, fmt="%.3f", padding=3)
    return figure


def importance_plot(features: Sequence[str], gains: Floats, most: int = 20) -> Figure:
    """Features by their gain in the trees."""
    figure, axes = drawn_figure("What the model looks at", "gain", "")
    order = np.argsort(gains)[-most:]
    axes.barh([features[i] for i in order], gains[order], color=INK)
    return figure


def drawn_figure(title: str, across: str, up: str) -> tuple[Figure, Axes]:
    """An empty picture with its title and the names of its axes."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=across, ylabel=up)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
