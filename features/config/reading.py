"""Reading `sayso.toml`: every fault is named with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from features.catalog import MOST_CATEGORIES, PRODUCT, Catalog
from features.config.audiences import faults_of_audiences
from features.config.consent_tools import faults_of_tools
from features.config.schema import Config
from features.config.toml_lines import KeyPath, TomlLines
from features.definitions.definitions import STANDARD as DEFINITIONS
from features.errors import SaysoError
from features.tables.declared import customers
from features.tables.tables import STANDARD, Tables

RENAMED = {"manners": "contact_policy"}
"""Sections by the names that they had before; a file that still uses these is read alike."""
PLACED = re.compile(r"(.*) \(at line ([0-9]+), column [0-9]+\)", re.DOTALL)
"""A fault of TOML with its place."""


class ConfigError(SaysoError):
    """`sayso.toml` says something that cannot be followed.

    Attributes: `file`, and `line` (1-based; None where the fault is an absence).
    """

    def __init__(self, message: str, *, file: Path, line: int | None = None) -> None:
        where = f"{file}, line {line}" if line else str(file)
        super().__init__(f"{where}: {message}")
        self.file = file
        self.line = line


def read_config(file: Path, tables: Tables = STANDARD, *, production: bool = False) -> Config:
    """Read and check the `sayso.toml` of a shop whose warehouse may have `tables`; in `production`
    nothing leaves the shop unencrypted.

    Raises `ConfigError` for the first fault found, with the line to look at.
    """
    text, stated = _toml(file)
    lines = TomlLines(text)
    before = {new: old for old, new in RENAMED.items() if old in stated}
    for new, old in before.items():
        if new in stated:
            fault = (
                f"`{new}` and `{old}` are the same section; move what stands in [{old}] to [{new}]"
            )
            raise ConfigError(fault, file=file, line=lines.of((old,)))
        stated[new] = stated.pop(old)

    def line_of(path: KeyPath) -> int | None:
        return lines.of((before.get(str(path[0]), path[0]), *path[1:]) if path else path)

    try:
        config = Config.model_validate(stated, context={"tables": tables})
    except ValidationError as error:
        first = error.errors()[0]
        where = tuple(part for part in first["loc"] if part != "[key]")
        raise ConfigError(_explain(where, first), file=file, line=line_of(where)) from None
    for path, fault in (*_faults(config), *(_open_calls(config) if production else ())):
        raise ConfigError(fault, file=file, line=line_of(path))
    return config


def _toml(file: Path) -> tuple[str, dict[str, Any]]:
    """The text of a file and what it states. Raises `ConfigError`."""
    try:
        text = file.read_text(encoding="utf-8")
        stated = tomllib.loads(text)
    except FileNotFoundError:
        raise ConfigError("there is no such file; `sayso init` makes one", file=file) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            "this is not UTF-8; save the file in UTF-8", file=file, line=line
        ) from None
    except tomllib.TOMLDecodeError as error:
        told = PLACED.fullmatch(str(error))
        what, line = (told[1], int(told[2])) if told else (str(error), text.count("\n") + 1)
        raise ConfigError(f"this is not TOML: {what}", file=file, line=line) from None
    return text, stated


def _explain(where: KeyPath, error: Any) -> str:
    name = ".".join(str(part) for part in where)
    if error["type"] == "missing":
        return f"`{name}` is missing: every {_noun(where)} needs a `{where[-1]}`"
    if error["type"] == "extra_forbidden":
        return f"`{name}` is not known here; remove it or correct its spelling"
    said = str(error["msg"]).removeprefix("Value error, ")
    return f"`{name}` is {error['input']!r}: {said[:1].lower()}{said[1:]}"


def _noun(where: KeyPath) -> str:
    nouns = {
        "fields": "field",
        "sources": "source",
        "purposes": "purpose",
        "categories": "category",
        "notices": "notice",
        "audiences": "audience",
    }
    return nouns.get(str(where[0]), "configuration")


def _faults(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """What is well-formed and still wrong: names that refer to nothing, fields without a
    purpose.
    """
    for position, source in enumerate(config.sources):
        for key, wrong in source.faults():
            yield ("sources", position, *([key] if key else [])), wrong
    yield from _faults_of_fields(config)
    yield from _faults_of_notices(config)
    yield from _faults_of_audit(config)
    yield from faults_of_tools(config.consent_tools, config.catalog)
    channels = config.contact_policy.known_channels
    yield from faults_of_audiences(config.audiences, config.catalog, channels)
    for purpose in config.purposes:
        if (asked := len(config.catalog.askable(purpose))) > MOST_CATEGORIES:
            told = (
                f"the purpose `{purpose}` asks for {asked} categories, and what each changes can be"
                f" told of {MOST_CATEGORIES} at most"
            )
            yield (
                ("purposes", purpose),
                f"{told}; put fields that belong together into one category",
            )
        if purpose not in {notice.purpose for notice in config.notices}:
            yield (
                ("purposes", purpose),
                (
                    f"the purpose `{purpose}` has no notice, so nobody could have agreed to it; add"
                    " a [[notices]]"
                ),
            )
    for name, section in (
        ("churn", config.models.churn),
        ("next_purchase", config.models.next_purchase),
    ):
        if section.purpose not in config.purposes:
            yield ("models", name, "purpose"), _unknown("purpose", section.purpose, config.purposes)
        for feature in section.features:
            if fault := _fault_of_feature(feature, section.purpose, config.catalog):
                yield ("models", name, "features", feature), fault


def _open_calls(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Addresses to which customers' ids would be sent in the clear."""
    called = config.webhooks.code_wanted
    if called is not None and not called.startswith("https://"):
        yield (
            ("webhooks", "code_wanted"),
            (
                f"`webhooks.code_wanted` is {called!r}, and in production (SAYSO_ENV) it has to"
                " begin with https://"
            ),
        )


def _faults_of_audit(config: Config) -> Iterator[tuple[KeyPath, str]]:
    audit, catalog = config.audit, config.catalog
    named = {
        "purpose": audit.purpose if audit.attributes else None,
        "mitigation_purpose": audit.mitigation_purpose,
    }
    for key, purpose in named.items():
        if purpose is not None and purpose not in config.purposes:
            yield ("audit", key), _unknown("purpose", purpose, config.purposes)
    for name in audit.attributes or ():
        known = [f.name for f in catalog.fields.values() if f.table == customers.NAME]
        if name not in known:
            yield (
                ("audit", "attributes", name),
                _unknown(f"field of the table {customers.NAME}", name, known),
            )
        elif not catalog.permits([name], audit.purpose):
            yield (
                ("audit", "attributes", name),
                (
                    f"`{name}` is not declared for the purpose `{audit.purpose}`, so it cannot be"
                    " audited by"
                ),
            )


def _faults_of_notices(config: Config) -> Iterator[tuple[KeyPath, str]]:
    seen: set[tuple[str, str, str]] = set()
    for position, notice in enumerate(config.notices):
        if notice.purpose not in config.purposes:
            yield (
                ("notices", position, "purpose"),
                _unknown("purpose", notice.purpose, config.purposes),
            )
        if (key := (notice.purpose, notice.version, notice.language)) in seen:
            yield (
                ("notices", position, "version"),
                (
                    f"version `{notice.version}` is declared twice for `{notice.purpose}`; a"
                    " changed text is a new version"
                ),
            )
        seen.add(key)


def _fault_of_feature(feature: str, purpose: str, catalog: Catalog) -> str | None:
    """What keeps a feature from being used for `purpose`: it does not exist, or reads a field that
    is not declared for that.
    """
    if feature not in DEFINITIONS.by_feature:
        return (
            f"there is no feature `{feature}`; there are"
            f" {', '.join(f'`{name}`' for name in sorted(DEFINITIONS.by_feature))}"
        )
    for field in DEFINITIONS.by_feature[feature].reads:
        if field not in catalog.fields:
            return (
                f"the feature `{feature}` reads `{field}`, which is not declared; declare"
                f" [fields.{field}] or remove the feature"
            )
        if not catalog.permits([field], purpose):
            return (
                f"the feature `{feature}` reads `{field}`, which is not declared for the purpose"
                f" `{purpose}`"
            )
        if catalog.fields[field].sensitivity == "sensitive":
            return (
                f"the feature `{feature}` reads `{field}`, which is sensitive: such a field serves"
                " the fairness audit alone and no model"
            )
    return None


def _faults_of_fields(config: Config) -> Iterator[tuple[KeyPath, str]]:
    sources = {source.name for source in config.sources}
    for table, columns in config.fields.items():
        for column, field in columns.items():
            path: KeyPath = ("fields", table, column)
            if field.category != PRODUCT and field.category not in config.categories:
                yield (
                    (*path, "category"),
                    _unknown("category", field.category, [*config.categories, PRODUCT]),
                )
            if field.category != PRODUCT and not field.purposes:
                yield (
                    path,
                    (
                        f"`{table}.{column}` has no purpose; a field that serves none is not read:"
                        " state `purposes` or remove it"
                    ),
                )
            for purpose in field.purposes:
                if purpose not in config.purposes:
                    yield (
                        (*path, "purposes", purpose),
                        _unknown("purpose", purpose, config.purposes),
                    )
            if field.source not in sources:
                yield (*path, "source"), _unknown("source", field.source, sources)


def _unknown(noun: str, found: str, known: Any) -> str:
    return (
        f"the {noun} `{found}` is not declared; declared are"
        f" {', '.join(f'`{name}`' for name in sorted(known)) or 'none'}"
    )
