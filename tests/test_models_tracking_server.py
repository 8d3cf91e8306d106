"""MLflow on a server of its own, which several shops share."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import mlflow
import pytest

from features.config.environment import Settings
from features.intake.setup.new_workspace import create
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.registry import CHALLENGER, CHAMPION
from models.tracking import Tracking
from tests.test_models_tracking import MODEL, run_of

pytestmark = pytest.mark.slow
SECONDS_TO_START = 90


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Address and folder of a real `mlflow server`, which keeps the artifacts itself."""
    folder = tmp_path_factory.mktemp("mlflow-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'server.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts"), "--serve-artifacts"]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}"
    try:
        ends = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < ends and process.poll() is None:
            try:
                if httpx.get(f"{url}/health", timeout=1).is_success:
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        else:
            pytest.fail((folder / "log").read_text(errors="replace")[-2000:])
        yield url, folder
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def shop_on(url: str, root: Path, name: str) -> Shop:
    """A new shop called `name` that logs to the server."""
    create(root, shop=name)
    return Shop(Workspace.open(root, Settings(workspace=root, mlflow_uri=url)))


@pytest.fixture
def shops(server: tuple[str, Path], tmp_path: Path) -> Iterator[list[Shop]]:
    """Two shops of one name and one of another, whose name holds what MLflow refuses."""
    names = ("Corner shop", "Corner shop", 'Café "Olé": 50% / off')
    opened = [shop_on(server[0], tmp_path / str(n), name) for n, name in enumerate(names)]
    yield opened
    for shop in opened:
        shop.database.close()


def test_shops_share_a_server_side_by_side(
    server: tuple[str, Path], shops: list[Shop], tmp_path: Path
) -> None:
    """Each shop's runs and versions stand under its own name, with their files on the server and
    none in the workspace's folder of artifacts; nobody's are renamed, and each has its champion.
    """
    url, folder = server
    trackings = [Tracking.of(shop.workspace, shop.database) for shop in shops]
    for round_of in (1, 2):
        for seed, tracking in enumerate(trackings, round_of):
            version = tracking.record(run_of(seed))
            assert version.version == str(round_of)
            tracking.promote(version, {"quality": "good"})
    client = mlflow.MlflowClient(url, url)
    experiments = [one for one in client.search_experiments() if one.name != "Default"]
    models = client.search_registered_models()
    names = sorted(one.name for one in experiments)
    assert names == sorted(one.name for one in models)
    assert len(set(names)) == 3
    assert sum(name.startswith("Corner shop churn ") for name in names) == 2
    assert not any("before the move" in name for name in names)
    assert all(one.artifact_location.startswith("mlflow-artifacts:") for one in experiments)
    for model in models:
        assert client.get_model_version_by_alias(model.name, CHAMPION).version == "2"
    for seed, tracking in enumerate(trackings, 2):
        champion = tracking.by_alias(MODEL, CHAMPION)
        assert champion is not None
        stated = (tracking.folder(champion) / "manifest.json").read_text(encoding="utf-8")
        assert stated == f'{{"seed": {seed}}}'
    assert any((folder / "artifacts").rglob("manifest.json"))
    assert not any((tmp_path / str(n) / "mlartifacts").exists() for n in range(3))


def test_a_shop_that_comes_to_a_server_goes_on_counting(
    server: tuple[str, Path], tmp_path: Path
) -> None:
    """Versions of before stay as they were when a shop goes from its own store to a server, and
    back to an older one it can still go.
    """
    root = tmp_path / "came"
    create(root, shop="Came later")
    alone = Shop(Workspace.open(root, Settings(workspace=root)))
    tracking = Tracking.of(alone.workspace, alone.database)
    first = tracking.record(run_of(1))
    tracking.promote(first, {})
    there = Workspace.open(root, Settings(workspace=root, mlflow_uri=server[0]))
    moved = Tracking.of(there, alone.database)
    second = moved.record(run_of(2))
    assert (first.version, second.version) == ("1", "2")
    moved.promote(second, {})
    moved.reinstate(moved.version(MODEL, "1"), {})
    assert [moved.by_alias(MODEL, role).version for role in (CHAMPION, CHALLENGER)] == ["1", "2"]
    alone.database.close()
