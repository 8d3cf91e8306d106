"""The selftest of bad data holds, and finds a reader that lets a corrupt row in."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from features.intake.reading import json_records, sources
from features.progress import silent
from serving.proofs.bad_data import spoilt_exports, spoilt_load
from serving.proofs.bad_data.corrupt_rows import KINDS
from serving.proofs.bad_data.kinds.consents import CONSENTS
from serving.proofs.bad_data.kinds.every import GROUPS
from serving.proofs.bad_data.kinds.json_lines import JSON_LINES
from serving.proofs.bad_data.kinds.packed import OF_GZIP
from serving.proofs.bad_data.proof import prove_others, prove_rows

pytestmark = pytest.mark.early

SMALL = 0.01


@pytest.fixture
def few_kinds(monkeypatch):
    """Four kinds of corrupt rows alone, which a wrong reader is found by as well."""
    names = ["NULL for a customer", *list(KINDS)[::20]]
    monkeypatch.setattr(spoilt_exports, "KINDS", {name: KINDS[name] for name in names})


@pytest.mark.slow
def test_fifty_kinds_of_corrupt_rows_are_named_and_load_once_they_are_mended(tmp_path):
    """Every kind is planted alone and together with the others; all are named, and the mended files
    load exactly the rest.
    """
    finding = prove_rows(tmp_path, SMALL, silent)
    assert finding.faults == ()
    assert finding.figures["kinds of corrupt rows"] == len(KINDS) == 50
    assert (
        finding.figures["corrupt rows planted"]
        == finding.figures["named with file, line and reason"]
        == 100
    )
    assert finding.figures["rows loaded after the fix"] == 100


@pytest.mark.usefixtures("few_kinds")
def test_a_reader_that_puts_values_right_in_silence_is_found(tmp_path, monkeypatch):
    """Where ids without faults are made of faulty ones the selftest says which kinds got in."""
    careful = sources.read_id
    monkeypatch.setattr(
        sources,
        "read_id",
        lambda raw, *, required: careful(raw, required=required)._replace(faults=[]),
    )
    faults = prove_rows(tmp_path, SMALL, silent).faults
    assert any("NULL for a customer" in fault and "was not rejected" in fault for fault in faults)
    assert any("something else than the good rows" in fault for fault in faults)


@pytest.mark.usefixtures("few_kinds")
def test_a_reader_that_loses_a_good_row_is_found(tmp_path, monkeypatch):
    """Where rows vanish without being counted the selftest says that the counts do not match."""
    whole = sources._completed
    monkeypatch.setattr(
        sources, "_completed", lambda rows, table: whole(rows[np.arange(len(rows)) != 3], table)
    )
    assert any("rows were read of" in fault for fault in prove_rows(tmp_path, SMALL, silent).faults)


@pytest.mark.slow
def test_all_other_kinds_are_named_and_load_once_they_are_mended(tmp_path):
    """Files of every kind, settings, joined files and consents: each bad one is named, and what is
    mended loads all.
    """
    assert prove_others(tmp_path, silent).faults == ()


def test_there_are_eighty_other_kinds_of_different_names() -> None:
    """No two kinds are called alike."""
    names = [*KINDS, *(name for group in GROUPS.values() for name in group.kinds)]
    assert len(names) == len(set(names)) >= 130


@pytest.mark.parametrize("group", ["zip", "joined files", "consents"])
def test_other_kinds_are_named_and_load_once_they_are_mended(tmp_path, group: str) -> None:
    """Of what is quick to load each bad one is named, and what is mended loads all."""
    assert list(GROUPS[group].faults(tmp_path)) == []


def test_a_reader_that_takes_one_of_two_values_in_silence_is_found(tmp_path, monkeypatch):
    """Where an object says a thing twice and nobody notices, the selftest says so."""
    monkeypatch.setattr(json_records, "_fault", lambda found: None if found else "no object")
    twice = "a name twice in an object"
    faults = list(replace(JSON_LINES, kinds={twice: JSON_LINES.kinds[twice]}).faults(tmp_path))
    assert faults
    assert all(fault.startswith(twice) for fault in faults)


def test_a_load_that_ends_in_a_traceback_is_found(tmp_path, monkeypatch):
    """Whatever is no error of ours is a fault."""
    careful, calls = spoilt_load.ingest, itertools.count(1)

    def broken(*of: object) -> object:
        if next(calls) == 2:
            raise KeyError("order")
        return careful(*of)

    monkeypatch.setattr(spoilt_load, "ingest", broken)
    assert list(OF_GZIP.faults(tmp_path)) == ["gzip that is cut off: it ends in KeyError: 'order'"]


def test_consents_that_are_half_imported_are_found(tmp_path, monkeypatch):
    """Where rows that break a rule are passed over, the selftest says so."""
    monkeypatch.setattr("features.shop.consent_import._refuse_faulty", lambda *_: None)
    faults = list(CONSENTS.faults(tmp_path))
    assert any("was imported" in fault or "ends in" in fault for fault in faults)
