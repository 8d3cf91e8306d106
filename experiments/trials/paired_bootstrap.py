"""Whether one method is better than another or only lucky: both judged on the same customers, drawn
anew many times.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.arrays import Floats

DRAWS = 1_000
BATCH = 50
SHARES = (0.025, 0.5, 0.975)
SMALLEST = 1e-15


class PairedBootstrap:
    """Draws customers with replacement, the same for every method; `labels` are 0 or 1."""

    def __init__(self, labels: Floats, seed: int, draws: int = DRAWS) -> None:
        self._labels = labels
        self._seed = seed
        self._draws = draws

    def metrics(self, probabilities: Floats) -> dict[str, Floats]:
        """AUC, log loss and Brier score of a method in every draw, each (draws,); an AUC is `NaN`
        where a draw holds one outcome only.
        """
        auc, loss, brier = [], [], []
        squares = (probabilities - self._labels) ** 2
        forecast = np.where(self._labels == 1, probabilities, 1 - probabilities).clip(min=SMALLEST)
        ranks = Ranks(self._labels, probabilities)
        for counts in self._counts():
            auc.append(ranks.auc(counts))
            loss.append(counts @ -np.log(forecast) / len(forecast))
            brier.append(counts @ squares / len(squares))
        return {
            "auc": np.concatenate(auc),
            "log_loss": np.concatenate(loss),
            "brier": np.concatenate(brier),
        }

    def _counts(self) -> Iterator[Floats]:
        return drawn(len(self._labels), self._seed, self._draws)


def drawn(customers: int, seed: int, draws: int = DRAWS) -> Iterator[Floats]:
    """How often each customer is drawn, in batches of shape (batch, customers), the same for the
    same seed.
    """
    generator = np.random.default_rng(seed)
    for begin in range(0, draws, BATCH):
        chosen = generator.integers(customers, size=(min(BATCH, draws - begin), customers))
        yield np.stack([np.bincount(row, minlength=customers) for row in chosen]).astype(np.float64)


def drawn_means(values: Floats, seed: int, draws: int = DRAWS) -> Floats:
    """Means of what was measured for each customer (customers,) in every draw, (draws,)."""
    return np.concatenate(
        [counts @ values / len(values) for counts in drawn(len(values), seed, draws)]
    )


class Ranks:
    """One method's order of the customers; those of the same score are one step."""

    def __init__(self, labels: Floats, scores: Floats) -> None:
        self._order = np.argsort(scores, kind="stable")
        self._leavers = labels[self._order]
        self._steps = np.flatnonzero(np.diff(scores[self._order], prepend=-np.inf))

    def auc(self, counts: Floats) -> Floats:
        """Chance that a leaver stands above a stayer, a tie counting half; `counts` (draws,
        customers).
        """
        ordered = counts[:, self._order]
        leavers = np.add.reduceat(ordered * self._leavers, self._steps, axis=1)
        stayers = np.add.reduceat(ordered * (1 - self._leavers), self._steps, axis=1)
        below = np.cumsum(stayers, axis=1) - stayers / 2
        pairs = leavers.sum(axis=1) * stayers.sum(axis=1)
        return np.asarray(
            np.divide(
                (leavers * below).sum(axis=1),
                pairs,
                out=np.full(len(pairs), np.nan),
                where=pairs > 0,
            )
        )


def interval(differences: Floats) -> list[float]:
    """Low, middle and high of a 95% interval."""
    return [float(value) for value in np.nanquantile(differences, SHARES)]
