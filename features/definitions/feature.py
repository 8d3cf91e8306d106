"""What a feature is, declared in one place: which way churn moves with it, its unit, what it means
and what is said of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from features.definitions.sentence import Saying, Sentence, Silent
from features.errors import FeatureError

ModelName = Literal["churn", "next_purchase"]
Direction = Literal["rises", "falls", "free"]
RISES: Direction = "rises"
FALLS: Direction = "falls"
FREE: Direction = "free"
SIGNS: Mapping[Direction, int] = {RISES: 1, FALLS: -1, FREE: 0}
WRAPPERS = (__file__, "<string>")  # dataclasses make `__init__` in a file of the second name


@dataclass(frozen=True, eq=False)
class Feature:
    """One feature.

    `direction` is which way churn moves as the feature rises: churn `rises`, or `falls`, which the
    model of churn may not contradict, or it is `free` to do either. `unit` is what it is counted
    in. `meaning` says to analysts what it is, and `says` to customers: for each model that uses the
    feature its sentences, or why it has none (`Silent`). One that is not `listed` is used only by a
    shop that lists it itself.

    `file` and `line` are where it is declared. Raises `FeatureError`, naming these, where a part is
    missing.
    """

    name: str
    direction: Direction | None = None
    unit: str = ""
    meaning: str = ""
    says: Mapping[ModelName, Saying] = field(default_factory=dict)
    listed: bool = True
    file: str = field(init=False)
    line: int = field(init=False)

    def __post_init__(self) -> None:
        """Note where the feature is declared, and refuse it where a part is missing."""
        file, line = _declared_at()
        object.__setattr__(self, "file", file)
        object.__setattr__(self, "line", line)
        if (fault := self._fault()) is not None:
            raise self.refused(fault)

    @property
    def sign(self) -> int:
        """1 where churn rises with the feature, -1 where it falls, 0 where it is free."""
        return SIGNS[self.direction or FREE]

    def sentences(self, model: ModelName) -> tuple[Sentence, ...]:
        """What answers of `model` may say of the feature."""
        said = self.says.get(model, ())
        return () if isinstance(said, Silent) else tuple(said)

    def silence(self, model: ModelName) -> str | None:
        """Why answers of `model` say nothing of the feature; None where they do."""
        said = self.says.get(model)
        return said.why if isinstance(said, Silent) else None

    def refused(self, fault: str) -> FeatureError:
        """The error of a declaration that has `fault`, with its file and line."""
        return FeatureError(f"{self.file}, line {self.line}: the feature `{self.name}` {fault}")

    def _fault(self) -> str | None:
        """What is missing or wrong; None where nothing is."""
        if self.direction not in SIGNS:
            return (
                'has no direction; state direction="rises" or "falls" (which way churn moves as it'
                ' rises), or "free"'
            )
        if not self.unit:
            return 'has no unit; state what it is counted in, such as unit="days"'
        if not self.meaning:
            return "has no meaning; say in a sentence what it is, for analysts"
        if not self.says:
            return (
                "has no sentence; state in `says`, for each model that uses it, its sentences or"
                " `Silent(why)`"
            )
        return next((fault for model in self.says if (fault := self._fault_of(model))), None)

    def _fault_of(self, model: ModelName) -> str | None:
        if model not in get_args(ModelName):
            return f"is for the model `{model}`; there are {', '.join(get_args(ModelName))}"
        if not self.sentences(model) and not self.silence(model):
            return f"has no sentence for `{model}`; state one, or `Silent(why)` with the reason"
        for sentence in self.sentences(model):
            if (fault := sentence.fault()) is not None:
                return f"has a sentence `{sentence.key}` that cannot be said: {fault}"
        return None


def _declared_at() -> tuple[str, int]:
    """File and line of the code that declares a feature."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename in WRAPPERS:
        frame = frame.f_back
    return ("", 0) if frame is None else (frame.f_code.co_filename, frame.f_lineno)
