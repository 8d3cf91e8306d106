"""`sayso.toml`: read, checked, and every fault named with its line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.catalog import PRODUCT, Catalog, Category, Notice, Purpose
from features.catalog import Field as CatalogField
from features.errors import ConfigError
from features.pipeline import DEFINITION_OF
from features.toml_lines import KeyPath, TomlLines

TableName = Literal["customers", "products", "transactions", "interactions"]
Text = Annotated[str, Field(min_length=1)]
Days = Annotated[int, Field(gt=0, le=36_500)]


class Section(BaseModel):
    """A table of `sayso.toml`; a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Shop(Section):
    """Who speaks to the customer."""

    name: Text
    human_contact: Text
    owner: Text
    language: Text = "en"
    currency: Text = "GBP"
    home_country: str | None = None


class Cleaning(Section):
    """Which lines of a transactions source are no purchase of a customer. Each is counted when it is set aside."""

    cancellation_prefix: str | None = None
    """Orders whose number starts so are cancellations."""
    non_products: tuple[str, ...] = ()
    """Product codes (case-blind; `*` stands for any characters) that are postage, fees, vouchers or corrections."""
    wholesale_units: int | None = Field(default=None, gt=0)
    """A line of more units than this is a reseller's."""


class Source(Section):
    """A file of the shop and how its columns are called in the warehouse."""

    name: Text
    file: Text
    table: TableName
    columns: dict[str, Text]
    date_format: str | None = None
    cleaning: Cleaning = Cleaning()


class PurposeSection(Section):
    """What data may be used for, in a customer's words."""

    label: Text
    description: Text


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


class Config(Section):
    """The whole of `sayso.toml`."""

    shop: Shop
    sources: tuple[Source, ...]
    purposes: dict[str, PurposeSection]
    categories: dict[str, CategorySection]
    notices: tuple[NoticeSection, ...]
    fields: dict[TableName, dict[str, FieldSection]]
    models: Models

    @property
    def catalog(self) -> Catalog:
        """The declared fields, categories, purposes and notices in the form that the gate reads."""
        return Catalog(
            fields={field.name: field for field in self._fields()},
            categories={name: Category(name, c.label, c.description) for name, c in self.categories.items()},
            purposes={name: Purpose(name, p.label, p.description) for name, p in self.purposes.items()},
            notices=tuple(Notice(n.purpose, n.version, n.language, n.text) for n in self.notices),
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


def read_config(file: Path) -> Config:
    """Read and check `sayso.toml`.

    Raises `ConfigError` for the first fault found, with the line to look at.
    """
    try:
        text = file.read_text(encoding="utf-8")
        stated = tomllib.loads(text)
    except FileNotFoundError:
        raise ConfigError("there is no such file; `sayso init` makes one", file=file) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"this is not TOML: {error}", file=file) from None
    lines = TomlLines(text)
    try:
        config = Config.model_validate(stated)
    except ValidationError as error:
        first = error.errors()[0]
        where = tuple(part for part in first["loc"] if part != "[key]")
        raise ConfigError(_explain(where, first), file=file, line=lines.of(where)) from None
    for path, fault in _faults(config):
        raise ConfigError(fault, file=file, line=lines.of(path))
    return config


def _explain(where: KeyPath, error: Any) -> str:
    name = ".".join(str(part) for part in where)
    if error["type"] == "missing":
        return f"`{name}` is missing: every {_noun(where)} needs a `{where[-1]}`"
    if error["type"] == "extra_forbidden":
        return f"`{name}` is not known here; remove it or correct its spelling"
    return f"`{name}` is {error['input']!r}: {error['msg'].lower()}"


def _noun(where: KeyPath) -> str:
    nouns = {"fields": "field", "sources": "source", "purposes": "purpose", "categories": "category", "notices": "notice"}
    return nouns.get(str(where[0]), "configuration")


def _faults(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """What is well-formed and still wrong: names that refer to nothing, fields without a purpose."""
    yield from _faults_of_fields(config)
    for position, notice in enumerate(config.notices):
        if notice.purpose not in config.purposes:
            yield ("notices", position, "purpose"), _unknown("purpose", notice.purpose, config.purposes)
    for purpose in config.purposes:
        if purpose not in {notice.purpose for notice in config.notices}:
            yield ("purposes", purpose), f"the purpose `{purpose}` has no notice, so nobody could have agreed to it; add a [[notices]]"
    for name, section in (("churn", config.models.churn), ("next_purchase", config.models.next_purchase)):
        if section.purpose not in config.purposes:
            yield ("models", name, "purpose"), _unknown("purpose", section.purpose, config.purposes)
        for feature in section.features:
            if fault := _fault_of_feature(feature, section.purpose, config.catalog):
                yield ("models", name, "features", feature), fault


def _fault_of_feature(feature: str, purpose: str, catalog: Catalog) -> str | None:
    """What keeps a feature from being used for `purpose`: it does not exist, or reads a field that is not declared for that."""
    if feature not in DEFINITION_OF:
        return f"there is no feature `{feature}`; there are {', '.join(f'`{name}`' for name in sorted(DEFINITION_OF))}"
    for field in DEFINITION_OF[feature].reads:
        if field not in catalog.fields:
            return f"the feature `{feature}` reads `{field}`, which is not declared; declare [fields.{field}] or remove the feature"
        if not catalog.permits([field], purpose):
            return f"the feature `{feature}` reads `{field}`, which is not declared for the purpose `{purpose}`"
    return None


def _faults_of_fields(config: Config) -> Iterator[tuple[KeyPath, str]]:
    sources = {source.name for source in config.sources}
    for table, columns in config.fields.items():
        for column, field in columns.items():
            path: KeyPath = ("fields", table, column)
            if field.category != PRODUCT and field.category not in config.categories:
                yield (*path, "category"), _unknown("category", field.category, [*config.categories, PRODUCT])
            if field.category != PRODUCT and not field.purposes:
                yield path, f"`{table}.{column}` has no purpose; a field that serves none is not read: state `purposes` or remove it"
            for purpose in field.purposes:
                if purpose not in config.purposes:
                    yield (*path, "purposes", purpose), _unknown("purpose", purpose, config.purposes)
            if field.source not in sources:
                yield (*path, "source"), _unknown("source", field.source, sources)


def _unknown(noun: str, found: str, known: Any) -> str:
    return f"the {noun} `{found}` is not declared; declared are {', '.join(f'`{name}`' for name in sorted(known)) or 'none'}"
