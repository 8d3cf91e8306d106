"""Comparisons, gates and time order of the training runs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from experiments.training.registry import task, task_names
from experiments.training.tasks.next_purchase.data import purchase_data
from experiments.trials.baselines import (
    item_knn,
    logistic_rfm,
    personal_frequency,
    popular,
    recency_score,
)
from experiments.trials.run import run_metrics
from models.churn.rows import ChurnRows
from models.metrics import churn_metrics, ranking_metrics
from models.registry import CHAMPION
from models.tracking import Tracking

pytest_plugins = ["tests.serving_fixtures"]


def test_churn_metrics_are_the_textbook_ones():
    """AUC, log loss, Brier score and calibration error agree with direct computations."""
    draw = np.random.default_rng(4)
    forecast = draw.uniform(0.01, 0.99, 500)
    labels = (draw.random(500) < forecast**1.5).astype(float)
    metrics = churn_metrics(labels, forecast)
    pairs = [(a > b) + 0.5 * (a == b) for a in forecast[labels == 1] for b in forecast[labels == 0]]
    assert (
        metrics["auc"]
        == pytest.approx(np.mean(pairs))
        == pytest.approx(roc_auc_score(labels, forecast))
    )
    assert (
        metrics["brier"]
        == pytest.approx(np.mean((labels - forecast) ** 2))
        == pytest.approx(brier_score_loss(labels, forecast))
    )
    assert metrics["log_loss"] == pytest.approx(log_loss(labels, forecast))
    bins = [(forecast >= low / 10) & (forecast < (low + 1) / 10) for low in range(10)]
    gaps = [
        part.sum() * abs(forecast[part].mean() - labels[part].mean()) for part in bins if part.any()
    ]
    assert metrics["ece"] == pytest.approx(sum(gaps) / 500)


def test_ranking_metrics_are_the_textbook_ones():
    """Recall, NDCG and hit rate of small rankings are those computed by hand."""
    metrics = ranking_metrics([["a", "b", "c"], ["x", "y", "z"]], [{"b", "q"}, {"p"}], k=3)
    assert metrics["recall@3"] == pytest.approx((1 / 2 + 0) / 2)
    assert metrics["phr@3"] == pytest.approx(1 / 2)
    assert metrics["ndcg@3"] == pytest.approx((1 / np.log2(3)) / (1 + 1 / np.log2(3)) / 2)


def test_metrics_are_flattened_for_mlflow():
    """Ours stand without prefix, baselines under theirs, and `@` is written out."""
    flat = run_metrics({"sayso": {"recall@10": 0.5}, "popular": {"recall@10": 0.25}})
    assert flat == {"recall_at_10": 0.5, "baseline.popular.recall_at_10": 0.25}


def test_recency_fills_what_is_withheld_with_the_median():
    """The recency score is the days since the last order; who withholds it gets the middle of the
    others.
    """
    features = np.array([[1.0, 9.0], [np.nan, 9.0], [5.0, 9.0], [30.0, 9.0]])
    assert recency_score(features, ["days_since_last_order", "orders"]).tolist() == [
        1.0,
        5.0,
        5.0,
        30.0,
    ]


def test_logistic_regression_learns_recency_and_takes_missing_values():
    """Fitted on rows where leaving follows recency, it ranks by recency and gives everybody a
    probability.
    """
    draw = np.random.default_rng(2)
    features = np.column_stack(
        [draw.uniform(0, 200, 400), draw.integers(1, 20, 400), draw.uniform(1, 900, 400)]
    )
    labels = (features[:, 0] + draw.normal(0, 20, 400) > 100).astype(float)
    features[::7, 1] = np.nan
    rows = ChurnRows(features, labels, np.full(400, np.datetime64("2024-01-01", "us")))
    forecast = logistic_rfm(rows, ["days_since_last_order", "orders", "total_spent"]).predict_proba(
        features
    )[:, 1]
    assert np.isfinite(forecast).all()
    assert roc_auc_score(labels, forecast) > 0.95


@pytest.fixture(scope="module")
def judged(served):
    """The newest block of the shop's orders as examples, with what was ordered."""
    data = purchase_data(served, served.loaded_until())
    begin = data.begins(served.loaded_until())[0]
    return data, begin, *data.examples(begin)


def test_popular_is_the_same_for_everybody(judged):
    """The best sellers are those of the statistics, for each customer."""
    statistics = judged[2].maker.statistics
    answers = popular(statistics, 3, 10)
    assert answers == [answers[0]] * 3
    bought = judged[0].orders[judged[0].orders["ordered_at"] < pd.Timestamp(judged[1])]
    recent = (
        bought[bought["ordered_at"] >= pd.Timestamp(judged[1]) - pd.Timedelta(days=30)]
        .groupby("product_id")["customer"]
        .nunique()
    )
    assert recent[answers[0][0]] == recent.max()


def test_personal_frequency_counts_each_customers_own_orders(judged):
    """The first answer for each customer is a product that they bought most often before."""
    data, _begin, examples, asked = judged
    answers = personal_frequency(examples, 10)
    for answer, row in list(zip(answers, asked.itertuples(), strict=True))[:40]:
        mine = data.orders[
            (data.orders["customer"] == row.customer) & (data.orders["ordered_at"] < row.as_of)
        ]
        often = mine.groupby("product_id")["order_id"].nunique()
        known = often[often.index.isin(examples.maker.statistics.product_ids)]
        assert known[answer[0]] == known.max()
        assert len(set(answer)) == len(answer) == 10


def test_item_knn_is_the_cosine_of_who_bought(judged):
    """Scores are sums of cosine similarities to what the customer bought, checked against dense
    arithmetic.
    """
    examples = judged[2]
    products = len(examples.maker.statistics.product_ids)
    bought = (np.random.default_rng(1).random((50, products)) < 0.2).astype(float)
    answers = item_knn(examples, sp.csr_matrix(bought), 5)
    norms = np.sqrt(bought.sum(axis=0)).clip(min=1)
    cosine = bought.T @ bought / np.outer(norms, norms)
    for row in range(min(10, len(examples.histories))):
        begin, end = examples.histories.starts[row : row + 2]
        scores = cosine[examples.histories.products[begin:end]].sum(axis=0)
        best = examples.maker.statistics.positions(answers[row])
        assert scores[best] == pytest.approx(np.sort(scores)[::-1][:5])


def test_registered_runs_state_what_they_learnt_from(served):
    """Both champions carry ledger position, warehouse, purpose and owner, and metrics for
    themselves and every baseline.
    """
    tracking = Tracking.of(served.workspace)
    for model in task_names():
        champion = tracking.by_alias(model, CHAMPION)
        assert int(champion.tags["ledger_seq"]) > 0
        assert champion.tags["warehouse"] == served.warehouse.generation
        assert champion.tags["owner"]
        metric, baselines = task(model).decisive, task(model).baselines
        assert 0 < champion.metrics[metric] <= 1
        assert all(0 < champion.metrics[f"baseline.{name}.{metric}"] <= 1 for name in baselines)
