"""Whether a model's answers can be explained: contributions add up, and what is withheld
contributes nothing and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from experiments.audits.explanation_plots import deletion_plot, summary_plot
from experiments.trials.findings import Findings, bounds
from experiments.trials.paired_bootstrap import drawn_means, interval
from explain.attribution import Attribution
from features.errors import ModelUnavailable
from models.arrays import Bools, Floats
from models.churn.model import ChurnModel
from models.next_purchase.histories import Histories, HistoryMasking
from models.next_purchase.model import NextPurchaseModel
from models.next_purchase.ranker import Examples

SEED = 7
MOST_ROWS = 500
MOST_HISTORIES = 30
DELETED_ROWS = 200
EXPLAINABLE = "explainable"
Score = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Withheld:
    """Rows (rows, features) with one category withheld, the same `otherwise` made from other values
    of it, and which features need it.
    """

    rows: Floats
    otherwise: Floats
    needs: Bools


@dataclass(frozen=True)
class ToExplain:
    """What a model is asked to explain: rows of `features`, and a copy of them for each category
    withheld.
    """

    names: Sequence[str]
    category_of: Mapping[str, str]
    features: Floats
    withheld: Sequence[Withheld]


def churn_to_explain(model: ChurnModel, features: Floats) -> ToExplain:
    """Some of the judged rows."""
    rows, masking = some_of(features, MOST_ROWS), model.masking
    copies = []
    for position, category in enumerate(masking.categories):
        needs = masking.needs[:, position]
        granted = [name for name in masking.categories if name != category]
        copies.append(
            Withheld(
                masking.allow(rows, granted),
                masking.allow(np.where(needs, rows[::-1] + 1, rows), granted),
                needs,
            )
        )
    return ToExplain(model.features, model.category_of, rows, copies)


def candidates_to_explain(
    model: NextPurchaseModel, judged: Examples, needed: Mapping[str, frozenset[str]]
) -> ToExplain:
    """Candidates of some judged histories; `needed` are the categories that each of the ranker's
    columns needs.
    """
    histories, maker, masking = (
        judged.histories.slice(0, MOST_HISTORIES),
        judged.maker,
        model.masking,
    )
    copies = []
    for position, category in enumerate(masking.categories):
        granted = [name for name in masking.categories if name != category]
        rows, otherwise = (
            maker.make(masking.allow(seen, granted)).features
            for seen in (histories, _otherwise(histories, masking, position))
        )
        copies.append(
            Withheld(
                rows, otherwise, np.array([category in needed[name] for name in model.features])
            )
        )
    return ToExplain(
        model.features,
        model.category_of,
        some_of(maker.make(histories).features, MOST_ROWS),
        copies,
    )


def _otherwise(histories: Histories, masking: HistoryMasking, category: int) -> Histories:
    """The same histories with other values where one category is needed."""
    columns = np.where(masking.columns.needs[:, category], histories.columns + 1, histories.columns)
    customers = np.where(
        masking.customers.needs[:, category], histories.customers + 1, histories.customers
    )
    return replace(histories, columns=columns, customers=customers)


def explainability(
    asked: ToExplain, explainer: Callable[[], Attribution], score: Score
) -> Findings:
    """Figures for the gate `explainable`, what drives the answers, and how fast they change when
    that is taken away.
    """
    try:
        attribution = explainer()
    except ModelUnavailable as error:
        return Findings(tags={EXPLAINABLE: str(error)})
    added = attribution.contributions(asked.features)
    apart = np.abs(attribution.base_value + added.sum(axis=1) - score(asked.features))
    metrics = {
        f"{EXPLAINABLE}.additivity": float(apart.max()),
        f"{EXPLAINABLE}.withheld": max(
            (_leak(attribution, score, copy) for copy in asked.withheld), default=0.0
        ),
        f"{EXPLAINABLE}.without_category": float(
            sum(not asked.category_of.get(name) for name in asked.names)
        ),
    }
    summary = Findings(
        metrics=metrics, figures={"shap_summary": summary_plot(asked.names, asked.features, added)}
    )
    return Findings.together(
        [summary, deletion(asked.features[:DELETED_ROWS], added[:DELETED_ROWS], score)]
    )


def _leak(attribution: Attribution, score: Score, copy: Withheld) -> float:
    """The largest contribution of a withheld feature, or change of an answer that came of other
    values behind it; 0 is right.
    """
    if copy.rows.shape != copy.otherwise.shape:
        return float("inf")
    contributed = np.abs(attribution.contributions(copy.rows)[:, copy.needs]).max(initial=0.0)
    changed = np.abs(score(copy.rows) - score(copy.otherwise)).max(initial=0.0)
    return float(max(contributed, changed))


def deletion(rows: Floats, contributions: Floats, score: Score) -> Findings:
    """How far answers move when features go missing in the order of the explanation, beside a
    random order.

    `deletion.lead` is the mean distance between the two, in units of the score; above 0 the
    explanation names what matters.
    """
    generator = np.random.default_rng(SEED)
    absent = np.isnan(rows)
    explained = np.argsort(np.where(absent, 1.0, -np.abs(contributions)), axis=1, kind="stable")
    random = np.argsort(np.where(absent, 2.0, generator.random(rows.shape)), axis=1, kind="stable")
    moves = {
        name: _moves(rows, order, score)
        for name, order in (("in the order of the explanation", explained), ("at random", random))
    }
    ahead, behind = moves.values()
    lead = drawn_means((ahead - behind).mean(axis=1), SEED)
    metrics = {
        "deletion.lead": float((ahead - behind).mean()),
        **bounds("deletion.lead", interval(lead)),
    }
    return Findings(
        metrics=metrics,
        figures={
            "deletion": deletion_plot({name: move.mean(axis=0) for name, move in moves.items()})
        },
    )


def _moves(rows: Floats, order: NDArray[np.intp], score: Score) -> Floats:
    """Distance of each answer from the full one when the first features in `order` are missing:
    (rows, features + 1).
    """
    places = np.argsort(order, axis=1)
    full = score(rows)
    answers = [score(np.where(places < count, np.nan, rows)) for count in range(rows.shape[1] + 1)]
    return np.asarray(np.abs(np.stack(answers, axis=1) - full[:, None]), dtype=np.float64)


def some_of(rows: Floats, most: int) -> Floats:
    """All rows, or `most` of them, evenly spaced."""
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(np.int64))
    return np.asarray(rows[chosen], dtype=np.float64)
