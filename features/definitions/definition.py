"""What a feature definition is: an Ibis expression with the fields it reads.

A definition is handed a table that holds the declared fields and nothing else, so reading another
one cannot succeed by accident. The same definition serves training (many moments) and serving
(now).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import ibis

from features.definitions.feature import Feature
from features.errors import FeatureError


@dataclass(frozen=True)
class ShopFacts:
    """What a definition may know of the shop itself."""

    home_country: str | None = None


Expression = Callable[[ibis.Table, ShopFacts], ibis.Table]


@dataclass(frozen=True)
class Definition:
    """Features that read the same fields and are computed together.

    `keys` are the columns that name a row of the result: a customer at a moment, and for the
    features of a customer's history with a product that product too.
    """

    expression: Expression
    reads: tuple[str, ...]
    declared: tuple[Feature, ...]
    keys: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raise `FeatureError`, with file and line, where no field gives its features a
        category.
        """
        if not self.declared:
            raise FeatureError(f"{self._where}: the definition declares no feature")
        for field in self.reads or ("",):
            table, dot, column = field.partition(".")
            if not (table and dot and column):
                found = f"`{field}` in `reads` is no field" if field else "`reads` names no field"
                raise self.declared[0].refused(
                    f"has no category, which is that of the first field it reads: {found}; state"
                    ' the fields, such as "transactions.ordered_at"'
                )

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features."""
        return tuple(feature.name for feature in self.declared)

    @property
    def _where(self) -> str:
        code = self.expression.__code__
        return f"{code.co_filename}, line {code.co_firstlineno}"

    def table(self, rows: ibis.Table, shop: ShopFacts) -> ibis.Table:
        """The features of `rows`, one row per key.

        Raises `FeatureError` where the expression reaches for a field that it does not declare.
        """
        try:
            return self.expression(rows, shop).select(
                *self.keys, *(ibis._[name].cast("float64").name(name) for name in self.features)
            )
        except (AttributeError, ibis.common.exceptions.IbisError) as error:
            raise FeatureError(
                f"{self._where}: the definition"
                f" `{self.expression.__name__}` may read"
                f" {', '.join(f'`{field}`' for field in self.reads)} and failed on something else:"
                f" {error}. Declare the field in `reads`, and in sayso.toml, or do not read it."
            ) from error


@dataclass(frozen=True)
class Computed:
    """A definition in one shop, as an expression of rows alone."""

    definition: Definition
    shop: ShopFacts

    def __call__(self, rows: ibis.Table) -> ibis.Table:
        """The features of `rows`, one row per key."""
        return self.definition.table(rows, self.shop)


def defines(
    *features: Feature, reads: Iterable[str], keys: tuple[str, ...] = ("customer", "as_of")
) -> Callable[[Expression], Definition]:
    """Make a function from rows to features a `Definition`."""

    def made(expression: Expression) -> Definition:
        return Definition(expression, tuple(reads), features, keys)

    return made
