"""Distillation: a student learns the answers of its teacher, also when categories are withheld.

The teacher's answers for today's customers take the place of outcomes (Hinton, Vinyals and Dean
2015): no outcome of them is known yet, no chance is in the answers, and their level is today's. So
what is said of who withholds something is the mean of what would be said of customers alike in the
rest, as they are now and not as customers were a horizon ago.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import lightgbm
import numpy as np

from models.arrays import Floats
from models.churn.boosting import Growth, boost
from models.churn.rows import ChurnRows
from models.churn.settings import ChurnSettings, ChurnTask
from models.trees.quantising import rounded

LEVELS = 20
"""Earlier customers are counted at so many levels of the answer, and weighed to be as many at each
as today's.
"""
MOST_WEIGHT = 5.0
MOST_COPIES = 64
MANY_CUSTOMERS = 2_000
"""Of fewer customers of today a student learns less, by so much smaller and fewer trees, lest it
take chance for likeness.
"""
LEAST_PART = 0.4


@dataclass(frozen=True)
class Distillation:
    """Whose answers are learnt: `features` (rows, features), how much each row counts, `weights`
    (rows,), and how many are of today.
    """

    features: Floats
    weights: Floats
    customers: int
    task: ChurnTask
    settings: ChurnSettings

    @classmethod
    def of(
        cls,
        today: Floats | None,
        rows: ChurnRows,
        answers: Callable[[Floats], Floats],
        task: ChurnTask,
        settings: ChurnSettings,
    ) -> Distillation:
        """Today's customers (rows, features), and where these are few, earlier rows too, newest
        first; the rows alone without today's.

        The earlier ones are weighed so that `answers` are as frequent among them as today. Today's
        are put in the order of their content, so that nothing else that orders them is in the
        draws: not who they are, and where a model is judged not what they did next.
        """
        generator = np.random.default_rng(settings.seed)
        now = rows.features if today is None else today[np.lexsort(today.T)]
        if len(now) > settings.most_taught:
            now = now[np.sort(generator.choice(len(now), settings.most_taught, replace=False))]
        missing = 0 if today is None else max(settings.fewest_taught - len(now), 0)
        drawn = generator.permutation(len(rows.as_of))
        earlier = rows.features[drawn[np.argsort(rows.as_of[drawn], kind="stable")[::-1][:missing]]]
        weights = (
            np.concatenate([np.ones(len(now)), as_frequent_as(answers(now), answers(earlier))])
            if missing
            else np.ones(len(now))
        )
        return cls(np.vstack([now, earlier]), weights, len(now), task, settings)

    @property
    def copies(self) -> int:
        """How often each row is learnt with random categories withheld: the fewer rows there are,
        the more often.
        """
        least = self.settings.masked_copies
        return least and max(
            least, min(self.settings.masked_rows // len(self.features), MOST_COPIES)
        )

    def _growth(self, trees: int) -> Growth:
        settings, part = self.settings, min(max(self.customers / MANY_CUSTOMERS, LEAST_PART), 1.0)
        size = round(trees * part), round(settings.taught_leaves * part)
        return Growth(*size, settings.taught_learning_rate, settings.taught_rows_per_leaf)

    def learnt(
        self, answers: Floats, objective: str, trees: int, copies: int | None = None
    ) -> lightgbm.Booster:
        """A booster that answers `answers` (rows,) where everything is granted, and elsewhere
        their mean over customers who are alike in what is granted.

        Each row is learnt in so many `copies` with random categories withheld; without the
        argument, in as many as the property says.
        """
        settings, masking, count = self.settings, self.task.masking, len(self.features)
        generator = np.random.default_rng(settings.seed)
        times = self.copies if copies is None else copies
        masked = [
            masking.withhold(self.features, masking.draw(count, generator)) for _ in range(times)
        ]
        granted = settings.granted_weight * max(times, 1)
        return boost(
            self.task.features,
            np.vstack([self.features, *masked]),
            rounded(np.tile(answers, 1 + times)),
            np.concatenate([granted * self.weights, *[self.weights] * times]),
            objective,
            self._growth(trees),
            settings,
            self.task.definitions,
        )


def as_frequent_as(now: Floats, earlier: Floats) -> Floats:
    """Weights of `earlier` answers (rows,) with which each level of them is as frequent as among
    those of `now`.
    """
    edges = np.quantile(now, np.linspace(0, 1, LEVELS + 1)[1:-1])
    level_now, level_earlier = np.searchsorted(edges, now), np.searchsorted(edges, earlier)
    share_now, share_earlier = (
        np.bincount(levels, minlength=LEVELS) / len(levels) for levels in (level_now, level_earlier)
    )
    ratio = np.divide(share_now, share_earlier, out=np.zeros(LEVELS), where=share_earlier > 0)
    return np.asarray(np.minimum(ratio, MOST_WEIGHT)[level_earlier])
