"""All definitions that a shop works with: which feature is declared where, and by which model it is
used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

from features.definitions import customer, history, rhythm
from features.definitions.beside_orders import browsing, emails, looked_at, returns, support
from features.definitions.definition import Definition
from features.definitions.feature import Feature, ModelName
from features.definitions.sentence import Sentence
from features.definitions.unlisted import cadence, discounts, segments
from features.errors import FeatureError


@dataclass(frozen=True, eq=False)
class Definitions:
    """Definitions in the order in which features are offered to models.

    Raises `FeatureError`, with file and line, where two features share a name, two sentences a key,
    or a sentence is about a feature that nobody declares.
    """

    every: tuple[Definition, ...]

    def __post_init__(self) -> None:
        """Refuse definitions that contradict one another."""
        seen: dict[str, Feature] = {}
        for feature in self._declared:
            if (first := seen.setdefault(feature.name, feature)) is not feature:
                raise feature.refused(
                    f"is declared before, in {first.file}, line {first.line}; give one of them"
                    " another name"
                )
        keys: dict[str, Sentence] = {}
        for feature in self._declared:
            for sentence in (s for model in feature.says for s in feature.sentences(model)):
                if keys.setdefault(sentence.key, sentence) != sentence:
                    raise feature.refused(
                        f"has a sentence with the key `{sentence.key}`, which another has"
                    )
                for name in sentence.about(feature.name):
                    if name not in seen:
                        raise feature.refused(
                            f"has a sentence `{sentence.key}` about `{name}`, which is no feature"
                        )

    @classmethod
    def declared_in(cls, *modules: ModuleType) -> Definitions:
        """The definitions of modules, in the order in which they stand there."""
        return cls(_in_modules(modules))

    def with_declared_in(self, *modules: ModuleType) -> Definitions:
        """These definitions and, after them, those of further modules."""
        return Definitions((*self.every, *_in_modules(modules)))

    def used_by(self, model: ModelName) -> tuple[Feature, ...]:
        """The features that `model` uses, in order."""
        return tuple(feature for feature in self._declared if model in feature.says)

    def feature(self, name: str) -> Feature:
        """The declaration of a feature. Raises `FeatureError` for a name that no feature has."""
        definition = self.of(name)
        return next(feature for feature in definition.declared if feature.name == name)

    def of(self, name: str) -> Definition:
        """The definition of a feature. Raises `FeatureError` for a name that no feature has."""
        try:
            return self.by_feature[name]
        except KeyError:
            raise FeatureError(
                f"there is no feature `{name}`; there are {', '.join(sorted(self.by_feature))}"
            ) from None

    def needed(self, features: Iterable[str]) -> list[Definition]:
        """The definitions that make `features`, each once.

        Raises `FeatureError` for a name that no feature has.
        """
        return list(dict.fromkeys(self.of(feature) for feature in features))

    @cached_property
    def by_feature(self) -> dict[str, Definition]:
        """The definition of each feature, by name."""
        return {name: definition for definition in self.every for name in definition.features}

    @property
    def _declared(self) -> tuple[Feature, ...]:
        return tuple(feature for definition in self.every for feature in definition.declared)


def _in_modules(modules: Iterable[ModuleType]) -> tuple[Definition, ...]:
    """What is defined in `modules` by a name of its own; what they import of one another counts
    once.
    """
    found = (value for module in modules for value in vars(module).values())
    return tuple(dict.fromkeys(value for value in found if isinstance(value, Definition)))


STANDARD = Definitions.declared_in(
    rhythm,
    customer,
    history,
    browsing,
    looked_at,
    emails,
    support,
    returns,
    discounts,
    segments,
    cadence,
)
"""The definitions that come with Sayso."""
