"""What a task is: all that distinguishes one model from another when it is trained and judged.

`experiments.training.train` holds what all models have in common. A new model is one new module in
`experiments.training.tasks`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from experiments.audits.explainability import Score, ToExplain
from experiments.model_card.wording import CardWording
from experiments.trials.champion_recipe import Recipe
from experiments.trials.findings import Findings
from experiments.trials.lineage import Lineage
from experiments.trials.tuning import Range
from features.errors import TrainingError
from features.progress import Progress
from features.shop.shop import Shop
from features.warehouse.gate import Gate
from models.arrays import Floats
from models.trees.booster import Booster

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS = "sayso"
"""What our own model is called among the methods of a comparison."""


class TrainingData(Protocol):
    """Everything a task reads of a shop: the past to learn from, and a holdout to be judged by."""

    @property
    def shop(self) -> Shop:
        """The shop."""

    @property
    def gate(self) -> Gate:
        """The gate that all of it came through."""

    @property
    def holdout(self) -> datetime:
        """The moment from which on a model is judged."""

    @property
    def judged_count(self) -> int:
        """How many customers or orders a model is judged by."""

    @property
    def customers(self) -> NDArray[np.int64]:
        """Pseudonyms of the customers learnt from, each once."""

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features that are chosen in `sayso.toml`, as the model states them."""

    @property
    def lineage(self) -> Lineage:
        """The fields that each column of the model reads."""

    @property
    def arrays(self) -> Sequence[NDArray[np.generic]]:
        """All values learnt from; their digest tells whether two runs had the same data."""


class TrainedModel(Protocol):
    """A model as a run records it."""

    @property
    def booster(self) -> Booster:
        """Its trees."""

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the booster's columns, in order."""

    def save(self, folder: Path) -> None:
        """Write it as data."""


Settings = TypeVar("Settings")
Data = TypeVar("Data", bound=TrainingData)
Model = TypeVar("Model", bound=TrainedModel)
Model_co = TypeVar("Model_co", bound=TrainedModel, covariant=True)
Answers = TypeVar("Answers")


class Fitted(Protocol[Model_co]):
    """A model fitted on the past alone, and what the run has to state of how that was done."""

    @property
    def model(self) -> Model_co:
        """The model."""

    @property
    def parameters(self) -> Mapping[str, object]:
        """Parameters of the run beside the settings."""

    @property
    def members(self) -> Mapping[str, Collection[int]]:
        """Customers whose data was used for another purpose too, by that purpose."""


Fit = TypeVar("Fit", bound=Fitted[TrainedModel])


@dataclass(frozen=True)
class PlainFit(Generic[Model]):
    """A model that was fitted without anything to state."""

    model: Model
    parameters: Mapping[str, object] = field(default_factory=dict)
    members: Mapping[str, Collection[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged(Generic[Answers]):
    """How a model does on the holdout beside its baselines.

    `answers` and `comparison` (metrics) are by method, ours first; `differences` are the metrics
    that state by how much ours leads each method, with intervals.
    """

    answers: Mapping[str, Answers]
    comparison: Mapping[str, Mapping[str, float]]
    differences: Mapping[str, float]

    @property
    def ours(self) -> Answers:
        """What our own model answers."""
        return self.answers[OURS]


class Task(ABC, Generic[Settings, Data, Fit, Model, Answers]):
    """One model to train: what it learns from, how it is fitted, judged, explained and described.

    The type variables are its settings, its data, a fit on the past, its model, and what a model
    answers to the whole holdout.
    """

    name: ClassVar[str]
    decisive: ClassVar[str]
    """The metric that decides who becomes champion, as MLflow has it (`recall_at_10`)."""
    baselines: ClassVar[tuple[str, ...]]
    """The simple methods that it has to beat."""
    printed: ClassVar[tuple[str, ...]]
    """Metrics that are printed after training, as the comparison names them (`recall@10`)."""
    card: ClassVar[CardWording]
    seconds: ClassVar[Mapping[str, float]]
    """How long each of `experiments.training.steps.STEPS` took on the bundled shop, in seconds of
    processor time.
    """
    space: ClassVar[Mapping[str, Range]] = {}
    """Settings that can be tried, and their ranges."""
    forecasts_probabilities: ClassVar[bool]
    """Whether its answers are probabilities, which have to be calibrated."""
    weighs_groups: ClassVar[bool] = False
    """Whether groups of customers can be weighed in training."""

    @property
    def decisive_name(self) -> str:
        """The decisive metric as the comparison names it (`recall@10`)."""
        return self.decisive.replace("_at_", "@")

    @abstractmethod
    def default_settings(self) -> Settings:
        """The settings where none are stated."""

    @abstractmethod
    def data(self, shop: Shop) -> Data:
        """Read what is learnt from. Raises `TrainingError` where there is too little."""

    @abstractmethod
    def fit(self, data: Data, settings: Settings) -> Fit:
        """Fit on what was known before the holdout."""

    @abstractmethod
    def judge(self, data: Data, fitted: Fit) -> Judged[Answers]:
        """Judge a fit on the holdout, beside the baselines."""

    @abstractmethod
    def refit(self, data: Data, fitted: Fit, settings: Settings) -> Model:
        """Fit anew on everything, in the way of `fitted`: this model is registered."""

    @abstractmethod
    def audits(self, data: Data, fitted: Fit, judged: Judged[Answers]) -> Findings:
        """What is found by consent pattern, by group, and whatever else the task looks at."""

    @abstractmethod
    def explained(self, data: Data, model: Model) -> tuple[ToExplain, Score]:
        """Rows to explain, and the score that the contributions of features have to add up to."""

    @abstractmethod
    def parameters(self, data: Data, model: Model) -> Mapping[str, object]:
        """What the run states beside the settings."""

    def attempt_loss(self, data: Data) -> Callable[[Settings], float]:
        """By what settings are compared, smaller is better, within the past.

        Raises `TrainingError` where none can be tried.
        """
        raise TrainingError(
            f"`{self.name}` has no settings that could be tried; leave --trials out"
        )

    def weigh(self, data: Data, fitted: Fit, settings: Settings, progress: Progress) -> Fit:
        """Fit anew with groups of customers weighed.

        Raises `TrainingError` where that cannot be done.
        """
        raise TrainingError(f"groups are not weighed for `{self.name}`; train without --mitigate")

    def figures(self, data: Data, judged: Judged[Answers]) -> Mapping[str, Figure]:
        """Pictures of the task's own."""
        return {}

    # ---- the champion's recipe ----

    @abstractmethod
    def stated_features(self, folder: Path) -> tuple[str, ...]:
        """The features of a model that was saved in `folder`, as `TrainingData.features` has them.

        Raises `ValueError` for a model of before that can no longer be read.
        """

    @abstractmethod
    def offered(self, data: Data) -> Collection[str]:
        """The features that can be made of the shop's fields now."""

    @abstractmethod
    def by_recipe(self, data: Data, recipe: Recipe) -> Data:
        """The same rows and the same holdout with the features of another version.

        Raises `TrainingError` where that cannot be made.
        """

    @abstractmethod
    def answers(self, data: Data, fitted: Fit) -> Answers:
        """What a fit answers to the whole holdout."""

    @abstractmethod
    def paired_draws(self, data: Data, ours: Answers, theirs: Answers) -> Mapping[str, Floats]:
        """Bootstrap draws (draws,) of our metrics less theirs, by metric."""

    def unusable(self, recipe: Recipe, features: Sequence[str]) -> str:
        """Why a version of these `features` cannot be made any more; empty where it can."""
        if recipe.features:
            return ""
        return f"of its {len(features)} features the catalog offers none any more"
