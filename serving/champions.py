"""The models that answer: champions, loaded once with their explainers, and older versions for a replay."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Generic, TypeVar
from zipfile import BadZipFile

from lightgbm.basic import LightGBMError

from explain.attribution import Attribution
from features.errors import ModelUnavailable, SaysoError
from models.churn import ChurnModel
from models.next_purchase import NextPurchaseModel
from models.tracking import CHAMPION, Tracking, Version

KEPT_FOR_REPLAY = 4

log = logging.getLogger("sayso.champions")
Model = TypeVar("Model")


@dataclass(frozen=True)
class Loaded(Generic[Model]):
    """A model with its version and explainer."""

    version: Version
    model: Model
    attribution: Attribution

    @property
    def name(self) -> dict[str, str]:
        """Name and version, as an answer states them."""
        return {"name": self.version.model, "version": self.version.version}


class Champion(Generic[Model]):
    """The champion of one registered model. `read` makes a model from its files, `explain` its explainer."""

    def __init__(self, tracking: Tracking, name: str, read: Callable[[Path], Model], explain: Callable[[Model], Attribution]) -> None:
        self._tracking = tracking
        self._name = name
        self._read = read
        self._explain = explain
        self._complained = False
        self.version = lru_cache(KEPT_FOR_REPLAY)(self._load)
        self.current: Loaded[Model] | None = None
        """The model that answers now; None where there is none that can be read."""

    def look(self) -> None:
        """Load what became champion since the last look. What cannot be read leaves things as they are."""
        try:
            found = self._tracking.by_alias(self._name, CHAMPION)
            if found is not None and (self.current is None or self.current.version.version != found.version):
                self.current = self.version(found.version)
            self._complained = False
        except (SaysoError, OSError) as error:
            if not self._complained:  # it is looked at every few seconds until somebody mends it
                log.warning("the champion of %s cannot be loaded: %s", self._name, error)
            self._complained = True

    def _load(self, version: str) -> Loaded[Model]:
        """A version by its number. Raises `ModelUnavailable`."""
        found = self._tracking.version(self._name, version)
        try:
            model = self._read(self._tracking.folder(found))
            return Loaded(found, model, self._explain(model))
        except (OSError, ValueError, KeyError, TypeError, BadZipFile, LightGBMError) as error:  # what foreign files raise
            raise ModelUnavailable(f"the files of `{self._name}` version {version} cannot be read: {error}") from error


def churn_champion(tracking: Tracking) -> Champion[ChurnModel]:
    """The churn champion; its contributions are on the calibrated scale."""
    return Champion(
        tracking, "churn", ChurnModel.load, lambda model: Attribution(model.booster, model.calibrator.slope, model.calibrator.intercept)
    )


def next_purchase_champion(tracking: Tracking) -> Champion[NextPurchaseModel]:
    """The next-purchase champion."""
    return Champion(tracking, "next_purchase", NextPurchaseModel.load, lambda model: Attribution(model.booster))
