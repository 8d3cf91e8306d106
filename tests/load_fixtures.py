"""Which kind of load was run."""

from __future__ import annotations

import pytest

from features.intake.loading.day.load import DayLoad
from features.intake.loading.whole import WholeLoad


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which kind of load was run, in their order."""
    told: list[str] = []
    for kind in (DayLoad, WholeLoad):
        run = kind.run

        def spied(self: object, *args: object, run=run, kind=kind) -> None:  # type: ignore[no-untyped-def]
            run(self, *args)
            told.append(kind.__name__)

        monkeypatch.setattr(kind, "run", spied)
    return told
