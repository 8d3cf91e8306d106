"""The selftest `races`: it holds against the running service, and it can tell an answer that
disobeys.
"""

from __future__ import annotations

import pytest

from features.progress import silent
from serving.proofs.races.proof import PROOF, Score, run_races
from serving.proofs.races.race import Asked, Race, Track
from serving.proofs.stage.switches import OptOut, Withdrawal

pytestmark = pytest.mark.slow  # `make selftest` runs the proof itself, which takes its time

pytest_plugins = ["tests.serving_fixtures"]

RACES = 9
RECEIPT = {"seq": 7}
OFF = Withdrawal("c1", "/v1/recommendations", "recommendations", "spending")


def answered(seq: int, *used: str, reasons: tuple[str, ...] = ()) -> dict:
    """An answer at a position of the ledger that uses and withholds categories."""
    items = [
        {
            "product_id": "p1",
            "explanation": {
                "reasons": [{"category": name, "text": "Because."} for name in reasons]
            },
        }
    ]
    return {
        "consent": {"ledger_seq": seq, "used": list(used), "withheld": ["spending"]},
        "items": items,
    }


@pytest.fixture
def track(service):
    """A track to the running service."""
    opened = Track(service.url, service.key)
    yield opened
    opened.close()


def test_off_means_off_now(served, track, pool):
    """No answer that began after the acknowledgement used what was switched off, and the races were
    real.
    """
    score = Score()
    for race in run_races(served, track, RACES, pool.take(RACES)):
        score.count(race)
    assert score.faults == []
    assert score.withdrawals + score.opt_outs == RACES
    assert score.opt_outs == RACES // 3
    assert score.real > RACES // 2


@pytest.mark.slow
def test_the_proof_makes_a_shop_and_a_server_of_its_own(tmp_path):
    """A small run of the whole proof finds no fault."""
    found = PROOF.run(tmp_path, 0.01, silent)
    assert found.holds, found.faults


@pytest.mark.parametrize(
    ("answer", "obeys"),
    [
        (answered(7, "purchases"), True),
        (answered(6, "purchases"), False),
        (answered(7, "purchases", "spending"), False),
        (answered(7, "purchases", reasons=("spending",)), False),
    ],
)
def test_an_answer_that_uses_what_was_withdrawn_is_told(answer, obeys):
    """A category in what was used or in a reason disobeys, and so does an answer from an older
    ledger.
    """
    assert OFF.obeyed_by(answer, RECEIPT) is obeys


def test_an_answer_that_shows_what_was_opted_out_of_is_told():
    """A product that is shown in spite of the opt-out disobeys."""
    assert not OptOut("c1", "p1").obeyed_by(answered(7), {})
    assert OptOut("c1", "p2").obeyed_by(answered(7), {})


def test_only_answers_begun_after_the_acknowledgement_are_judged():
    """An answer that was in flight may still use what was withdrawn; one that begins later is a
    fault.
    """
    early, late = answered(6, "spending"), answered(7, "spending")
    race = Race(
        OFF,
        2.0,
        3.0,
        RECEIPT,
        [Asked(0.0, 1.0, early), Asked(1.5, 2.5, early), Asked(3.5, 4.0, late)],
    )
    score = Score()
    score.count(race)
    assert (len(race.judged), len(race.in_flight), race.used_before) == (1, 1, True)
    assert len(score.faults) == 1
