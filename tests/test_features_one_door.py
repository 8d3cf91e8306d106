"""The rows of the warehouse have one door: no code but the gate's, and that of a customer's own
rights, reads them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("features", "models", "explain", "experiments", "serving")
ITSELF = "features/warehouse/store.py"
READERS = {
    "table": {"features/warehouse/gate.py"},
    "own": {"features/warehouse/gate.py"},
    "rows_of": {
        "features/shop/corrections.py",
        "features/shop/visitors.py",
        "serving/rights/file_stores.py",
    },
    "rewrite": {
        "features/shop/corrections.py",
        "features/shop/one_person.py",
        "serving/rights/file_stores.py",
        "serving/rights/upkeep.py",
    },
    "who_ordered": {"features/shop/binding.py", "features/shop/consent_import.py"},
    "count": {"serving/rights/file_stores.py"},
}
"""Methods of the warehouse that read rows of customers, and the modules that may call them."""
SELFTESTS = "serving/proofs/"
"""Work on shops that they make up themselves, and plant leaks on purpose; nothing but their command
may reach them.
"""
MAY_NAME_THE_CLASS = {
    "features/warehouse/gate.py",
    "features/warehouse/minimum_age.py",
    "features/intake/ingest.py",
    "features/intake/loading/day/load.py",
    "features/intake/loading/day/notes.py",
    "features/intake/loading/day/sent.py",
    "features/intake/loading/day/states.py",
    "features/intake/loading/day/tables.py",
    "features/intake/loading/figures.py",
    "features/intake/loading/stored.py",
    "features/intake/loading/whole.py",
    "features/intake/public_orders.py",
    "features/shop/binding.py",
    "features/shop/one_person.py",
    "features/shop/shop.py",
}
MAY_OPEN_THE_FOLDER = {
    "features/intake/ingest.py",
    "features/shop/binding.py",
    "features/shop/shop.py",
    "features/shop/workspace.py",
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the product but the warehouse itself, by its path."""
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            path = file.relative_to(ROOT).as_posix()
            if path != ITSELF:
                yield path, ast.parse(file.read_text(encoding="utf-8"), path)


def last_name(node: ast.expr) -> str:
    """The last word of what an expression names: `warehouse` for `shop.warehouse`, `Warehouse` for
    `Warehouse(folder)`.
    """
    if isinstance(node, ast.Call):
        return last_name(node.func)
    if isinstance(node, ast.NamedExpr):
        return last_name(node.value)
    return (
        node.attr
        if isinstance(node, ast.Attribute)
        else node.id
        if isinstance(node, ast.Name)
        else ""
    )


def is_warehouse(node: ast.expr, aliases: set[str]) -> bool:
    """Whether an expression is a warehouse, by its name or by a name that one was given in the same
    module.
    """
    name = last_name(node)
    return name.strip("_").casefold() == "warehouse" or (
        isinstance(node, ast.Name) and name in aliases
    )


def aliases_in(tree: ast.Module) -> set[str]:
    """Names that a module gives to a warehouse."""
    found: set[str] = set()
    for node in ast.walk(tree):
        pairs: list[tuple[ast.expr, ast.expr]] = []
        if isinstance(node, ast.Assign):
            for target in node.targets:
                both = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
                pairs += (
                    zip(target.elts, node.value.elts, strict=False)
                    if both
                    else [(target, node.value)]
                )
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            pairs = [(node.target, node.value)]
        found |= {
            target.id
            for target, value in pairs
            if isinstance(target, ast.Name) and is_warehouse(value, found)
        }
    return found


def violations(path: str, tree: ast.Module) -> list[str]:
    """What a module does with the warehouse that is not its business, each with its line."""
    aliases, found = aliases_in(tree), []
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and path not in READERS.get(node.attr, {path})
            and is_warehouse(node.value, aliases)
        ):
            found.append(f"{path}:{node.lineno} reads rows of the warehouse by `{node.attr}`")
        if (
            isinstance(node, ast.ImportFrom)
            and node.module == "features.warehouse.store"
            and path not in MAY_NAME_THE_CLASS
        ):
            found.append(f"{path}:{node.lineno} imports the warehouse")
        if (
            isinstance(node, ast.Attribute)
            and node.attr == "warehouse"
            and last_name(node.value).strip("_") == "workspace"
        ):
            found += (
                []
                if path in MAY_OPEN_THE_FOLDER
                else [f"{path}:{node.lineno} opens the warehouse's folder"]
            )
    return found


def test_only_the_gate_and_a_customers_rights_read_rows():
    """No module calls a method that reads rows, names the class or opens the folder unless it is
    listed for that.
    """
    found = [
        fault
        for path, tree in modules()
        if not path.startswith(SELFTESTS)
        for fault in violations(path, tree)
    ]
    assert not found, "\n".join(found)


def test_selftests_are_reached_by_their_command_alone():
    """What plants leaks is imported by `sayso selftest` and by no code that answers."""
    importing = set()
    for path, tree in modules():
        for node in ast.walk(tree):
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            named += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            if any(name.startswith("serving.proofs") for name in named) and not path.startswith(
                SELFTESTS
            ):
                importing.add(path)
    assert importing <= {"serving/cli/commands/selftest.py"}


def test_every_listed_reader_is_one():
    """Each module that may read rows exists and does so, so that the list grows no stale doors."""
    trees = dict(modules())
    for method, readers in READERS.items():
        for path in readers:
            used = {
                node.attr
                for node in ast.walk(trees[path])
                if isinstance(node, ast.Attribute) and is_warehouse(node.value, set())
            }
            assert method in used, (path, method)


def test_features_are_made_through_the_gate_alone():
    """Of the modules below serving, only the gate, corrections, what brings one person's ids
    together and what joins a visitor get at rows, and only the gate at whole tables.

    The import of consents learns who ordered and nothing of it.
    """
    telling = {method: readers for method, readers in READERS.items() if method != "who_ordered"}
    below = {
        path for readers in telling.values() for path in readers if not path.startswith("serving/")
    }
    rewriting = {f"features/shop/{name}.py" for name in ("corrections", "one_person", "visitors")}
    assert below == {"features/warehouse/gate.py", *rewriting}
    assert READERS["table"] == {"features/warehouse/gate.py"}


@pytest.mark.parametrize(
    "planted",
    [
        "rows = shop.warehouse.table('transactions')",
        "rows = self._shop.warehouse.rows_of(customer)",
        "rows = self._warehouse.table('customers')",
        "def f(warehouse):\n    return warehouse.count(7)",
        "held = shop.warehouse\nrows = held.table('transactions')",
        "held: object = shop.warehouse\nrows = held.rows_of(7)",
        "a, held = 1, shop.warehouse\nrows = held.rows_of(7)",
        "if (held := shop.warehouse):\n    held.rewrite(change)",
        "read = shop.warehouse.table\nread('transactions')",
        "rows = Warehouse(folder).table('transactions')",
        "from features.warehouse.store import Warehouse",
        "rows = pq.read_table(shop.workspace.warehouse / 'x' / 'transactions.parquet')",
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        "models/churn/model.py",
        "serving/recommending/recommender.py",
        "features/definitions/frames.py",
        "explain/reasons.py",
    ],
)
def test_a_planted_way_round_the_gate_is_caught(path, planted):
    """Each way of reaching for rows besides the gate is found, wherever it is planted, with its
    line.
    """
    found = violations(path, ast.parse(planted))
    assert found
    assert all(fault.startswith(f"{path}:") for fault in found)


@pytest.mark.parametrize(
    "harmless",
    [
        "shop.warehouse.products()",
        "shop.warehouse.filled",
        "screen.table('Models', (), [])",
        "text.count('a')",
    ],
)
def test_what_reads_no_rows_of_customers_is_let_be(harmless):
    """A product's own facts, and methods of the same name elsewhere, are no violation."""
    assert violations("models/churn/model.py", ast.parse(harmless)) == []
