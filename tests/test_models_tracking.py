"""Tracking: runs, versions and aliases in a real MLflow store, and nobody's data in it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import lightgbm
import mlflow
import numpy as np
import pandas as pd
import pytest
from sqlalchemy import delete

from features.clock import Clock
from features.consent.ledger import ConsentEvent
from features.database.tables import model_roles, model_versions
from features.definitions.frames import reads_of
from features.errors import ModelUnavailable
from features.intake.ingest import ingest
from features.intake.setup.new_workspace import create
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.churn.rows import churn_rows, customers_at
from models.churn.settings import ChurnSettings, ChurnTask
from models.churn.training import fit_churn
from models.masking import Masking
from models.next_purchase.candidate_features import CANDIDATE_READS, candidate_features
from models.next_purchase.examples import PurchaseData, history_masking
from models.next_purchase.orders import orders
from models.next_purchase.product_statistics import PRODUCT_FEATURES
from models.next_purchase.ranker import NextPurchaseSettings, fit_next_purchase
from models.registry import CHALLENGER, CHAMPION, Entry, Version
from models.tracking import Tracking
from models.training_run import Run
from tests.made_up_registries import registry_in
from tests.synthetic_shop import write_orders

ROOT = Path(__file__).parents[1]
CANARY = "canary-7f3a91"
MODEL = "churn"


def booster(seed: int) -> lightgbm.Booster:
    """A small booster."""
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(80, 2))
    data = lightgbm.Dataset(
        features,
        (features[:, 0] > 0).astype(float),
        feature_name=["orders", "items"],
        params={"verbose": -1},
    )
    return lightgbm.train(
        {
            "objective": "binary",
            "num_leaves": 3,
            "min_data_in_leaf": 5,
            "verbose": -1,
            "num_threads": 1,
        },
        data,
        3,
    )


def run_of(seed: int) -> Run:
    """A training run."""

    def save(folder: Path) -> None:
        (folder / "manifest.json").write_text(f'{{"seed": {seed}}}', encoding="utf-8")
        (folder / "deep").mkdir()
        (folder / "deep" / "array.npy").write_bytes(bytes(range(seed, seed + 9)))

    return Run(
        MODEL,
        booster(seed),
        save,
        parameters={"trees": 3, "leaves": ChurnSettings().leaves},
        metrics={"auc": 0.5 + seed / 10, "without_location.auc": 0.4},
        tags={"ledger_seq": str(seed)},
        documents={"features": {"orders": {"fields": ["transactions.order_id"]}}},
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the store."""
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="module")
def tracking(store: Path) -> Tracking:
    """A store and registry on SQLite."""
    return registry_in(store)


@pytest.fixture(scope="module")
def versions(tracking: Tracking) -> tuple[Version, Version]:
    """Two runs recorded one after the other; the first was promoted before the second came."""
    assert tracking.by_alias(MODEL, CHAMPION) is None
    first = tracking.record(run_of(1))
    tracking.promote(first, {"quality": "auc 0.6, at least 0.55"})
    return first, tracking.record(run_of(2))


def test_a_run_becomes_the_challenger(
    tracking: Tracking, versions: tuple[Version, Version]
) -> None:
    """The newest version is the challenger, with the metrics and tags of its run."""
    _, second = versions
    found = tracking.by_alias(MODEL, CHALLENGER)
    assert found is not None
    assert (found.model, found.version, found.run_id) == (MODEL, "2", second.run_id)
    assert found.metrics == {"auc": 0.7, "without_location.auc": 0.4}
    assert found.tags["ledger_seq"] == "2"


def test_a_promotion_makes_the_champion(
    tracking: Tracking, versions: tuple[Version, Version]
) -> None:
    """The promoted version stays champion when a challenger comes, and carries what its gates
    said.
    """
    champion = tracking.by_alias(MODEL, CHAMPION)
    assert champion is not None
    assert champion.version == versions[0].version == "1"
    assert champion.tags["gate.quality"] == "auc 0.6, at least 0.55"


def test_files_come_back_as_they_were_saved(
    tracking: Tracking, versions: tuple[Version, Version]
) -> None:
    """Each version's folder holds the bytes that its own run saved."""
    for seed, version in enumerate(versions, 1):
        folder = tracking.folder(tracking.version(MODEL, version.version))
        assert (folder / "manifest.json").read_text(encoding="utf-8") == f'{{"seed": {seed}}}'
        assert (folder / "deep" / "array.npy").read_bytes() == bytes(range(seed, seed + 9))


def test_a_missing_version_is_said(tracking: Tracking, versions: tuple[Version, Version]) -> None:
    """A version that the registry does not have is named in the error."""
    assert versions
    with pytest.raises(ModelUnavailable, match="no version 99 of `churn`"):
        tracking.version(MODEL, "99")
    assert tracking.by_alias("unheard", CHAMPION) is None


def test_another_process_sees_the_same(
    store: Path, tracking: Tracking, versions: tuple[Version, Version]
) -> None:
    """A second connection to the store finds versions, aliases and files."""
    other = registry_in(store)
    assert other.by_alias(MODEL, CHALLENGER) == tracking.by_alias(MODEL, CHALLENGER)
    assert (other.folder(versions[1]) / "manifest.json").is_file()


def test_the_registered_model_answers_as_the_booster(
    tracking: Tracking, versions: tuple[Version, Version]
) -> None:
    """What MLflow registered loads as LightGBM and predicts what was trained."""
    assert tracking.version(MODEL, versions[1].version) == versions[1]
    loaded = mlflow.lightgbm.load_model(f"models:/{MODEL}@{CHALLENGER}")
    rows = np.array([[0.5, np.nan], [-2.0, 1.0]])
    np.testing.assert_array_equal(loaded.predict(rows), booster(2).predict(rows))


def test_files_that_are_gone_are_said(
    tracking: Tracking, versions: tuple[Version, Version], store: Path
) -> None:
    """A version whose files were removed is unavailable, and the error names it."""
    third = tracking.record(run_of(3))
    shutil.rmtree(store / "models" / MODEL / third.version)
    with pytest.raises(ModelUnavailable, match="`churn` version 3"):
        tracking.folder(third)
    assert (tracking.folder(versions[0]) / "manifest.json").is_file()


@pytest.mark.slow
def test_a_copy_of_a_workspace_is_one_of_its_own(tmp_path: Path) -> None:
    """Models come along when a workspace is copied and the first one goes, and what is trained in
    the copy is written there alone.
    """
    (tmp_path / "one").mkdir()
    first = registry_in(tmp_path / "one")
    version = first.record(run_of(1))
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    held = sorted((tmp_path / "one").rglob("*"))
    copy = registry_in(tmp_path / "two")
    assert copy.folder(version).is_relative_to(tmp_path / "two")
    newer = copy.record(run_of(2))
    assert sorted((tmp_path / "one").rglob("*")) == held
    shutil.rmtree(tmp_path / "one")
    assert all(copy.folder(one).is_relative_to(tmp_path / "two") for one in (version, newer))
    assert copy.record(run_of(3)).version == "3"


@pytest.mark.slow
def test_what_mlflow_alone_knows_is_taken_over(tmp_path: Path) -> None:
    """A workspace from before the database kept versions comes out the same: every version, its
    files, who is champion and what its gates said. What is gone from MLflow's files is told.
    """
    tracking = registry_in(tmp_path)
    first, second = tracking.record(run_of(1)), tracking.record(run_of(2))
    tracking.promote(first, {"quality": "auc 0.6, at least 0.55"})
    known = tracking.versions(MODEL)
    lost = tracking.record(run_of(3))
    shutil.rmtree(tmp_path / "artifacts" / MODEL / lost.run_id)
    with tracking._database.write() as connection:
        connection.execute(delete(model_versions))
        connection.execute(delete(model_roles))
    shutil.rmtree(tmp_path / "models")
    assert tracking.may_know_more
    tracking.adopt()
    assert not tracking.may_know_more
    assert [version for version, _ in tracking.versions(MODEL)[1:]] == [one for one, _ in known]
    assert tracking.by_alias(MODEL, CHAMPION) == known[1][0]
    for version in (first, second):
        assert (tracking.folder(version) / "manifest.json").is_file()
    with pytest.raises(ModelUnavailable, match="`churn` version 3 cannot be read"):
        tracking.folder(lost)


@pytest.mark.slow
def test_versions_are_taken_in_together_or_not_at_all(tmp_path: Path) -> None:
    """Where the files of one cannot be copied none is known afterwards, so it is tried again."""
    tracking = registry_in(tmp_path)
    first = tracking.record(run_of(1))
    one, two = (replace(first, version=number) for number in ("7", "8"))
    files = tracking.folder(first)
    with pytest.raises(FileNotFoundError):
        tracking.add(Entry(one, files, (CHAMPION,)), Entry(two, tmp_path / "absent", ()))
    assert [version.version for version, _ in tracking.versions(MODEL)] == ["1"]
    assert tracking.by_alias(MODEL, CHAMPION) is None


# ---- nobody's data ----


@pytest.fixture(scope="module")
def telling_shop(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[Shop]:
    """The made-up shop with telling customer ids, where everybody allows everything."""
    folder = tmp_path_factory.mktemp("telling")
    file = write_orders(folder / "orders.csv")
    file.write_text(
        pd.read_csv(file, dtype=str)
        .assign(customer_id=lambda lines: CANARY + lines["customer_id"])
        .to_csv(index=False),
        encoding="utf-8",
    )
    create(folder / "shop", [file], clock)
    shop = Shop(Workspace.open(folder / "shop"), clock)
    ingest(shop.workspace, shop.database, clock=clock)
    catalog = shop.config.catalog
    ids = pd.read_csv(file, dtype=str)["customer_id"].unique().tolist()
    asked = [
        (purpose, category) for purpose in catalog.purposes for category in catalog.askable(purpose)
    ]
    shop.ledger.append_all(
        [
            ConsentEvent(name, purpose, category, "granted", "form", "1")
            for name in ids
            for purpose, category in asked
        ]
    )
    yield shop
    shop.database.close()


def runs_of(shop: Shop) -> Iterator[Run]:
    """A run of each model, trained on the shop."""
    catalog, now, models = shop.config.catalog, shop.loaded_until(), shop.config.models
    gate, features = shop.gate(models.churn.purpose), models.churn.features
    masking = Masking.of(
        [catalog.categories_of(reads_of(name)) for name in features], catalog.askable(gate.purpose)
    )
    shown = {
        name: catalog.category_of(reads_of(name))
        for name in {*features, *models.next_purchase.features}
    }
    frame = customers_at(
        gate, features, [now - timedelta(days=30 * n) for n in (3, 2, 1)], shop.facts
    )
    rows = churn_rows(gate, frame, features, 30)
    churn = fit_churn(
        rows,
        ChurnTask(features, masking, shown, 30),
        ChurnSettings(most_trees=25, rows_per_leaf=50, taught_trees=25, threads=1),
    )
    yield Run("churn", churn.booster, churn.save, {"trees": 25}, {"auc": 0.7}, {})
    gate = shop.gate(models.next_purchase.purpose)
    data = PurchaseData(gate, orders(gate, now), models.next_purchase.features, shop.facts, 90)
    learned = {
        name: catalog.category_of(CANDIDATE_READS[name])
        for name in candidate_features(data.features)
    } | dict.fromkeys(PRODUCT_FEATURES, "product")
    settings = NextPurchaseSettings(trees=10, rows_per_leaf=50, threads=1)
    examples = [data.examples(begin)[0] for begin in data.begins(now)[:2]]
    ranker = fit_next_purchase(
        examples,
        data.maker(now),
        history_masking(data, catalog.askable(gate.purpose)),
        shown | learned,
        settings,
    )
    yield Run("next_purchase", ranker.booster, ranker.save, {"trees": 10}, {"recall": 0.1}, {})


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder, and the arrays in those that are packed."""
    for file in folder.rglob("*"):
        if file.is_file():
            yield str(file), file.read_bytes()
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                yield from ((f"{file}: {name}", arrays[name].tobytes()) for name in arrays.files)
                yield from (
                    (f"{file}: {name}", "\n".join(map(str, arrays[name].ravel().tolist())).encode())
                    for name in arrays.files
                )


@pytest.mark.slow
def test_no_customer_is_in_mlflow(telling_shop: Shop, tmp_path: Path) -> None:
    """Neither the shop's ids nor the pseudonyms, as text or as bytes, are in any file that MLflow
    keeps of either model.
    """
    tracking = registry_in(tmp_path)
    for run in runs_of(telling_shop):
        tracking.record(run)
    pseudonyms = telling_shop.gate("recommendations").customers().tolist()
    traces = [
        CANARY.encode(),
        *(str(one).encode() for one in pseudonyms),
        *(one.to_bytes(8, "little") for one in pseudonyms),
    ]
    files = list(contents(tmp_path))
    assert len(files) > 20
    assert any(b"p59" in held for name, held in files if "product_ids" in name)
    assert [(name, trace) for name, held in files for trace in traces if trace in held] == []


FIRST_USE = """
import sys
from pathlib import Path
from tests.made_up_registries import registry_in
sys.stdin.readline()
registry = registry_in(Path(sys.argv[1]))
assert registry._client.search_registered_models() == []
"""


@pytest.mark.slow
def test_the_first_two_to_use_a_store_both_may(tmp_path: Path) -> None:
    """Of two trainings begun at once in a new workspace neither finds the tables of the other half
    made.
    """
    arguments = (
        [sys.executable, "-c", FIRST_USE, str(tmp_path), model]
        for model in ("churn", "next_purchase")
    )
    asked = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": ROOT, "text": True}
    both = [subprocess.Popen(words, **asked) for words in arguments]  # noqa: S603 - our own command
    for one in both:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    assert [(one.communicate()[1].count("Error"), one.returncode) for one in both] == [
        (0, 0),
        (0, 0),
    ]
