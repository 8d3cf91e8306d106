"""One service for all tests of consent tools and visitors: each test has people of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from features.shop.workspace import Workspace
from serving.access.api_keys import Keys
from serving.bootstrap import Sayso, assemble
from serving.http.app import make_app
from tests.consent_tools_shop import BANNER, OTHER, SIGNATURE, STAMPED, make_shop, tool
from tests.tc_strings import OURS


@pytest.fixture(scope="session")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sayso]:
    """The service of a shop with a tool of each form, without a model."""
    root = make_shop(
        tmp_path_factory.mktemp("tools") / "shop",
        tool("banner", "consent-mode", '"analytics_storage", "personalization_storage"', BANNER),
        tool("vendor", "tcf", "1, 4", f"vendor_id = {OURS}"),
        tool("publisher", "tcf", "4", "publisher = true"),
        tool("c15t", "c15t", '"experience"', f"signature = {SIGNATURE}}}"),
        tool("stamped", "consent-mode", '"analytics_storage"', STAMPED),
        tool("unset", "c15t", '"x"', 'signature = {header = "S", secret = "${SAYSO_NEVER_SET}"}'),
        tool("other", "generic", '"C0004"', OTHER),
    )
    made = assemble(Workspace.open(root), "http://shop.test")
    yield made
    made.close()


@pytest.fixture(scope="session")
def client(asked: Sayso) -> Iterator[TestClient]:
    """A caller whose key is good for everything."""
    app = make_app()
    app.state.sayso = asked
    _, secret = Keys(asked.shop.database).create(["all"], "site", "Nora")
    with TestClient(app, headers={"Authorization": f"Bearer {secret}"}) as asking:
        yield asking
