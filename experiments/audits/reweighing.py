"""Training that weighs groups of a shop's customers, with its figures before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from experiments.audits.fairness import audit_churn
from experiments.audits.groups import NOT_KNOWN, Gap, Groups, Names, groups_to_weigh, spine_of_rows
from experiments.audits.mitigation import NONE, Strength, Weigh, choose_strength, weigh_by
from experiments.trials.champion_recipe import MITIGATION
from experiments.trials.churn_trial import ChurnTrial
from experiments.trials.findings import Findings, bounds
from experiments.trials.paired_bootstrap import PairedBootstrap, interval
from features.config.schema import Audit
from features.errors import TrainingError
from features.progress import Progress, silent
from features.shop.shop import Shop
from models.churn.model import ChurnModel
from models.churn.rows import ChurnRows
from models.churn.settings import ChurnSettings
from models.churn.training import fit_churn

SEED = 7


def spine_of_trial(trial: ChurnTrial) -> pd.DataFrame:
    """All customers and moments of a trial: customer, as_of."""
    return pd.concat([spine_of_rows(trial.known), spine_of_rows(trial.judged)], ignore_index=True)


def unweighed(rows: ChurnRows, _strength: Strength) -> ChurnRows:
    """The rows as they are."""
    return rows


@dataclass(frozen=True)
class GroupsWeighed:
    """The trial's model, how strongly groups were weighed for it, and the model `before` that,
    where they were.

    `members` are the customers whose groups were, by the purpose that they agreed to it for.
    """

    model: ChurnModel
    strength: Strength = NONE
    weigh: Weigh = unweighed
    before: ChurnModel | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)
    members: Mapping[str, frozenset[int]] = field(default_factory=dict)


def groups_weighed(
    shop: Shop, trial: ChurnTrial, tried: ChurnModel, settings: ChurnSettings, progress: Progress
) -> GroupsWeighed:
    """Choose how strongly to weigh the audited groups on what was known before the holdout, and
    train so.

    Raises `TrainingError` where no purpose is stated that allows it, or too few customers agreed to
    it.
    """
    groups = groups_to_weigh(shop, spine_of_trial(trial))
    if groups is None:
        raise TrainingError(
            f"the attributes of the audit were given for `{shop.config.audit.purpose}`, which"
            " changes nothing that anybody sees; weighing groups in training does. State a purpose"
            " of its own in sayso.toml: [purposes.fairness_mitigation] with a notice, its name"
            " among the `purposes` of the fields, and `mitigation_purpose` under [audit]."
        )
    if not any(
        len(np.unique(names[names != NOT_KNOWN])) > 1 for names in groups.of(trial.known).values()
    ):
        raise TrainingError(
            "fewer than two groups of customers agreed to"
            f" `{shop.config.audit.mitigation_purpose}`, so there is nothing to weigh; train"
            " without --mitigate, or ask more customers"
        )
    weighed = weighed_for(trial, tried, settings, groups, shop.config.audit, progress)
    return replace(weighed, members={str(shop.config.audit.mitigation_purpose): groups.customers})


def weighed_for(
    trial: ChurnTrial,
    tried: ChurnModel,
    settings: ChurnSettings,
    groups: Groups,
    limits: Audit,
    progress: Progress = silent,
) -> GroupsWeighed:
    """The same for groups that are known."""
    strength = choose_strength(trial.known, trial.task, settings, groups, limits, progress)
    weigh = weigh_by(groups)
    model = (
        tried
        if strength == NONE
        else fit_churn(weigh(trial.known, strength), trial.task, settings, trial.today)
    )
    return GroupsWeighed(model, strength, weigh, tried, {MITIGATION: str(strength)})


def before_and_after(
    weighed: GroupsWeighed, judged: ChurnRows, groups: Mapping[str, Names], fewest: int
) -> Findings:
    """Gaps and AUC on the judged rows without and with weights; nothing where no groups were
    weighed.

    `mitigation.auc` is what the AUC gained (below 0: lost), with its 95% interval.
    """
    if weighed.before is None:
        return Findings()
    answers = [model.probability(judged.features) for model in (weighed.before, weighed.model)]
    bootstrap = PairedBootstrap(judged.labels, SEED)
    draws = [bootstrap.metrics(one)["auc"] for one in answers]
    gained = float(
        roc_auc_score(judged.labels, answers[1]) - roc_auc_score(judged.labels, answers[0])
    )
    ends = interval(draws[1] - draws[0])
    audits = [
        {
            gap_name(gap): gap.gap
            for one in audit_churn(groups, judged.labels, p, fewest)
            for gap in one.gaps
        }
        for p in answers
    ]
    document = {
        "strength": str(weighed.strength),
        "auc_gained": [ends[0], gained, ends[2]],
        "gaps": {
            name: {"before": audits[0][name], "after": after} for name, after in audits[1].items()
        },
    }
    metrics = {f"mitigation.before.{name}": gap for name, gap in audits[0].items()}
    return Findings(
        metrics={**metrics, "mitigation.auc": gained, **bounds("mitigation.auc", ends)},
        documents={"mitigation": document},
    )


def gap_name(gap: Gap) -> str:
    """Attribute and measure of a gap in one word."""
    return f"{gap.attribute}.{gap.measure}"
