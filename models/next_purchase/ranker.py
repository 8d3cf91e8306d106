"""The next-purchase model: candidates ranked by LightGBM.

The ranker learns from customers' real next orders, with categories withheld at random in copies of
them, some of which see the order when a part of it is in the basket already, and with the products'
own facts left out in a few, so that the all-missing reference row of an explanation is no stranger
to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import lightgbm
import numpy as np
from numpy.typing import NDArray

from features.errors import TrainingError
from models.arrays import Bools, Floats
from models.next_purchase.candidates import BATCH, CandidateMaker, Candidates
from models.next_purchase.histories import Baskets, Histories, HistoryMasking
from models.next_purchase.model import NextPurchaseModel
from models.next_purchase.product_statistics import PRODUCT_FEATURES
from models.parallel import in_parallel
from models.trees.booster import Booster
from models.trees.quantising import rounded_single

FEWEST_ORDERS = 30
PLENTY = 2_000
"""Orders from which on the settings hold as they are; with fewer there are fewer trees, smaller
leaves, and a split has to gain more.
"""
FEWEST_TREES = 0.4
FEWEST_ROWS = 20
GAIN_FROM_FEW = 10.0
"""What a split has to gain where orders are fewest: with few of them chance alone makes categories
look as if they mattered.
"""


@dataclass(frozen=True)
class NextPurchaseSettings:
    """How the ranker is trained."""

    leaves: int = 15
    learning_rate: float = 0.08
    trees: int = 150
    rows_per_leaf: int = 200
    l2: float = 10.0
    least_gain: float = 0.0
    feature_share: float = 0.6
    truncation: int = 30
    negatives: int = 40
    masked_weight: float = 0.5
    faceless_share: float = 0.03
    begun_share: float = 0.5
    seed: int = 7
    threads: int = 2

    def suited(self, orders: int) -> NextPurchaseSettings:
        """The settings for so many orders to learn from."""
        share = min(orders / PLENTY, 1.0)
        rows = min(self.rows_per_leaf, max(FEWEST_ROWS, round(self.rows_per_leaf * share)))
        gain = max(self.least_gain, GAIN_FROM_FEW * (1 - share))
        return replace(
            self,
            trees=round(self.trees * max(share, FEWEST_TREES)),
            rows_per_leaf=rows,
            least_gain=gain,
        )


@dataclass(frozen=True)
class Examples:
    """Orders to learn from, made at one moment's statistics: histories before each order, and what
    it then held.

    `bought` are (row, position) pairs of the products in the order, as row x products + position,
    ascending.
    """

    maker: CandidateMaker
    histories: Histories
    bought: NDArray[np.int64]

    @property
    def arrays(self) -> tuple[NDArray[np.generic], ...]:
        """All that is learnt from."""
        return (
            self.histories.starts,
            self.histories.products,
            self.histories.columns,
            self.histories.customers,
            self.bought,
        )

    def begun(self, share: float, generator: np.random.Generator) -> Baskets:
        """The beginnings of so many of the orders, of any size short of the whole, as baskets that
        are being filled.
        """
        rows, products = np.divmod(self.bought, len(self.maker.statistics.product_ids))
        sizes = np.bincount(rows, minlength=len(self.histories))
        taken = generator.integers(1, np.maximum(sizes, 2)) * (
            (sizes > 1) & (generator.random(len(sizes)) < share)
        )
        place = np.empty(len(rows), dtype=np.int64)
        place[np.lexsort((generator.random(len(rows)), rows))] = (
            np.arange(len(rows)) - np.append(0, np.cumsum(sizes))[rows]
        )
        return Baskets(rows, products).at(place < taken[rows])

    def labels(self, candidates: Candidates, first: int = 0) -> NDArray[np.int64]:
        """1 for each candidate that was bought, else 0; the candidates' rows begin at row `first`
        of the examples.
        """
        keys = (candidates.rows + first) * len(
            self.maker.statistics.product_ids
        ) + candidates.products
        return np.isin(keys, self.bought).astype(np.int64)


def fit_next_purchase(
    examples: Sequence[Examples],
    serve: CandidateMaker,
    masking: HistoryMasking,
    category_of: Mapping[str, str],
    settings: NextPurchaseSettings,
) -> NextPurchaseModel:
    """Train the ranker on `examples`; the model then serves with the statistics of `serve`.

    Raises `TrainingError` where there are too few orders to learn from.
    """
    orders = sum(len(part.histories) for part in examples)
    if orders < FEWEST_ORDERS:
        raise TrainingError(
            f"only {orders} repeat orders to learn from, and {FEWEST_ORDERS} are needed: orders of"
            " customers who allow what they bought and when to be used, with an order before. Load"
            " more history or ask more customers."
        )
    settings = settings.suited(orders)
    generator = np.random.default_rng(settings.seed)
    parts = [
        part for example in examples for part in _copies(example, masking, settings, generator)
    ]
    features, labels, groups, weights = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    if not len(labels):
        raise _nothing_to_learn(orders)
    data = lightgbm.Dataset(
        features,
        labels,
        group=groups,
        weight=weights,
        feature_name=list(serve.features),
        params={"verbose": -1},
    )
    booster = lightgbm.train(_parameters(settings), data, num_boost_round=settings.trees)
    return NextPurchaseModel(Booster.of(booster), serve, masking, category_of)


def _nothing_to_learn(orders: int) -> TrainingError:
    return TrainingError(
        f"of the products in {orders} repeat orders none was among those that could be predicted:"
        " nobody had bought it before, or fewer customers than may be told apart. A shop of single"
        " pieces has no next purchase to learn; name kinds of pieces as products."
    )


def _copies(
    examples: Examples,
    masking: HistoryMasking,
    settings: NextPurchaseSettings,
    generator: np.random.Generator,
) -> list[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], Floats]]:
    """Ranker rows of the examples as they are and with random categories withheld: features,
    labels, groups, weights.
    """
    withheld = masking.customers.draw(len(examples.histories), generator)
    begun = replace(examples.histories, baskets=examples.begun(settings.begun_share, generator))
    copies = []
    for histories, weight in (
        (examples.histories, 1.0),
        (masking.withhold(begun, withheld), settings.masked_weight),
    ):
        batches = list(histories.batches(BATCH))
        made = in_parallel(examples.maker.make, [batch for _, batch in batches])
        for (first, batch), candidates in zip(batches, made, strict=True):
            labels = examples.labels(candidates, first)
            kept = _sample(candidates.rows, labels, settings.negatives, generator)
            features = candidates.features[kept]
            features[
                np.ix_(
                    generator.random(len(features)) < settings.faceless_share,
                    _product_columns(examples.maker),
                )
            ] = np.nan
            groups = np.bincount(candidates.rows[kept], minlength=len(batch))
            copies.append(
                (
                    rounded_single(features),
                    labels[kept],
                    groups[groups > 0],
                    np.full(len(features), weight),
                )
            )
    return copies


def _sample(
    rows: NDArray[np.int64],
    labels: NDArray[np.int64],
    negatives: int,
    generator: np.random.Generator,
) -> Bools:
    """Which candidates to learn from: of each row with a hit, the hits and about `negatives` others
    drawn at random.
    """
    sizes, hits = np.bincount(rows), np.bincount(rows, weights=labels)
    share = negatives / np.maximum(sizes - hits, 1)
    drawn = generator.random(len(rows)) < share[rows]
    return np.asarray((hits[rows] > 0) & ((labels == 1) | drawn))


def _product_columns(maker: CandidateMaker) -> NDArray[np.intp]:
    return np.arange(len(maker.features) - len(PRODUCT_FEATURES), len(maker.features))


def _parameters(settings: NextPurchaseSettings) -> dict[str, object]:
    return {
        "objective": "lambdarank",
        "lambdarank_truncation_level": settings.truncation,
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        "min_data_in_leaf": settings.rows_per_leaf,
        "lambda_l2": settings.l2,
        "min_gain_to_split": settings.least_gain,
        "feature_fraction": settings.feature_share,
        "seed": settings.seed,
        "num_threads": settings.threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
