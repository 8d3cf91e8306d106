"""One server for the whole test run, on a shop whose models were trained once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
import pytest

from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.tracking import Tracking
from serving.access.api_keys import Keys
from serving.access.signed_links import Links
from serving.server import free_port, running
from tests.made_once import made_once
from tests.made_up_languages import ACCENTED, MIRRORED, write_language
from tests.serving_shop import (
    AUDIENCE_AND_TOOL,
    CATEGORIES,
    OWN_SITE,
    SHOP,
    Client,
    Pool,
    copied,
    make_shop,
    train_both,
)


@pytest.fixture(scope="session")
def untrained_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with orders and consents and no model, which nobody has open; to be copied."""
    return made_once(tmp_path_factory, "untrained", make_shop) / SHOP


@pytest.fixture(scope="session")
def trained_root(untrained_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with both models promoted, which nobody has open; to be copied."""
    return (
        made_once(
            tmp_path_factory, "trained", lambda folder: train(copied(untrained_root, folder / SHOP))
        )
        / SHOP
    )


def train(root: Path) -> None:
    """Make small models champions of a workspace, and give it two more languages."""
    shop = Shop(Workspace.open(root))
    train_both(shop, Tracking.of(shop.workspace))
    shop.database.close()
    for language in (ACCENTED, MIRRORED):
        write_language(root, language)


@pytest.fixture(scope="session")
def served_root(trained_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace that the server answers from: many tests change who allows what in it."""
    root = copied(trained_root, tmp_path_factory.mktemp("served") / "mugs")
    with (root / "sayso.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[events]\norigins = ["{OWN_SITE}"]\n{AUDIENCE_AND_TOOL}')
    return root


@pytest.fixture(scope="session")
def served(served_root: Path) -> Iterator[Shop]:
    """The data of the shop that the server answers from, opened beside it."""
    shop = Shop(Workspace.open(served_root))
    yield shop
    shop.database.close()


@pytest.fixture(scope="session")
def server_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the server prints."""
    return tmp_path_factory.mktemp("log") / "service.log"


@pytest.fixture(scope="session")
def service(served: Shop, server_log: Path) -> Iterator[Client]:
    """The running BentoML service, asked over its socket with a key for everything."""
    _, secret = Keys(served.database).create(["all"], "crm", "Nora")
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SAYSO_WEBHOOK_SECRET", "what the served shop signs its calls with")
            url = stack.enter_context(running(served.workspace, free_port(), server_log))
        client = Client(url, secret, Links(served.workspace.secret(), url))
        yield client
        client.http.close()


@pytest.fixture(scope="session")
def pool(served: Shop) -> Pool:
    """Customers to take, of whom no test has changed anything."""
    return Pool(CATEGORIES, served)


@pytest.fixture(scope="session")
def lines(untrained_root: Path) -> pd.DataFrame:
    """The order lines that the shop was made from."""
    return pd.read_csv(untrained_root.parent / "orders.csv")
