"""The selftest of the ledger holds, and finds a verification that looks away and a ledger that
forks.
"""

from __future__ import annotations

import pytest

from features.consent.verification import verify_ledger
from features.progress import silent
from serving.proofs.chain import proof
from serving.proofs.chain.appending import _faults
from serving.proofs.chain.detecting import exported_anchor, fill, undetected
from serving.proofs.chain.proof import CHAIN
from serving.proofs.chain.refusing import accepted_changes
from serving.proofs.chain.tampering import TAMPERINGS
from serving.proofs.stage.empty_shop import make_empty_shop, opened
from tests.made_up_consents import drop_triggers

pytestmark = pytest.mark.slow  # `make selftest` runs the proof itself, which takes its time

EACH = len(TAMPERINGS)


@pytest.fixture
def shop(tmp_path):
    """A shop whose ledger holds some events."""
    with opened(make_empty_shop(tmp_path / "shop")) as opened_shop:
        fill(opened_shop)
        yield opened_shop


def test_nothing_is_rewritten_unseen_on_either_database(tmp_path, monkeypatch):
    """Every way to tamper is found, every change refused, and concurrent appends leave one
    chain.
    """
    monkeypatch.setattr(proof, "TAMPERINGS", EACH)
    finding = CHAIN.run(tmp_path, 0.01, silent)
    assert finding.faults == ()
    assert finding.figures["SQLite: tamperings"] == finding.figures["SQLite: of these found"]
    assert finding.figures["SQLite: appended by 8 processes at once"] == 16


def test_without_the_anchor_whole_rewrites_are_missed(shop, tmp_path):
    """A verification that does not look at the anchor misses those who rewrite everything, and no
    one else.
    """
    anchor = exported_anchor(shop, tmp_path / "anchor.json")
    missed = undetected(
        shop,
        anchor,
        EACH,
        silent,
        lambda database, catalog, _anchors: verify_ledger(database, catalog),
    )
    assert set(missed) == {name for name in TAMPERINGS if name.endswith("everything rewritten")}


def test_a_database_without_triggers_is_found(shop):
    """Where the triggers are gone the selftest names what the database lets happen."""
    with shop.database.write() as connection:
        drop_triggers(connection)
    assert "UPDATE" in accepted_changes(shop.database)


def test_a_fork_is_found():
    """Two events after the same one, and two receipts for one place, are faults."""
    faults = _faults([(1, "a"), (2, "b"), (2, "c")], {(1, "a"), (2, "c")}, ["", "a", "a"])
    assert len(faults) == 3
