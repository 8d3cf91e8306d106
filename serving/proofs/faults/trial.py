"""Asking a service while a fault lasts, and judging what it says."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import httpx

from features.shop.workspace import Workspace
from serving.contract.problems import MEDIA_TYPE
from serving.proofs.faults.kinds import BOTH, CHURN, RECOMMENDATION, Fault

PATIENCE_SECONDS = 45.0
LOOK_AGAIN_SECONDS = 0.1
PURPOSE, CATEGORY = "recommendations", "purchases"
ROUTES = {RECOMMENDATION: "/v1/recommendations", CHURN: "/v1/churn"}


@dataclass
class Trial:
    """A service under fault.

    `sharing` are customers who share everything, `changing` those whose consent is changed
    meanwhile.
    """

    http: httpx.Client
    workspace: Workspace
    sharing: Sequence[str]
    changing: Sequence[str]
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0
    slowest_noticed: float = 0.0
    _acknowledged: list[tuple[str, int, str]] = field(default_factory=list)
    _last: dict[str, str] = field(default_factory=dict)

    def undergo(self, name: str, fault: Fault, questions: int) -> None:
        """Ask `questions` times while the fault lasts, and see that afterwards everything is as
        before.
        """
        if not self._waits_for(
            lambda: all(self._is_personal(self._ask(kind, self.sharing[0])) for kind in BOTH)
        ):
            self.faults.append(
                f"{name}: before it the service did not answer personally, so nothing is proven"
            )
            return
        with fault.happen(self.workspace):
            if not fault.at_once:
                began = time.monotonic()
                self._waits_for(
                    lambda: (
                        not any(
                            self._is_personal(self._ask(kind, self.sharing[0]))
                            for kind in fault.strikes
                        )
                    )
                )
                self.slowest_noticed = max(self.slowest_noticed, time.monotonic() - began)
            for customer, changing, _ in zip(
                cycle(self.sharing), cycle(self.changing), range(questions)
            ):
                self._question(name, fault, customer)
                self._change(name, changing)
        self._recover(name)
        self.counts["kinds of fault"] += 1

    def _question(self, name: str, fault: Fault, customer: str) -> None:
        for kind in sorted(fault.strikes):
            response = self._ask(kind, customer)
            self.counts["questions under a fault"] += 1
            if self._is_personal(response):
                self.counts["personalised answers under a fault"] += 1
                self.faults.append(f"{name}: an answer to {kind} was personalised")
            elif response is not None and response.is_success and _is_marked(response.json()):
                self.counts["answers marked not personalised"] += 1
            else:
                self._expect_problem(name, kind, response)

    def _change(self, name: str, customer: str) -> None:
        """Withdraw or grant, whichever was not said last."""
        action = "withdrawn" if self._last.get(customer) != "withdrawn" else "granted"
        said = {
            "customer_id": customer,
            "purpose": PURPOSE,
            "category": CATEGORY,
            "action": action,
            "method": "selftest",
        }
        response = self._post(
            "/v1/consents", said | ({"notice_version": "1"} if action == "granted" else {})
        )
        if response is not None and response.is_success:
            receipt = response.json()
            self._acknowledged.append((customer, receipt["seq"], receipt["hash"]))
            self._last[customer] = action
            self.counts["consents acknowledged under a fault"] += 1
        else:
            self._last.pop(customer, None)  # nobody was told whether it counts
            self._expect_problem(name, "consent", response)
            self.counts["consents refused under a fault"] += 1

    def _expect_problem(self, name: str, kind: str, response: httpx.Response | None) -> None:
        if (
            response is not None
            and response.is_error
            and response.headers["content-type"].startswith(MEDIA_TYPE)
        ):
            self.counts["problem documents"] += 1
        else:
            self.faults.append(
                f"{name}: {kind} got neither a marked answer nor a problem document but"
                f" {_told(response)}"
            )

    def _recover(self, name: str) -> None:
        began = time.monotonic()
        if not self._waits_for(
            lambda: all(self._is_personal(self._ask(kind, self.sharing[0])) for kind in BOTH)
        ):
            self.faults.append(
                f"{name}: {PATIENCE_SECONDS:.0f} seconds after it was mended the service had not"
                " recovered"
            )
        self.slowest = max(self.slowest, time.monotonic() - began)

    def check_acknowledged(self) -> None:
        """See that every consent that was acknowledged under a fault is in the ledger, and is what
        stands.
        """
        for customer, seq, digest in self._acknowledged:
            response = self.http.get(f"/v1/customers/{customer}/consents")
            if (seq, digest) not in {
                (event["seq"], event["hash"]) for event in response.json()["history"]
            }:
                self.counts["acknowledged consents lost"] += 1
                self.faults.append(
                    "a consent was acknowledged under a fault and is not in the ledger"
                )
        for customer, action in self._last.items():
            state = self.http.get(f"/v1/customers/{customer}/consents").json()["state"]
            if (PURPOSE, CATEGORY, action) not in {
                (entry["purpose"], entry["category"], entry["action"]) for entry in state
            }:
                self.faults.append("what was acknowledged last under a fault is not what stands")

    def check_not_restarted(self) -> None:
        """See that the worker that counts requests is still the one that began."""
        counted = re.findall(
            r"^sayso_requests_total\{[^}]*\} ([0-9.e+]+)$",
            self.http.get("/metrics").text,
            flags=re.MULTILINE,
        )
        if sum(map(float, counted)) < self.counts["questions under a fault"]:
            self.faults.append("the service was restarted while faults were tried")

    def _waits_for(self, is_so: Callable[[], bool]) -> bool:
        ends = time.monotonic() + PATIENCE_SECONDS
        while not (so := is_so()) and time.monotonic() < ends:
            time.sleep(LOOK_AGAIN_SECONDS)
        return so

    def _ask(self, kind: str, customer: str) -> httpx.Response | None:
        return self._post(ROUTES[kind], {"customer_id": customer})

    def _post(self, path: str, body: dict[str, Any]) -> httpx.Response | None:
        try:
            return self.http.post(path, json=body)
        except httpx.TransportError:
            return None

    @staticmethod
    def _is_personal(response: httpx.Response | None) -> bool:
        return response is not None and response.is_success and not _is_marked(response.json())


def _is_marked(answer: dict[str, Any]) -> bool:
    """Whether an answer says that it is not personal, and is not."""
    because = answer.get("not_personalized_because") or answer.get("unavailable_because")
    claims = answer.get("personalized") or answer.get("available")
    return (
        bool(because)
        and not claims
        and answer["consent"]["used"] == []
        and "probability" not in answer
    )


def _told(response: httpx.Response | None) -> str:
    return (
        "no answer at all"
        if response is None
        else f"{response.status_code} as {response.headers.get('content-type')}"
    )
