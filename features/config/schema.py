"""What may stand in `sayso.toml`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from features.catalog import Catalog, Category, CustomerIds, DataSource, Notice, Purpose
from features.catalog import Field as CatalogField
from features.config.audiences import AudienceName, AudienceSection
from features.config.consent_tools import ConsentTool
from features.config.section import (
    Channel,
    Currency,
    Days,
    Section,
    Share,
    TableName,
    Text,
    Zone,
)
from features.config.section import channel_name as channel_name  # noqa: PLC0414 - asked for here
from features.config.sources import Source
from features.tables.declared import customers


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
    currency: Currency = "GBP"
    rates: dict[Currency, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """What one unit of another currency is in the shop's own."""
    home_country: str | None = None
    minimum_age: Annotated[int, Field(gt=0, le=100)] | None = None
    """Of who is younger nothing is used, whatever they grant."""
    withhold_unknown_age: bool = False
    """Whether the same holds of everybody whose age is not known."""
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
    retrain_every_days: Days = 30
    """`sayso sync` trains a model anew that is older than so many days."""
    retrain_within_days: Days = 30
    """After a withdrawal, versions trained on that customer's data are to be replaced within so
    many days.
    """


MOST_DAYS = 3_650


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
    channels: tuple[Channel, ...] = (
        *("web", "app", "email", "push", "sms", "whatsapp", "post", "phone", "store", "kiosk"),
    )
    """Where the shop shows or sends recommendations; any other name is a mistake, and refused."""
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
    not_bought_within: Annotated[int, Field(ge=0, le=MOST_DAYS)] = 0
    """What a customer bought within so many days is not recommended to them."""
    only_new: bool = False
    """Whether nothing is recommended that the customer has bought before."""
    send_at_within: Annotated[int, Field(ge=0, le=MOST_DAYS)] = 7
    """How many days ahead a request may say that its answer will be shown; 0: not at all."""

    @property
    def known_channels(self) -> frozenset[str]:
        """All channels that are named anywhere here."""
        return frozenset((*self.channels, *self.quiet_channels, *(c.channel for c in self.caps)))


class ReviewsSection(Section):
    """How a contested decision is looked at."""

    answer_within_days: Days = 30
    """A review that waits longer than this is overdue: it is shown first and counted in the
    metrics.
    """
    owner: Text | None = None
    """Who sees to it that reviews are answered; the shop's owner where nobody is named."""


class Webhooks(Section):
    """Calls out to the shop's own systems, signed with `SAYSO_WEBHOOK_SECRET`."""

    code_wanted: Annotated[str, Field(pattern=r"^https?://[^/\s@]+(/\S*)?$")] | None = None
    """Address that is told when a customer waits for a one-time code."""
    private_hosts: tuple[Text, ...] = ()
    """Hosts within the shop's own network that may be called."""


Origin = Annotated[
    str, Field(pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$"), AfterValidator(str.lower)
]


class EventsSection(Section):
    """What comes back of decisions."""

    origins: tuple[Origin, ...] = ()
    """The shop's own sites, such as `https://shop.example`: where links in messages may lead."""
    kept_days: Days = 365
    """How long an event is kept."""


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


ToolName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
"""The name of a consent tool, which is a part of an address."""


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
    webhooks: Webhooks = Webhooks()
    events: EventsSection = EventsSection()
    consent_tools: dict[ToolName, ConsentTool] = Field(default_factory=dict)
    audiences: dict[AudienceName, AudienceSection] = Field(default_factory=dict)

    @property
    def audited(self) -> tuple[str, ...]:
        """Names of the fields that the fairness audit groups customers by; of when somebody was
        born only the age group, unless it is stated otherwise.
        """
        if self.audit.attributes is not None:
            return self.audit.attributes
        return tuple(
            f"{customers.NAME}.{name}"
            for name, f in self.fields.get(customers.NAME, {}).items()
            if self.audit.purpose in f.purposes and name != customers.BORN
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
