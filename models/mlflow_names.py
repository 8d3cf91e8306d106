"""What a shop's experiments and models are called in MLflow, where other shops may have theirs."""

from __future__ import annotations

import re
from dataclasses import dataclass

REFUSED = re.compile(r"[/:.%\"'`\\\x00-\x1f\x7f]+")
"""What names in MLflow may not hold, or what its searches would trip over."""
LONGEST_SHOP = 80
BETWEEN = ":"
"""Stands between name and version, as no name holds it."""


@dataclass(frozen=True)
class Names:
    """Names of one `shop`; `mark` tells it from another shop of the same name on a shared
    server.
    """

    shop: str = ""
    mark: str = ""

    def of(self, model: str) -> str:
        """The name of the experiment and of the registered model of `model`."""
        shop = REFUSED.sub("-", self.shop).strip()[:LONGEST_SHOP].strip()
        return " ".join(part for part in (shop, model, self.mark) if part)


def registered(name: str, version: str) -> str:
    """A version as MLflow knows it, in one text."""
    return f"{name}{BETWEEN}{version}"


def registered_parts(text: str) -> tuple[str, str]:
    """Name and version in MLflow of what `registered` made."""
    name, version = text.rsplit(BETWEEN, 1)
    return name, version
