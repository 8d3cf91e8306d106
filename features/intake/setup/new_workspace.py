"""Makes a workspace: a folder with a `sayso.toml` that reads well and loads as it is."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from functools import cache
from importlib.resources import files as resources
from pathlib import Path

import jinja2

from features.clock import Clock, utc_now
from features.config.schema import Config
from features.config.sources import Cleaning, JoinSection, Source
from features.definitions.frames import features_for
from features.errors import SourceError, WorkspaceError
from features.intake.reading.sources import oldest_of, sample_of
from features.intake.setup.column_guesses import recognise
from features.intake.setup.guess import Guess, Recognised
from features.intake.setup.related_files import gathered, joins_of
from features.intake.setup.shop_guesses import SOLD_WITHIN_DAYS, Habits, habits_of
from features.intake.setup.standard_catalog import (
    StandardField,
    filled_fields,
    retention_days,
    spoken,
)
from features.shop.workspace import BINDING, CONFIG_NAME
from features.tables.declared import customers, products, transactions
from features.tables.table import CUSTOMER_ID, RETENTION_DAYS, StandardCategory
from features.tables.tables import STANDARD, Tables

Joins = tuple[JoinSection, ...]
EXAMPLE = Source(
    name="orders",
    file="transactions.csv",
    table=transactions.NAME,
    columns={
        name: name
        for name in (
            CUSTOMER_ID,
            transactions.ORDER_ID,
            transactions.PRODUCT_ID,
            transactions.ORDERED_AT,
            transactions.QUANTITY,
            transactions.UNIT_PRICE,
            products.TITLE,
            customers.COUNTRY,
        )
    },
)


def create(
    root: Path, files: Sequence[Path] = (), clock: Clock = utc_now, shop: str | None = None
) -> list[Guess]:
    """Make the workspace `root`, for `files` where some are given, else with an example to edit;
    returns what was guessed.

    The shop is called `shop`, or like the folder.

    Raises `WorkspaceError` where `root` is a workspace already or no file holds orders,
    `SourceError` where a file is no table of orders or products; then nothing is left behind.
    """
    root = root.resolve()
    if (root / CONFIG_NAME).exists():
        raise WorkspaceError(
            f"{root} is a workspace already: it has a {CONFIG_NAME}. Edit that, or name another"
            " folder."
        )
    if (lost := [name for name in (BINDING, "sayso.db") if (root / name).exists()]) or (
        root / "warehouse" / "current"
    ).exists():
        raise WorkspaceError(
            f"{root} holds a workspace's {lost[0] if lost else 'warehouse'} and no {CONFIG_NAME}:"
            " put that back from a backup, since the consents refer to what stood in it, or name"
            " another folder."
        )
    if root.exists() and not root.is_dir():
        raise WorkspaceError(f"{root} is a file; name a folder for the workspace.")
    sources, guesses, habits = _recognised(root, files, clock) if files else ([EXAMPLE], [], None)
    _write(
        root,
        render(
            shop or root.name,
            sources,
            habits,
            retention_days(habits.oldest if habits else None, clock()),
        ),
    )
    return guesses


def render(
    name: str,
    sources: Sequence[Source],
    habits: Habits | None,
    kept_days: int = RETENTION_DAYS,
    tables: Tables = STANDARD,
) -> str:
    """Text of the `sayso.toml` of a shop called `name`; it lists every field that `sources` fill
    and every feature that the catalog of these permits.
    """
    fields = [
        replace(field, retention_days=field.retention_days or kept_days)
        for field in filled_fields(sources, tables)
    ]
    given = {field.category for field in fields}
    context = {
        "shop": {
            "name": name or "My shop",
            "currency": (habits and habits.currency) or "EUR",
            "home_country": habits.home_country if habits else None,
        },
        "sold_within_days": habits.sold_within_days if habits else SOLD_WITHIN_DAYS,
        "sources": sources,
        "categories": [category for category in tables.categories if category.name in given],
        "fields": [asdict(field) for field in fields],
        "told": {
            purpose: spoken(_used(fields, purpose, tables))
            for purpose in ("recommendations", "churn_prediction", "fairness_audit")
        },
    }
    bare = _fill(context, features={})
    catalog = Config.model_validate(tomllib.loads(bare), context={"tables": tables}).catalog
    listed = {
        "churn": features_for(catalog, "churn", "churn_prediction"),
        "next_purchase": features_for(catalog, "next_purchase", "recommendations"),
    }
    return _fill(context, features=listed)


def toml_string(text: str) -> str:
    """`text` as a TOML basic string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_list(texts: Iterable[str]) -> str:
    """`texts` as a TOML array."""
    return f"[{', '.join(toml_string(text) for text in texts)}]"


def _fill(context: Mapping[str, object], *, features: Mapping[str, tuple[str, ...]]) -> str:
    features = {"churn": (), "next_purchase": (), **features}
    return _template().render(**context, features=features) + "\n"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701
    )
    environment.filters["toml"] = toml_string
    environment.filters["toml_list"] = toml_list
    text = resources("features.intake.setup").joinpath("templates", "sayso.toml.j2")
    return environment.from_string(text.read_text(encoding="utf-8"))


def _used(fields: Iterable[StandardField], purpose: str, tables: Tables) -> list[StandardCategory]:
    used = {field.category for field in fields if purpose in field.purposes}
    return [category for category in tables.categories if category.name in used]


def _recognised(
    root: Path, files: Sequence[Path], clock: Clock
) -> tuple[list[Source], list[Guess], Habits]:
    sources: list[Source] = []
    guesses: list[Guess] = []
    shop: Habits | None = None
    found = [each for file in files for each in gathered(file.resolve())]
    known_files = _known([sample for _, sample in found], several=len(found) > len(files))
    for path, sample in found:
        if sample not in known_files:
            continue
        joins, known = known_files[sample]
        source, told = _source(path, root, joins, known, sources)
        guesses += told
        if source.table == transactions.NAME:
            rows, oldest = sample_of(source, root, clock()), oldest_of(source, root, clock())
            habits = replace(habits_of(rows), oldest=oldest)
            source = source.model_copy(update={"cleaning": habits.cleaning})
            guesses += _guessed(source.name, habits, clock())
            shop = shop or habits
        sources.append(source)
        if known.beside is not None:
            source, told = _source(path, root, (), known.beside, sources)
            sources.append(source)
            guesses += told
    if shop is None:
        raise WorkspaceError(
            f"{', '.join(dict.fromkeys(source.table for source in sources))} were found in"
            f" {', '.join(file.name for file in files)}, and no orders; name a table of orders"
            " beside them: one line per product bought, with the customer, the product, the time"
            " and the price"
        )
    return sources, guesses, shop


def _source(
    path: Path, root: Path, joins: Joins, known: Recognised, before: Sequence[Source]
) -> tuple[Source, list[Guess]]:
    """The source that a recognised file is, and what was guessed of it."""
    source = Source(
        name=_free_name(path.stem, before),
        file=_path(path, root),
        table=known.table,
        columns=known.columns,
        date_format=known.date_format,
        joins=tuple(
            join.model_copy(update={"file": _path(Path(join.file), root)}) for join in joins
        ),
    ).model_copy(update=dict(known.settings))
    return source, [replace(guess, source=source.name) for guess in known.guesses]


def _known(files: Sequence[Path], *, several: bool) -> dict[Path, tuple[Joins, Recognised]]:
    """The files that hold orders or products; those that do so only together with others have these
    joined to them.

    `several` says that a folder holds them, which may have others too.

    Raises `SourceError` where a file is neither, and belongs to none that is.
    """
    found: dict[Path, tuple[Joins, Recognised]] = {}
    lacking: dict[Path, SourceError] = {}
    for file in files:
        try:
            found[file] = (), recognise(file)
        except SourceError as error:
            lacking[file] = error
    while joined := _joined(list(lacking)):
        file, joins, known = joined
        found[file] = joins, known
        for each in (file, *(Path(join.file) for join in joins)):
            del lacking[each]
    if lacking and not (several and found):
        raise next(iter(lacking.values()))
    return found


def _joined(files: Sequence[Path]) -> tuple[Path, Joins, Recognised] | None:
    """The file to whose rows most of the others say more, where that makes it one of orders."""
    best: tuple[Path, Joins, Recognised] | None = None
    for file in files:
        joins = joins_of(file, [other for other in files if other != file])
        if joins and (best is None or len(joins) > len(best[1])):
            try:
                best = file, joins, recognise(file, joins)
            except SourceError:
                continue
    return best


def _guessed(source: str, habits: Habits, now: datetime) -> list[Guess]:
    """What the lines of a source tell of the shop, and what nothing tells."""
    guesses = _guessed_cleaning(source, habits)
    currency, why = (
        (habits.currency, "the lines name it, or it is the home country's")
        if habits.currency
        else ("EUR", "nothing in the file tells")
    )
    guesses.append(Guess(source, "currency", currency, why, sure=False))
    if habits.oldest is not None and (days := retention_days(habits.oldest, now)) > RETENTION_DAYS:
        why = f"the oldest line is of {habits.oldest:%Y-%m-%d}"
        guesses.append(Guess(source, "retention_days", str(days), why, sure=False))
    if habits.sold_within_days > SOLD_WITHIN_DAYS:
        days, why = habits.sold_within_days, "products are sold again after pauses as long as that"
        guesses.append(Guess(source, "sold_within_days", str(days), why, sure=False))
    return guesses


def _guessed_cleaning(source: str, habits: Habits) -> list[Guess]:
    cleaning: Cleaning = habits.cleaning
    units, others = cleaning.wholesale_units, ", ".join(cleaning.non_products)
    found = (
        (
            "cancellation_prefix",
            cleaning.cancellation_prefix,
            "orders that start so have negative quantities",
            True,
        ),
        (
            "non_products",
            others,
            "codes that elsewhere are postage, fees, vouchers or corrections",
            False,
        ),
        (
            "wholesale_units",
            units and str(units),
            "lines of more units look like a reseller's",
            False,
        ),
        ("home_country", habits.home_country, "it is the most frequent country", True),
    )
    return [
        Guess(source, what, told, f"{why} ({habits.lines[what]:,} lines)", sure)
        for what, told, why, sure in found
        if told
    ]


def _free_name(stem: str, sources: Sequence[Source]) -> str:
    names = {source.name for source in sources}
    return next(
        name
        for name in (stem, *(f"{stem}-{number}" for number in range(2, len(names) + 3)))
        if name not in names
    )


def _path(file: Path, root: Path) -> str:
    file = file.resolve()
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)


def _write(root: Path, text: str) -> None:
    """Put the file in place under its name only once it is whole."""
    made = not root.exists()
    partial = root / f".{CONFIG_NAME}.partial"
    root.mkdir(parents=True, exist_ok=True)
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, root / CONFIG_NAME)
    except OSError as error:
        partial.unlink(missing_ok=True)
        if made:
            root.rmdir()
        raise WorkspaceError(
            f"{root / CONFIG_NAME} cannot be written: {error}. Free some space or name another"
            " folder."
        ) from error
