"""The selftest of erasure holds, and finds what an erasure leaves behind."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.intake.ingest import ingest
from features.progress import silent
from serving.proofs.erasure.canaries import canary, found, holding
from serving.proofs.erasure.canary_shop import make_shop
from serving.proofs.erasure.proof import Erasure
from serving.rights.database_stores import Rows

pytestmark = pytest.mark.slow  # `make selftest` runs the proof itself, which takes its time


@pytest.fixture(scope="module")
def erasure(tmp_path_factory):
    """Two customers who are to be erased from a shop full of canaries, and three who stay."""
    sayso = make_shop(tmp_path_factory.mktemp("canaries"), range(5), silent)
    yield Erasure(sayso, [0, 1], [2, 3])
    sayso.close()


def test_nothing_of_an_erased_customer_is_left(erasure):
    """All stores are emptied, the chains hold, and everybody else is as before."""
    erasure.erase(silent)
    erasure.search("afterwards")
    erasure.look_at_the_rest("afterwards")
    ingest(erasure.sayso.shop.workspace, erasure.sayso.shop.database)
    erasure.search("after the orders are loaded again")
    assert erasure.faults == []
    assert erasure.figures["canaries before"] > 0
    assert erasure.figures["complete receipts"] == 2


def test_a_store_that_keeps_something_is_found(erasure, monkeypatch):
    """Where a store deletes nothing, receipts say so and the search finds what is left."""
    monkeypatch.setattr(Rows, "erase", lambda _rows, _connection, _person: None)
    forgetful = Erasure(erasure.sayso, [4], [2, 3])
    forgetful.erase(silent)
    forgetful.search("afterwards")
    assert "1 receipts are not complete" in forgetful.faults
    assert any("are left in sayso.db" in fault for fault in forgetful.faults)
    assert any("old payloads can still be opened" in fault for fault in forgetful.faults)


def test_canaries_are_found_inside_compressed_columns(tmp_path):
    """What a Parquet file holds is looked at as it is when it is read, and numbers as their
    bytes.
    """
    texts, number = [canary("country", 7)] * 3, 2**61 + 12_345
    table = pa.table({"country": texts, "customer": [number] * 3})
    (tmp_path / "warehouse").mkdir()
    pq.write_table(
        table,
        tmp_path / "warehouse" / "customers.parquet",
        compression="zstd",
        write_statistics=False,
    )
    assert found(tmp_path, [7])["warehouse"] >= 3
    assert not found(tmp_path, [8])
    assert holding(tmp_path, ["warehouse"], [number.to_bytes(8, "little")])
