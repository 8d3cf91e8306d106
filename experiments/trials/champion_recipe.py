"""A challenger beside the champion, fairly: recipe against recipe, on the same rows and the same
holdout.

The champion's own files were fitted on data that may hold today's holdout. So what is compared is
how it was made: its settings and its features, read from the registry, fitted anew on the rows that
the challenger's trial learnt from.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from experiments.trials.findings import Findings, Interval, interval_metrics, read_interval
from experiments.trials.paired_bootstrap import interval
from models.arrays import Floats
from models.registry import Version

PREFIX = "against_champion"
REFRESH, NOTE = f"{PREFIX}.refresh", f"{PREFIX}.note"
COMPARED = f"{PREFIX}.version"
MITIGATION = "mitigation"
"""Parameter of a run: how strongly groups were weighed, as part of its recipe."""
Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Recipe:
    """How a version was made: `parameters` of its run, its `features`, and which of these the shop
    no longer offers.
    """

    version: str
    parameters: Mapping[str, str]
    features: tuple[str, ...]
    gone: tuple[str, ...]

    @classmethod
    def of(cls, champion: Version, features: Sequence[str], offered: Collection[str]) -> Recipe:
        """The champion's, of which only `offered` features can still be made."""
        kept = tuple(name for name in features if name in offered)
        return cls(
            champion.version,
            champion.parameters,
            kept,
            tuple(name for name in features if name not in offered),
        )

    def settings(self, standard: Settings) -> Settings:
        """The settings that the run states, for the rest those of `standard`; as many threads as
        that uses.
        """
        names = [field.name for field in fields(standard)]  # type: ignore[arg-type]  # a dataclass
        stated = {name: self.parameters[name] for name in names if name in self.parameters}
        known = {name: _read(text, getattr(standard, name)) for name, text in stated.items()}
        return replace(standard, **{**known, "threads": getattr(standard, "threads", 1)})  # type: ignore[type-var]  # as above

    @property
    def mitigation(self) -> str | None:
        """How strongly groups were weighed; None where they were not."""
        return self.parameters.get(MITIGATION)

    @property
    def note(self) -> str:
        """What is missing from the comparison."""
        return (
            f"without {', '.join(self.gone)}, which the catalog no longer offers"
            if self.gone
            else ""
        )


@dataclass(frozen=True)
class Against:
    """What was found: the `interval` of the difference in the decisive metric, None where there
    could be no comparison.
    """

    interval: Interval | None
    refresh: bool
    note: str

    @classmethod
    def read(cls, challenger: Version, champion: str, metric: str) -> Against:
        """What the challenger's run states of a comparison with that version."""
        compared = challenger.tags.get(COMPARED)
        if compared != champion:
            why = (
                f"it was compared with version {compared}"
                if compared
                else "there was another champion, or none, when it was trained"
            )
            return cls(None, refresh=False, note=f"{why}; train again")
        note, found = (
            challenger.tags.get(NOTE, ""),
            read_interval(f"{PREFIX}.{champion}.{metric}", challenger.metrics),
        )
        if found is None:
            return cls(None, refresh=False, note=note or "train again")
        return cls(found, challenger.tags.get(REFRESH) == "yes", note)


def compared(recipe: Recipe, differences: Mapping[str, Floats], *, refresh: bool) -> Findings:
    """The comparison: draws of challenger minus champion (draws,) by metric."""
    found = {metric: interval(draws) for metric, draws in differences.items()}
    named = {metric: f"{PREFIX}.{recipe.version}.{metric}".replace("@", "_at_") for metric in found}
    metrics = {
        name: value
        for metric, ends in found.items()
        for name, value in interval_metrics(named[metric], ends).items()
    }
    document = {
        "version": recipe.version,
        "features_gone": list(recipe.gone),
        "refresh": refresh,
        "differences": found,
    }
    tags = {COMPARED: recipe.version, REFRESH: "yes" if refresh else "no", NOTE: recipe.note}
    return Findings(metrics=metrics, tags=tags, documents={PREFIX: document})


def impossible(version: str, why: str) -> Findings:
    """That the champion's recipe could not be fitted, and why."""
    document: dict[str, Any] = {"version": version, "impossible": why}
    return Findings(
        tags={COMPARED: version, REFRESH: "no", NOTE: why}, documents={PREFIX: document}
    )


def _read(text: str, like: object) -> object:
    return text == "True" if isinstance(like, bool) else type(like)(text)  # type: ignore[call-arg]  # a number or text
