"""Marks of tests that need more of the machine than Python."""

from __future__ import annotations

from collections.abc import Callable
from os import devnull
from pathlib import Path

import pytest

from serving.proofs.offline.attempted_calls import SYSTEM_CALLS
from serving.proofs.stage.proof import CannotProve
from serving.proofs.stage.sandbox import MOUNTS, NETWORK, own, tracing


def _marked(
    mark: pytest.MarkDecorator, *tries: Callable[[], object]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator that puts `mark` on a test and skips it, with the reason, where one of `tries`
    cannot be done.
    """
    reason = ""
    try:
        for attempt in tries:
            attempt()
    except CannotProve as missing:
        reason = str(missing)
    return lambda test: mark(pytest.mark.skipif(bool(reason), reason=reason)(test))


needs_strace = _marked(
    pytest.mark.needs_strace, lambda: own(NETWORK), lambda: tracing(SYSTEM_CALLS, Path(devnull))
)
needs_mounts = _marked(pytest.mark.needs_mounts, lambda: own(MOUNTS))
