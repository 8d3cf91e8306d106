"""A service that is started too early, or whose model is broken, answers without a model and
recovers by itself.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from features.intake.setup.new_workspace import create
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.registry import CHAMPION, Registry
from models.tracking import Tracking
from serving.bootstrap import Sayso, assemble
from serving.http.app import make_app
from tests.serving_shop import CANARY, CATEGORIES, copied, customer_id, train_both

pytest_plugins = ["tests.serving_fixtures"]
pytestmark = [pytest.mark.slow, pytest.mark.early]

SHARES_ALL = customer_id(0)
PATIENCE_SECONDS = 10.0
FILES = [
    ("churn", "booster.txt"),
    ("churn", "manifest.json"),
    ("next_purchase", "booster.txt"),
    ("next_purchase", "statistics.npz"),
]


@dataclass
class Running:
    """A service within this process."""

    sayso: Sayso
    http: TestClient

    def recommend(self, customer: str) -> dict:
        """The answer to `POST /v1/recommendations`."""
        response = self.http.post("/v1/recommendations", json={"customer_id": customer})
        assert response.status_code == 200, response.text
        return dict(response.json())

    def churn(self, customer: str) -> dict:
        """The answer to `POST /v1/churn`."""
        response = self.http.post("/v1/churn", json={"customer_id": customer})
        assert response.status_code == 200, response.text
        return dict(response.json())


def started(root: Path) -> Iterator[Running]:
    """The service of a workspace while a test runs."""
    sayso = assemble(Workspace.open(root), "http://testserver")
    sayso.watch.start()
    app = make_app()
    app.state.sayso = sayso
    secret = sayso.keys.create(["all"])[1]
    with TestClient(
        app, headers={"Authorization": f"Bearer {secret}"}, raise_server_exceptions=False
    ) as http:
        yield Running(sayso, http)
    sayso.close()


def becomes(true: Callable[[], bool]) -> bool:
    """Whether something becomes true before patience ends."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not true() and time.monotonic() < ends:
        time.sleep(0.1)
    return true()


@pytest.fixture(scope="module")
def early(untrained_root, tmp_path_factory) -> Iterator[Running]:
    """The service of a shop that has orders and consents and no model yet."""
    yield from started(copied(untrained_root, tmp_path_factory.mktemp("early") / "mugs"))


def test_before_training_best_sellers_are_shown_and_marked(early):
    """Without a model a consenting customer gets best sellers, marked `model_unavailable`, and no
    estimate.
    """
    items, churn = early.recommend(SHARES_ALL), early.churn(SHARES_ALL)
    assert (items["personalized"], items["not_personalized_because"], items["model"]) == (
        False,
        "model_unavailable",
        None,
    )
    assert len(items["items"]) == 10
    assert items["consent"]["used"] == []
    assert sorted(items["consent"]["withheld"]) == sorted(CATEGORIES)
    assert (churn["available"], churn["unavailable_because"]) == (False, "model_unavailable")
    assert "probability" not in churn


def test_before_training_the_truth_about_a_customer_comes_first(early):
    """Who is unknown or shares nothing is told that, not that there is no model."""
    assert early.recommend("nobody")["not_personalized_because"] == "unknown_customer"
    assert early.recommend(customer_id(18))["not_personalized_because"] == "no_consent"


def test_before_training_no_model_is_listed_and_decisions_replay(early):
    """`GET /v1/models` is an empty list, and answers without a model can be made again."""
    assert early.http.get("/v1/models").json() == {"models": []}
    for answer in (early.recommend(SHARES_ALL), early.churn(SHARES_ALL)):
        assert early.http.get(f"/v1/decisions/{answer['decision_id']}?replay=true").json()[
            "replay"
        ] == {"identical": True}


@pytest.fixture(scope="module")
def trained(early) -> Running:
    """The same service after both models were trained and promoted beside it."""
    shop = Shop(early.sayso.shop.workspace)
    train_both(shop, Tracking.of(shop.workspace))
    shop.database.close()
    return early


def test_a_promoted_model_answers_within_seconds(trained):
    """The running service takes a champion up without a restart."""
    assert becomes(
        lambda: (
            trained.recommend(SHARES_ALL)["personalized"] and trained.churn(SHARES_ALL)["available"]
        )
    )


def artifact(shop: Shop, model: str, name: str) -> Path:
    """A file of the champion, as it lies in the workspace."""
    registry = Registry(shop.database, shop.workspace.models)
    return registry.folder(registry.by_alias(model, CHAMPION)) / name


LOAD_CUT_FILES = """
import hashlib, os, signal, sys
from pathlib import Path
from types import SimpleNamespace
from features.errors import SaysoError
from models.artifact_digest import SEAL, require_sealed
from serving.live.champions import churn_champion, next_purchase_champion
makers = {"churn": churn_champion, "next_purchase": next_purchase_champion}

def checked(folder):
    require_sealed(folder, hashlib.sha256((folder / SEAL).read_bytes()).hexdigest())
    return folder

for model, file in [argument.split("|") for argument in sys.argv[1:]]:
    whole = Path(file).read_bytes()
    registry = SimpleNamespace(version=lambda *_: None, folder=lambda _: checked(Path(file).parent))
    for left in (0.0, 0.01, 0.3, 0.6, 0.9, 0.97, 0.995):
        Path(file).write_bytes(whole[: int(left * len(whole))])
        child = os.fork()
        if not child:
            signal.alarm(10)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(1, 2)
            try:
                makers[model](registry).version("1")
            except SaysoError:
                os._exit(7)
            except BaseException:
                os._exit(8)
            os._exit(0)
        print(model, Path(file).name, left, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    Path(file).write_bytes(whole)
"""


@pytest.fixture(scope="module")
def refused(trained) -> list[str]:
    """How loading ended for each file of both champions cut off at several places, each tried in a
    process of its own: 7 is refused.
    """
    shop = trained.sayso.shop
    cut = [f"{model}|{artifact(shop, model, name)}" for model, name in FILES]
    command = [sys.executable, "-c", LOAD_CUT_FILES, *cut]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)  # noqa: S603 - our own command
    return done.stdout.splitlines()


def test_a_truncated_file_is_refused_wherever_it_was_cut(refused):
    """Loading a model with a cut-off file raises the project's error; it never succeeds and never
    brings the process down.
    """
    assert len(refused) == 7 * len(FILES)
    assert [line for line in refused if not line.endswith(" 7")] == []


@pytest.mark.parametrize(("model", "name"), FILES)
def test_a_truncated_model_is_no_model_until_it_is_repaired(trained, refused, model, name):
    """A service that starts on a truncated file answers without that model and refuses replays,
    until the file is repaired.
    """
    assert not any(int(line.split()[-1]) < 0 for line in refused), (
        "loading this would bring the test run down"
    )
    shop = trained.sayso.shop
    file = artifact(shop, model, name)
    whole = file.read_bytes()
    assert becomes(
        lambda: (
            trained.churn(SHARES_ALL)["available"] and trained.recommend(SHARES_ALL)["personalized"]
        )
    )
    decided = (trained.churn if model == "churn" else trained.recommend)(SHARES_ALL)["decision_id"]
    file.write_bytes(whole[: len(whole) // 2])
    try:
        for running in started(shop.workspace.root):
            items, churn = running.recommend(SHARES_ALL), running.churn(SHARES_ALL)
            assert (churn["unavailable_because"] == "model_unavailable") == (model == "churn")
            assert (items["not_personalized_because"] == "model_unavailable") == (
                model == "next_purchase"
            )
            replayed = running.http.get(f"/v1/decisions/{decided}?replay=true")
            assert replayed.status_code == 409, replayed.text
            assert replayed.headers["content-type"].startswith("application/problem+json")
            file.write_bytes(whole)
            assert becomes(
                lambda running=running: (
                    running.churn(SHARES_ALL)["available"]
                    and running.recommend(SHARES_ALL)["personalized"]
                )
            )
    finally:
        file.write_bytes(whole)


def test_an_empty_warehouse_has_nothing_to_show(tmp_path):
    """A service on a workspace that nothing was loaded into answers with an empty list, for
    anybody.
    """
    create(tmp_path / "empty", [])
    for running in started(tmp_path / "empty"):
        said = {
            "customer_id": CANARY,
            "purpose": "recommendations",
            "category": "purchases",
            "action": "granted",
            "method": "test",
        }
        assert (
            running.http.post("/v1/consents", json=said | {"notice_version": "1"}).status_code
            == 201
        )
        for customer, reason in (("nobody", "unknown_customer"), (CANARY, "model_unavailable")):
            answer = running.recommend(customer)
            assert (answer["items"], answer["not_personalized_because"]) == ([], reason)
        assert running.http.get("/v1/models").json() == {"models": []}
