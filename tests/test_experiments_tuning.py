"""Better settings are looked for within the past, the defaults first, and every attempt is on
record.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.training.registry import task
from experiments.training.train import TrainingOptions, train
from experiments.trials.tuning import CHURN_SPACE, NEXT_PURCHASE_SPACE, tuned
from features.errors import TrainingError
from features.shop.shop import Shop
from models.churn.settings import ChurnSettings
from models.next_purchase.ranker import NextPurchaseSettings
from models.tracking import Tracking

pytest_plugins = ["tests.registry_fixtures"]
pytestmark = pytest.mark.early

CHURN = ChurnSettings(most_trees=50, rows_per_leaf=20, threads=1, outlook_trees=5, taught_trees=25)
NEXT_PURCHASE = NextPurchaseSettings(trees=20, rows_per_leaf=20, threads=1)


def far_from(leaves: int):
    """A loss that is least at so many leaves."""
    return lambda settings: abs(settings.leaves - leaves)


def test_the_best_attempt_is_chosen_and_the_defaults_are_tried_first() -> None:
    """What is found is no worse than the defaults, whatever they are."""
    found, tried = tuned(ChurnSettings(), CHURN_SPACE, far_from(12), trials=25)
    assert dict(tried[0].parameters) == {
        name: getattr(ChurnSettings(), name) for name in CHURN_SPACE
    }
    assert len(tried) == 25
    assert min(one.loss for one in tried) == abs(found.leaves - 12) < tried[0].loss
    unbeaten, _ = tuned(
        ChurnSettings(),
        CHURN_SPACE,
        far_from(ChurnSettings().leaves),
        trials=5,
    )
    assert unbeaten == ChurnSettings()


def test_the_same_data_gives_the_same_attempts() -> None:
    """The search is seeded; another seed searches elsewhere."""
    first, again, other = (
        tuned(
            replace(NextPurchaseSettings(), seed=seed), NEXT_PURCHASE_SPACE, far_from(20), trials=6
        )[1]
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_an_attempt_that_cannot_be_trained_is_passed_over() -> None:
    """Settings under which nothing can be learnt lose, unless they are the defaults: then the
    reason is said.
    """

    def loss(settings: ChurnSettings) -> float:
        if settings.leaves > 7:
            raise TrainingError("too little to learn from")
        return 1.0

    found, tried = tuned(ChurnSettings(), CHURN_SPACE, loss, trials=15)
    assert found == ChurnSettings()
    assert 0 < len(tried) < 15
    with pytest.raises(TrainingError, match="too little to learn from"):
        tuned(replace(ChurnSettings(), leaves=9), CHURN_SPACE, loss, trials=3)


@pytest.mark.slow
def test_every_attempt_is_a_nested_run(shop: Shop, registry: Tracking) -> None:
    """The registered run has the chosen settings, and below it a run for each attempt with its
    loss.
    """
    version = train(
        task("next_purchase"),
        shop,
        registry,
        settings=NEXT_PURCHASE,
        options=TrainingOptions(trials=3),
    ).version
    client = registry._client
    run = client.get_run(version.run_id)
    nested = client.search_runs(
        [run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{version.run_id}'"
    )
    assert len(nested) == 3
    assert all(0 < attempt.data.metrics["loss"] < 1 for attempt in nested)
    least = min(attempt.data.metrics["loss"] for attempt in nested)
    best = [one.data.params for one in nested if one.data.metrics["loss"] == least]
    assert {name: run.data.params[name] for name in best[0]} in best


def test_a_history_too_short_to_try_anything_on_is_said(shop: Shop, registry: Tracking) -> None:
    """Where no forecast could be made ahead of time and then seen, nothing is chosen by chance, and
    nothing is registered.
    """
    with pytest.raises(TrainingError, match=r"too short to try settings on.*Load more history"):
        train(task("churn"), shop, registry, settings=CHURN, options=TrainingOptions(trials=2))
    assert registry.by_alias("churn", "challenger") is None
