"""The selftest `person`: it holds on both databases, and finds ids that are merged too eagerly or
too little.
"""

from __future__ import annotations

import unicodedata

import pytest

from features.customers import pseudonyms
from features.progress import silent
from serving.proofs.person.pairs import ONE, TWO, pairs
from serving.proofs.person.proof import PROOF
from serving.proofs.person.trial import Trial
from serving.proofs.stage.empty_shop import make_empty_shop, opened

KINDS = len(ONE) + len(TWO)


@pytest.fixture
def trial(tmp_path):
    """One pair of each kind in a shop of its own."""
    with opened(make_empty_shop(tmp_path / "shop")) as shop:
        yield Trial(shop, list(pairs(KINDS)))


def test_no_two_pairs_share_an_id():
    """The pairs are of as many ids as they should be, and of every kind."""
    made = list(pairs(500))
    assert len({id for pair in made for id in (pair.first, pair.second)}) == 1_000
    assert {pair.kind for pair in made} == {*ONE, *TWO}


def test_nothing_is_found_in_a_shop_that_keeps_the_promise(trial):
    """Every part finds the same customer under either id, and never another."""
    trial.run(silent)
    assert trial.faults.total() == 0


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (lambda one, _: one.strip(), "orders: case of an address"),
        (lambda one, _: one.strip().casefold(), "orders: case of a number"),
        (lambda one, _: unicodedata.normalize("NFKC", one.strip()), "orders: a ligature"),
    ],
)
def test_a_wrong_rule_is_found(trial, monkeypatch, wrong, found):
    """Ids that are merely stripped leave one person apart, and those that are folded or made
    compatible merge two; both are told by their kind.
    """
    monkeypatch.setattr(pseudonyms, "normalised", wrong)
    trial.run(silent)
    assert found in trial.faults


@pytest.mark.slow
def test_one_person_is_one_person_on_both_databases(tmp_path):
    """A hundred pairs, and a hundred that stood apart, on SQLite and PostgreSQL."""
    finding = PROOF.run(tmp_path, 0.01, silent)
    assert finding.faults == ()
    assert finding.figures["PostgreSQL: pairs taken wrongly"] == 0
