"""The steps of a training run, and how far it is by the time that they take.

A step's share of the whole is the share that it had of the time of measured runs (`Task.seconds`),
so half of the bar is about half of the time, whatever the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter

from features.progress import Progress, part_of

DATA, ATTEMPT, FIT, WEIGH, JUDGE, REFIT, AUDIT, RECORD = STEPS = (
    "data",
    "attempt",
    "fit",
    "weigh",
    "judge",
    "refit",
    "audit",
    "record",
)
"""In their order; `attempt` is one try of other settings, `weigh` weighs groups of customers."""
TEXTS: Mapping[str, str] = {
    DATA: "reading what may be learnt from",
    ATTEMPT: "looking for better settings",
    FIT: "training on the past",
    WEIGH: "weighing groups of customers",
    JUDGE: "judging it beside simple methods",
    REFIT: "training anew on everything",
    AUDIT: "checking fairness, explanations and calibration",
    RECORD: "logging to MLflow",
}


class Steps:
    """Tells `progress` which step begins; `seconds` by step are those that this run took so far."""

    def __init__(
        self,
        expected: Mapping[str, float],
        progress: Progress,
        trials: int = 0,
        *,
        weighs: bool = False,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        times = {ATTEMPT: trials, WEIGH: int(weighs)}
        self._expected = {name: expected.get(name, 0.0) * times.get(name, 1) for name in STEPS}
        self._progress, self._clock = progress, clock
        self._current, self._began = "", clock()
        self.seconds: dict[str, float] = {}

    def begin(self, step: str) -> Progress:
        """Begin one of `STEPS`; where its work tells how far it is, it tells that to the result."""
        self.end()
        self._current = step
        behind = self._behind(step)
        end = behind + self._share(step)
        self._progress(TEXTS[step], behind)
        return part_of(self._progress, behind, end)

    def end(self) -> None:
        """End the step that was begun last."""
        now = self._clock()
        if self._current:
            self.seconds[self._current] = now - self._began
        self._current, self._began = "", now

    def _behind(self, step: str) -> float:
        return sum(self._share(name) for name in STEPS[: STEPS.index(step)])

    def _share(self, step: str) -> float:
        return self._expected[step] / (sum(self._expected.values()) or 1.0)
