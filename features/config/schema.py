"""What may stand in `sayso.toml`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, time
from functools import cached_property
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from features.catalog import Catalog, Category, CustomerIds, DataSource, Notice, Purpose
from features.catalog import Field as CatalogField
from features.tables.declared import customers
from features.tables.tables import STANDARD, Tables

Text = Annotated[str, Field(min_length=1)]
Days = Annotated[int, Field(gt=0, le=36_500)]
Share = Annotated[float, Field(ge=0, le=1)]


def _tables(info: ValidationInfo) -> Tables:
    """The tables that a configuration is read for: those in the context of its validation."""
    stated = (info.context or {}).get("tables", STANDARD)
    if not isinstance(stated, Tables):
        raise TypeError(f"the tables of a configuration are {type(stated).__name__}, not Tables")
    return stated


def _known_table(name: str, info: ValidationInfo) -> str:
    known = _tables(info)
    if name not in known:
        raise _unknown_table(f"there is no such table; there are {_list(known)}")
    return name


def _table_of_sources(name: str, info: ValidationInfo) -> str:
    known = _tables(info)
    if name not in known.with_sources:
        stated_in = known[name].stated_in if name in known else ()
        what = (
            f"its columns stand in a source of {_list(stated_in)}"
            if stated_in
            else "there is no such table"
        )
        raise _unknown_table(f"{what}; a source may fill {_list(known.with_sources)}")
    return name


def _unknown_table(words: str) -> PydanticCustomError:
    return PydanticCustomError("unknown_table", "{words}", {"words": words})


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


TableName = Annotated[str, AfterValidator(_known_table)]
"""A table of the warehouse."""
SourceTable = Annotated[str, AfterValidator(_table_of_sources)]
"""A table that a source may fill."""


def names(mapped: str | Iterable[str]) -> str:
    """The file's name or names of a column, as they stand in a sentence."""
    return mapped if isinstance(mapped, str) else " and ".join(mapped)


def known_zone(name: str) -> str:
    """A time zone's name. Raises `ValueError` for what is none."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError(f"{name!r} is no time zone; write one such as Europe/London") from None
    return name


Zone = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(known_zone)]
"""A time zone of the IANA database."""


class Section(BaseModel):
    """A table of `sayso.toml`; a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]
"""A currency's code in ISO 4217."""


class Shop(Section):
    """Who speaks to the customer."""

    name: Text
    human_contact: Text
    owner: Text
    decisions_kept_days: Days = 1_095
    """How long the content of a decision is kept; that it was made stays on record."""
    audit_log_kept_days: Days = 365
    """How long the audit log says who read whose data."""
    language: Text = "en"
    currency: Text = "GBP"
    rates: dict[Currency, Annotated[float, Field(gt=0)]] = {}
    """What one unit of another currency is in the shop's own."""
    home_country: str | None = None
    time_zone: Zone = "UTC"
    """In which a time without an offset is read, where its source states no zone of its own."""


class CustomersSection(Section):
    """Which of the shop's customer ids are of one customer.

    Spaces around an id, its Unicode form and the case of an e-mail address never count.
    """

    ids: Literal["exact", "casefold"] = "exact"
    """`casefold` takes `A1` and `a1` for one customer."""
    ignore_leading_zeros: bool = False
    """Whether `077` and `77` are one customer."""


class Cleaning(Section):
    """Which lines of a transactions source are no purchase of a customer.

    Each is counted when it is set aside.
    """

    cancellation_prefix: str | None = None
    """Orders whose number starts so are cancellations."""
    non_products: tuple[str, ...] = ()
    """Product codes (case-blind; `*` stands for any characters) that are postage, fees, vouchers or
    corrections.
    """
    wholesale_units: int | None = Field(default=None, gt=0)
    """A line of more units than this is a reseller's."""


class StatusesSection(Section):
    """What the words in a source's column `status` mean: whether an order was a purchase.

    Words that stand here nowhere are read as most shops mean them, where they are known
    (`features.intake.order_statuses`).
    """

    bought: tuple[Text, ...] = ()
    pending: tuple[Text, ...] = ()
    failed: tuple[Text, ...] = ()
    cancelled: tuple[Text, ...] = ()
    refunded: tuple[Text, ...] = ()
    returned: tuple[Text, ...] = ()
    test: tuple[Text, ...] = ()


class Source(Section):
    """A file of the shop and how its columns are called in the warehouse."""

    name: Text
    file: Text
    table: SourceTable
    columns: dict[str, Text | tuple[Text, ...]]
    """Each column of the warehouse by the file's name for it; several names are joined, such as
    those of a date and a time.
    """
    date_format: str | None = None
    fill_down: bool = False
    """Whether what all lines of an order share stands on its first line alone."""
    currency: Currency | None = None
    """The currency of its prices where no column and no sign says it; the shop's where it is not
    given.
    """
    guests: tuple[str, ...] = ()
    """Customer ids that stand for anybody who has no account; their e-mail address tells them
    apart.
    """
    statuses: StatusesSection = StatusesSection()
    time_zone: Zone | None = None
    """In which a time without an offset is read; the shop's where none is stated."""
    cleaning: Cleaning = Cleaning()
    third_party: bool = False
    """Whether somebody other than the shop collected the data.

    Then it is read only with the evidence that its customers consented to that, and while somebody
    has looked at this evidence lately.
    """
    evidence: Text | None = None
    checked_on: date | None = None
    check_every_days: Days = 365

    @property
    def file_columns(self) -> tuple[str, ...]:
        """The names of all columns of the file that are read."""
        mapped = self.columns.values()
        return tuple(n for each in mapped for n in ([each] if isinstance(each, str) else each))


class PurposeSection(Section):
    """What data may be used for, in a customer's words."""

    label: Text
    description: Text
    valid_days: Days | None = None
    """After so long a grant runs out and the customer has to be asked again."""


class CategorySection(Section):
    """A group of fields, in a customer's words."""

    label: Text
    description: Text


class NoticeSection(Section):
    """One version of the text shown when a purpose is asked for."""

    purpose: Text
    version: Text
    language: Text
    text: Text
    id: Text | None = None
    """The notice's own name; the purpose's where it is not given."""
    covers_earlier_data: bool = False
    """Whether the text says that data from before the grant is used as well."""
    asks_anew: bool = False
    """Whether the text means something else than the version before, so that everybody has to be
    asked again.
    """


class FieldSection(Section):
    """A column of the warehouse: what it belongs to, what for, from where and for how long."""

    category: Text
    purposes: tuple[Text, ...] = ()
    sensitivity: Literal["ordinary", "sensitive"]
    source: Text
    retention_days: Days
    label: Text


class ChurnSection(Section):
    """The churn model: who orders nothing within the horizon has left."""

    purpose: Text = "churn_prediction"
    horizon_days: Days = 90
    features: tuple[Text, ...]


class NextPurchaseSection(Section):
    """The next-purchase model."""

    purpose: Text = "recommendations"
    features: tuple[Text, ...]
    sold_within_days: Days = 90
    """A product that nobody bought for so long counts as no longer sold."""


class Models(Section):
    """The two models."""

    churn: ChurnSection
    next_purchase: NextPurchaseSection
    retrain_within_days: Days = 30
    """After a withdrawal, versions trained on that customer's data are to be replaced within so
    many days.
    """


def channel_name(said: str) -> str:
    """One name for a channel however it is written: `E-Mail` and `email ` are `email`.

    Whoever opted out of one is out of all.
    """
    return "".join(said.casefold().replace("-", " ").split()) or said


Channel = Annotated[Text, AfterValidator(channel_name)]


class CapSection(Section):
    """At most `most` recommendations to a customer on a channel within any `days` days."""

    channel: Channel
    most: Annotated[int, Field(ge=0, le=999)]
    days: Annotated[int, Field(gt=0, le=365)] = 7


class ContactPolicySection(Section):
    """How often, when, how relevant, what never, and how much that is new.

    Good as it is without being stated.
    """

    caps: tuple[CapSection, ...] = (
        CapSection(channel="email", most=3),
        CapSection(channel="push", most=3),
        CapSection(channel="sms", most=1),
    )
    quiet_channels: tuple[Channel, ...] = ("email", "push", "sms")
    quiet_from: time = time(21)
    quiet_until: time = time(8)
    """Quiet hours by the customer's clock, over midnight where they begin later than they end; none
    where both are the same.
    """
    time_zone: Zone = "UTC"
    """The customers' zone where a request names none."""
    floor: Annotated[float, Field(ge=0, lt=1)] = 0.25
    """The chance that a product is preferred to one of which nothing is known, by somebody of whom
    nothing is known.
    """
    sensitive: tuple[Text, ...] = ()
    """Product categories that are shown only to who asks for them, and are no reason for anything.
    """
    discover: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """The share of places that go to products outside the customer's usual."""


class ReviewsSection(Section):
    """How a contested decision is looked at."""

    answer_within_days: Days = 30
    """A review that waits longer than this is overdue: it is shown first and counted in the
    metrics.
    """
    owner: Text | None = None
    """Who sees to it that reviews are answered; the shop's owner where nobody is named."""


class Audit(Section):
    """The fairness audit: which attributes groups are made of, and how far groups may lie apart."""

    purpose: Text = "fairness_audit"
    attributes: tuple[Text, ...] | None = None
    """Fields of the table `customers`; where nothing is stated, all that are declared for the
    purpose.
    """
    fewest_customers: int = Field(default=50, ge=20)
    """Smaller groups are pooled as `others`, so that no figure is about a few people."""
    most_auc_gap: Share = 0.05
    most_calibration_gap: Share = 0.05
    most_selection_gap: Share = 0.2
    most_recall_gap: Share = 0.05
    mitigation_purpose: Text | None = None
    """Under which the attributes may weigh customers in training (`sayso train churn --mitigate`),
    which changes what others see.
    """

    def most(self, measure: str) -> float:
        """How large a gap in `measure` (auc, calibration, selection, recall) may be."""
        return float(getattr(self, f"most_{measure}_gap"))


class Config(Section):
    """The whole of `sayso.toml`."""

    shop: Shop
    sources: tuple[Source, ...]
    purposes: dict[str, PurposeSection]
    categories: dict[str, CategorySection]
    notices: tuple[NoticeSection, ...]
    fields: dict[TableName, dict[str, FieldSection]]
    models: Models
    customers: CustomersSection = CustomersSection()
    reviews: ReviewsSection = ReviewsSection()
    contact_policy: ContactPolicySection = ContactPolicySection()
    audit: Audit = Audit()

    @property
    def audited(self) -> tuple[str, ...]:
        """Names of the fields that the fairness audit groups customers by."""
        if self.audit.attributes is not None:
            return self.audit.attributes
        return tuple(
            f"{customers.NAME}.{name}"
            for name, f in self.fields.get(customers.NAME, {}).items()
            if self.audit.purpose in f.purposes
        )

    @cached_property
    def catalog(self) -> Catalog:
        """The declared fields, categories, purposes and notices in the form that the gate reads."""
        return Catalog(
            fields={field.name: field for field in self._fields()},
            categories={
                name: Category(name, c.label, c.description) for name, c in self.categories.items()
            },
            purposes={
                name: Purpose(name, p.label, p.description, p.valid_days)
                for name, p in self.purposes.items()
            },
            notices=tuple(
                Notice(
                    n.purpose,
                    n.version,
                    n.language,
                    n.text,
                    n.id or n.purpose,
                    n.covers_earlier_data,
                    n.asks_anew,
                )
                for n in self.notices
            ),
            sources={
                s.name: DataSource(
                    s.name, s.third_party, s.evidence, s.checked_on, s.check_every_days
                )
                for s in self.sources
            },
            ids=CustomerIds(self.customers.ids == "casefold", self.customers.ignore_leading_zeros),
            time_zone=self.shop.time_zone,
        )

    def _fields(self) -> Iterator[CatalogField]:
        for table, columns in self.fields.items():
            for column, stated in columns.items():
                yield CatalogField(
                    table,
                    column,
                    stated.category,
                    frozenset(stated.purposes),
                    stated.sensitivity,
                    stated.source,
                    stated.retention_days,
                    stated.label,
                )
