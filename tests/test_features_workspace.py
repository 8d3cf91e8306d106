"""The workspace: one folder, and what the environment may send elsewhere."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from features.clock import from_text, to_text
from features.config.environment import Settings
from features.errors import WorkspaceError
from features.intake.setup.new_workspace import create
from features.shop.workspace import Workspace

FIRST, LAST = datetime(1971, 1, 1), datetime(2999, 1, 1)  # noqa: DTZ001 - Hypothesis wants bounds without a zone


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A new workspace."""
    create(tmp_path / "shop")
    return Workspace.open(tmp_path / "shop", Settings())


def test_a_folder_without_a_configuration_is_no_workspace(tmp_path: Path) -> None:
    """The error names the folder and the command that makes one."""
    with pytest.raises(WorkspaceError, match=r"nowhere is no workspace.*sayso init nowhere"):
        Workspace.open(tmp_path / "nowhere")


def test_everything_lies_in_the_folder_by_default(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without settings all parts lie below the root, as absolute paths that do not depend on the
    current folder.
    """
    monkeypatch.chdir(tmp_path)
    again = Workspace.open(Path("shop"), Settings())
    assert again.root == workspace.root
    assert again.root.is_absolute()
    assert again.database_url == f"sqlite:///{workspace.root}/sayso.db"
    assert again.mlflow_uri == f"sqlite:///{workspace.root}/mlflow.db"
    assert {again.warehouse.parent, again.rejected.parent, again.artifacts.parent} == {
        workspace.root
    }


def test_the_environment_sends_parts_elsewhere(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Database, MLflow and secret come from their variables, and an empty variable is none."""
    monkeypatch.setenv("SAYSO_DATABASE_URL", "postgresql+psycopg://db/sayso")
    monkeypatch.setenv("SAYSO_MLFLOW_URI", "http://mlflow:5000")
    monkeypatch.setenv("SAYSO_SECRET", "from outside")
    moved = Workspace.open(workspace.root)
    assert (moved.database_url, moved.mlflow_uri, moved.secret()) == (
        "postgresql+psycopg://db/sayso",
        "http://mlflow:5000",
        "from outside",
    )
    assert not (workspace.root / "secret").exists()
    monkeypatch.setenv("SAYSO_DATABASE_URL", "")
    assert Workspace.open(workspace.root).database_url.startswith("sqlite:")


def test_a_secret_is_made_once_for_its_owner_alone(workspace: Workspace) -> None:
    """Sixteen threads that ask at the same time, and later processes, get the same long secret from
    a file of mode 0600.
    """
    made = workspace.secret()
    with ThreadPoolExecutor(16) as pool:
        assert set(
            pool.map(lambda _: Workspace.open(workspace.root, Settings()).secret(), range(16))
        ) == {made}
    assert len(made) >= 43
    assert stat.S_IMODE((workspace.root / "secret").stat().st_mode) == 0o600


def test_a_secret_is_never_read_half_written(workspace: Workspace) -> None:
    """A secret file that another process has made and not yet written is not taken for the
    secret.
    """
    (workspace.root / "secret").touch(mode=0o600)
    try:
        assert len(workspace.secret()) >= 43
    except WorkspaceError:
        return


def test_a_secret_is_not_shown(workspace: Workspace) -> None:
    """Settings and workspace print no secret."""
    secret = Settings(secret=SecretStr("very secret"))
    assert "very secret" not in repr(secret) + str(secret) + repr(Workspace(workspace.root, secret))


@given(moment=st.datetimes(FIRST, LAST, timezones=st.just(UTC)), hours=st.integers(-12, 14))
def test_times_come_back_from_their_text(moment: datetime, hours: int) -> None:
    """A moment in any zone is written in UTC with microseconds and read back equal; one without a
    zone is taken as UTC.
    """
    elsewhere = moment.astimezone(timezone(timedelta(hours=hours)))
    assert to_text(elsewhere) == to_text(moment) == to_text(moment.replace(tzinfo=None))
    assert from_text(to_text(elsewhere)) == moment
    assert len(to_text(moment)) == 27


@given(moments=st.lists(st.datetimes(FIRST, LAST), min_size=2))
def test_texts_sort_as_times_do(moments: list[datetime]) -> None:
    """Sorting the texts is sorting the moments."""
    assert [to_text(moment) for moment in sorted(moments)] == sorted(
        to_text(moment) for moment in moments
    )
