"""What one training run leaves behind, to be logged and registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.trees.booster import Stated

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Run:
    """What one training run leaves behind. `save` writes the model's files to a folder.

    `trials` are the attempts (parameters, metrics) that its settings were chosen from; each becomes
    a nested run.
    """

    model: str
    booster: Stated
    save: Callable[[Path], None]
    parameters: Mapping[str, object]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    documents: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    trials: Sequence[tuple[Mapping[str, object], Mapping[str, float]]] = ()
    pages: Mapping[str, str] = field(default_factory=dict)
    """Texts by their file's name, such as a model card."""
    data_digest: str = ""
    """SHA-256 of all rows learnt from, in hexadecimal."""
