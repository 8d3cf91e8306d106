"""What a measured figure may be at most."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """A figure, in `unit`, and how high it may be at the size that it was measured at."""

    name: str
    value: float
    most: float
    unit: str

    @property
    def told(self) -> str:
        """The figure with its limit."""
        return f"{self.value:,.3g} {self.unit}, at most {self.most:,.3g}"

    @property
    def fault(self) -> str | None:
        """What is wrong with it; None: nothing."""
        return (
            None
            if self.value <= self.most
            else f"{self.name}: {self.value:,.3g} {self.unit}, and {self.most:,.3g} is the most"
        )
