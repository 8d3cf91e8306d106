"""What is found out about a churn model before it is registered."""

from __future__ import annotations

from experiments.audits.consent_patterns import churn_by_pattern
from experiments.audits.explainability import churn_to_explain, explainability
from experiments.audits.fairness import audit_churn, fairness_findings
from experiments.audits.groups import audited_groups, spine_of_rows
from experiments.audits.reweighing import GroupsWeighed, before_and_after
from experiments.training.churn_against_champion import churn_against_champion
from experiments.trials.churn_trial import ChurnTrial
from experiments.trials.findings import Findings
from explain.attribution import Attribution
from features.shop.shop import Shop
from features.warehouse.gate import Gate
from models.churn.model import ChurnModel
from models.churn.settings import ChurnSettings
from models.tracking import Tracking


def churn_findings(
    shop: Shop,
    tracking: Tracking,
    gate: Gate,
    trial: ChurnTrial,
    weighed: GroupsWeighed,
    model: ChurnModel,
    settings: ChurnSettings,
) -> Findings:
    """How the trial's model does under every consent pattern, for every group and beside the
    champion; whether `model` can be explained.

    `model` is the one to be registered, fitted on everything.
    """
    judged, tried = trial.judged, weighed.model
    answers = tried.probability(judged.features)
    groups, fewest = (
        audited_groups(shop, spine_of_rows(judged)).of(judged),
        shop.config.audit.fewest_customers,
    )
    return Findings.together(
        [
            churn_by_pattern(tried, judged),
            fairness_findings(
                audit_churn(groups, judged.labels, answers, fewest), shop.config.audited, fewest
            ),
            before_and_after(weighed, judged, groups, fewest),
            explainability(
                churn_to_explain(model, judged.features),
                lambda: Attribution(model.booster),
                model.log_odds,
            ),
            churn_against_champion(
                shop, tracking, gate, trial, answers, settings, weighed.strength
            ),
        ]
    )
