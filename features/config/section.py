"""What all sections of `sayso.toml` are made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

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


def _unknown_table(words: str) -> PydanticCustomError:
    return PydanticCustomError("unknown_table", "{words}", {"words": words})


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


TableName = Annotated[str, AfterValidator(_known_table)]
"""A table of the warehouse."""


def _known_kind(name: str, info: ValidationInfo) -> str:
    known = [kind for table in _tables(info).values() for kind in table.kinds]
    if name not in known:
        raise PydanticCustomError(
            "unknown_kind",
            "{words}",
            {"words": f"there is no such kind; there are {_list(sorted(known))}"},
        )
    return name


InteractionKind = Annotated[str, AfterValidator(_known_kind)]
"""A kind of rows of a table that has several, such as the interactions."""


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


def channel_name(said: str) -> str:
    """One name for a channel however it is written: `E-Mail` and `email ` are `email`.

    Whoever opted out of one is out of all.
    """
    return "".join(said.casefold().replace("-", " ").split()) or said


Channel = Annotated[Text, AfterValidator(channel_name)]
