"""Which models can be trained: one for each module or folder in `experiments.training.tasks`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from experiments.training import tasks
from features.errors import ModelUnavailable

if TYPE_CHECKING:
    from experiments.training.task import Task


def task_names() -> tuple[str, ...]:
    """Names of all models, in alphabetical order; none of their modules is imported for that."""
    return tuple(sorted(module.name for module in iter_modules(tasks.__path__)))


def task(name: str) -> Task[Any, Any, Any, Any, Any]:
    """The task of that name. Raises `ModelUnavailable` where there is none."""
    if name not in task_names():
        raise ModelUnavailable(f"there is no model `{name}`; there are: {', '.join(task_names())}")
    found: Task[Any, Any, Any, Any, Any] = import_module(f"{tasks.__name__}.{name}").TASK
    return found
