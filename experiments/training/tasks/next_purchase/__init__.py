"""Training the next-purchase model: which products a customer is likely to want next."""

from experiments.training.tasks.next_purchase.task import TASK

__all__ = ["TASK"]
