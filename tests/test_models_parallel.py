"""Parts worked on side by side come out as they would one after the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice

import pytest

from models.parallel import AT_A_TIME, in_parallel


def test_what_is_made_comes_in_the_order_of_its_parts() -> None:
    """A part that takes longer than the next still comes first."""
    later_done = threading.Event()

    def work(part: int) -> int:
        if part == 0:
            assert later_done.wait(timeout=30), "the second part was not begun beside the first"
        else:
            later_done.set()
        return part * part

    assert list(in_parallel(work, range(5))) == [0, 1, 4, 9, 16]


def test_no_more_is_begun_than_is_asked_for() -> None:
    """Of endless parts only those are taken that are worked on at a time."""
    taken = []

    def parts() -> Iterator[int]:
        for part in range(1_000):
            taken.append(part)
            yield part

    assert list(islice(in_parallel(str, parts()), AT_A_TIME)) == ["0", "1"]
    assert len(taken) == AT_A_TIME


def test_what_fails_in_a_part_fails_for_the_caller() -> None:
    """An error is not lost in its thread."""
    with pytest.raises(ZeroDivisionError):
        list(in_parallel(lambda part: 1 // part, [1, 0, 2]))
