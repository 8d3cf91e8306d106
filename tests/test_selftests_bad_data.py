"""The selftest of bad data holds, and finds a reader that lets a corrupt row in."""

from __future__ import annotations

import numpy as np
import pytest

from features.intake.reading import sources
from features.progress import silent
from serving.proofs.bad_data.corrupt_rows import KINDS
from serving.proofs.bad_data.proof import BAD_DATA

pytestmark = pytest.mark.early

SMALL = 0.01


def test_fifty_kinds_of_corrupt_rows_are_named_and_load_once_they_are_mended(tmp_path):
    """Every kind is planted alone and together with the others; all are named, and the mended files
    load exactly the rest.
    """
    finding = BAD_DATA.run(tmp_path, SMALL, silent)
    assert finding.faults == ()
    assert finding.figures["kinds"] == len(KINDS) == 50
    assert (
        finding.figures["corrupt rows planted"]
        == finding.figures["named with file, line and reason"]
        == 100
    )
    assert finding.figures["rows loaded after the fix"] == 100


def test_a_reader_that_puts_values_right_in_silence_is_found(tmp_path, monkeypatch):
    """Where ids without faults are made of faulty ones the selftest says which kinds got in."""
    careful = sources.read_id
    monkeypatch.setattr(
        sources,
        "read_id",
        lambda raw, *, required: careful(raw, required=required)._replace(faults=[]),
    )
    faults = BAD_DATA.run(tmp_path, SMALL, silent).faults
    assert any("NULL for a customer" in fault and "was not rejected" in fault for fault in faults)
    assert any("something else than the good rows" in fault for fault in faults)


def test_a_reader_that_loses_a_good_row_is_found(tmp_path, monkeypatch):
    """Where rows vanish without being counted the selftest says that the counts do not match."""
    whole = sources._completed
    monkeypatch.setattr(
        sources, "_completed", lambda rows, table: whole(rows[np.arange(len(rows)) != 3], table)
    )
    assert any(
        "rows were read of" in fault for fault in BAD_DATA.run(tmp_path, SMALL, silent).faults
    )
