"""A customer comes by a link: it is looked at whole, revocations too, at every request."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from features.customers.pseudonyms import kept
from features.customers.visitors import is_visitor
from features.database.engine import Database
from features.database.tables import decisions
from serving.access.caller import Caller
from serving.access.revocations import Revoked, stands_against
from serving.access.signed_links import Link, LinkRefused, Links, Page


@dataclass(frozen=True)
class Visit:
    """Somebody who came by `link`, whose text is `token`.

    `customer` is the pseudonym of whom it is about; None for a decision about nobody known.
    """

    link: Link
    token: str
    customer: int | None

    @property
    def path(self) -> str:
        """The address of the page that the link opens."""
        return f"/{self.link.page}/{self.token}"

    def caller(self, request_id: str | None) -> Caller:
        """The visitor as records name them."""
        actor = f"customer:{self.link.page}_link"
        return Caller(actor, self.link.key_id, self.link.id, request_id)


class Visits:
    """Lets customers in by their links."""

    def __init__(self, database: Database, links: Links) -> None:
        self._database = database
        self._links = links

    def begin(self, page: Page, token: str) -> Visit:
        """A visit to `page`.

        Raises `LinkRefused` for a link that is forged, expired, revoked or made for another page.
        """
        link = self._links.read(page, token)
        with self._database.read() as connection:
            found = _whom(connection, link)
            customer = None if found is None else kept(connection, found)
            if found is not None and found != customer and is_visitor(connection, found):
                raise LinkRefused("This link is of a visitor who is known by now.", expired=True)
            about = {Revoked.LINK: link.id}
            if customer is not None:
                about[Revoked.CUSTOMER] = str(customer)
            if link.key_id:
                about[Revoked.KEY] = link.key_id
            if stands_against(connection, about, link.issued_at):
                raise LinkRefused("This link was revoked.", expired=True)
        return Visit(link, token, customer)


def _whom(connection: Connection, link: Link) -> int | None:
    """Pseudonym of whom a link is about."""
    if link.page is not Page.WHY:
        return int(link.subject)
    query = select(decisions.c.customer).where(decisions.c.id == link.subject)
    customer: int | None = connection.execute(query).scalar_one_or_none()
    return customer
