"""Each model that can be trained keeps what holds for all of them."""

from __future__ import annotations

import pytest

from experiments.training.registry import task, task_names
from experiments.training.steps import ATTEMPT, DATA, FIT, RECORD, Steps
from features.errors import ModelUnavailable
from tests.conformance_task import TaskConformance
from tests.serving_shop import CHURN, NEXT_PURCHASE

pytestmark = [pytest.mark.slow, pytest.mark.early]


class TestChurn(TaskConformance):
    """The churn model."""

    name, settings, holdout_days = "churn", CHURN, 90


class TestNextPurchase(TaskConformance):
    """The next-purchase model."""

    name, settings, holdout_days = "next_purchase", NEXT_PURCHASE, 30


def test_every_task_has_its_conformance_tests() -> None:
    """A new task is not forgotten here."""
    tested = {one.name for one in TaskConformance.__subclasses__() if one.__module__ == __name__}
    assert tested == set(task_names())


def test_an_unknown_model_is_refused_by_name() -> None:
    """The message names those that there are."""
    with pytest.raises(ModelUnavailable, match=r"`weather`.*churn, next_purchase"):
        task("weather")


def test_progress_is_by_the_time_that_steps_take() -> None:
    """A step begins where the seconds of those before it end; attempts count as often as they are
    made, and work within a step moves within its share.
    """
    told: list[tuple[str, float]] = []
    now = iter([0.0, 1.0, 1.5, 4.0, 9.0, 9.5])
    steps = Steps(
        {"data": 2.0, "attempt": 1.0, "fit": 4.0, "record": 2.0},
        lambda what, share: told.append((what, share)),
        trials=2,
        clock=lambda: next(now),
    )
    steps.begin(DATA)
    steps.begin(ATTEMPT)("one of two", 0.5)
    steps.begin(FIT)
    steps.begin(RECORD)
    steps.end()
    assert [share for _, share in told] == pytest.approx([0.0, 0.2, 0.3, 0.4, 0.8])
    assert steps.seconds == {"data": 0.5, "attempt": 2.5, "fit": 5.0, "record": 0.5}
