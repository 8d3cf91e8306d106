"""The tables of a warehouse, by name."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from types import ModuleType

from features.catalog import PRODUCT
from features.tables import declared
from features.tables.table import Column, Events, Facts, StandardCategory, States, Table, TableError


class Tables(Mapping[str, Table]):
    """Declared tables: first those of events, then of states, then of facts."""

    def __init__(self, tables: Iterable[Table]) -> None:
        order = (Events, States, Facts)
        stated = sorted(tables, key=lambda table: (order.index(type(table)), table.name))
        self._tables = {table.name: table for table in stated}
        if len(self._tables) < len(stated):
            names = [table.name for table in stated]
            twice = next(name for name in names if names.count(name) > 1)
            raise TableError("it is declared twice", table=twice)
        for table in stated:
            self._check(table)

    @classmethod
    def declared_in(cls, package: ModuleType) -> Tables:
        """The tables that the modules of `package` declare as their `TABLE`.

        Raises `TableError` where a module declares none, or a declaration contradicts itself or
        another one.
        """
        names = [module.name for module in pkgutil.iter_modules(package.__path__)]
        return cls(_declared_in(import_module(f"{package.__name__}.{name}")) for name in names)

    def __getitem__(self, name: str) -> Table:
        return self._tables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __hash__(self) -> int:
        return hash(tuple(self._tables.values()))

    def __len__(self) -> int:
        return len(self._tables)

    @property
    def personal(self) -> tuple[str, ...]:
        """Names of the tables whose rows are some customer's."""
        return tuple(name for name, table in self.items() if table.personal)

    @property
    def categories(self) -> tuple[StandardCategory, ...]:
        """The categories of a new catalog, in its order."""
        return tuple(category for table in self.values() for category in table.categories)

    def is_state(self, name: str) -> bool:
        """Whether the newest row of a table replaces the older ones; False where nobody declared
        it.
        """
        return isinstance(self.get(name), States)

    def has_kinds(self, name: str) -> bool:
        """Whether rows of a table are of several kinds; False where nobody declared it."""
        return name in self and self[name].kind is not None

    def stated_in(self, name: str) -> dict[str, Column]:
        """The columns that a source of the table `name` may map: its own, and those of other
        tables that it may tell as well.
        """
        told = [table for table in self.values() if name in table.stated_in]
        found = {column.name: column for column in self[name].stated}
        for column in (column for table in told for column in table.columns):
            found.setdefault(column.name, column)
        return found

    def _check(self, table: Table) -> None:
        if unknown := [name for name in table.stated_in if name not in self]:
            raise table.fault(f"it is stated in `{unknown[0]}`, and there is no such table")
        declared_categories = [category.name for category in self.categories]
        for category in table.categories:
            if declared_categories.count(category.name) > 1:
                raise table.fault(f"the category `{category.name}` is declared twice")
        known = {PRODUCT, *declared_categories}
        for column in table.columns:
            if column.entry is not None and column.entry.category not in known:
                raise table.fault(
                    f"`{column.name}` belongs to the category `{column.entry.category}`, which no"
                    " table declares"
                )


def _declared_in(module: ModuleType) -> Table:
    table = getattr(module, "TABLE", None)
    if not isinstance(table, Table):
        raise TableError(f"the module {module.__name__} declares no `TABLE`", table=module.__name__)
    return table


STANDARD = Tables.declared_in(declared)
"""The tables that every shop's warehouse may have."""
