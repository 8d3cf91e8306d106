"""Loops that have to be loops, compiled once and kept beside their source for the processes that
come after.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

Loop = TypeVar("Loop", bound=Callable[..., object])


def compiled(function: Loop) -> Loop:
    """`function` as machine code, which holds no other thread up.

    Where no folder can be written to that would keep it, every process compiles it anew, in about a
    second.
    """
    try:
        made = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # how numba says that it found no such folder
        made = njit(nogil=True)(function)
    return cast("Loop", made)
