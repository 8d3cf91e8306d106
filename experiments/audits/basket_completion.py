"""What it is worth to know what is in the basket: how well the rest of an order is predicted when a
part of it is there already.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from experiments.audits.consent_patterns import ranking_figures
from experiments.trials.findings import Findings
from experiments.trials.top_products import ranked_products
from models.metrics import ranking_by_customer
from models.next_purchase.model import NextPurchaseModel
from models.next_purchase.ranker import Examples

SEED = 7
WITH, IGNORED = "begun", "begun_ignored"
"""What the metrics begin with: with the basket in mind, and with no more made of it than that it is
not suggested again.
"""


def basket_completion_figures(model: NextPurchaseModel, judged: Examples, k: int) -> Findings:
    """Metrics of the `k` best for the rest of each judged order of which a random part is in the
    basket; empty where none has a rest.
    """
    baskets = judged.begun(1.0, np.random.default_rng(SEED))
    ids = judged.maker.statistics.product_ids
    rows, bought = np.divmod(judged.bought, len(ids))
    inside = _by_row(baskets.rows, ids[baskets.products], len(judged.histories))
    rest = [
        held - begun
        for held, begun in zip(
            _by_row(rows, ids[bought], len(judged.histories)), inside, strict=True
        )
    ]
    asked = [row for row, begun in enumerate(inside) if begun]
    if not asked:
        return Findings()
    most = max(map(len, inside))
    ignored = ranked_products(model, judged.histories, k + most)
    answers = {
        WITH: ranked_products(model, replace(judged.histories, baskets=baskets), k),
        IGNORED: [
            [product for product in best if product not in begun]
            for best, begun in zip(ignored, inside, strict=True)
        ],
    }
    metrics: dict[str, float] = {}
    for name, said in answers.items():
        by_customer = ranking_by_customer(
            [said[row] for row in asked], [rest[row] for row in asked], k
        )
        metrics |= {
            f"{name}.{metric}": value for metric, value in ranking_figures(by_customer).items()
        }
    return Findings(metrics=metrics)


def _by_row(rows: NDArray[np.int64], products: NDArray[np.str_], count: int) -> list[set[str]]:
    """The products of each row, whose entries stand in ascending order of `rows`."""
    return [
        set(part.tolist())
        for part in np.split(products, np.searchsorted(rows, np.arange(1, count)))
    ]
