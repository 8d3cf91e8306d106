"""A running service whose keys go missing: it answers nothing with what it cannot read, makes no
key, says so in its log, and goes on once they are back.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from features.shop.faults import faults
from features.shop.shop import Shop
from tests.serving_shop import Client, Pool

pytest_plugins = ["tests.serving_fixtures"]


@pytest.fixture
def without_keys(served_root: Path) -> Iterator[Path]:
    """The file of the master keys, which is not there meanwhile."""
    file = served_root / "master.keys"
    aside = file.rename(served_root / "master.keys.aside")
    try:
        yield file
    finally:
        aside.rename(file)


def test_nothing_is_answered_and_no_key_is_made(
    service: Client, served: Shop, pool: Pool, without_keys: Path, server_log: Path
) -> None:
    """Every answer that would be sealed is a 503 with when to ask again, and the log and the faults
    name the file.
    """
    (customer,) = pool.take(1)
    for path in ("/v1/recommendations", "/v1/churn"):
        refused = service.http.post(path, json={"customer_id": customer})
        assert refused.status_code == 503, refused.text
        assert refused.headers["content-type"].startswith("application/problem+json")
        assert int(refused.headers["retry-after"]) > 0
        assert "master.keys" not in refused.text
    assert not without_keys.exists()
    assert "master.keys" in server_log.read_text(errors="replace")
    assert any("master.keys" in told for told in faults(served.workspace, served.database))


def test_it_goes_on_once_they_are_back(service: Client, pool: Pool) -> None:
    """With the file in its place the same service answers from what was sealed before."""
    (customer,) = pool.take(1)
    assert service.recommend(customer)["personalized"]
