"""What the shop's data is: every field with its category, purposes and source, and the texts that
customers were shown.

The catalog decides what may be asked for; the ledger (`features.consent.ledger`) what was granted;
the gate (`features.warehouse.gate`) puts the two together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

PRODUCT = "product"
"""Category of a product's own facts (title, price, popularity): nobody's personal data, never
withheld.
"""


MOST_CATEGORIES = 10
"""What each of them changes is told exactly, from the answers under all combinations: two to the
power of this many.
"""


@dataclass(frozen=True)
class Category:
    """A group of fields that a customer grants or refuses as one."""

    name: str
    label: str
    description: str


@dataclass(frozen=True)
class Purpose:
    """What data may be used for.

    A grant runs out after `valid_days`; None: it stands until it is withdrawn.
    """

    name: str
    label: str
    description: str
    valid_days: int | None = None


@dataclass(frozen=True)
class Notice:
    """The versioned text that a customer saw when asked for a purpose.

    `covers_earlier_data` tells whether the text said that data from before the grant is used too;
    if it did not, such data is not. `asks_anew` tells that the text means something else than the
    versions before it, so that grants under those no longer count.
    """

    purpose: str
    version: str
    language: str
    text: str
    id: str = ""
    covers_earlier_data: bool = False
    asks_anew: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 of the very text shown, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class DataSource:
    """Where data comes from.

    A third party's needs evidence of consent, and somebody who looked at it lately (due diligence).
    """

    name: str
    third_party: bool = False
    evidence: str | None = None
    checked_on: date | None = None
    check_every_days: int = 365

    def fault(self, today: date) -> str | None:
        """Why nothing of this source may be read today; None where it may."""
        if not self.third_party:
            return None
        if self.evidence is None or self.checked_on is None:
            return (
                f"`{self.name}` is a third party's and states no `evidence` of consent, or no day"
                " on which that was checked (`checked_on`)"
            )
        lapses = self.checked_on + timedelta(days=self.check_every_days)
        return (
            f"the evidence of `{self.name}` was last checked on {self.checked_on}, good until"
            f" {lapses}"
            if today >= lapses
            else None
        )


@dataclass(frozen=True)
class CustomerIds:
    """When two of the shop's ids are of one customer, beyond what always holds (see
    `features.customers.id_normalisation`): `casefold` takes `A1` and `a1` for one, and
    `ignore_leading_zeros` takes `077` and `77` for one.
    """

    casefold: bool = False
    ignore_leading_zeros: bool = False

    @property
    def name(self) -> str:
        """What the database keeps of the rule that its ids were brought to."""
        more = ("casefold", self.casefold), ("no leading zeros", self.ignore_leading_zeros)
        return ", ".join(["addresses", *(name for name, stated in more if stated)])


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
    """All fields, categories, purposes, notices and data sources of a workspace, consistent with
    one another.
    """

    fields: Mapping[str, Field]
    categories: Mapping[str, Category]
    purposes: Mapping[str, Purpose]
    notices: tuple[Notice, ...]
    sources: Mapping[str, DataSource]
    ids: CustomerIds = CustomerIds()
    time_zone: str = "UTC"
    """The zone in which a time without an offset is read."""

    def categories_of(self, fields: Iterable[str]) -> frozenset[str]:
        """Categories that have to be granted before all of `fields` may be read; a product's own
        facts need none.
        """
        return frozenset(self.fields[name].category for name in fields) - {PRODUCT}

    def category_of(self, fields: Sequence[str]) -> str:
        """The category that a feature is shown under: that of the first field it reads; `product`
        where it reads none.
        """
        return self.fields[fields[0]].category if fields else PRODUCT

    def permits(self, fields: Iterable[str], purpose: str) -> bool:
        """Whether every one of `fields` is declared, and declared for `purpose`."""
        return not self.refused(fields, purpose)

    def refused(self, fields: Iterable[str], purpose: str) -> list[str]:
        """Those of `fields` that are not declared, or not for `purpose`."""
        declared = ((name, self.fields.get(name)) for name in fields)
        return [
            name
            for name, field in declared
            if field is None or (field.category != PRODUCT and purpose not in field.purposes)
        ]

    def retention_days(self, fields: Iterable[str]) -> int:
        """How old a row may be to be read for all of `fields`: the shortest retention among
        them.
        """
        return min(self.fields[name].retention_days for name in fields)

    def readable_sources(self, today: date) -> tuple[str, ...]:
        """Names of the data sources whose rows may be read today."""
        return tuple(source.name for source in self.sources.values() if source.fault(today) is None)

    def askable(self, purpose: str) -> tuple[str, ...]:
        """Names of the categories that hold a field for `purpose`, in the catalog's order."""
        held = {field.category for field in self.fields.values() if purpose in field.purposes}
        return tuple(name for name in self.categories if name in held)

    def personal_category(self, field: str) -> str | None:
        """The category of a field; None for what is declared as no field of anybody."""
        declared = self.fields.get(field)
        return None if declared is None or declared.category == PRODUCT else declared.category

    def current_notice(self, purpose: str) -> Notice:
        """The newest notice of `purpose`, which is the last one declared; of its languages the one
        declared first.
        """
        newest = [notice for notice in self.notices if notice.purpose == purpose][-1]
        return self.notice(purpose, newest.version) or newest

    def notice(self, purpose: str, version: str, language: str | None = None) -> Notice | None:
        """A version of the purpose's notice, in `language` or the one declared first; None where it
        was never published.
        """
        texts = [
            notice
            for notice in self.notices
            if (notice.purpose, notice.version) == (purpose, version)
        ]
        return next((notice for notice in texts if language in (None, notice.language)), None)

    def versions_in_force(self, purpose: str) -> tuple[str, ...]:
        """Versions of the purpose's notice that a grant may rest on: those since its meaning last
        changed.
        """
        declared = [notice for notice in self.notices if notice.purpose == purpose]
        first = max(
            (position for position, notice in enumerate(declared) if notice.asks_anew), default=0
        )
        return tuple(dict.fromkeys(notice.version for notice in declared[first:]))
