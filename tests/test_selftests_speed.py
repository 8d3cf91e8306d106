"""The selftest of speed measures what it says, and a figure over its limit is a fault."""

from __future__ import annotations

import pytest

from features.progress import silent
from features.warehouse.gate import Gate
from serving.proofs.speed import of_gate, of_ledger
from serving.proofs.speed.limits import Measured
from serving.proofs.speed.of_gate import FramesDiffer
from serving.proofs.speed.proof import found

pytestmark = pytest.mark.slow  # `make selftest` runs the proof itself, which takes its time


def test_the_ledger_is_measured_at_its_share_of_the_size(tmp_path):
    """Every figure of the ledger has a name with its size, and a limit that goes with it."""
    measured = list(of_ledger.measure(tmp_path, 0.002, silent))
    assert [figure.name for figure in measured] == [
        "import of 200 events",
        "where a customer stands, at 2,000 events",
        "what a customer grants for a purpose, at 2,000 events",
        "verification of 2,000 events",
    ]
    assert measured[0].most == pytest.approx(0.06)
    assert all(figure.value > 0 for figure in measured)


def test_the_gate_is_measured_against_the_same_features_without_it(tmp_path, monkeypatch):
    """The figure says what the gate adds."""
    monkeypatch.setattr(of_gate, "RUNS", 1)
    (figure,) = of_gate.measure(tmp_path, 0.002, silent)
    assert "2,000 transactions of 100 customers" in figure.name


def test_a_gate_that_gives_other_features_is_not_measured(tmp_path, monkeypatch):
    """Where the gate leaves rows out its time says nothing."""
    whole = Gate._covered
    monkeypatch.setattr(
        Gate, "_covered", lambda gate, fields: tuple(part[1:] for part in whole(gate, fields))
    )
    with pytest.raises(FramesDiffer):
        list(of_gate.measure(tmp_path, 0.002, silent))


def test_a_figure_over_its_limit_is_a_fault():
    """What takes longer than it may is named with both numbers."""
    finding = found(
        [Measured("import", 31.0, 30.0, "seconds"), Measured("verification", 59.0, 60.0, "seconds")]
    )
    assert finding.faults == ("import: 31 seconds, and 30 is the most",)
    assert finding.figures == {
        "import": "31 seconds, at most 30",
        "verification": "59 seconds, at most 60",
    }
