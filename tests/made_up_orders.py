"""Two years of orders of a made-up shop, and what its purchases come to: the truth that every
export of them must give.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

BEGIN, END = datetime(2024, 11, 1, 8), datetime(2026, 10, 31, 20)  # noqa: DTZ001 - naive UTC
NO_PURCHASES = ("cancelled", "refunded", "pending", "failed", "test")
"""States of orders that are no purchases, as far as an export can say them."""
COUNTRIES = ("DE", "FR", "PL", "ES")
WORDS = ("Müsli", "Käse", "Œuf", "Żurek", "Piñata", "Tea", "Mug", "Soap", "Candle", "Print", "Fox")
KINDS = ("Brett", "Box", "Set", "No. 5", "Schälchen", "à la carte")


@dataclass(frozen=True)
class Person:
    """A customer; one without a `number` has no account."""

    number: int | None
    mail: str
    name: str
    country: str

    @property
    def nobody(self) -> bool:
        """Whether nothing says who it is."""
        return self.number is None and not self.mail


@dataclass(frozen=True)
class Product:
    """A product; its price is in cents."""

    number: int
    sku: str
    title: str
    price: int


@dataclass(frozen=True)
class Line:
    """Units of a product in an order; `off` is the discount of the line in cents, `back` how many
    units were refunded.
    """

    product: Product
    units: int
    off: int = 0
    back: int = 0

    @property
    def listed(self) -> int:
        """What it costs before discounts, in cents."""
        return self.units * self.product.price

    @property
    def paid(self) -> int:
        """What it costs after its discount, in cents."""
        return self.listed - self.off

    @property
    def refunded(self) -> int:
        """What was paid back for its units, in cents."""
        return self.paid * self.back // self.units


@dataclass(frozen=True)
class Order:
    """An order; `off` and `refund` are of the order as a whole, in cents. One of negative units
    takes back what another one sold.
    """

    number: int
    at: datetime
    person: Person
    lines: tuple[Line, ...]
    state: str = "bought"
    off: int = 0
    refund: int = 0

    @property
    def total(self) -> int:
        """What its lines cost after all discounts, in cents."""
        return sum(line.paid for line in self.lines) - self.off


@dataclass(frozen=True)
class Truth:
    """What the purchases come to."""

    lines: int
    orders: int
    customers: int
    units: float
    gross: float
    net: float


@dataclass(frozen=True)
class MadeUpShop:
    """All orders, oldest first."""

    orders: tuple[Order, ...]
    products: tuple[Product, ...]
    taken_back: dict[tuple[int, int], int] = field(default_factory=dict)
    """Units that later orders took back, by the number of the order and of the product."""

    @property
    def truth(self) -> Truth:
        """What must be found in every export of them."""
        kept = [
            (order, line, left)
            for order in self.orders
            if order.state == "bought" and not order.person.nobody
            for line in order.lines
            if (left := self._left(order, line)) > 0
        ]
        net = sum(line.paid * left // line.units for _, line, left in kept)
        whole = {order.number: order for order, _, _ in kept}.values()
        net -= sum(order.off + order.refund for order in whole)
        return Truth(
            lines=len(kept),
            orders=len(whole),
            customers=len({order.person.mail.casefold() for order in whole}),
            units=float(sum(left for _, _, left in kept)),
            gross=sum(line.listed for _, line, _ in kept) / 100,
            net=net / 100,
        )

    def _left(self, order: Order, line: Line) -> int:
        taken = self.taken_back.get((order.number, line.product.number), 0)
        return line.units - line.back - taken


def draw(seed: int, orders: int, can: Collection[str]) -> MadeUpShop:
    """A shop of `orders` orders with all cases that an export `can` say."""
    chance = random.Random(seed)
    products = _products(chance)
    people = _people(chance, max(orders // 3, 8), can)
    moments = sorted(chance.random() for _ in range(orders))
    drawn = [
        _order(chance, number, BEGIN + (END - BEGIN) * moment, people, products, can)
        for number, moment in enumerate(moments, start=1001)
    ]
    if "returns" not in can:
        return MadeUpShop(tuple(drawn), products)
    back, taken = _returns(chance, drawn)
    return MadeUpShop((*drawn, *back), products, taken)


def _products(chance: random.Random) -> tuple[Product, ...]:
    return tuple(
        Product(
            100 + number,
            f"{chance.choice('ABCDEF')}{chance.choice('XYZ')}-{100 + number}",
            f"{chance.choice(WORDS)} {chance.choice(KINDS)}, {number} Stück: „fein“",
            chance.randrange(150, 150_000, 5),
        )
        for number in range(30)
    )


def _people(chance: random.Random, count: int, can: Collection[str]) -> list[Person]:
    people = [
        Person(n, f"kunde{n}@example.org", f"Zoë Müller-{n}", chance.choice(COUNTRIES))
        for n in range(5001, 5001 + count)
    ]
    if "guest" in can:
        people += [
            Person(None, f"Gast{n}@Example.net", f"Józef {n}", "PL") for n in range(count // 3)
        ]
        people.append(replace(people[0], number=None))
    if "nobody" in can:
        people.append(Person(None, "", "", "DE"))
    return people


def _order(
    chance: random.Random,
    number: int,
    at: datetime,
    people: Sequence[Person],
    products: Sequence[Product],
    can: Collection[str],
) -> Order:
    chosen = chance.sample(products, chance.choice((1, 1, 2, 3, 4)))
    lines = tuple(Line(product, chance.choice((1, 1, 1, 2, 3))) for product in chosen)
    at = (at + timedelta(seconds=number % 60)).replace(microsecond=0)
    order = Order(number, at, people[number % len(people)], lines)
    states = [state for state in NO_PURCHASES if state in can]
    cases = [*states, *(case for case in CHANGES if case in can)]
    case = cases[number // 2 % len(cases)] if cases and number % 2 else "plain"
    if case in states:
        return replace(order, state=case)
    return CHANGES[case](order) if case in CHANGES else order


def _with_line_discount(order: Order) -> Order:
    lines = tuple(replace(line, off=line.units * (line.product.price // 7)) for line in order.lines)
    return replace(order, lines=lines)


def _with_order_discount(order: Order) -> Order:
    return replace(order, off=order.total // 6)


def _with_units_back(order: Order) -> Order:
    """All units of the first line and one of each other, where that leaves some."""
    first, *others = order.lines
    back = [replace(line, back=1 if line.units > 1 else 0) for line in others]
    lone = not others and first.units > 1
    return replace(order, lines=(replace(first, back=1 if lone else first.units), *back))


def _with_refund(order: Order) -> Order:
    return replace(order, refund=order.total // 3)


CHANGES = {
    "line_discount": _with_line_discount,
    "order_discount": _with_order_discount,
    "units_back": _with_units_back,
    "order_refund": _with_refund,
}
"""What changes an order that stays a purchase, by the case's name."""


def _returns(
    chance: random.Random, orders: Sequence[Order]
) -> tuple[list[Order], dict[tuple[int, int], int]]:
    """Orders that take back units of some that were bought, of products that the customer bought
    once.
    """
    times: dict[tuple[str, int], int] = {}
    for order in orders:
        for line in order.lines:
            key = order.person.mail.casefold(), line.product.number
            times[key] = times.get(key, 0) + 1
    back: list[Order] = []
    taken: dict[tuple[int, int], int] = {}
    for order in orders[:-1:6]:
        line = order.lines[0]
        key = order.person.mail.casefold(), line.product.number
        if order.state != "bought" or order.person.nobody or times[key] > 1 or line.back:
            continue
        units = chance.randint(1, line.units)
        taken[order.number, line.product.number] = units
        off = line.off * units // line.units
        at = min(order.at + timedelta(days=9), END)
        again = (Line(line.product, -units, -off),)
        back.append(Order(90_000 + order.number, at, order.person, again, "returned"))
    return back, taken
