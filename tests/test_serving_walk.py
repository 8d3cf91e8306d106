"""A stranger can follow a request: it touches few files and seldom goes from one to another."""

from __future__ import annotations

import pytest

from features.shop.workspace import Workspace
from tests.serving_shop import CATEGORIES, copied, sharing
from tests.walk import AFTERWARDS, RECOMMENDATION, WITHDRAWAL, Walk, told, walks

pytest_plugins = ["tests.serving_fixtures"]
MOST = {RECOMMENDATION: (71, 332), WITHDRAWAL: (32, 122), AFTERWARDS: (83, 475)}
"""Own files and switches between them at the most."""


@pytest.fixture(scope="module")
def walked(trained_root, tmp_path_factory) -> dict[str, Walk]:
    """The walks of a customer of the made-up shop who shares everything."""
    root = copied(trained_root, tmp_path_factory.mktemp("walk") / "shop")
    return walks(Workspace.open(root), sharing(*CATEGORIES)[0])


@pytest.mark.parametrize("name", MOST)
def test_a_request_touches_few_files_and_switches_little_between_them(walked, name):
    """The walk of each request stays within its limits."""
    files, switches = MOST[name]
    walk = walked[name]
    assert (len(walk.files) <= files, walk.switches <= switches) == (True, True), told(name, walk)
