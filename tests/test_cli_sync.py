"""`sayso sync`: everything that is done once a day, and one exit code."""

from __future__ import annotations

from datetime import timedelta

import pytest

import serving.operations.sync as module
from features.errors import SourceError
from features.progress import silent
from models.tracking import Tracking
from serving.operations.sync import due, sync


@pytest.fixture
def tracking(fresh_shop) -> Tracking:
    """The versions of a shop that has none yet."""
    return Tracking.of(fresh_shop.workspace, fresh_shop.database)


def test_a_model_is_due_without_a_champion(fresh_shop, tracking) -> None:
    """Where nothing answers, training is due."""
    assert due(fresh_shop, tracking, "churn") == "there is no champion"


def test_a_failing_part_is_told_and_the_others_are_done(fresh_shop, monkeypatch) -> None:
    """A source that is gone does not keep the models from being looked after."""

    def gone(*_args: object) -> None:
        raise SourceError("there is no such file", file=fresh_shop.workspace.root / "orders.csv")

    trained = []
    monkeypatch.setattr(module, "ingest", gone)
    monkeypatch.setattr(module, "train", lambda task, *_: trained.append(task.name))
    monkeypatch.setattr(module, "judge", lambda *_: (None, []))
    monkeypatch.setattr(module, "promote", lambda *_: {})
    report = sync(fresh_shop, silent, 0.02)
    assert trained == ["churn", "next_purchase"]
    assert [one.outcome for one in report.models] == ["promoted", "promoted"]
    assert not report.complete
    assert "no such file" in report.faults[0]
    assert report.upkeep is not None


def test_what_is_young_and_fresh_is_not_trained_again(fresh_shop, tracking, monkeypatch) -> None:
    """Age and withdrawals make training due, and nothing else."""

    class Champion:
        """A version that answers."""

        trained_at = fresh_shop.clock() - timedelta(days=3)

    class Fresh:
        """Nobody withdrew."""

        withdrawn = 0

    monkeypatch.setattr(tracking, "by_alias", lambda _model, _role: Champion)
    monkeypatch.setattr(module, "freshness", lambda *_: Fresh)
    assert due(fresh_shop, tracking, "churn") is None
    Fresh.withdrawn = 2
    assert "2 customers" in str(due(fresh_shop, tracking, "churn"))
    Fresh.withdrawn = 0
    Champion.trained_at = fresh_shop.clock() - timedelta(days=31)
    assert due(fresh_shop, tracking, "churn") == "it was trained 31 days ago"
