"""The selftest of durability holds, and finds acknowledgements that came too early and things that
are lost.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from features.progress import silent
from serving.proofs.durability.killing import kill_again_and_again
from serving.proofs.durability.promised import Promised
from serving.proofs.durability.proof import _on_sqlite
from serving.proofs.durability.tracing import Order, can_trace, order_of
from serving.proofs.stage.empty_shop import make_empty_shop
from serving.proofs.stage.postgres import postgres_server
from serving.proofs.stage.proof import CannotProve

pytestmark = pytest.mark.slow  # `make selftest` runs the proof itself, which takes its time

DATABASE = Path("/shop/sayso.db")
WRITE = '7 pwrite64(5</shop/sayso.db-wal>, ""..., 4096, 0) = 4096'
SYNC = "7 fdatasync(5</shop/sayso.db-wal>) = 0"
ACKNOWLEDGE = '7 write(1<pipe:[1]>, ""..., 20) = 20'


def test_nothing_acknowledged_is_lost_in_sqlite(tmp_path):
    """A writer is killed, traced and starved, and all that it acknowledged is there."""
    finding = _on_sqlite(tmp_path, 0.005, silent)
    assert finding.faults == ()
    assert finding.figures["acknowledged"] > 0
    assert finding.figures["events refused on a full disk"] > 0
    if can_trace():
        assert finding.figures["of these before their bytes were synced"] == 0


def test_nothing_acknowledged_is_lost_in_postgresql(tmp_path):
    """Writer and server are killed together, and all that was acknowledged is there once the server
    is back.
    """
    try:
        with postgres_server() as server:
            promised = Promised(make_empty_shop(tmp_path / "shop", server.url), server.url)
            kill_again_and_again(promised, 1, server, silent)
    except CannotProve as error:
        pytest.skip(str(error))
    assert promised.faults == []
    assert promised.acknowledged


def test_what_is_lost_is_found(tmp_path):
    """Something that was acknowledged and never written is a fault, once."""
    promised = Promised(
        make_empty_shop(tmp_path / "shop"), acknowledged={(1, "never written"), ("opt_1", "")}
    )
    promised.check("nothing")
    promised.check("nothing again")
    assert promised.faults == ["2 acknowledged things are lost after nothing"]


@pytest.mark.parametrize(
    ("calls", "unsynced"),
    [
        ((WRITE, SYNC, ACKNOWLEDGE), 0),
        ((WRITE, ACKNOWLEDGE, SYNC), 1),
        ((WRITE, SYNC, ACKNOWLEDGE, ACKNOWLEDGE), 1),
        (
            (
                WRITE,
                "7 fdatasync(5</shop/sayso.db-wal>) = -1 EIO (Input/output error) (INJECTED)",
                ACKNOWLEDGE,
            ),
            1,
        ),
        (
            (
                WRITE,
                "7 fdatasync(5</shop/sayso.db-wal> <unfinished ...>",
                "7 <... fdatasync resumed>) = 0",
                ACKNOWLEDGE,
            ),
            0,
        ),
        ((WRITE, SYNC, '7 unlink("/shop/sayso.db-journal") = 0', ACKNOWLEDGE), 1),
        (
            (
                WRITE,
                SYNC,
                '7 unlink("/shop/sayso.db-journal") = 0',
                "7 fsync(4</shop>) = 0",
                ACKNOWLEDGE,
            ),
            0,
        ),
        ((WRITE, SYNC, WRITE.replace("-wal", "-shm"), ACKNOWLEDGE), 0),
    ],
)
def test_an_acknowledgement_before_the_sync_of_its_bytes_is_found(calls, unsynced):
    """A trace shows which acknowledgements came before what they acknowledge was on disk."""
    assert order_of(calls, DATABASE) == Order(calls.count(ACKNOWLEDGE), unsynced)
