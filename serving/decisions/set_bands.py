"""A churn band that a reviewer set for a customer, in place of the estimated one, until a stated
moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, select

from features.database.engine import upsert
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


def band_of(connection: Connection, customer: int, now: str) -> SetBand | None:
    """The band set for a customer that holds at the moment `now`; None where the estimate
    decides.
    """
    row = connection.execute(
        select(set_bands).where(set_bands.c.customer == customer)
    ).one_or_none()
    return None if row is None or row.until <= now else SetBand(row.band, row.until, row.review_id)
