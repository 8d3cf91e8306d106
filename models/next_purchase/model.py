"""The next-purchase model: it ranks what a customer may want next."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.definitions.frames import are_of_looks
from models.arrays import Bools, Floats
from models.masking import Masking
from models.next_purchase.candidates import CandidateMaker, Candidates
from models.next_purchase.histories import Histories, HistoryMasking
from models.next_purchase.product_statistics import ProductStatistics
from models.trees.booster import Booster
from models.trees.quantising import rounded
from models.trees.scores import TreeScores


@dataclass(frozen=True)
class Ranked:
    """Candidates with their scores (candidates,), and for each row the best of them as positions,
    best first.
    """

    candidates: Candidates
    scores: Floats
    best: list[NDArray[np.intp]]


@dataclass(frozen=True)
class NextPurchaseModel:
    """A trained ranker with the product statistics that it serves with; `category_of` names each
    feature's category.
    """

    booster: Booster
    maker: CandidateMaker
    masking: HistoryMasking
    category_of: Mapping[str, str]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the booster's columns, in order."""
        return self.maker.features

    @cached_property
    def _scores(self) -> TreeScores:
        return TreeScores(self.booster)

    @cached_property
    def needs(self) -> Mapping[str, frozenset[str]]:
        """The categories that each column of a history and of a customer needed when the model was
        trained.
        """
        return {
            **self.masking.columns.needed(self.maker.history),
            **self.masking.customers.needed(self.maker.customer),
        }

    def score(self, features: Floats) -> Floats:
        """Ranking scores of candidates' features, shape (candidates,); without unit, comparable
        within one customer only.
        """
        return self._scores.of(rounded(features))

    def rank(
        self, histories: Histories, k: int, hidden: Sequence[int] | NDArray[np.intp] = ()
    ) -> Ranked:
        """The best `k` candidates of each row, without the products at the positions `hidden`;
        equal scores by position.
        """
        return self.ranked(self.maker.make(histories, hidden), len(histories), k)

    def ranked(self, candidates: Candidates, rows: int, k: int) -> Ranked:
        """The best `k` of given candidates for each of `rows` rows; equal scores by position."""
        scores = self.score(candidates.features)
        order = np.lexsort((candidates.products, -scores, candidates.rows))
        starts = np.searchsorted(candidates.rows, np.arange(rows + 1))
        best = [order[begin : min(end, begin + k)] for begin, end in pairwise(starts)]
        return Ranked(candidates, scores, best)

    def save(self, folder: Path) -> None:
        """Write the model as data: the booster's text, the statistics' arrays and a manifest."""
        self.booster.save_model(folder / "booster.txt")
        self.maker.statistics.save(folder / "statistics.npz")
        manifest = {
            "history": self.maker.history,
            "customer": self.maker.customer,
            "category_of": dict(self.category_of),
            "categories": self.masking.categories,
            "entries_need": sorted(self.masking.entries),
            "history_needs": self.masking.columns.needs.tolist(),
            "customer_needs": self.masking.customers.needs.tolist(),
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> NextPurchaseModel:
        """Read what `save` wrote.

        Raises `ValueError` for a model of before, which reads other columns than are made now.
        """
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        categories = tuple(manifest["categories"])
        history, customer = (
            _needs(manifest[name], len(categories)) for name in ("history_needs", "customer_needs")
        )
        statistics = ProductStatistics.load(folder / "statistics.npz")
        maker = CandidateMaker(statistics, tuple(manifest["history"]), tuple(manifest["customer"]))
        booster = Booster.read(folder / "booster.txt")
        if booster.feature_name() != list(maker.features):
            raise ValueError(
                "it reads other columns than are made of customers now, as before this release;"
                " train it anew"
            )
        return cls(
            booster=booster,
            maker=maker,
            masking=HistoryMasking(
                frozenset(manifest["entries_need"]),
                Masking(categories, history),
                Masking(categories, customer),
                are_of_looks(maker.history),
            ),
            category_of=manifest["category_of"],
        )


def _needs(stated: list[list[bool]], categories: int) -> Bools:
    return np.array(stated, dtype=bool).reshape(len(stated), categories)
