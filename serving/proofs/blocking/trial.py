"""One service put through everything that may block it, and what its records say afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx
from sqlalchemy import select

from features.database.engine import Database
from features.database.tables import consent_events, decisions, undelivered
from serving.proofs.blocking.befalling import Befalling
from serving.proofs.blocking.callers import Orders
from serving.proofs.blocking.watch import watching

AT_ONCE_SECONDS = 0.1
CHOICE_SECONDS = 1.0
ANSWER_SECONDS = 15.0
MOST_THREADS = 32
LARGEST_ANSWER = 64_000
PATIENCE = 30.0
CALLERS = 8


@dataclass
class Trial:
    """The service on `port` with one `worker`, in front of `database`; `bare` is the port of the
    bare server.
    """

    name: str
    port: int
    key: str
    worker: int
    bare: int
    database: Database
    customers: Sequence[str]
    counts: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    acknowledged: set[int] = field(default_factory=set)

    def undergo(
        self,
        what: str,
        befall: Befalling = nullcontext,
        *,
        seconds: float,
        connections: int = CALLERS,
        pace: float = 0.05,
        choices_at_once: bool = False,
    ) -> float:
        """Be asked while it lasts, and answer as before afterwards; gives answers a second.

        `choices_at_once` tells that withdrawals have to be acknowledged as ever meanwhile.
        """
        orders = Orders(self.port, self.key, self.customers, connections, pace, seconds)
        with watching(self.port, self.bare, self.worker) as seen:
            with befall() as wrong:
                outcome = _called(orders)
            self._recover(what)
        self._note(outcome)
        label = f"{self.name}, {what}"
        self.faults += [
            f"{label}: {said}"
            for said, _ in Counter([*outcome["wrong"], *(wrong or ())]).most_common(3)
        ]
        late = min(seen.slowest - seen.of_machine, seen.slowest_of_worker)
        self._keep("livez", seen.slowest)
        self._keep("livez beside waiting for a processor", late)
        if late > AT_ONCE_SECONDS or seen.silent:
            self.faults.append(
                f"{label}: `/livez` or a style sheet took {seen.slowest:.2f} seconds, of which the"
                f" worker did not wait for a processor for {seen.slowest_of_worker:.2f} and worked"
                f" {seen.worked_at_slowest:.2f}, where a bare server took {seen.of_machine:.2f},"
                f" and {seen.silent} got no answer"
            )
        self._bounded(label, outcome, seen.threads)
        if choices_at_once:
            self._judge_choices(label, outcome, seen.without_processor)
        return float(outcome["statuses"].get("200", 0) / seconds)

    def _judge_choices(self, label: str, outcome: dict[str, Any], without: float) -> None:
        """See that withdrawals were acknowledged as ever; the worker was `without` a processor for
        that share of the time.
        """
        took = outcome["slowest_choice"]
        self._keep("withdrawal under load", took)
        if took * (1 - without) > CHOICE_SECONDS:
            self.faults.append(
                f"{label}: a withdrawal took {took:.2f} seconds, while the worker was without a"
                f" processor for {without:.0%} of the time"
            )
        if set(outcome["choices"]) != {"201"}:
            self.faults.append(f"{label}: withdrawals got {outcome['choices']}")

    def warm_up(self, seconds: float) -> None:
        """Be asked for a while, so that nothing is done for the first time afterwards."""
        self._note(_called(Orders(self.port, self.key, self.customers, CALLERS, 0.0, seconds)))

    def _bounded(self, label: str, outcome: dict[str, Any], threads: int) -> None:
        slowest = max(outcome[name] for name in ("slowest", "slowest_choice"))
        self._keep("answer", slowest)
        self.counts["most threads"] = max(self.counts["most threads"], threads)
        if threads > MOST_THREADS:
            self.faults.append(f"{label}: the worker had {threads} threads")
        if not threads:
            self.faults.append(f"{label}: the worker ended")
        if slowest > ANSWER_SECONDS:
            self.faults.append(f"{label}: an answer took {slowest:.1f} seconds")
        if outcome["largest"] > LARGEST_ANSWER:
            self.faults.append(f"{label}: an answer had {outcome['largest']} bytes")

    def _note(self, outcome: dict[str, Any]) -> None:
        self.answered.update(outcome["decisions"])
        self.acknowledged.update(outcome["acknowledged"])
        for kind in ("statuses", "choices"):
            for status, count in outcome[kind].items():
                self.counts[f"{kind} {status}"] += count

    def _keep(self, name: str, seconds: float) -> None:
        self.seconds[name] = round(max(self.seconds.get(name, 0.0), seconds), 3)

    def _recover(self, what: str) -> None:
        ends, said = time.monotonic() + PATIENCE, {"customer_id": self.customers[0]}
        headers = {"Authorization": f"Bearer {self.key}"}
        url = f"http://127.0.0.1:{self.port}"
        began = time.monotonic()
        with httpx.Client(base_url=url, headers=headers, timeout=PATIENCE) as http:
            while time.monotonic() < ends:
                answer = http.post("/v1/recommendations", json=said)
                if answer.is_success:
                    self.answered.add(answer.json()["decision_id"])
                    ready = http.get("/readyz")
                    if ready.is_success:
                        self._keep("recovery", time.monotonic() - began)
                        return
                time.sleep(0.1)
        self.faults.append(
            f"{self.name}, {what}: it had not recovered after {PATIENCE:.0f} seconds"
        )

    def check_records(self, before: tuple[set[str], set[int]]) -> None:
        """See that what is recorded since `before` is what was answered, or is marked."""
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends and any(self._unexplained(before)):
            time.sleep(0.5)  # marks are made in the background
        lost, unmarked, unacknowledged = self._unexplained(before)
        self.counts["recorded"] = len(self.recorded()[0] - before[0])
        self.counts["answered"] = len(self.answered)
        if lost:
            self.faults.append(f"{self.name}: {len(lost)} answers are not on record")
        if unmarked:
            self.faults.append(f"{self.name}: {len(unmarked)} records were answered to nobody")
        if unacknowledged:
            self.faults.append(f"{self.name}: {len(unacknowledged)} consents differ from receipts")

    def _unexplained(
        self, before: tuple[set[str], set[int]]
    ) -> tuple[set[str], set[str], set[int]]:
        made, said = self.recorded()
        with self.database.read() as connection:
            marks = connection.execute(select(undelivered)).all()
        marked = {mark.reference for mark in marks}
        self.counts["marked as undelivered"] = len(marks)
        unmarked = made - before[0] - self.answered - marked
        places = {seq for seq in said - before[1] if str(seq) not in marked}
        return self.answered - made, unmarked, places ^ (self.acknowledged & said)

    def recorded(self) -> tuple[set[str], set[int]]:
        """The ids of all decisions, and the places of all consents."""
        with self.database.read() as connection:
            made = set(connection.execute(select(decisions.c.id)).scalars())
            said = set(connection.execute(select(consent_events.c.seq)).scalars())
        return made, said


def _called(orders: Orders) -> dict[str, Any]:
    """What came of these orders, followed in a process apart."""
    command = [sys.executable, "-m", "serving.proofs.blocking.callers"]
    done = subprocess.run(  # noqa: S603 - our own command
        command, input=json.dumps(asdict(orders)), capture_output=True, text=True, check=True
    )
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome
