"""What holds for every model that can be trained: a test class for a task inherits it and names the
task, small settings, and how long its holdout is.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from experiments.audits.explainability import explainability
from experiments.promotion.gates import GATES, judge
from experiments.training.registry import task, task_names
from experiments.training.steps import STEPS
from experiments.training.task import OURS, Task
from experiments.training.train import train
from experiments.trials.run import TrainingRun
from explain.attribution import Attribution
from features.intake.ingest import ingest
from features.intake.setup.new_workspace import create
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.registry import FILES_DIGEST
from models.tracking import Tracking
from tests.made_up_registries import registry_in
from tests.serving_shop import said, write_lines


class TaskConformance:
    """The suite. `settings` are those of a small model."""

    name: ClassVar[str]
    settings: ClassVar[Any]
    holdout_days: ClassVar[int]

    @pytest.fixture(scope="class")
    @classmethod
    def told(cls) -> list[tuple[str, float]]:
        """What the first of two runs told of its progress."""
        return []

    @pytest.fixture(scope="class")
    @classmethod
    def trained(
        cls, shop: Shop, told: list[tuple[str, float]], tmp_path_factory: pytest.TempPathFactory
    ) -> tuple[Tracking, list[TrainingRun]]:
        """Two runs on the same shop, the second beside nothing but the first as challenger."""
        registry = registry_in(tmp_path_factory.mktemp(f"conformance_{cls.name}"))
        runs = [
            train(task(cls.name), shop, registry, progress, settings=cls.settings)
            for progress in (lambda what, share: told.append((what, share)), lambda *_: None)
        ]
        return registry, runs

    def test_it_is_in_the_registry(self) -> None:
        """It is found by its name, which is that of its module."""
        assert self.name in task_names()
        assert isinstance(task(self.name), Task)
        assert task(self.name).name == self.name

    def test_it_trains_and_states_its_figures(self, trained: Any) -> None:
        """The challenger states the decisive metric of ours and of every baseline, and its card's
        metrics.
        """
        mine, (_, runs) = task(self.name), trained
        metrics = runs[0].version.metrics
        assert list(runs[0].comparison) == [OURS, *mine.baselines]
        assert set(mine.printed) <= set(runs[0].comparison[OURS])
        for prefix in ("", *(f"baseline.{name}." for name in mine.baselines)):
            assert 0 < metrics[f"{prefix}{mine.decisive}"] <= 1
        for method in mine.baselines:
            assert f"lead.{method}.{mine.decisive}.middle" in metrics
        assert set(mine.card.metrics) <= set(metrics)
        assert runs[0].judged > 0

    def test_the_same_data_gives_the_same_bytes(self, trained: Any) -> None:
        """Two trainings write the same files."""
        _, runs = trained
        assert runs[0].version.tags[FILES_DIGEST] == runs[1].version.tags[FILES_DIGEST]

    def test_progress_follows_the_steps(self, trained: Any, told: list[tuple[str, float]]) -> None:
        """Shares never fall, stay within the whole, and the steps that were timed are those that
        the task knows the time of.
        """
        _, runs = trained
        shares = [share for _, share in told]
        assert shares == sorted(shares)
        assert shares[0] == 0 < shares[-1] < 1
        assert list(runs[0].seconds) == [name for name in STEPS if name in runs[0].seconds]
        assert set(runs[0].seconds) <= set(task(self.name).seconds)

    def test_the_gates_can_judge_it(self, shop: Shop, trained: Any) -> None:
        """Every gate has the figures that it reads."""
        registry, _ = trained
        _, results = judge(shop, registry, self.name)
        assert [result.gate for result in results] == [gate.__name__ for gate in GATES]
        assert not [result for result in results if "not measured" in result.figure]

    def test_its_files_are_data(self, trained: Any) -> None:
        """Nothing pickled is among them, and what it learnt by can be read from them."""
        registry, runs = trained
        folder = registry.folder(runs[0].version)
        for file in folder.rglob("*"):
            if file.suffix == ".npz":
                with np.load(file, allow_pickle=False) as arrays:
                    assert all(arrays[name].dtype.kind != "O" for name in arrays.files)
            elif file.is_file():
                assert not _pickled(file)
        assert task(self.name).stated_features(folder)

    def test_what_is_withheld_changes_nothing_and_the_rest_adds_up(self, shop: Shop) -> None:
        """With a category withheld every column that needs it is missing, the score is the same
        whatever stood there, and contributions add up to it.
        """
        mine = task(self.name)
        data = mine.data(shop)
        model = mine.refit(data, mine.fit(data, self.settings), self.settings)
        rows, score = mine.explained(data, model)
        assert rows.withheld
        for withheld in rows.withheld:
            assert np.isnan(withheld.rows[:, withheld.needs]).all()
            np.testing.assert_array_equal(score(withheld.rows), score(withheld.otherwise))
        found = explainability(rows, lambda: Attribution(model.booster), score).metrics
        assert found["explainable.additivity"] <= 1e-6
        assert found["explainable.withheld"] == found["explainable.without_category"] == 0

    @pytest.mark.slow
    def test_poisoning_the_holdout_leaves_the_judged_model_as_it_was(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The model that is judged is byte for byte the same whatever was ordered within the
        holdout.
        """
        texts = []
        for name, change in (("clean", lambda part: part), ("poisoned", poisoned)):
            (tmp_path / name).mkdir()
            with monkeypatch.context() as patch:
                shop = self._changed_shop(tmp_path / name, patch, change)
            texts.append(self._judged_model(shop))
            shop.database.close()
        assert texts[0] == texts[1]

    def _changed_shop(
        self,
        folder: Path,
        patch: pytest.MonkeyPatch,
        change: Callable[[pd.DataFrame], pd.DataFrame],
    ) -> Shop:
        """A shop whose orders within the holdout went through `change`."""
        numbers = count(1)
        # The order of rows is theirs.
        patch.setattr("features.customers.pseudonyms.secrets.randbits", lambda _bits: next(numbers))
        file = write_lines(folder / "orders.csv")
        lines = pd.read_csv(file)
        moments = pd.to_datetime(lines["ordered_at"])
        end = moments.max().normalize() + pd.Timedelta(days=1)
        inside = moments >= end - timedelta(days=self.holdout_days)
        assert inside.sum() > 200
        pd.concat([lines[~inside], change(lines[inside].copy())]).to_csv(file, index=False)
        create(folder / "mugs", [file])
        shop = Shop(Workspace.open(folder / "mugs"))
        ingest(shop.workspace, shop.database)
        shop.ledger.append_all(said(shop))
        return shop

    def _judged_model(self, shop: Shop) -> str:
        """Text of the model that is judged on the holdout, which the registered one differs
        from.
        """
        mine = task(self.name)
        data = mine.data(shop)
        fitted = mine.fit(data, self.settings)
        final = mine.refit(data, fitted, self.settings)
        text = fitted.model.booster.model_to_string()
        assert text != final.booster.model_to_string()
        return text


def poisoned(part: pd.DataFrame) -> pd.DataFrame:
    """Other products, prices and quantities, and a third of the orders gone; the last day stays
    what it was.
    """
    changed = part.assign(product_id="p59", quantity=1_000, unit_price=999.0, title="Poison")
    kept = changed["order_id"].str[-1].isin(list("0123456")) | (
        part["ordered_at"] == part["ordered_at"].max()
    )
    return changed[kept]


def _pickled(file: Path) -> bool:
    """Whether a file reads as a pickle from beginning to end."""
    try:
        for _ in pickletools.genops(file.read_bytes()):
            pass
    except (ValueError, UnicodeDecodeError, IndexError):
        return False
    return True
