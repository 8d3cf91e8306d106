"""The door for rows that the shop sends over HTTP: each is kept once, durably, and only where its
customer allows it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from features import clock
from features.clock import Clock
from features.config.schema import Config
from features.consent.grants import granted_for_anything
from features.customers.pseudonyms import find
from features.customers.vault import Vault
from features.database.engine import Database
from features.events.arrivals import Content, Sent, Tags, keep, visible
from features.intake.over_http.statements import (
    ReadStatements,
    Statement,
    Values,
    read_statements,
    typed,
)
from features.tables.table import Table
from features.tables.tables import Tables

Allowed = AbstractSet[tuple[int, str]]
"""Customers, and categories that each allows to be collected."""
USED = "another row was sent with this `id` before; give each row an id of its own"


@dataclass
class Received:
    """What became of the statements: how many of each, and those refused by their place, with the
    reason.
    """

    accepted: int = 0
    duplicate: int = 0
    dropped_unconsented: int = 0
    rejected: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Door:
    """Takes rows in for one shop."""

    config: Config
    tables: Tables
    database: Database
    vault: Vault
    clock: Clock

    def take(self, name: str, statements: Sequence[Statement], actor: str | None) -> Received:
        """Take rows of the table `name` in; what is accepted is durable once this returns.

        A statement is refused as a whole where one of its rows is. One of a customer who is not
        known, or who allows nobody to collect what it cannot do without, is dropped.
        """
        table, now = self.tables[name], self.clock()
        read = read_statements(table, self.tables, self.config.shop, statements, now)
        received = Received(rejected=read.reasons)
        good = [at for at in range(len(statements)) if at not in read.reasons]
        moment = clock.to_text(now)
        with self.database.write() as connection:
            numbers = self._customers(connection, read, good)
            allowed = granted_for_anything(
                connection, self.config.catalog, {*numbers.values()}, moment
            )
            if table.personal:
                may = [at for at in good if self._may_collect(table, numbers.get(at), allowed)]
                received.dropped_unconsented, good = len(good) - len(may), may
            contents = self._contents(table, read, numbers, allowed)
            sent = {
                at: _sent(table, statements[at], numbers.get(at), contents.get(at, Content()))
                for at in good
            }
            self._keep_new(connection, sent, received, moment, actor)
        return received

    def _customers(
        self, connection: Connection, read: ReadStatements, good: Sequence[int]
    ) -> dict[int, int]:
        """The numbers of the customers by the place of the statement; of those who are known, as
        nobody else can have allowed anything.
        """
        ids = self.config.catalog.ids
        known = {
            id: find(connection, id, ids) for id in {read.whose.get(at, "") for at in good} if id
        }
        found = {at: known.get(read.whose.get(at, "")) for at in good}
        return {at: number for at, number in found.items() if number is not None}

    def _may_collect(self, table: Table, customer: int | None, allowed: Allowed) -> bool:
        """Whether the customer allows every category that a row of the table cannot do without."""
        needed = [self._category(table, column.name) for column in table.columns if column.required]
        return customer is not None and all(
            (customer, category) in allowed for category in needed if category is not None
        )

    def _contents(
        self,
        table: Table,
        read: ReadStatements,
        numbers: Mapping[int, int],
        allowed: Allowed,
    ) -> dict[int, Content]:
        """What is kept, by the place of the statement: without the cells of what the customer does
        not allow anybody to collect.
        """
        rows = dict[int, dict[str, list[Values]]]()
        back = dict[int, list[Values]]()
        for at, name, values in typed(read.kept, table, self.tables, numbers):
            if may := self._visible(name, values, numbers.get(at), allowed):
                rows.setdefault(at, {}).setdefault(name, []).append(may)
        for at, name, values in typed(read.back, table, self.tables, numbers):
            may = self._visible(name, values, numbers.get(at), allowed)
            if name == table.name and may is not None:
                back.setdefault(at, []).append(may)
        places = {*rows, *back}
        return {at: Content(rows.get(at, {}), back.get(at, [])) for at in places}

    def _visible(
        self, name: str, values: Values, customer: int | None, allowed: Allowed
    ) -> Values | None:
        """A row without the cells that may not be collected; None where nothing of it is left."""
        table = self.tables[name]
        if not table.personal:
            return values
        return visible(
            table, values, lambda column: (customer, self._category(table, column)) in allowed
        )

    def _category(self, table: Table, column: str) -> str | None:
        """The category of a column; None for what the catalog declares as no field of anybody."""
        return self.config.catalog.personal_category(f"{table.name}.{column}")

    def _keep_new(
        self,
        connection: Connection,
        sent: Mapping[int, Sent],
        received: Received,
        now: str,
        actor: str | None,
    ) -> None:
        """Keep what was not sent before."""
        tags = Tags(connection, self.vault, list(sent.values()))
        known = {
            tag: (before.body_tag, before.version)
            for tag, before in tags.before(connection).items()
        }
        new = dict[str, Sent]()
        for at, one in sent.items():
            tag, body = tags.of_id[one.id], tags.of_body[one.body]
            before = known.get(tag)
            if before is None or _is_newer(one.version, before[1]):
                new[tag], known[tag] = one, (body, one.version)
                received.accepted += 1
            elif before[0] == body or one.version is not None:
                received.duplicate += 1
            else:
                received.rejected[at] = USED
        keep(connection, self.vault, tags, list(new.values()), now, actor)


def _sent(table: Table, statement: Statement, customer: int | None, content: Content) -> Sent:
    body = json.dumps(statement.rows, sort_keys=True)
    whole = replace(content, whole=statement.whole)
    return Sent(statement.id, table.name, body, customer, whole, statement.version)


def _is_newer(version: str | None, known: str | None) -> bool:
    return version is not None and (known is None or version > known)
