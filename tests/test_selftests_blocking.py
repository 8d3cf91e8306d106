"""The selftest that nothing blocks finds what it looks for, and finds nothing where that holds."""

from __future__ import annotations

import os

import pytest
from sqlalchemy import insert

from features.database.tables import decisions, undelivered
from features.progress import silent
from serving.proofs.blocking.callers import Outcome
from serving.proofs.blocking.proof import BLOCKING
from serving.proofs.blocking.trial import Trial
from serving.proofs.blocking.watch import asked, bare_server, processor_times, waited_since
from tests.namespaces import needs_mounts

LATER = {"content-type": "application/problem+json", "retry-after": "1"}


@pytest.mark.parametrize(
    ("status", "head", "fine"),
    [
        (200, {}, True),
        (429, LATER, True),
        (503, LATER, True),
        (500, LATER, False),
        (504, {"content-type": "application/json"}, False),
        (503, {"content-type": "application/problem+json"}, False),
        (429, {"content-type": "text/plain", "retry-after": "1"}, False),
    ],
)
def test_an_answer_of_the_wrong_kind_is_found(status, head, fine):
    """A success, or a problem document that says when to ask again; nothing else is right."""
    outcome = Outcome()
    outcome.judge("a request", status, head, b"x" * 10)
    assert (outcome.wrong == []) == fine
    assert outcome.largest == (10 if status >= 200 else 0)


def recorded(database, *ids: str) -> None:
    """Decisions on record, as far as the comparison looks."""
    chain = {"previous_hash": "", "hash": "", "content_digest": "", "ledger_seq": 0}
    with database.write() as connection:
        for seq, id in enumerate(ids, start=1):
            row = {"seq": seq, "id": id, "kind": "x", "created_at": "x", **chain}
            connection.execute(insert(decisions).values(**row))


def test_records_that_were_answered_to_nobody_are_found(sqlite_database, monkeypatch):
    """A record without an answer and an answer without a record are faults; a marked one is not."""
    monkeypatch.setattr("serving.proofs.blocking.trial.PATIENCE", 0.1)
    recorded(sqlite_database, "told", "marked", "nobody")
    with sqlite_database.write() as connection:
        row = {"kind": "decision", "reference": "marked", "noted_at": "x"}
        connection.execute(insert(undelivered).values(**row))
    trial = Trial("a shop", 0, "", 0, 0, sqlite_database, [])
    trial.answered = {"told", "lost"}
    trial.check_records((set(), set()))
    assert trial.faults == [
        "a shop: 1 answers are not on record",
        "a shop: 1 records were answered to nobody",
    ]


def test_a_bare_server_answers_at_once_and_waits_are_told():
    """What the machine adds is measured by a server that does nothing."""
    before = processor_times(os.getpid())
    with bare_server() as port:
        took = asked(port, "/")
    assert took is not None
    assert took < 5
    assert 0 <= waited_since(before, os.getpid(), 5.0) <= 5
    assert waited_since({1: (0.0, 0.0)}, 0, 1.0) == 0
    assert asked(port, "/") is None


@pytest.mark.slow
@needs_mounts
def test_nothing_blocks(tmp_path):
    """The selftest itself, at a tenth of its size."""
    found = BLOCKING.run(tmp_path, 0.1, silent)
    assert found.faults == ()
