"""Work on several parts of the same data at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Part = TypeVar("Part")
Made = TypeVar("Made")
AT_A_TIME = 2
"""Numpy, SciPy and the warehouse let other threads go on, and two of them take little more than
half of the time of one.
"""


def in_parallel(work: Callable[[Part], Made], parts: Iterable[Part]) -> Iterator[Made]:
    """What `work` makes of each part, in their order.

    No more is made ahead than `AT_A_TIME`, so that it need not all be held.
    """
    waiting = iter(parts)
    with ThreadPoolExecutor(AT_A_TIME) as threads:
        while some := list(islice(waiting, AT_A_TIME)):
            yield from list(threads.map(work, some))
