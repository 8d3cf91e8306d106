"""What a model has to beat: simple methods fitted on the same rows and judged on the same
customers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from features.definitions.customer import ORDERS, TOTAL_SPENT
from features.definitions.history import ORDERS_SINCE_LAST_BOUGHT, TIMES_BOUGHT
from features.definitions.rhythm import DAYS_SINCE_LAST_ORDER
from models.arrays import Floats
from models.churn.logistic import RECENCY_FREQUENCY_VALUE
from models.churn.rows import ChurnRows
from models.next_purchase.candidates import BATCH
from models.next_purchase.product_statistics import ProductStatistics
from models.next_purchase.ranker import Examples

RFM = (DAYS_SINCE_LAST_ORDER.name, ORDERS.name, TOTAL_SPENT.name)


def recency_score(features: Floats, names: Sequence[str]) -> Floats:
    """Days since the last order as a churn score (rows,); a customer of unknown recency gets the
    median.

    A shop that does without it cannot tell customers apart by it: all get the same.
    """
    if DAYS_SINCE_LAST_ORDER.name not in names:
        return np.zeros(len(features))
    days = features[:, list(names).index(DAYS_SINCE_LAST_ORDER.name)]
    return np.where(np.isnan(days), np.nanmedian(days), days)


def logistic_rfm(rows: ChurnRows, names: Sequence[str]) -> Pipeline:
    """Logistic regression on log recency, frequency and money, with a mark where one is withheld;
    fitted on `rows`.

    A shop that does without all three gets the same answer for everybody.
    """
    columns = [
        list(names).index(name)
        for name in (RFM if ORDERS.name in names else RECENCY_FREQUENCY_VALUE)
        if name in names
    ]
    if not columns:
        return make_pipeline(DummyClassifier()).fit(rows.features, rows.labels)
    model = make_pipeline(
        FunctionTransformer(_LogOf(columns)),
        SimpleImputer(strategy="median", add_indicator=True),
        StandardScaler(),
        LogisticRegression(),
    )
    return model.fit(rows.features, rows.labels)


class _LogOf:
    """Logarithm of one plus some columns."""

    def __init__(self, columns: list[int]) -> None:
        self._columns = columns

    def __call__(self, features: Floats) -> Floats:
        return np.asarray(np.log1p(features[:, self._columns].clip(min=0)))


def popular(statistics: ProductStatistics, customers: int, k: int) -> list[list[str]]:
    """The best sellers, to everybody."""
    best = statistics.product_ids[statistics.best_sellers[:k]].tolist()
    return [best] * customers


def personal_frequency(examples: Examples, k: int) -> list[list[str]]:
    """What each customer bought most often, most lately bought first among equals, filled up with
    best sellers.
    """
    maker = examples.maker
    histories, statistics = examples.histories.bought(maker.looks), maker.statistics
    often, lately = (
        histories.columns[:, maker.history.index(name)]
        if name in maker.history
        else np.zeros(len(histories.products))
        for name in (TIMES_BOUGHT.name, ORDERS_SINCE_LAST_BOUGHT.name)
    )
    best = statistics.best_sellers[:k].tolist()
    answers = []
    for begin, end in zip(histories.starts[:-1], histories.starts[1:], strict=True):
        order = np.lexsort((lately[begin:end], -often[begin:end]))
        own = histories.products[begin:end][order][:k].tolist()
        answers.append(
            statistics.product_ids[(own + [item for item in best if item not in own])[:k]].tolist()
        )
    return answers


def item_knn(examples: Examples, bought: sp.csr_matrix, k: int) -> list[list[str]]:
    """Products nearest to what each customer bought, by cosine of who bought them (Sarwar et al.,
    WWW 2001).

    `bought` is a 0/1 matrix (customers, products) in the positions of the examples' statistics.
    """
    maker = examples.maker
    histories, statistics = examples.histories.bought(maker.looks), maker.statistics
    norms = np.sqrt(np.asarray(bought.sum(axis=0)).ravel()).clip(min=1)
    scaled = (bought @ sp.diags(1 / norms)).tocsr()
    similar = (scaled.T @ scaled).tocsr()
    answers = []
    for _, batch in histories.batches(BATCH):
        own = sp.csr_matrix(
            (np.ones(len(batch.products)), batch.products, batch.starts),
            shape=(len(batch), bought.shape[1]),
        )
        best = np.argsort(-(own @ similar).toarray(), axis=1, kind="stable")[:, :k]
        answers += [statistics.product_ids[row].tolist() for row in best]
    return answers
