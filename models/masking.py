"""Withholding categories: one mechanism for training, serving and explaining.

A feature is available when every category it needs is granted; otherwise it is `NaN`. Training sees
copies of its rows with random categories withheld, so that a customer who refuses one still gets a
good answer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Bools, Floats

RATES = (0.2, 0.5, 0.8)
"""Shares of categories withheld in a masked copy; each row draws one of them."""


@dataclass(frozen=True)
class Masking:
    """Which categories each feature needs: `needs` is bool of shape (features, categories)."""

    categories: tuple[str, ...]
    needs: Bools

    @classmethod
    def of(cls, needed: Sequence[Collection[str]], categories: Sequence[str]) -> Masking:
        """From the categories that each feature needs, in the order of the features."""
        needs = np.array(
            [[category in names for category in categories] for names in needed], dtype=bool
        )
        return cls(tuple(categories), needs.reshape(len(needed), len(categories)))

    def needed(self, features: Sequence[str]) -> dict[str, frozenset[str]]:
        """The categories that each of `features` needs, which are those of the rows of `needs`."""
        return {
            name: frozenset(
                category for category, need in zip(self.categories, row, strict=True) if need
            )
            for name, row in zip(features, self.needs.tolist(), strict=True)
        }

    def withhold(self, features: Floats, withheld: Bools) -> Floats:
        """A copy of `features` (rows, features) with `NaN` for what `withheld` (rows, categories)
        makes unavailable.
        """
        unavailable = withheld.astype(np.uint8) @ self.needs.T.astype(np.uint8) > 0
        return np.where(unavailable, np.nan, features)

    def allow(self, features: Floats, granted: Collection[str]) -> Floats:
        """`features` (rows, features) as the answer may use them when only `granted` categories
        are.
        """
        withheld = np.array([[category not in granted for category in self.categories]])
        return self.withhold(features, np.repeat(withheld, len(features), axis=0))

    def draw(self, rows: int, generator: np.random.Generator) -> Bools:
        """Random categories to withhold, shape (rows, categories)."""
        rates = generator.choice(RATES, size=(rows, 1))
        return generator.random((rows, len(self.categories))) < rates
