"""What one look at a trained model found, in the form that MLflow and the model card take it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDS = ("low", "middle", "high")
Interval = tuple[float, float, float]


@dataclass(frozen=True)
class Findings:
    """Figures, tags, documents and pictures by name."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    documents: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)

    @classmethod
    def together(cls, parts: Sequence[Findings]) -> Findings:
        """All of them as one."""
        metrics = {name: value for part in parts for name, value in part.metrics.items()}
        tags = {name: value for part in parts for name, value in part.tags.items()}
        documents = {name: value for part in parts for name, value in part.documents.items()}
        figures = {name: value for part in parts for name, value in part.figures.items()}
        return cls(metrics, tags, documents, figures)


def bounds(name: str, interval: Sequence[float]) -> dict[str, float]:
    """An interval (low, middle, high) as metrics: its ends beside the metric itself."""
    return {f"{name}.low": interval[0], f"{name}.high": interval[2]}


def interval_metrics(name: str, interval: Sequence[float]) -> dict[str, float]:
    """An interval (low, middle, high) of something that is no metric by itself, as metrics."""
    return {f"{name}.{end}": value for end, value in zip(ENDS, interval, strict=True)}


def read_interval(name: str, metrics: Mapping[str, float]) -> Interval | None:
    """The interval that `interval_metrics` states; None where it was not."""
    if any(f"{name}.{end}" not in metrics for end in ENDS):
        return None
    low, middle, high = (metrics[f"{name}.{end}"] for end in ENDS)
    return low, middle, high
