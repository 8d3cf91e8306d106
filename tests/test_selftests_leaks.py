"""Where the leaks of the selftest `withheld` are planted."""

from __future__ import annotations

import pytest

from serving.proofs.withheld.leaks.leak import Leak
from serving.proofs.withheld.leaks.planted import LEAKS


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.name)
def test_what_a_leak_replaces_is_there(leak: Leak) -> None:
    """Whoever renames it hears of it at once, and not when the proof is run."""
    assert leak.swaps
    assert all(hasattr(swap.owner, swap.name) for swap in leak.swaps)
