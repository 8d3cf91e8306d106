"""A visitor becomes a customer: what both agree to is the customer's, and nothing else is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from features import clock
from features.consent.ledger import position
from features.consent.merging import join_consents
from features.customers.pseudonyms import find_or_add, kept, numbers_of
from features.customers.visitors import is_visitor, note_joined, own_number, visitors_of
from features.database.tables import arrivals
from features.errors import ConsentError, NotFound, SaysoError
from features.events.arrivals import Seen, Values, hand_over, visible
from features.shop.one_person import renumber_rows
from features.shop.shop import Shop
from features.tables.declared import transactions
from features.tables.table import RECORDED_AT


class VisitorTaken(SaysoError):
    """A visitor is another customer already, or was never a visitor."""


@dataclass(frozen=True)
class Joined:
    """A visitor who is a customer from `joined_at` on.

    `categories` are those whose rows came along, as both grant them; `rows` came and `left_behind`
    were deleted. `repeated` tells that they had been joined before.
    """

    customer: int
    joined_at: str
    ledger_seq: int
    categories: tuple[str, ...] = ()
    rows: int = 0
    left_behind: int = 0
    repeated: bool = False


def join_visitor(shop: Shop, customer_id: str, visitor_id: str, actor: str) -> Joined:
    """Make the visitor the customer, in one transaction; doing it twice does nothing more.

    Raises `NotFound` for a visitor of whom nothing was told, `ConsentError` for a customer who was
    erased, and `VisitorTaken` for who is another customer already, or has orders.
    """
    ids, now = shop.config.catalog.ids, clock.to_text(shop.clock())
    with shop.database.write() as connection:
        visitor = own_number(connection, visitor_id, ids)
        if visitor is None:
            raise NotFound("There is no such visitor: nothing was told under that id.")
        customer = find_or_add(connection, shop.vault, [customer_id], ids).get(customer_id)
        if customer is None:
            raise ConsentError("this customer was erased at their own request", field="customer_id")
        if (before := _before(connection, visitor, customer)) is not None:
            return before
        _check(shop, connection, visitor, customer)
        agreed = join_consents(connection, shop.config.catalog, visitor, customer, actor, now)
        seen = _seen(shop, agreed)
        came, left = hand_over(connection, shop.vault, visitor, customer, seen)
        renumber_rows(connection, {visitor: customer})
        note_joined(connection, visitor, customer, actor, now)
        return Joined(customer, now, position(connection), tuple(sorted(agreed)), came, left)


def _before(connection: Connection, visitor: int, customer: int) -> Joined | None:
    """What came of it before; None for a visitor who is nobody else yet."""
    if not is_visitor(connection, visitor):
        return None
    if kept(connection, visitor) != customer:
        raise VisitorTaken("This visitor became another customer before.")
    since = next(one for one in visitors_of(connection, customer) if one.number == visitor)
    return Joined(customer, since.joined_at, position(connection), repeated=True)


def _check(shop: Shop, connection: Connection, visitor: int, customer: int) -> None:
    """Raises `VisitorTaken` for who cannot be a visitor of that customer."""
    if visitor == customer:
        raise VisitorTaken("The visitor's id is the customer's own.")
    if visitors_of(connection, visitor):
        raise VisitorTaken("This is a customer, to whom visitors were joined, and no visitor.")
    whose = arrivals.c.customer.in_(numbers_of(connection, visitor))
    sent = select(arrivals.c.seq).where(whose, arrivals.c.table_name == transactions.NAME)
    ordered = connection.execute(sent.limit(1)).first() is not None
    if not ordered and shop.warehouse.filled:
        lines = shop.warehouse.rows_of(visitor).get(transactions.NAME)
        ordered = lines is not None and lines.num_rows > 0
    if ordered:
        raise VisitorTaken("This is a customer with orders of their own, and no visitor.")


def _seen(shop: Shop, agreed: Mapping[str, str | None]) -> Seen:
    """What of a visitor's rows both agreed to, by category and from when on."""
    tables, catalog = shop.workspace.tables, shop.config.catalog

    def seen(name: str, values: Values) -> Values | None:
        recorded = values.get(RECORDED_AT)
        moment = None if recorded is None else clock.to_text(clock.from_text(recorded))

        def may(column: str) -> bool:
            category = catalog.personal_category(f"{name}.{column}")
            if category is None or category not in agreed:
                return False
            since = agreed[category]
            return since is None or (moment is not None and moment >= since)

        return visible(tables[name], values, may) if name in tables else None

    return seen
