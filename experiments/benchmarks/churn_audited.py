"""The fairness audit of the churn benchmark: groups by a column of a public table, before and after
they are weighed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from experiments.audits.fairness import audit_churn
from experiments.audits.groups import Groups
from experiments.audits.reweighing import before_and_after, spine_of_trial, weighed_for
from experiments.trials.churn_trial import ChurnTrial
from features.config.schema import Audit
from features.progress import Progress, silent
from models.churn.settings import ChurnSettings
from models.churn.training import fit_churn


def audit(
    trial: ChurnTrial,
    attribute: str,
    group_of: pd.Series,
    progress: Progress = silent,
    *,
    mitigate: bool = False,
    settings: ChurnSettings | None = None,
) -> dict[str, Any]:
    """Churn answers on the judged rows by the groups of `attribute`; `group_of` is indexed by the
    trial's customers.

    With `mitigate` also what weighing the groups did, its strength chosen on what was known before.
    """
    settings, limits = settings or ChurnSettings(), Audit()
    groups = Groups.constant(attribute, group_of, spine_of_trial(trial))
    of_judged = groups.of(trial.judged)
    progress("training", 0.0)
    tried = fit_churn(trial.known, trial.task, settings, trial.today)
    report = _audited(of_judged, trial, tried.probability(trial.judged.features), limits)
    if not mitigate:
        return report
    weighed = weighed_for(trial, tried, settings, groups, limits, progress)
    after = _audited(of_judged, trial, weighed.model.probability(trial.judged.features), limits)
    found = before_and_after(weighed, trial.judged, of_judged, limits.fewest_customers).documents[
        "mitigation"
    ]
    return {**report, "mitigated": {**after, **found}}


def _audited(
    groups: Mapping[str, Any], trial: ChurnTrial, answers: Any, limits: Audit
) -> dict[str, Any]:
    found = audit_churn(groups, trial.judged.labels, answers, limits.fewest_customers)
    return {"attributes": {one.attribute: one.document() for one in found}}
