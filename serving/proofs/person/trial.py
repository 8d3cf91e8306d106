"""One shop whose customers are written in two ways, and what its parts find under either."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from sqlalchemy import bindparam, delete, select, update

from features import clock
from features.consent.event import ALLOWING, GRANTED, WITHDRAWN, ConsentEvent
from features.consent.verification import verify_ledger
from features.customers import pseudonyms
from features.database.tables import consent_state, customer_id_rule, customers
from features.intake.ingest import ingest
from features.intake.setup.new_workspace import EXAMPLE
from features.progress import Progress
from features.shop.shop import Shop
from serving.delivery.opt_outs import OptOuts
from serving.proofs.person.pairs import Pair
from serving.rights.rights import Rights

METHOD = "selftest"
FIRST, SECOND = "first", "second"
EACH = 15
"""One pair of so many is exported and erased from every store; so all kinds come to it in turn."""


class Trial:
    """A shop and its pairs of ids; `faults` counts by check and kind of pair what went wrong."""

    def __init__(self, shop: Shop, pairs: Sequence[Pair]) -> None:
        self.shop, self.pairs = shop, pairs
        self.faults: Counter[str] = Counter()
        self.whole = range(0, len(pairs), EACH)
        catalog = shop.config.catalog
        self._purpose = shop.config.models.next_purchase.purpose
        self._category = catalog.askable(self._purpose)[0]
        self._version = catalog.current_notice(self._purpose).version

    def run(self, progress: Progress) -> None:
        """Put every part to the test."""
        self._load([(pair.first, pair.second) for pair in self.pairs])
        checks = {
            "orders": self._orders,
            "consent": self._consents,
            "opt-out": self._opt_outs,
            "export": self._exports,
            "erasure": self._erasures,
            "the next load": self._loaded_again,
        }
        for position, (name, check) in enumerate(checks.items()):
            progress(f"{name} of {len(self.pairs):,} pairs", position / len(checks))
            self._count(name, check())
        progress("done", 1.0)

    def merge(self) -> int:
        """Have the pairs stand apart, as before there was a rule of ids, and open the shop anew;
        how many events its ledger has then.
        """
        self._apart()
        self.shop.database.close()
        self.shop = Shop(self.shop.workspace, self.shop.clock)
        self._count("merging", self._merged())
        return verify_ledger(self.shop.database, self.shop.config.catalog)

    def _load(self, ids: Sequence[tuple[str, str]]) -> None:
        """Load an order of every customer under each id."""
        day = (self.shop.clock() - timedelta(days=10)).date().isoformat()
        write_orders(self.shop.workspace.root / EXAMPLE.file, ids, day)
        ingest(self.shop.workspace, self.shop.database)

    def _count(self, check: str, wrong: Iterator[Pair]) -> None:
        self.faults.update(f"{check}: {pair.kind}" for pair in wrong)

    def _found(self, pair: Pair) -> tuple[int | None, int | None]:
        find = self.shop.customers.find
        return find(pair.first), find(pair.second)

    def _orders(self) -> Iterator[Pair]:
        for pair in self.pairs:
            first, second = self._found(pair)
            if first is None or second is None or (first == second) is not pair.same:
                yield pair

    def _consents(self) -> Iterator[Pair]:
        """A grant under one id counts for the other of the same customer, and so does what
        withdraws it.
        """
        self.shop.ledger.append_all([self._said(pair.first, GRANTED) for pair in self.pairs])
        granting = self._granting()
        wrong = [pair for pair in self.pairs if (self._found(pair)[1] in granting) is not pair.same]
        self.shop.ledger.append_all([self._said(pair.second, WITHDRAWN) for pair in self.pairs])
        granting = self._granting()
        yield from wrong
        yield from (pair for pair in self.pairs if (self._found(pair)[0] in granting) is pair.same)

    def _opt_outs(self) -> Iterator[Pair]:
        own = OptOuts(self.shop.database, self.shop.clock)
        for pair in self.pairs:
            first, second = map(self.shop.customers.pseudonym, (pair.first, pair.second))
            own.add(first, "product", "mug", None)
            if bool(own.of(second)) is not pair.same:
                yield pair

    def _exports(self) -> Iterator[Pair]:
        """An export of the second id has the orders of the first where they are of one customer."""
        rights = Rights(self.shop)
        for pair in self.pairs:
            if (rights.whose(pair.first) == rights.whose(pair.second)) is not pair.same:
                yield pair
        for number in self.whole:
            pair = self.pairs[number]
            rows = rights.export(pair.second)["warehouse"]["transactions"]
            if {row["order_id"] for row in rows} != _orders_of_second(number, pair):
                yield pair

    def _erasures(self) -> Iterator[Pair]:
        """Half of a customer is not erased, and who is erased takes nobody along.

        Some are erased from every store; of the others the id alone is kept out, as an erasure does
        it.
        """
        rights = Rights(self.shop)
        for number in self.whole:
            pair = self.pairs[number]
            complete = rights.erase(pair.first)["complete"]
            if not complete or (self._found(pair)[1] is None) is not pair.same:
                yield pair
        others = [pair for n, pair in enumerate(self.pairs) if n not in self.whole]
        ids, now = self.shop.config.catalog.ids, clock.to_text(self.shop.clock())
        with self.shop.database.write() as connection:
            for pair in others:
                pseudonyms.suppress(connection, self.shop.vault, pair.first, now, ids)
                whose = pseudonyms.find(connection, pair.first, ids)
                connection.execute(delete(customers).where(customers.c.customer == whose))

    def _loaded_again(self) -> Iterator[Pair]:
        ingest(self.shop.workspace, self.shop.database)
        for pair in self.pairs:
            first, second = self._found(pair)
            if first is not None or (second is None) is not pair.same:
                yield pair

    def _apart(self) -> None:
        """Each id a customer of its own: the first grants, and so does every third second."""
        plain = [(f"{FIRST} {n}", f"{SECOND} {n}") for n in range(len(self.pairs))]
        events = [self._said(one, GRANTED) for one, _ in plain]
        events += [
            self._said(other, WITHDRAWN if n % 3 else GRANTED) for n, (_, other) in enumerate(plain)
        ]
        self.shop.ledger.append_all(events)
        self._load(plain)
        written = [
            {"plain": name, "as_written": id}
            for names, pair in zip(plain, self.pairs, strict=True)
            for name, id in zip(names, (pair.first, pair.second), strict=True)
        ]
        with self.shop.database.write() as connection:
            column = customers.c.external_id
            statement = update(customers).where(column == bindparam("plain"))
            connection.execute(statement.values(external_id=bindparam("as_written")), written)
            connection.execute(update(customer_id_rule).values(rule="none"))

    def _merged(self) -> Iterator[Pair]:
        granting = self._granting()
        for number, pair in enumerate(self.pairs):
            first, second = self._found(pair)
            grants = number % 3 == 0 or not pair.same
            as_it_should = (
                first is not None
                and (first == second) is pair.same
                and (first in granting) is grants
                and (second in granting) is (number % 3 == 0)
            )
            if not as_it_should or (number in self.whole and not self._has_orders(number, pair)):
                yield pair

    def _has_orders(self, number: int, pair: Pair) -> bool:
        rows = self.shop.warehouse.rows_of(self.shop.customers.pseudonym(pair.second))
        found = set(rows["transactions"]["order_id"].to_pylist())
        return found == _orders_of_second(number, pair)

    def _granting(self) -> set[int]:
        column = consent_state.c
        query = select(column.customer).where(
            column.purpose == self._purpose,
            column.category == self._category,
            column.action.in_(ALLOWING),
        )
        with self.shop.database.read() as connection:
            return set(connection.execute(query).scalars())

    def _said(self, customer_id: str, action: str) -> ConsentEvent:
        version = self._version if action == GRANTED else None
        return ConsentEvent(customer_id, self._purpose, self._category, action, METHOD, version)


def _orders_of_second(number: int, pair: Pair) -> set[str]:
    """The orders that the second id of a pair has: those of the first too where both are of one
    customer.
    """
    return {f"{SECOND}-{number}", *([f"{FIRST}-{number}"] if pair.same else [])}


def write_orders(file: Path, ids: Sequence[tuple[str, str]], day: str) -> None:
    """An order of every customer under each of two ids, placed on `day`."""
    with file.open("w", encoding="utf-8", newline="") as written:
        rows = csv.writer(written)
        rows.writerow(EXAMPLE.columns.values())
        for number, pair in enumerate(ids):
            for which, id in zip((FIRST, SECOND), pair, strict=True):
                order = {
                    "customer_id": id,
                    "order_id": f"{which}-{number}",
                    "product_id": "mug",
                    "ordered_at": day,
                    "quantity": "1",
                    "unit_price": "4.50",
                    "title": "Mug",
                    "country": "Germany",
                }
                rows.writerow([order[name] for name in EXAMPLE.columns])
