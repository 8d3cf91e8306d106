"""Tests of the blocks of days that the ranker learns from."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pandas as pd
import pytest

from models.next_purchase.examples import last_repeat_orders
from models.next_purchase.time_windows import (
    LEARNT_DAYS,
    LONGEST_DAYS,
    MOST_WINDOWS,
    SHORTEST_DAYS,
    TimeWindows,
)

FIRST = datetime(2024, 1, 1)  # noqa: DTZ001 - naive UTC as in the warehouse
UNTIL = datetime(2024, 10, 26)  # noqa: DTZ001 - as above


def test_blocks_go_back_from_the_end() -> None:
    """In a shop of few orders a block lasts a month, newest first, and the newest is judged by
    three.
    """
    assert TimeWindows().begins(FIRST, UNTIL) == [
        UNTIL - timedelta(days=30 * number) for number in (1, 2, 3, 4)
    ]


@pytest.mark.parametrize("customers", [0, 1_000, 2_500, 3_100, 4_000, 6_000, 1_000_000])
def test_blocks_never_overlap(customers: int) -> None:
    """However long blocks are, they lie one before the other, and those learnt from reach as far
    back as the longest do.
    """
    blocks = TimeWindows.suited(customers)
    begins = blocks.begins(FIRST, UNTIL)
    assert SHORTEST_DAYS <= blocks.days <= LONGEST_DAYS
    assert len(begins) == 1 + blocks.count <= 1 + MOST_WINDOWS
    assert all(
        later - earlier >= timedelta(days=blocks.days) for later, earlier in pairwise(begins)
    )
    assert begins[0] - begins[-1] <= timedelta(days=LEARNT_DAYS)
    assert begins[0] - begins[-1] >= timedelta(days=LEARNT_DAYS) * (blocks.count - 1) / blocks.count


def test_a_busy_shop_has_short_blocks() -> None:
    """The more customers order again, the shorter a block, down to a week."""
    assert [
        TimeWindows.suited(customers).days for customers in (100, 2_000, 4_000, 8_000, 100_000)
    ] == [
        30,
        30,
        15,
        8,
        7,
    ]


@pytest.mark.parametrize(("days", "expected"), [(58, 0), (60, 1), (90, 2), (125, 3)])
def test_each_block_has_a_month_before_it(days: int, expected: int) -> None:
    """Of a short record there are as many blocks as have a month of record before them."""
    assert len(TimeWindows().begins(FIRST, FIRST + timedelta(days=days))) == expected


def test_the_last_repeat_order_of_each_customer() -> None:
    """First orders are none, of several the last counts, and what comes before or after the block
    is not in it.
    """
    days = pd.to_datetime(
        [
            "2024-01-01",
            "2024-02-05",
            "2024-02-06",
            "2024-03-01",
            "2024-02-07",
            "2024-01-02",
            "2024-01-03",
        ]
    )
    orders = pd.DataFrame(
        {"customer": [1, 1, 1, 1, 2, 3, 3], "order_id": list("abcdefg"), "ordered_at": days}
    )
    found = last_repeat_orders(orders, datetime(2024, 2, 1), datetime(2024, 3, 1))  # noqa: DTZ001 - as above
    assert found.to_dict("list") == {
        "customer": [1],
        "order_id": ["c"],
        "as_of": [pd.Timestamp("2024-02-06")],
    }
