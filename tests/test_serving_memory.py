"""What a process of the service imports, and what it holds at rest."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest
import typer

from features.database.engine import MIGRATIONS, newest_revision
from features.errors import WorkspaceError
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.cli import COMMANDS, imported
from serving.live.assortment import stock
from serving.live.program_text import MAPPINGS, OWN, Mapping
from serving.live.reader_process import ReaderEnded, ReaderProcess, read_here
from serving.live.statistics import read_statistics
from serving.server import free_port, running
from tests.serving_shop import copied

pytest_plugins = ["tests.serving_fixtures"]

WORKER_MB = 300
SERVICE_MB = 400
RESTED_SECONDS = 15.0


def imported_by(code: str) -> set[str]:
    """Packages and modules that a new process holds after it ran `code`."""
    told = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", f"{code}\nimport sys; sys.stderr.write(' '.join(sys.modules))"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(told.stderr.split())


def pss(process: int) -> float:
    """Proportional set size in MB."""
    rollup = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in rollup.splitlines() if "Pss:" in line) / 1024


def children_of(process: int) -> list[int]:
    """The processes that it started and that run still."""
    listed = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    return [int(child) for child in listed.split()]


def command_of(process: int) -> bytes:
    """The command line of a process."""
    return Path(f"/proc/{process}/cmdline").read_bytes()


def test_the_list_of_commands_imports_none_of_them() -> None:
    """`sayso --help` imports no library that a command works with."""
    code = (
        "import sys; sys.argv = ['sayso', '--help']\n"
        "from serving.cli import main\n"
        "try: main()\nexcept SystemExit: pass"
    )
    assert not {"pandas", "ibis", "lightgbm", "mlflow", "sqlalchemy", "rich"} & imported_by(code)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_a_command_what_it_says_of_itself(name: str) -> None:
    """A command's sentence in the list is its own."""
    own = imported(name)
    assert COMMANDS[name].sentence == " ".join(own.help.split("\n\n")[0].split())


def test_every_command_is_listed() -> None:
    """No module makes a command that `sayso --help` leaves out."""
    made = set()
    for module in {listed.module for listed in COMMANDS.values()}:
        app = typer.Typer()
        app.callback()(lambda: None)
        import_module(f"serving.cli.{module}").register(app)
        made |= set(typer.main.get_group(app).commands)
    assert made == set(COMMANDS)


@pytest.mark.slow
def test_the_supervisor_imports_nothing_that_answers() -> None:
    """What BentoML's supervisor imports to start workers is free of what only a worker uses."""
    held = imported_by("import serving.http.service")
    assert not {"pandas", "fastapi", "sqlalchemy", "features.shop.shop"} & held


def test_the_newest_revision_is_told_by_the_names_of_files() -> None:
    """Alembic finds the same newest revision as the names of the migrations' files tell."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - for this test alone

    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == newest_revision()


@pytest.mark.slow
def test_a_process_of_its_own_reads_what_is_read_here(served_root: Path) -> None:
    """Assortment and statistics are the same, whichever process reads them."""
    workspace = Workspace.open(served_root)
    shop, reader = Shop(workspace), ReaderProcess(("serving.live.assortment",))
    try:
        assert reader(stock, shop) == read_here(stock, shop)
        there, here = reader(read_statistics, shop), read_statistics(shop)
        assert (there.generation, there.ledger_seq) == (here.generation, here.ledger_seq)
        for name, array in here.statistics.arrays.items():
            assert there.statistics.arrays[name].tobytes() == array.tobytes()
        assert there.bought.keys() == here.bought.keys()
    finally:
        reader.close()
        shop.database.close()


def test_what_a_process_of_its_own_raises_is_raised_here(served_root: Path, tmp_path: Path) -> None:
    """A fault of reading reaches whoever asked, and the process goes on."""
    workspace = Workspace.open(copied(served_root, tmp_path / "shop"))
    (workspace.warehouse / "current").unlink()
    shop, reader = Shop(workspace), ReaderProcess()
    try:
        for _ in range(2):
            with pytest.raises(WorkspaceError, match="the warehouse is empty"):
                reader(stock, shop)
    finally:
        reader.close()


@pytest.mark.slow
def test_a_process_that_ended_is_started_anew(served_root: Path) -> None:
    """Killed while it rests or asked after it ended, the process is there for the next question."""
    workspace = Workspace.open(served_root)
    shop, reader = Shop(workspace), ReaderProcess()
    try:
        first = reader.wake()
        first.kill()
        first.wait()
        assert reader(stock, shop).best_sellers
        assert reader.wake().pid != first.pid
        with pytest.raises(ReaderEnded, match="ended early"):
            reader(end_now, shop)
        assert reader(stock, shop).best_sellers
    finally:
        reader.close()
        shop.database.close()


def end_now(_shop: Shop) -> None:
    """End this process as a killed one ends."""
    os._exit(1)


@pytest.mark.skipif(not MAPPINGS.is_file(), reason="the system does not tell what a process holds")
def test_a_process_lets_go_of_code_and_goes_on() -> None:
    """After letting go of its libraries' code a process is smaller, and computes as before."""
    code = (
        "import pandas as pd\n"
        "from serving.live.program_text import let_go, mappings\n"
        "def held(): return sum(part.kilobytes['Rss'] for part in mappings())\n"
        "before = held()\n"
        "assert let_go() > 10 * 2**20\n"
        "assert held() < before - 10 * 2**10, (before, held())\n"
        "assert pd.DataFrame({'a': [1, 1, 2]}).groupby('a').size().tolist() == [2, 1]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own code


def test_memory_that_differs_from_its_file_is_kept() -> None:
    """Only what may not change, and has not, is let go of."""
    clean = Mapping(0, 4096, "r-xp", "/lib/x.so", {"Rss": 4, "Private_Dirty": 0, "Anonymous": 0})
    assert clean.unchanged
    assert not clean._replace(access="rw-p").unchanged
    assert not clean._replace(file="[heap]").unchanged
    assert not clean._replace(file="").unchanged
    for name in OWN:
        assert not clean._replace(kilobytes={**clean.kilobytes, name: 4}).unchanged


@pytest.mark.slow
def test_the_service_is_small_at_rest(served_root: Path, tmp_path: Path) -> None:
    """At rest a worker holds at most 300 MB, and the service with it at most 400 MB."""
    workspace = Workspace.open(copied(served_root, tmp_path / "shop"))
    with running(workspace, free_port(), tmp_path / "log"):
        time.sleep(RESTED_SECONDS)
        supervisor = next(
            child for child in children_of(os.getpid()) if b"bentoml" in command_of(child)
        )
        [worker] = children_of(supervisor)  # who read the warehouse has ended
        held = {"supervisor": pss(supervisor), "worker": pss(worker)}
    assert held["worker"] <= WORKER_MB, held
    assert sum(held.values()) <= SERVICE_MB, held
