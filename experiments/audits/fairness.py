"""How well a model works for each group of customers, and how far the groups lie apart.

The four-fifths rule is not law, and a group that leaves more often is rightly told so: so gaps are
stated with intervals, and the shop states how large they may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from fairlearn.metrics import MetricFrame
from sklearn.metrics import roc_auc_score

from experiments.audits.groups import AUDITED_ON, NOT_KNOWN, PREFIX, Gap, Names, pooled
from experiments.trials.findings import Findings
from experiments.trials.paired_bootstrap import Ranks, drawn, interval
from models.arrays import Floats
from models.churn.bands import HIGH_ABOVE

SEED = 7
GAPS = {
    "auc": "auc",
    "calibration": "calibration_gap",
    "selection": "selection_rate",
    "recall": "recall",
}
"""Column of the table by group that each gap is measured in."""
Drawn = dict[str, Floats]
"""By column of the table, what each group shows in every draw: (draws, groups)."""


@dataclass(frozen=True)
class Audited:
    """One attribute: `table` by group and column (low, middle and high where there is an interval),
    and the `gaps`.
    """

    attribute: str
    table: Mapping[str, Mapping[str, Any]]
    gaps: Sequence[Gap]

    def document(self) -> dict[str, Any]:
        """As plain data; figures about groups, none about a customer."""
        return {
            "groups": self.table,
            "gaps": {gap.measure: [gap.low, gap.gap, gap.high] for gap in self.gaps},
        }


def audit_churn(
    groups: Mapping[str, Names], labels: Floats, probabilities: Floats, fewest: int
) -> list[Audited]:
    """Churn answers by group: customers, base rate, AUC, calibration gap (mean forecast less
    frequency), share in the high band.
    """
    found = []
    for attribute, names in groups.items():
        known, rows = _large_enough(names, fewest)
        if len(np.unique(known)) > 1:
            frame = _by_group(known, labels[rows], probabilities[rows])
            found.append(
                _audited(attribute, frame, _churn_draws(known, labels[rows], probabilities[rows]))
            )
    return found


def churn_gaps(
    groups: Mapping[str, Names], labels: Floats, probabilities: Floats, fewest: int
) -> list[tuple[str, float]]:
    """Measure and largest difference between two groups, for every attribute, without intervals:
    for choosing between many models.
    """
    found = []
    for names in groups.values():
        known, rows = _large_enough(names, fewest)
        if len(np.unique(known)) > 1:
            table = list(_by_group(known, labels[rows], probabilities[rows]).values())
            found += [
                (measure, float(np.ptp([row[column] for row in table])))
                for measure, column in GAPS.items()
                if column in table[0]
            ]
    return found


def audit_ranking(groups: Mapping[str, Names], recall: Floats, fewest: int) -> list[Audited]:
    """Recommendations by group: customers and recall; `recall` is that of each customer
    (customers,).
    """
    found = []
    for attribute, names in groups.items():
        known, rows = _large_enough(names, fewest)
        if len(np.unique(known)) > 1:
            columns = {name: known == name for name in np.unique(known)}
            frame = {
                name: {"customers": int(own.sum()), "recall": float(recall[rows][own].mean())}
                for name, own in columns.items()
            }
            members = np.stack(list(columns.values())).astype(np.float64)
            draws = [
                (c @ (members * recall[rows]).T) / (c @ members.T).clip(min=1)
                for c in drawn(len(known), SEED)
            ]
            found.append(_audited(attribute, frame, {"recall": np.vstack(draws)}))
    return found


def fairness_findings(
    audited: Sequence[Audited], attributes: Sequence[str], fewest: int
) -> Findings:
    """What an audit found, as a run states it."""
    gaps = [gap for one in audited for gap in one.gaps]
    metrics = {
        f"{PREFIX}.{g.attribute}.{g.measure}.{end}": value
        for g in gaps
        for end, value in (("gap", g.gap), ("low", g.low), ("high", g.high))
    }
    done = ", ".join(one.attribute for one in audited)
    missed = ", ".join(attributes) or "no attribute is declared for the audit"
    said = (
        f"audited by {done}"
        if done
        else f"not audited: fewer than two groups of {fewest} customers who agreed to it ({missed})"
    )
    return Findings(
        metrics=metrics,
        tags={AUDITED_ON: said},
        documents={"fairness": {one.attribute: one.document() for one in audited}},
    )


def _large_enough(names: Names, fewest: int) -> tuple[Names, Any]:
    groups = pooled(names, fewest)
    rows = np.flatnonzero(groups != NOT_KNOWN)
    return groups[rows], rows


def _by_group(groups: Names, labels: Floats, probabilities: Floats) -> dict[str, dict[str, float]]:
    """The table without intervals (fairlearn's)."""
    metrics = {
        "customers": lambda y, _p: float(len(y)),
        "base_rate": lambda y, _p: float(np.mean(y)),
        "auc": lambda y, p: float(roc_auc_score(y, p)) if len(np.unique(y)) > 1 else float("nan"),
        "calibration_gap": lambda y, p: float(np.mean(p - y)),
        "selection_rate": lambda _y, p: float(np.mean(p > HIGH_ABOVE)),
    }
    frame = MetricFrame(
        metrics=metrics, y_true=labels, y_pred=probabilities, sensitive_features=groups
    ).by_group
    return {
        str(name): {str(column): float(value) for column, value in row.items()}
        for name, row in frame.iterrows()
    }


def _churn_draws(groups: Names, labels: Floats, probabilities: Floats) -> Drawn:
    members = [np.flatnonzero(groups == name) for name in np.unique(groups)]
    ranks = [Ranks(labels[own], probabilities[own]) for own in members]
    columns = {
        "base_rate": labels,
        "calibration_gap": probabilities - labels,
        "selection_rate": (probabilities > HIGH_ABOVE).astype(float),
    }
    parts: dict[str, list[Floats]] = {name: [] for name in (*columns, "auc")}
    for counts in drawn(len(labels), SEED):
        held = [counts[:, own] for own in members]
        parts["auc"].append(
            np.stack([rank.auc(own) for rank, own in zip(ranks, held, strict=True)], axis=1)
        )
        for name, values in columns.items():
            means = [
                c @ values[own] / c.sum(axis=1).clip(min=1)
                for c, own in zip(held, members, strict=True)
            ]
            parts[name].append(np.stack(means, axis=1))
    return {name: np.vstack(batches) for name, batches in parts.items()}


def _audited(attribute: str, frame: Mapping[str, Mapping[str, float]], draws: Drawn) -> Audited:
    table = {
        group: {
            column: _around(value, draws[column][:, position]) if column in draws else int(value)
            for column, value in row.items()
        }
        for position, (group, row) in enumerate(frame.items())
    }
    measured = {measure: column for measure, column in GAPS.items() if column in draws}
    points = {
        measure: np.array([row[column] for row in frame.values()])
        for measure, column in measured.items()
    }
    gaps = [
        largest_gap(attribute, measure, points[measure], draws[column])
        for measure, column in measured.items()
    ]
    return Audited(attribute, table, [gap for gap in gaps if gap is not None])


def _around(value: float, draws: Floats) -> list[float]:
    if np.isnan(draws).all():
        return [value, value, value]
    low, _, high = interval(draws)
    return [low, value, high]


def largest_gap(attribute: str, measure: str, values: Floats, draws: Floats) -> Gap | None:
    """The largest difference between two groups, with what it is at least and at most, whichever
    two they be.

    The bounds hold for all pairs at once (max-t: Westfall and Young 1993), so a wide gap of a few
    customers hides no certain one of many. `values` (groups,), `draws` (draws, groups). None where
    fewer than two groups have a value.
    """
    known = np.flatnonzero(~np.isnan(values))
    pairs = [
        (a, b) if values[a] >= values[b] else (b, a) for a, b in combinations(known.tolist(), 2)
    ]
    if not pairs:
        return None
    above, below = np.array(pairs).T
    gaps, moved = values[above] - values[below], draws[:, above] - draws[:, below]
    # In a draw of a small group all can be alike, and then it has no AUC.
    moved = moved[~np.isnan(moved).any(axis=1)]
    if not len(moved):
        return None
    spread = moved.std(axis=0).clip(min=1e-12)
    half = float(np.quantile((np.abs(moved - gaps) / spread).max(axis=1), 0.95)) * spread
    return Gap(
        attribute,
        measure,
        float(gaps.max()),
        float((gaps - half).max()),
        float((gaps + half).max()),
    )
