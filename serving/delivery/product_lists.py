"""Lists of products that the shop keeps here, so that a request leaves all of them out by a name:
what is recalled, what a campaign is not about.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Text, delete, func, select

from features import clock
from features.clock import Clock, utc_now
from features.database.engine import Database, upsert
from features.database.prepared import PreparedForMany
from features.database.tables import product_lists
from features.errors import NotFound, SaysoError

MOST_PRODUCTS = 100_000
MOST_LISTS = 100
MOST_IN_MEMORY = 8
"""Lists that a worker keeps at hand: those that were named last."""
NAMED = r"^[a-z0-9][a-z0-9_-]{0,63}$"


class NoSuchList(SaysoError):
    """A request names a list that there is not."""

    field = "exclude_list"


class TooManyLists(SaysoError):
    """There are as many lists as there may be."""


@dataclass(frozen=True)
class ListHead:
    """A list without its products, of which there are so many.

    `digest` is the SHA-256 of their ids, one a line.
    """

    name: str
    digest: str
    products: int
    changed_at: str


@dataclass(frozen=True)
class ProductList:
    """A list as it was at one moment; another version has another `digest`."""

    name: str
    digest: str
    product_ids: tuple[str, ...]
    products: frozenset[str]

    @property
    def version(self) -> dict[str, str]:
        """Which list it is, as records name it."""
        return {"name": self.name, "digest": self.digest}


class ProductLists:
    """The lists of one database."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock
        self._at_hand: dict[str, ProductList] = {}

    def put(self, name: str, product_ids: Sequence[str], actor: str) -> ListHead:
        """Keep a list, in place of one of that name; once this returns it is durable, and every
        later answer that names it obeys it.

        Raises `ValueError` for what can be no name, and `TooManyLists`.
        """
        if not re.fullmatch(NAMED, name):
            raise ValueError(f"{name!r} is no name of a list: it has to fit {NAMED}")
        lines = "\n".join(ids := list(dict.fromkeys(product_ids))).encode()
        now, digest = clock.to_text(self._clock()), hashlib.sha256(lines).hexdigest()
        head = ListHead(name, digest, len(ids), now)
        row = {**vars(head), "actor": actor, "content": zlib.compress(lines)}
        others = select(func.count()).where(product_lists.c.name != name)
        with self._database.write() as connection:
            if connection.execute(others).scalar_one() >= MOST_LISTS:
                raise TooManyLists(
                    f"There are {MOST_LISTS} lists, and there may be no more. Delete one first."
                )
            upsert(connection, product_lists, ["name"], [row])
        return head

    def all(self) -> list[ListHead]:
        """Every list, by name."""
        column = product_lists.c
        query = select(column.name, column.digest, column.products, column.changed_at)
        with self._database.read() as connection:
            return [ListHead(*row) for row in connection.execute(query.order_by(column.name))]

    def head(self, name: str) -> ListHead:
        """A list without its products. Raises `NotFound`."""
        for one in self.all():
            if one.name == name:
                return one
        raise NotFound("There is no such list of products.")

    def remove(self, name: str) -> None:
        """Delete a list; who names it afterwards is refused. Raises `NotFound`."""
        gone = delete(product_lists).where(product_lists.c.name == name)
        with self._database.write() as connection:
            if not connection.execute(gone).rowcount:
                raise NotFound("There is no such list of products.")

    def named(self, name: str) -> ProductList:
        """A list as it stands. Raises `NoSuchList`."""
        with self._database.read() as connection:
            found = _DIGEST.rows(connection, [name])
            known = self._at_hand.get(name)
            if found and known is not None and known.digest == found[0][0]:
                return known
            rows = _CONTENT.rows(connection, [name])
        if not rows:
            raise NoSuchList(
                f"there is no list of products {name!r}; PUT /v1/lists/{name} makes one, and"
                " GET /v1/lists names those that there are"
            )
        digest, content = rows[0]
        ids = tuple(zlib.decompress(content).decode().split("\n")) if content else ()
        ids = tuple(one for one in ids if one)
        made = ProductList(name, digest, ids, frozenset(ids))
        self._at_hand = {**dict(list(self._at_hand.items())[-MOST_IN_MEMORY + 1 :]), name: made}
        return made


_DIGEST = PreparedForMany(
    lambda asked: select(product_lists.c.digest).where(product_lists.c.name.in_(asked)), Text()
)
_CONTENT = PreparedForMany(
    lambda asked: select(product_lists.c.digest, product_lists.c.content).where(
        product_lists.c.name.in_(asked)
    ),
    Text(),
)
