"""A churn band that a reviewer set for a customer, in place of the estimated one, until a stated
moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import BigInteger, Connection, select

from features.database.engine import upsert
from features.database.prepared import PreparedForMany
from features.database.tables import set_bands


@dataclass(frozen=True)
class SetBand:
    """`band` (low, medium or high) holds until the moment `until`; `review_id` is the record of who
    set it and why.
    """

    band: str
    until: str
    review_id: str

    def document(self) -> Mapping[str, str]:
        """The band as plain data."""
        return asdict(self)


def set_band(connection: Connection, customer: int, band: SetBand, now: str) -> None:
    """Set a customer's band, in place of one that was set before; within a transaction that
    writes.
    """
    upsert(
        connection, set_bands, ["customer"], [{"customer": customer, **asdict(band), "set_at": now}]
    )


def bands_of(connection: Connection, customers: Sequence[int], now: str) -> dict[int, SetBand]:
    """The bands set for customers that hold at the moment `now`, by customer; for who is missing
    the estimate decides.
    """
    found = _BANDS.rows(connection, customers)
    return {customer: SetBand(*band) for customer, *band in found if band[1] > now}


def bands_of_all(connection: Connection, now: str) -> dict[int, str]:
    """The bands that hold at the moment `now`, by customer."""
    query = select(set_bands.c.customer, set_bands.c.band).where(set_bands.c.until > now)
    return {row.customer: row.band for row in connection.execute(query)}


_BANDS = PreparedForMany(
    lambda asked: select(
        set_bands.c.customer, set_bands.c.band, set_bands.c.until, set_bands.c.review_id
    ).where(set_bands.c.customer.in_(asked)),
    BigInteger(),
)
