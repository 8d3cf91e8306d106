"""Loops are compiled wherever they come from, and kept where they can be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.trees.jit import compiled

NOWHERE = """
def halved(values):
    for place in range(len(values)):
        values[place] /= 2
"""


def doubled(values: NDArray[np.float64]) -> None:
    """A loop to compile."""
    for place in range(len(values)):
        values[place] *= 2


def kept() -> list[Path]:
    """What is on disk of the compiled loop."""
    return list((Path(__file__).parent / "__pycache__").glob("test_models_trees_jit.doubled*.nbc"))


def test_compiled_code_is_kept_beside_its_source() -> None:
    """What was compiled once is there for the next process."""
    for file in kept():
        file.unlink()
    values = np.arange(3.0)
    compiled(doubled)(values)
    assert values.tolist() == [0.0, 2.0, 4.0]
    assert len(kept()) == 1


def test_code_that_no_folder_keeps_is_compiled_all_the_same() -> None:
    """Code without a file stands for a folder that nobody may write to: there is no place for it
    either.
    """
    made: dict[str, Callable[..., None]] = {}
    exec(NOWHERE, made)  # noqa: S102 - a function without a file is the point
    values = np.arange(3.0)
    compiled(made["halved"])(values)
    assert values.tolist() == [0.0, 0.5, 1.0]
