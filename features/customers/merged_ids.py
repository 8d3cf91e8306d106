"""Which customers are one person under the rule of ids, and the number that each keeps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
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
    else the one with the smallest number. The others' numbers are kept as merged into it. The id of
    a visitor who became a customer is that customer's, and so is who turns out to have the same.
    """
    joined = {row.customer: row.kept for row in connection.execute(select(merged_customers))}
    known = {row.customer: row.external_id for row in connection.execute(select(customers))}
    nobody = frozenset(number for number, id in known.items() if is_nobody(id))
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for number, id in sorted(known.items()):
        if number not in nobody:
            groups[normalised(id, ids)].append(number)
    into: dict[int, int] = {}
    gone, written = list[int](), []
    for form, numbers in groups.items():
        kept = _kept(numbers, {number for number in numbers if known[number] == form}, joined)
        gone += [number for number in numbers if number != kept]
        whose = _last(into, joined.get(kept, kept))
        into |= {one: whose for one in numbers if one != whose and one not in joined}
        if known[kept] != form:
            written.append({"number": kept, "form": form})
    into = {one: _last(into, whose) for one, whose in into.items()}
    _drop(connection, [*gone, *nobody])
    if written:
        statement = update(customers).where(customers.c.customer == bindparam("number"))
        connection.execute(statement.values(external_id=bindparam("form")), written)
    _keep_merged(connection, into, now)
    return Regrouped(into, nobody)


def _kept(numbers: Sequence[int], written: AbstractSet[int], joined: Mapping[int, int]) -> int:
    """Which of some numbers with one form of the id keeps it; `written` are those whose id is
    written so already.
    """
    visitors = [number for number in numbers if number in joined]
    if visitors and (owner := joined[visitors[0]]) in numbers:
        return owner
    return next((one for one in visitors or numbers if one in written), (visitors or numbers)[0])


def _last(into: Mapping[int, int], number: int) -> int:
    while number in into:
        number = into[number]
    return number


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
