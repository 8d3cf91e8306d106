"""Weighing groups in training so that a model works more alike for them.

At prediction no group is ever needed.

Two strengths: `presence` lets small groups count for more, up to each group counting the same (1)
and beyond; `outcome` lets what is typical of a group count for more, so that what the features do
tell of it is not drowned by the others. Both are chosen within the past, on customers not learnt
from, by the gaps in AUC and calibration together, in units of their limits: how groups differ is a
matter of who customers are, and between periods it would be drowned by what befell all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import isnan

import numpy as np
from sklearn.metrics import roc_auc_score

from experiments.audits.fairness import churn_gaps
from experiments.audits.groups import NOT_KNOWN, Groups, Names
from features.config.schema import Audit
from features.progress import Progress, silent
from models.arrays import Floats
from models.churn.backtest import best_weights
from models.churn.rows import ChurnRows
from models.churn.settings import ChurnSettings, ChurnTask
from models.churn.teacher import Teacher, fit_teacher

MOST_AUC_LOST = 0.005
"""What may be lost on the past; the choice leaves some of it for the future."""
CAUTION = 0.6
CHOSEN_BY = ("auc", "calibration")
ENOUGH_ROWS = 50_000
FOLDS, JUDGED_FOLDS = 3, 2
"""Into how many parts customers are split, and how many of these are judged."""


@dataclass(frozen=True)
class Strength:
    """How strongly groups are weighed."""

    presence: float = 0.0
    outcome: float = 0.0

    def __str__(self) -> str:
        return f"presence {self.presence:g}, outcome {self.outcome:g}"

    @classmethod
    def parse(cls, text: str | None) -> Strength:
        """What `str` wrote; none where nothing was."""
        numbers = [float(part.split()[1]) for part in text.split(",")] if text else []
        return cls(*numbers)


NONE = Strength()
STRENGTHS = (
    *(Strength(presence=p) for p in (0.5, 1.0, 2.0)),
    *(Strength(outcome=o) for o in (4.0, 8.0, 16.0, 24.0)),
    Strength(1.0, 8.0),
    Strength(1.0, 16.0),
)
Weigh = Callable[[ChurnRows, Strength], ChurnRows]


def weigh_by(groups: Groups) -> Weigh:
    """A function that weighs the rows of the churn model by these groups."""

    def weigh(rows: ChurnRows, strength: Strength) -> ChurnRows:
        if strength == NONE:
            return rows
        held = groups.of(rows)
        # rows alike in everything stand in the order of their groups: the same data gives the same
        # model whatever the pseudonyms are
        order = np.lexsort((*held.values(), *rows.features.T, rows.labels, rows.as_of))
        emphasis = np.prod(
            [_emphasis(names, rows.labels, strength) for names in held.values()], axis=0
        )
        return replace(rows, emphasis=np.asarray(emphasis)).at(order)

    return weigh


def _emphasis(groups: Names, labels: Floats, strength: Strength) -> Floats:
    """Weight of each row (rows,); 1 for who did not agree."""
    weights = np.ones(len(labels))
    known = groups != NOT_KNOWN
    names, counts = np.unique(groups[known], return_counts=True)
    if len(names) < 2:
        return weights
    overall = float(labels[known].mean())
    for name, count in zip(names, counts, strict=True):
        own = groups == name
        left = float(np.clip(labels[own].mean(), 0.02, 0.98))
        typical = np.where(labels == 1, left / overall, (1 - left) / (1 - overall))
        even = known.sum() / len(names) / count
        weights[own] = (even**strength.presence * typical**strength.outcome)[own]
    return np.asarray(weights / weights.mean())


def choose_strength(
    known: ChurnRows,
    task: ChurnTask,
    settings: ChurnSettings,
    groups: Groups,
    limits: Audit,
    progress: Progress = silent,
) -> Strength:
    """The strength whose gaps within `known` are smallest, among those that cost little AUC, judged
    by the teacher.
    """
    quick = replace(settings, most_rows=min(settings.most_rows, ENOUGH_ROWS))
    size = best_weights(known, task, quick)
    weigh, pairs = weigh_by(groups), list(_by_customers(known, settings.seed))

    def outcome(strength: Strength) -> tuple[float, float]:
        found = []
        for learnt, judged in pairs:
            found.append(
                _measured(
                    fit_teacher(weigh(learnt, strength), task, quick, size), judged, groups, limits
                )
            )
        gap, auc = np.mean(found, axis=0)
        return float(gap), float(auc)

    measured: dict[Strength, tuple[float, float]] = {}
    for position, strength in enumerate((NONE, *STRENGTHS)):
        progress(f"weighing groups: {strength}", position / (len(STRENGTHS) + 1))
        measured[strength] = outcome(strength)
    return best_of(measured)


def _by_customers(rows: ChurnRows, seed: int) -> Iterator[tuple[ChurnRows, ChurnRows]]:
    """Rows of some customers to learn from and of others to judge by; customers are split by the
    content of their rows.
    """
    _, first, whose = np.unique(np.asarray(rows.customer), return_index=True, return_inverse=True)
    fold = (
        np.random.default_rng(seed).permutation(len(first))[np.argsort(np.argsort(first))] % FOLDS
    )
    for part in range(JUDGED_FOLDS):
        yield rows.at(fold[whose] != part), rows.at(fold[whose] == part)


def best_of(measured: Mapping[Strength, tuple[float, float]]) -> Strength:
    """Of strengths with their (gaps, AUC) the one with the smallest gaps that keeps the AUC."""
    least = measured[NONE][1] - CAUTION * MOST_AUC_LOST
    allowed = {strength: gap for strength, (gap, auc) in measured.items() if auc >= least}
    return min(
        allowed, key=lambda strength: (allowed[strength], strength.presence + strength.outcome)
    )


def _measured(
    model: Teacher, judged: ChurnRows, groups: Groups, limits: Audit
) -> tuple[float, float]:
    """The gaps in AUC and calibration, each in units of its limit, together; and the AUC."""
    answers = model.probability(judged.features)
    gaps = churn_gaps(groups.of(judged), judged.labels, answers, limits.fewest_customers)
    together = sum(
        gap / limits.most(measure)
        for measure, gap in gaps
        if measure in CHOSEN_BY and not isnan(gap)
    )
    return together, float(roc_auc_score(judged.labels, answers))
