"""Challenger beside champion: recipe against recipe on the same rows, and what is said where that
cannot be.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from experiments.training.registry import task
from experiments.training.train import train
from experiments.trials.champion_recipe import COMPARED, NOTE, REFRESH, Against, Recipe
from experiments.trials.paired_bootstrap import drawn_means, interval
from features.definitions.rhythm import order_pace, order_rhythm
from features.errors import ModelUnavailable
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.churn.settings import ChurnSettings
from models.registry import FILES_DIGEST, Version
from models.tracking import Tracking
from tests.made_up_registries import Unillustrated
from tests.serving_shop import CHURN, NEXT_PURCHASE, copied

pytest_plugins = ["tests.serving_fixtures"]
pytestmark = [pytest.mark.slow, pytest.mark.early]


@pytest.fixture
def root(trained_root, tmp_path):
    """A shop with champions of both models: a copy, whose registry still points at the champions'
    files.
    """
    return copied(trained_root, tmp_path / "mugs")


@pytest.fixture(scope="module")
def again(trained_root, tmp_path_factory) -> tuple[Tracking, dict[str, Version]]:
    """Such a shop's registry, and challengers made of the same data, ledger, settings and seed as
    its champions.
    """
    shop = Shop(Workspace.open(copied(trained_root, tmp_path_factory.mktemp("again") / "mugs")))
    tracking = Unillustrated.of(shop.workspace)
    runs = (
        train(task("churn"), shop, tracking, settings=CHURN),
        train(task("next_purchase"), shop, tracking, settings=NEXT_PURCHASE),
    )
    shop.database.close()
    return tracking, {run.version.model: run.version for run in runs}


def without_features(root, *names: str) -> None:
    """Take features out of sayso.toml."""
    file = root / "sayso.toml"
    file.write_text(
        "".join(
            line
            for line in file.read_text().splitlines(keepends=True)
            if line.strip() not in {f'"{n}",' for n in names}
        )
    )


def trained(root, **changed: object) -> Version:
    """A churn challenger with other settings than the champion's."""
    shop = Shop(Workspace.open(root))
    return train(
        task("churn"), shop, Unillustrated.of(shop.workspace), settings=replace(CHURN, **changed)
    ).version


def test_the_same_recipe_is_a_refresh(again):
    """Trained twice, the second is compared with itself: no difference at all, in any metric."""
    challenger = again[1]["churn"]
    against = Against.read(challenger, "1", "auc")
    assert (against.interval, against.refresh, against.note) == ((0.0, 0.0, 0.0), True, "")
    assert challenger.metrics["against_champion.1.log_loss.high"] == 0.0
    assert Against.read(again[1]["next_purchase"], "1", "recall_at_10").interval == (0.0, 0.0, 0.0)


@pytest.mark.slow
def test_other_settings_are_judged_on_the_same_customers(root):
    """The interval lies around the difference of two models fitted on the same rows, and swaps its
    sign with them.
    """
    against = Against.read(trained(root, leaves=2, most_trees=25), "1", "auc")
    low, middle, high = against.interval
    assert low < middle < high
    assert not against.refresh
    shop = Shop(Workspace.open(root))
    tracking = Tracking.of(shop.workspace)
    tracking.promote(tracking.by_alias("churn", "challenger"), {})
    back = Against.read(trained(root), "2", "auc")
    assert back.interval == pytest.approx((-high, -middle, -low))


def test_other_features_are_made_for_the_same_customers(root):
    """A champion with more features than sayso.toml lists now is fitted with all of them, and named
    no worse for it.
    """
    # Most of what tells who leaves.
    without_features(root, *order_rhythm.features, *order_pace.features)
    challenger = trained(root)
    against = Against.read(challenger, "1", "auc")
    assert not against.refresh
    assert against.note == ""
    assert against.interval[1] < 0
    assert challenger.tags[COMPARED] == "1"


def test_features_that_are_gone_are_left_out_and_named(root):
    """Where the catalog no longer offers what the champion was made of, the rest of its recipe is
    compared.
    """
    file = root / "sayso.toml"
    without_features(root, "home_country")
    file.write_text(re.sub(r"(?s)\[fields\.customers\.country\].*?\n\n", "\n", file.read_text()))
    challenger = trained(root)
    against = Against.read(challenger, "1", "auc")
    assert against.note == "without home_country, which the catalog no longer offers"
    assert against.interval is not None
    assert challenger.tags["fair"].startswith("not audited")


def test_a_champion_whose_files_are_gone_is_said(root):
    """Training goes on; the comparison is stated as impossible, with the reason."""
    shop = Shop(Workspace.open(root))

    class Elsewhere(Unillustrated):
        """A registry whose first version has lost its files."""

        def folder(self, version: Version):
            """Where the files of the others are."""
            if version.version == "1":
                raise ModelUnavailable("the files cannot be read")
            return super().folder(version)

    registry = Elsewhere.of(shop.workspace)
    challenger = train(task("churn"), shop, registry, settings=CHURN).version
    assert challenger.tags[REFRESH] == "no"
    assert Against.read(challenger, "1", "auc").interval is None
    assert challenger.tags[NOTE] == "its recipe cannot be fitted: the files cannot be read"


@pytest.mark.slow
def test_rankers_are_compared_customer_by_customer(root):
    """The next-purchase champion's recipe is fitted anew and judged on the same orders, recall and
    NDCG each with an interval.
    """
    without_features(root, "times_bought", "days_since_last_bought", "days_since_first_bought")
    shop = Shop(Workspace.open(root))
    other = train(
        task("next_purchase"),
        shop,
        Unillustrated.of(shop.workspace),
        settings=replace(NEXT_PURCHASE, trees=5),
    ).version
    for metric in ("recall_at_10", "ndcg_at_10"):
        low, middle, high = Against.read(other, "1", metric).interval
        assert low <= middle <= high
        assert low < high


def test_settings_come_back_from_the_registry_as_they_were():
    """Numbers, whole numbers and truth values are read from the text that MLflow keeps; unknown
    ones stay the standard.
    """
    parameters = {
        "leaves": "3",
        "learning_rate": "0.25",
        "threads": "64",
        "horizon_days": "90",
        "invented": "x",
    }
    found = Recipe("1", parameters, (), ()).settings(ChurnSettings(seed=5))
    assert found == ChurnSettings(leaves=3, learning_rate=0.25, seed=5)


def test_means_are_drawn_over_customers():
    """A paired interval of means holds the difference of two lists of customers in about 95 of 100
    samples.
    """
    draw = np.random.default_rng(0)
    held = 0
    for seed in range(100):
        low, _, high = interval(drawn_means(draw.normal(0.3, 1, 200), seed, 300))
        held += low <= 0.3 <= high
    assert 85 <= held <= 100


def test_training_twice_gives_the_same_bytes(again):
    """The same data, ledger and seed: the files of a second version are those of the first, for
    both models.
    """
    tracking, challengers = again
    for version in challengers.values():
        first = tracking.by_alias(version.model, "champion")
        assert version.version != first.version
        assert version.tags[FILES_DIGEST] == first.tags[FILES_DIGEST]
        files = [
            {file.name: file.read_bytes() for file in tracking.folder(one).iterdir()}
            for one in (first, version)
        ]
        assert files[0] == files[1]
