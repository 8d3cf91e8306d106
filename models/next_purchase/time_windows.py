"""Time windows: which orders the ranker learns from, and is judged by.

Orders of a window share one state of the product statistics, taken before the first of them. In
serving the statistics are of today, so a window is as short as still holds many orders: what the
ranker learns from is then hardly older than what it is served with. Short ones lie apart, so that
few of them tell of as many weeks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST_DAYS, SHORTEST_DAYS = 30, 7
PLENTY = 2_000
"""Repeat orders, each of another customer, that a window need not have more of."""
LEARNT_DAYS = 90
MOST_WINDOWS = 6
"""Over so many days the windows to learn from are spread, and there are at most so many: each costs
statistics of its own.
"""


@dataclass(frozen=True)
class TimeWindows:
    """How many `days` a window of a shop has."""

    days: int = LONGEST_DAYS

    @classmethod
    def suited(cls, customers: int) -> TimeWindows:
        """For a shop of which so many customers ordered again within the longest window."""
        return cls(
            min(max(round(LONGEST_DAYS * PLENTY / max(customers, 1)), SHORTEST_DAYS), LONGEST_DAYS)
        )

    @property
    def count(self) -> int:
        """How many windows are learnt from."""
        return min(MOST_WINDOWS, LEARNT_DAYS // self.days)

    def begins(self, first: datetime, until: datetime) -> list[datetime]:
        """Beginnings, newest first: of the window that ends at `until`, and of those to learn from
        before it.

        Each has a month of record before it, which begins at `first`; there are none where the
        record is too short.
        """
        newest = until - timedelta(days=self.days)
        apart = timedelta(days=LEARNT_DAYS // self.count)
        begins = [
            newest,
            *(newest - timedelta(days=self.days) - apart * number for number in range(self.count)),
        ]
        return [begin for begin in begins if begin >= first + timedelta(days=LONGEST_DAYS)]
