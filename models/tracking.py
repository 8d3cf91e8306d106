"""MLflow: runs, and the versions registered with it. The only module that imports it."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

import lightgbm
import numpy as np
import pandas as pd
from filelock import FileLock
from sqlalchemy import make_url

from features.database.engine import Database
from features.errors import ModelUnavailable
from features.shop.binding import open_database
from features.shop.workspace import Workspace
from models.artifact_digest import require_sealed, seal
from models.mlflow_names import Names, registered, registered_parts
from models.registry import (
    CHALLENGER,
    CHAMPION,
    FILES_DIGEST,
    GATE,
    OVERRIDE,
    Entry,
    Registry,
    Version,
    knows_of_none,
)
from models.training_run import Run

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.entities import RunInfo
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models.model import ModelInfo

BEFORE = "champion.before"
"""Tag of a version: the one that was champion before it."""
REGISTERED = "registered_as"
"""Tag of a version here: what MLflow calls it, where that differs."""
FOLDER = "sayso"
"""Folder of a run's artifacts that holds the model as data."""
CARD = "model_card.html"
NO_SUCH = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""What MLflow says where it has no such model or alias; anything else means that it cannot tell."""
DIGEST_LENGTH = 36
"""As long as a digest may be in MLflow's list of data sets."""
ADOPTED = ("churn", "next_purchase")
"""Models that a workspace of before may have in MLflow alone."""

log = logging.getLogger("sayso.tracking")


class Tracking(Registry):
    """The registry of a workspace, and MLflow's store at `uri` beside it, where runs are logged and
    versions registered under `names`.

    MLflow's artifacts lie in `artifacts`, or where its server keeps them.
    """

    def __init__(
        self,
        uri: str,
        artifacts: Path,
        database: Database,
        folder: Path,
        names: Names | None = None,
    ) -> None:
        super().__init__(database, folder)
        self._uri = uri
        self._names = names or Names()
        self._artifacts = artifacts
        self._one_at_a_time = FileLock(artifacts.with_name(f"{artifacts.name}.lock"))
        _prepare_mlflow(uri)

    @classmethod
    def of(cls, workspace: Workspace, database: Database | None = None) -> Tracking:
        """The registry and store of a workspace, with the versions that MLflow alone knows of."""
        database = database or open_database(workspace)
        names = Names(
            workspace.config.shop.name, workspace.mark if is_shared(workspace.mlflow_uri) else ""
        )
        made = cls(workspace.mlflow_uri, workspace.artifacts, database, workspace.models, names)
        if made.may_know_more:
            made.adopt()
        return made

    @property
    def _shared(self) -> bool:
        return is_shared(self._uri)

    @cached_property
    def _client(self) -> MlflowClient:
        import mlflow  # noqa: PLC0415 - takes seconds to import, and commands that need no model should not wait for it

        # Its notes on making tables would stand amid our own output.
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        mlflow.set_tracking_uri(self._uri)
        mlflow.set_registry_uri(self._uri)
        # The first to ask makes the tables, and two who do so at once fail.
        with self._one_at_a_time:
            client = mlflow.MlflowClient(self._uri, self._uri)
            client.search_experiments(max_results=1)
            client.search_registered_models(max_results=1)
        return client

    def record(self, run: Run) -> Version:
        """Log a run, register its model and make it the challenger."""
        import mlflow  # noqa: PLC0415 - see `_client`

        with self._one_at_a_time:
            self._ensure(run.model)
        mlflow.set_experiment(self._names.of(run.model))
        with mlflow.start_run(tags=dict(run.tags)) as active:
            _log(run)
            with tempfile.TemporaryDirectory() as folder:
                run.save(Path(folder))
                digest = seal(Path(folder))
                mlflow.log_artifacts(folder, FOLDER)
                logged = _log_booster(run)
                with self._one_at_a_time:
                    version = self._register(run, logged, active.info, digest)
                    self.add(Entry(version, Path(folder), (CHALLENGER,)))
        return version

    def _register(self, run: Run, logged: ModelInfo, info: RunInfo, digest: str) -> Version:
        """The version that a run becomes, in MLflow and here.

        Both count alike, unless MLflow begins anew, as another server does.
        """
        name = self._names.of(run.model)
        made = self._client.create_model_version(
            name,
            logged.model_uri,
            run_id=info.run_id,
            model_id=logged.model_id,
            tags={**run.tags, FILES_DIGEST: digest},
            description=_description(run, info),
        )
        self._client.set_registered_model_alias(name, CHALLENGER, made.version)
        found = self._described(self._client.get_model_version(name, made.version), run.model)
        known = [int(one.version) for one, _ in self.versions(run.model)]
        number = str(max(int(made.version), max(known, default=0) + 1))
        if (name, str(made.version)) == (run.model, number):
            return found
        own = {REGISTERED: registered(name, str(made.version))}
        return replace(found, version=number, tags={**found.tags, **own})

    def promote(
        self, version: Version, gates: Mapping[str, str], override: Mapping[str, str] | None = None
    ) -> None:
        """Make `version` the champion, with what its gates said, what was overridden, and which
        version was champion before.
        """
        tags = {f"{GATE}{name}": said for name, said in gates.items()}
        tags |= {f"{OVERRIDE}{name}": said for name, said in (override or {}).items()}
        standing = self.by_alias(version.model, CHAMPION)
        if standing is not None and standing.version != version.version:
            tags[BEFORE] = standing.version
        kept = {
            name: said
            for name, said in self.version(version.model, version.version).tags.items()
            if not name.startswith((GATE, OVERRIDE))
        }
        self._name_champion(version, {**kept, **tags})

    def reinstate(self, version: Version, tags: Mapping[str, str]) -> None:
        """Make a version champion that was it before; what its gates said then stays with it."""
        self._name_champion(version, {**self.version(version.model, version.version).tags, **tags})

    def _name_champion(self, version: Version, tags: Mapping[str, str]) -> None:
        """In our database, which alone decides, and so that MLflow shows the same."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - see `_client`

        before = self.version(version.model, version.version).tags
        own = registered(version.model, version.version)
        where = registered_parts(before.get(REGISTERED, own))
        try:
            for name in before.keys() - tags.keys():
                self._client.delete_model_version_tag(*where, name)
            for name, said in tags.items():
                if before.get(name) != said:
                    self._client.set_model_version_tag(*where, name, said)
            self._client.set_registered_model_alias(where[0], CHAMPION, where[1])
        except MlflowException as error:
            if error.error_code not in NO_SUCH:
                raise
            log.warning("MLflow does not know version %s of %s", where[1], where[0])
        self.name_champion(version, tags)

    @property
    def may_know_more(self) -> bool:
        """Whether MLflow may know of versions that our database was never told of, as before it
        kept them: it knows of none, and MLflow has a store.
        """
        if self._shared:  # no version of before kept its models there
            return False
        file = make_url(self._uri).database if self._uri.startswith("sqlite:") else None
        return (file is None or Path(file).exists()) and knows_of_none(self._database)

    def adopt(self) -> None:
        """Take in all versions, their files and who is champion from MLflow: all, or none.

        A version whose files are gone or were changed is taken in without them.
        """
        entries = [entry for model in ADOPTED for entry in self._entries(model)]
        with self._one_at_a_time:
            if not entries or not self.may_know_more:  # another process was quicker
                return
            self.add(*entries)
        log.warning("took %d versions of models over from MLflow", len(entries))

    def _entries(self, model: str) -> Iterator[Entry]:
        known = self._known(model)
        held = {alias: self._alias(model, alias) for alias in (CHAMPION, CHALLENGER)}
        for one in (self._described(found, model) for found in known):
            files: Path | None = None
            try:
                files = self._logged(one)
            except ModelUnavailable as error:
                log.warning("%s", error)
            roles = tuple(alias for alias, number in held.items() if number == one.version)
            yield Entry(one, files, roles)

    def _known(self, model: str) -> list[ModelVersion]:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - see `_client`

        order = ["version_number ASC"]
        try:
            return list(self._client.search_model_versions(f"name = '{model}'", order_by=order))
        except MlflowException as error:
            raise ModelUnavailable(
                f"MLflow cannot tell which versions of `{model}` there are: {error.error_code}"
            ) from error

    def _alias(self, model: str, alias: str) -> str | None:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - see `_client`

        try:
            return str(self._client.get_model_version_by_alias(model, alias).version)
        except MlflowException as error:
            if error.error_code in NO_SUCH:
                return None
            raise ModelUnavailable(
                f"MLflow cannot tell which version of `{model}` is {alias}: {error.error_code}"
            ) from error

    def _logged(self, version: Version) -> Path:
        """Folder with a model's files as MLflow keeps them.

        Raises `ModelUnavailable` where they are gone or were changed. They are looked for in this
        workspace first, since it may have been moved or copied after they were logged.
        """
        from mlflow.exceptions import MlflowException  # noqa: PLC0415

        try:
            uri = urlparse(str(self._client.get_run(version.run_id).info.artifact_uri))
            if uri.scheme == "file":
                logged = Path(unquote(uri.path)) / FOLDER
                own = self._artifacts.joinpath(version.model, version.run_id, *logged.parts[-2:])
                folder = own if own.exists() else logged
            else:
                folder = Path(self._client.download_artifacts(version.run_id, FOLDER))
            require_sealed(folder, version.tags.get(FILES_DIGEST, ""))
        except (MlflowException, OSError, ValueError) as error:
            raise ModelUnavailable(
                f"the files of `{version.model}` version {version.version} cannot be read: {error}"
            ) from error
        return folder

    def _ensure(self, model: str) -> None:
        """Make the experiment and the registered model where they are not there yet.

        A server says itself where artifacts go. In a store of the workspace's own, the experiment
        of one that was moved or copied would go on to write where it was, so it is put aside under
        another name.
        """
        name = self._names.of(model)
        location = None if self._shared else (self._artifacts / model).as_uri()
        experiment = self._client.get_experiment_by_name(name)
        if (
            experiment is not None
            and location is not None
            and experiment.artifact_location != location
        ):
            self._client.rename_experiment(
                experiment.experiment_id, f"{name} before the move, {experiment.experiment_id}"
            )
            experiment = None
        if experiment is None:
            self._client.create_experiment(name, artifact_location=location)
        if not self._client.search_registered_models(f"name = '{name}'"):
            self._client.create_registered_model(name)

    def _described(self, found: ModelVersion, model: str) -> Version:
        run_id = str(found.run_id)
        run = self._client.get_run(run_id)
        trained_at = datetime.fromtimestamp(found.creation_timestamp / 1000, UTC)
        return Version(
            model,
            str(found.version),
            run_id,
            trained_at,
            run.data.metrics,
            found.tags,
            run.data.params,
        )


def _prepare_mlflow(uri: str) -> None:
    """Set what MLflow looks at when any part of it is first imported, which is why no method does
    it.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    if uri.startswith("sqlite:"):  # a connection kept open would go on with a file that is gone
        os.environ.setdefault("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")


def is_shared(uri: str) -> bool:
    """Whether `uri` is a server's, where other shops may have their models too."""
    return uri.startswith(("http:", "https:"))


def _log(run: Run) -> None:
    """Log to the run under way what it was made with and how good it is."""
    import mlflow  # noqa: PLC0415 - see `_client`

    mlflow.log_params(dict(run.parameters))
    mlflow.log_metrics(dict(run.metrics))
    for number, (parameters, metrics) in enumerate(run.trials):
        with mlflow.start_run(run_name=f"trial {number}", nested=True):
            mlflow.log_params(dict(parameters))
            mlflow.log_metrics(dict(metrics))
    if run.data_digest:
        mlflow.log_input(_data_set(run), context="training")
    for name, document in run.documents.items():
        mlflow.log_dict(document, f"{name}.json")
    for name, text in run.pages.items():
        mlflow.log_text(text, name)
    for name, figure in run.figures.items():
        mlflow.log_figure(figure, f"plots/{name}.png")


def _log_booster(run: Run) -> ModelInfo:
    """Log the booster with its columns by name, so that `mlflow.lightgbm.load_model` gives it
    back.
    """
    import mlflow  # noqa: PLC0415
    from mlflow.models import infer_signature  # noqa: PLC0415 - see `_client`

    booster = lightgbm.Booster(model_str=run.booster.model_to_string())
    nothing_known = pd.DataFrame([[np.nan] * booster.num_feature()], columns=booster.feature_name())
    signature = infer_signature(nothing_known, booster.predict(nothing_known))
    requirement = [f"lightgbm=={lightgbm.__version__}"]
    logged: ModelInfo = mlflow.lightgbm.log_model(
        booster, name=run.model, signature=signature, pip_requirements=requirement
    )
    return logged


def _data_set(run: Run) -> MetaDataset:
    """What a run learnt from, by name and digest; MLflow gets to see nothing of it."""
    from mlflow.data.code_dataset_source import CodeDatasetSource  # noqa: PLC0415 - see `_client`
    from mlflow.data.meta_dataset import MetaDataset  # noqa: PLC0415

    source = CodeDatasetSource(
        tags={
            "warehouse": run.tags.get("warehouse", ""),
            "ledger_seq": run.tags.get("ledger_seq", ""),
        }
    )
    return MetaDataset(source, name=f"{run.model} rows", digest=run.data_digest[:DIGEST_LENGTH])  # type: ignore[abstract]  # it is not


def _description(run: Run, info: RunInfo) -> str | None:
    """A sentence in the registry with a link to the model card, where the run has one."""
    if CARD not in run.pages:
        return None
    address = f"#/experiments/{info.experiment_id}/runs/{info.run_id}/artifacts/{CARD}"
    return f"What it is for, how good it is, and where it ends: [model card]({address})"
