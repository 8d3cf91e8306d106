"""What is found out about a next-purchase model before it is registered."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from experiments.audits.basket_completion import basket_completion_figures
from experiments.audits.consent_patterns import ranking_by_pattern
from experiments.audits.explainability import candidates_to_explain, explainability
from experiments.audits.fairness import audit_ranking, fairness_findings
from experiments.audits.groups import audited_groups
from experiments.training.next_purchase_against_champion import (
    RankingTrial,
    ranking_against_champion,
)
from experiments.trials.findings import Findings
from experiments.trials.lineage import reads_by
from explain.attribution import Attribution
from features.shop.shop import Shop
from models.metrics import ranking_by_customer
from models.next_purchase.model import NextPurchaseModel
from models.next_purchase.ranker import NextPurchaseSettings
from models.tracking import Tracking

K = 10


def ranking_findings(
    shop: Shop,
    tracking: Tracking,
    trial: RankingTrial,
    asked: pd.DataFrame,
    tried: NextPurchaseModel,
    answers: Sequence[Sequence[str]],
    model: NextPurchaseModel,
    settings: NextPurchaseSettings,
) -> Findings:
    """How the trial's model does by consent, for begun orders, by group and beside the champion;
    whether `model` can be explained.

    `asked` are the judged orders (customer, as_of), `answers` what the trial's model says to each;
    `model` is the one to be registered, fitted on everything.
    """
    ours = ranking_by_customer(answers, trial.truth, K)
    audit = shop.config.audit
    groups = audited_groups(shop, asked).at(asked)
    needed = {
        name: shop.config.catalog.categories_of(fields)
        for name, fields in reads_by(trial.judged.maker).items()
    }
    return Findings.together(
        [
            ranking_by_pattern(tried, trial.judged, answers, trial.truth, K),
            basket_completion_figures(tried, trial.judged, K),
            fairness_findings(
                audit_ranking(groups, ours[f"recall@{K}"], audit.fewest_customers),
                shop.config.audited,
                audit.fewest_customers,
            ),
            explainability(
                candidates_to_explain(model, trial.judged, needed),
                lambda: Attribution(model.booster),
                model.score,
            ),
            ranking_against_champion(shop, tracking, trial, ours, settings, K),
        ]
    )
