"""What a customer switches off, how that is said, and how an answer shows that it obeys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Withdrawal:
    """A category is withdrawn for the purpose that the answers on `asked_at` serve."""

    customer_id: str
    asked_at: str
    purpose: str
    category: str

    @property
    def said_at(self) -> str:
        """The route that takes it."""
        return "/v1/consents"

    @property
    def said(self) -> dict[str, str]:
        """The body that says it."""
        of_whom = {
            "customer_id": self.customer_id,
            "purpose": self.purpose,
            "category": self.category,
        }
        return {**of_whom, "action": "withdrawn", "method": "selftest"}

    def used_in(self, answer: Answer) -> bool:
        """Whether the answer shows the category anywhere but among what is withheld."""
        shown = {**answer, "consent": {**answer["consent"], "withheld": []}}
        return self.category in set(_texts(shown))

    def obeyed_by(self, answer: Answer, receipt: Answer) -> bool:
        """Whether the answer does without the category and knows of the withdrawal."""
        return not self.used_in(answer) and bool(answer["consent"]["ledger_seq"] >= receipt["seq"])


@dataclass(frozen=True)
class OptOut:
    """A product is not to be shown any more."""

    customer_id: str
    product_id: str
    asked_at: str = "/v1/recommendations"

    @property
    def said_at(self) -> str:
        """The route that takes it."""
        return "/v1/opt-outs"

    @property
    def said(self) -> dict[str, str]:
        """The body that says it."""
        return {"customer_id": self.customer_id, "scope": "product", "value": self.product_id}

    def used_in(self, answer: Answer) -> bool:
        """Whether the product is shown."""
        return any(item["product_id"] == self.product_id for item in answer["items"])

    def obeyed_by(self, answer: Answer, _receipt: Answer) -> bool:
        """Whether the product is not shown."""
        return not self.used_in(answer)


Switch = Withdrawal | OptOut


def _texts(document: object) -> Iterator[str]:
    """Every name and text of a JSON document, at any depth."""
    if isinstance(document, Mapping):
        for name, value in document.items():
            yield str(name)
            yield from _texts(value)
    elif isinstance(document, (list, tuple)):
        for value in document:
            yield from _texts(value)
    elif isinstance(document, str):
        yield document
