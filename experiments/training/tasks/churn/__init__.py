"""Training the churn model: who orders nothing within the horizon."""

from experiments.training.tasks.churn.task import TASK

__all__ = ["TASK"]
