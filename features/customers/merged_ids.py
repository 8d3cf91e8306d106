"""Which customers are one person under the rule of ids, and the number that each keeps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from features.catalog import CustomerIds
from features.customers.id_normalisation import is_nobody, normalised
from features.database.tables import customer_id_rule, customers, merged_customers

BATCH = 1_000


@dataclass(frozen=True)
class Regrouped:
    """`into` has the kept number by each number that goes into it; `nobody` are numbers whose id
    names nobody.
    """

    into: Mapping[int, int]
    nobody: frozenset[int]


def rule_in_force(connection: Connection) -> str:
    """The rule that the ids of the database were brought to."""
    return str(connection.execute(select(customer_id_rule.c.rule)).scalar_one())


def note_rule(connection: Connection, ids: CustomerIds) -> None:
    """Keep that all ids were brought to the rule `ids`."""
    connection.execute(update(customer_id_rule).values(rule=ids.name))


def regroup(connection: Connection, ids: CustomerIds, now: str) -> Regrouped:
    """Bring every id to the rule, within a transaction that writes.

    Of several customers with one form that one keeps its number whose id is written so already,
    else the one with the smallest number. The others' numbers are kept as merged into it.
    """
    known = {row.customer: row.external_id for row in connection.execute(select(customers))}
    nobody = frozenset(number for number, id in known.items() if is_nobody(id))
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for number, id in sorted(known.items()):
        if number not in nobody:
            groups[normalised(id, ids)].append(number)
    into: dict[int, int] = {}
    written = []
    for form, numbers in groups.items():
        kept = next((number for number in numbers if known[number] == form), numbers[0])
        into |= {number: kept for number in numbers if number != kept}
        if known[kept] != form:
            written.append({"number": kept, "form": form})
    _drop(connection, [*into, *nobody])
    if written:
        statement = update(customers).where(customers.c.customer == bindparam("number"))
        connection.execute(statement.values(external_id=bindparam("form")), written)
    _keep_merged(connection, into, now)
    return Regrouped(into, nobody)


def _drop(connection: Connection, numbers: list[int]) -> None:
    for start in range(0, len(numbers), BATCH):
        part = numbers[start : start + BATCH]
        connection.execute(delete(customers).where(customers.c.customer.in_(part)))


def _keep_merged(connection: Connection, into: Mapping[int, int], now: str) -> None:
    for number, kept in into.items():  # what was merged into it goes along
        column = merged_customers.c
        connection.execute(update(merged_customers).where(column.kept == number).values(kept=kept))
    if into:
        rows = [{"customer": one, "kept": kept, "merged_at": now} for one, kept in into.items()]
        connection.execute(insert(merged_customers), rows)
