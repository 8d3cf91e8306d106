"""`[audiences.NAME]` of sayso.toml: whom the shop may want to write to, on which channels and for
which purpose.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from features.catalog import Catalog
from features.config.section import Channel, Days, Section, Text
from features.definitions.beside_orders.browsing import DAYS_SINCE_LAST_VISIT
from features.definitions.beside_orders.emails import DAYS_SINCE_LAST_EMAIL_OPENED
from features.definitions.beside_orders.returns import DAYS_SINCE_LAST_BOOKING
from features.definitions.definitions import STANDARD as DEFINITIONS
from features.definitions.rhythm import DAYS_SINCE_LAST_ORDER
from features.definitions.unlisted.segments import LIFECYCLE_STAGE

Stage = Literal["new", "active", "slowing", "lapsed", "returning"]
Band = Literal["low", "medium", "high"]
AudienceName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
STAGE = LIFECYCLE_STAGE.name
HEARD_FROM = (
    DAYS_SINCE_LAST_ORDER.name,
    DAYS_SINCE_LAST_VISIT.name,
    DAYS_SINCE_LAST_EMAIL_OPENED.name,
    DAYS_SINCE_LAST_BOOKING.name,
)
"""Features that tell when something was last heard of a customer."""


class AudienceSection(Section):
    """Who is in an audience: all who may be written to on one of `channels` for `purpose`, and of
    these whom every rule that is stated here fits. A rule that rests on what a customer withholds
    fits them never.
    """

    purpose: Text
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)]
    stages: tuple[Stage, ...] = ()
    """Stages of life as a customer."""
    bands: tuple[Band, ...] = ()
    """Bands of the chance that a customer orders nothing within the horizon."""
    value_at_least: Annotated[float, Field(gt=0, le=1e12)] | None = None
    """What a customer is expected to spend within the horizon, in the shop's currency."""
    not_heard_from_days: Days | None = None
    """Nothing was heard from the customer for so many days."""
    most: Annotated[int, Field(gt=0, le=10_000_000)] | None = None
    """At most so many, those of whom most is expected first."""

    @property
    def needs_churn(self) -> bool:
        """Whether a rule rests on the churn model."""
        return bool(self.bands) or self.value_at_least is not None

    def features(self, catalog: Catalog) -> tuple[str, ...]:
        """The features that its rules rest on, as far as they are declared for its purpose."""
        wanted = (STAGE,) if self.stages else ()
        if self.not_heard_from_days is not None:
            wanted = (*wanted, *HEARD_FROM)
        return tuple(
            name for name in wanted if catalog.permits(DEFINITIONS.of(name).reads, self.purpose)
        )


def faults_of_audiences(
    audiences: Mapping[str, AudienceSection], catalog: Catalog, channels: Collection[str]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What is well-formed and still wrong in audiences: where, and what is possible instead."""
    for name, audience in audiences.items():
        path = ("audiences", name)
        if audience.purpose not in catalog.purposes:
            yield (
                (*path, "purpose"),
                (
                    f"the purpose `{audience.purpose}` is not declared; declared are"
                    f" {_listed(catalog.purposes)}"
                ),
            )
            continue
        for position, channel in enumerate(audience.channels):
            if channel not in channels:
                yield (
                    (*path, "channels", position),
                    f"there is no channel `{channel}`; there are {_listed(channels)}",
                )
        yield from _unanswerable(path, audience, catalog)


def _unanswerable(
    path: tuple[str, str], audience: AudienceSection, catalog: Catalog
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Rules that fit nobody, since what they rest on is not declared for the purpose."""
    usable = audience.features(catalog)
    rules: dict[str, tuple[str, ...]] = {
        "stages": (STAGE,) if audience.stages else (),
        "not_heard_from_days": () if audience.not_heard_from_days is None else HEARD_FROM,
    }
    for rule, features in rules.items():
        if features and not set(features) & set(usable):
            needed = DEFINITIONS.of(features[0]).reads
            yield (
                (*path, rule),
                (
                    f"`{rule}` rests on {_listed(needed)}, which is not declared for the purpose"
                    f" `{audience.purpose}`; add it to the field's `purposes`, or leave the rule"
                    " out"
                ),
            )


def _listed(names: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) or "none"
