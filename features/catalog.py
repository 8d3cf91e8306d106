"""What the shop's data is: every field with its category, purposes and origin, and the texts that customers were shown.

The catalog decides what may be asked for; the ledger (`features.consent`) what was granted; the gate (`features.gate`)
puts the two together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

PRODUCT = "product"
"""Category of a product's own facts (title, price, popularity): nobody's personal data, never withheld."""


@dataclass(frozen=True)
class Category:
    """A group of fields that a customer grants or refuses as one."""

    name: str
    label: str
    description: str


@dataclass(frozen=True)
class Purpose:
    """What data may be used for."""

    name: str
    label: str
    description: str


@dataclass(frozen=True)
class Notice:
    """The versioned text that a customer saw when asked for a purpose."""

    purpose: str
    version: str
    language: str
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the very text shown, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Field:
    """A column of a warehouse table."""

    table: str
    column: str
    category: str
    purposes: frozenset[str]
    sensitivity: str
    source: str
    retention_days: int
    label: str

    @property
    def name(self) -> str:
        """The field's full name, such as `transactions.amount`."""
        return f"{self.table}.{self.column}"


@dataclass(frozen=True)
class Catalog:
    """All fields, categories, purposes and notices of a workspace, consistent with one another."""

    fields: Mapping[str, Field]
    categories: Mapping[str, Category]
    purposes: Mapping[str, Purpose]
    notices: tuple[Notice, ...]

    def categories_of(self, fields: Iterable[str]) -> frozenset[str]:
        """Categories that have to be granted before all of `fields` may be read; a product's own facts need none."""
        return frozenset(self.fields[name].category for name in fields) - {PRODUCT}

    def category_of(self, fields: Sequence[str]) -> str:
        """The category that a feature is shown under: that of the first field it reads; `product` where it reads none."""
        return self.fields[fields[0]].category if fields else PRODUCT

    def permits(self, fields: Iterable[str], purpose: str) -> bool:
        """Whether every one of `fields` is declared, and declared for `purpose`."""
        declared = [self.fields.get(name) for name in fields]
        return all(field is not None and (field.category == PRODUCT or purpose in field.purposes) for field in declared)

    def askable(self, purpose: str) -> tuple[str, ...]:
        """Names of the categories that hold a field for `purpose`, in the catalog's order."""
        held = {field.category for field in self.fields.values() if purpose in field.purposes}
        return tuple(name for name in self.categories if name in held)

    def current_notice(self, purpose: str) -> Notice:
        """The newest notice of `purpose`, which is the last one declared."""
        return [notice for notice in self.notices if notice.purpose == purpose][-1]

    def has_notice(self, purpose: str, version: str) -> bool:
        """Whether `version` of the purpose's notice was ever published."""
        return any(notice.purpose == purpose and notice.version == version for notice in self.notices)
