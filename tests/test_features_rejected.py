"""Rows that ingest refused tell nothing of customers who were erased."""

from __future__ import annotations

import pytest

from features.intake.reading.rejected import OF_ERASED, rejections, without_erased


@pytest.mark.parametrize(
    "raw",
    [
        "ann,o1,p1,x",
        '"ann","o1"',
        "o1; ann ;p1",
        "o1\tann",
        '{"customer_id": "ann", "quantity": "x"}',
        '"ann, o1',
        '"Smith, Ann",o1',
    ],
)
def test_a_refused_row_of_an_erased_customer_is_told_of_by_its_place_alone(raw):
    """However the row is written, file and line stay, and what stood there does not."""
    rejected = rejections([("orders.csv", 7, "quantity is 'ann'")]).assign(raw=raw)
    told = without_erased(rejected, {"ann", "Smith, Ann"}.intersection)
    assert told.to_dict("records") == [
        {"file": "orders.csv", "line": 7, "reason": OF_ERASED, "raw": ""}
    ]


def test_rows_of_others_stay_as_they_are():
    """An id that is part of a longer one is somebody else's, and where nobody is named nothing
    changes.
    """
    rejected = rejections([("orders.csv", 7, "no number"), ("orders.csv", 9, "no number")]).assign(
        raw=["joann,o1", "ann-2,o1"]
    )
    assert without_erased(rejected, {"ann"}.intersection).equals(rejected)
    assert without_erased(rejected.iloc[:0], {"ann"}.intersection).empty


@pytest.mark.parametrize("raw", ["a\rb,c", 'a"b\rc', "a\nb\rc", "\x00,a"])
def test_rows_that_are_no_csv_are_kept_as_they_are(raw):
    """A row that no reader of CSV takes is looked through all the same, and stays as it is where it
    names nobody erased.
    """
    rejected = rejections([("orders.csv", 3, "odd")]).assign(raw=raw)
    assert without_erased(rejected, lambda _texts: ())["raw"].tolist() == [raw]
