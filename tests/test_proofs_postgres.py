"""The PostgreSQL server of proofs and tests runs wherever its programs lie."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from sqlalchemy import create_engine, text

from serving.proofs.stage import postgres

pytestmark = pytest.mark.usefixtures("postgres_server")  # skips where there is none


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another user")
def test_programs_that_others_cannot_reach_are_copied(tmp_path):
    """Where another user cannot enter the wheel's folder, they run a copy, with all its parts."""
    installed = postgres.wheel()
    closed, opened = tmp_path / "closed", tmp_path / "opened"
    closed.mkdir(mode=0o700)
    opened.mkdir()
    for part in (installed.name, f"{installed.name}.libs"):
        shutil.copytree(installed.with_name(part), closed / part, copy_function=os.link)
    programs = postgres.programs_for("nobody", closed / installed.name, opened)
    assert programs.is_relative_to(opened)
    for program in postgres.PROGRAMS:
        command = [programs / program, "--version"]
        told = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - the wheel's
        assert b"PostgreSQL" in told.stdout


def test_programs_that_everybody_reaches_stay(tmp_path):
    """Who runs the server as themselves, needs no copy."""
    installed = postgres.wheel()
    assert postgres.programs_for(None, installed, tmp_path).is_relative_to(installed)
    assert not list(tmp_path.iterdir())


def test_a_temporary_folder_that_is_closed_is_not_used(tmp_path, monkeypatch):
    """The server's own folder is in one that its user may enter."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    tmp_path.chmod(0o700)
    with postgres.postgres_server(durable=False) as server:
        engine = create_engine(server.url)
        with engine.connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar() == 1
        engine.dispose()
