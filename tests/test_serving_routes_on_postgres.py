"""The routes of reviews and of a customer's rights, asked of a service whose database is a real
PostgreSQL: every test of both files.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.access.api_keys import Keys
from serving.access.signed_links import Links
from serving.operations.moving import migrate
from serving.server import free_port, running
from tests.serving_shop import CATEGORIES, Client, Pool, copied
from tests.test_serving_privacy_routes import *  # noqa: F403  the same tests
from tests.test_serving_review_routes import *  # noqa: F403  the same tests

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(trained_root: Path, postgres_server: str, tmp_path_factory) -> Iterator[Shop]:
    """The data of the shop that the server answers from, moved to PostgreSQL."""
    root = copied(trained_root, tmp_path_factory.mktemp("served-on-postgres") / "mugs")
    migrate(Workspace.open(root), postgres_server)
    for left_behind in root.glob("sayso.db*"):
        left_behind.unlink()
    shop = Shop(Workspace.open(root))
    yield shop
    shop.database.close()


@pytest.fixture(scope="module")
def service(served: Shop, tmp_path_factory) -> Iterator[Client]:
    """The running service, asked with a key for everything."""
    _, secret = Keys(served.database).create(["all"], "crm", "Nora")
    log = tmp_path_factory.mktemp("log") / "service.log"
    with running(served.workspace, free_port(), log) as url:
        client = Client(url, secret, Links(served.workspace.secret(), url))
        yield client
        client.http.close()


@pytest.fixture(scope="module")
def pool(served: Shop) -> Pool:
    """Customers to take, of whom no test has changed anything."""
    return Pool(CATEGORIES, served)


def test_the_service_answers_from_postgresql(served: Shop, service: Client, pool: Pool) -> None:
    """What it answers is recorded there."""
    decision = service.recommend(pool.one())["decision_id"]
    assert make_url(served.database.url).get_backend_name() == "postgresql"
    assert service.http.get(f"/v1/decisions/{decision}").status_code == 200
