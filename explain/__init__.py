"""Why a prediction is what it is: per feature, per category of data, and in words.

For a notebook: `from explain import shap_explanation`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["attribution_of", "feature_matrix", "shap_explanation", "stated_explanation"]


def __getattr__(name: str) -> Any:
    """What analysts import; the `shap` library behind it takes seconds that the service need not
    wait for.
    """
    if name in __all__:
        return getattr(import_module("explain.analyst"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
