"""The models that answer: champions, loaded once with their explainers, and older versions for a
replay.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Generic, TypeVar
from zipfile import BadZipFile

import numpy as np

from explain.attribution import Attribution
from features.errors import ModelUnavailable, SaysoError
from models.arrays import Floats
from models.churn.model import ChurnModel
from models.next_purchase.model import NextPurchaseModel
from models.registry import CHAMPION, Registry, Version
from serving.live.fingerprint import Stamp, stamp

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


@dataclass(frozen=True)
class InOffice(Generic[Model]):
    """The champion, and its files as they were when they were checked."""

    loaded: Loaded[Model]
    files: tuple[Path, ...]
    stamp: Stamp

    @property
    def unchanged(self) -> bool:
        """Whether nobody touched the files since."""
        return stamp(self.files) == self.stamp


class Champion(Generic[Model]):
    """The champion of one registered model.

    `read` makes a model from its files, `explain` its explainer.

    It answers only while the registry says that it is champion, its files are those that were
    checked, and `may_answer`.
    """

    def __init__(
        self,
        registry: Registry,
        name: str,
        read: Callable[[Path], Model],
        explain: Callable[[Model], Attribution],
        may_answer: Callable[[], bool],
    ) -> None:
        self._registry = registry
        self.name = name
        self._read = read
        self._explain = explain
        self._may_answer = may_answer
        self._complained = False
        self.version = lru_cache(KEPT_FOR_REPLAY)(self._load)
        self._in_office: InOffice[Model] | None = None

    @property
    def current(self) -> Loaded[Model] | None:
        """The model that answers now; None where there is none that may."""
        there = self._in_office
        return (
            there.loaded if there is not None and there.unchanged and self._may_answer() else None
        )

    def look(self) -> None:
        """Ask the registry who is champion, and take up who became it.

        Who cannot be read or confirmed does not answer.
        """
        standing: InOffice[Model] | None = None
        try:
            standing = self._confirmed()
            self._complained = False
        except (SaysoError, OSError, ValueError) as error:
            if not self._complained:  # it is looked at every few seconds until somebody mends it
                log.warning("the champion of %s cannot be loaded: %s", self.name, error)
            self._complained = True
        finally:
            self._in_office = standing

    def _confirmed(self) -> InOffice[Model] | None:
        found = self._registry.by_alias(self.name, CHAMPION)
        if found is None:
            return None
        there = self._in_office
        if there is not None and there.loaded.version.version == found.version and there.unchanged:
            return there
        loaded, folder = self.version(found.version), self._registry.folder(found)
        files = tuple(sorted(file for file in folder.rglob("*") if file.is_file()))
        before = stamp(files)
        # Checked once more, since they may have changed before they were stamped.
        self._registry.folder(found)
        return InOffice(loaded, files, before)

    def _load(self, version: str) -> Loaded[Model]:
        """A version by its number. Raises `ModelUnavailable`."""
        found = self._registry.version(self.name, version)
        try:
            model = self._read(self._registry.folder(found))
            return Loaded(found, model, self._explain(model))
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            BadZipFile,
        ) as error:  # what foreign files raise
            raise ModelUnavailable(
                f"the files of `{self.name}` version {version} cannot be read: {error}"
            ) from error


def always() -> bool:
    """Nothing but the model itself decides whether it may answer."""
    return True


def churn_champion(
    registry: Registry, may_answer: Callable[[], bool] = always
) -> Champion[ChurnModel]:
    """The churn champion; its contributions are on the calibrated scale."""

    def explain(model: ChurnModel) -> Attribution:
        model.log_odds(_nothing_known(model.features))
        return Attribution(model.booster)

    return Champion(registry, "churn", ChurnModel.load, explain, may_answer)


def next_purchase_champion(
    registry: Registry, may_answer: Callable[[], bool] = always
) -> Champion[NextPurchaseModel]:
    """The next-purchase champion."""

    def explain(model: NextPurchaseModel) -> Attribution:
        model.score(_nothing_known(model.features))
        return Attribution(model.booster)

    return Champion(registry, "next_purchase", NextPurchaseModel.load, explain, may_answer)


def _nothing_known(features: Sequence[str]) -> Floats:
    """The row to ask a new model about, which lays out its trees and compiles what asks them: no
    request has to wait for that.
    """
    return np.full((1, len(features)), np.nan)
