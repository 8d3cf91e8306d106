"""The selftest that faults fail closed, on a few faults by default and on all of them where there
is time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from features.progress import silent
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.tracking import Tracking
from serving.access.api_keys import Keys
from serving.proofs.faults.kinds import FAULTS, Fault
from serving.proofs.faults.proof import FAULTS_FAIL_CLOSED
from serving.proofs.faults.trial import Trial
from serving.server import free_port, running
from tests.namespaces import needs_mounts
from tests.serving_shop import CATEGORIES, copied, sharing, train_both

pytestmark = pytest.mark.slow  # `make selftest` runs the proof itself, which takes its time

pytest_plugins = ["tests.serving_fixtures"]

QUICK = (
    "the database is gone",
    "the ledger's events are gone",
    "the catalog is no TOML",
    "the next-purchase model is cut off",
)


@pytest.fixture(scope="module")
def trial(untrained_root, tmp_path_factory) -> Iterator[Trial]:
    """A service on a shop to be put through faults, with models of its own: the registry of a copy
    names the original's files.
    """
    folder = tmp_path_factory.mktemp("faults")
    shop = Shop(Workspace.open(copied(untrained_root, folder / "mugs")))
    train_both(shop, Tracking.of(shop.workspace))
    _, key = Keys(shop.database).create(["all"])
    shop.database.close()
    with (
        running(shop.workspace, free_port(), folder / "service.log") as url,
        httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30.0
        ) as http,
    ):
        yield Trial(
            http,
            shop.workspace,
            sharing(*CATEGORIES)[:5],
            sharing("purchases")[:5] or sharing(*CATEGORIES)[5:10],
        )


@pytest.mark.parametrize("name", QUICK)
def test_a_fault_stops_personal_answers_until_it_is_mended(trial, name):
    """Under a fault every answer is marked or a problem document, and after it the same worker
    answers as before.
    """
    trial.undergo(name, FAULTS[name], 2)
    trial.check_acknowledged()
    trial.check_not_restarted()
    assert trial.faults == []
    assert trial.counts["personalised answers under a fault"] == 0


def test_a_fault_that_changes_nothing_is_found(trial):
    """Where answers stay personal under a fault the selftest says so."""

    @contextmanager
    def nothing(_workspace: Workspace) -> Iterator[None]:
        yield

    other = Trial(trial.http, trial.workspace, trial.sharing, trial.changing)
    other.undergo("nothing at all", Fault(nothing), 1)
    assert [fault for fault in other.faults if "was personalised" in fault]


@pytest.mark.slow
@needs_mounts
def test_all_faults_fail_closed(tmp_path):
    """The whole selftest holds, full disk included."""
    finding = FAULTS_FAIL_CLOSED.run(tmp_path, 0.02, silent)
    assert finding.faults == ()
    assert finding.figures["kinds of fault"] == len(FAULTS)
