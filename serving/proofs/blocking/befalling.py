"""What befalls a service while it is asked, on either database."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path

from features.database.engine import Database
from features.shop.workspace import Workspace
from serving.proofs.blocking.senders import Parcel
from serving.proofs.stage.postgres import PostgresServer

WRONG_ELEMENTS = 490_000
LOGIN_BYTES = 990_000
LOCKED_FOR, FREE_FOR = 0.3, 0.1
Befalling = Callable[[], AbstractContextManager[Sequence[str] | None]]
"""Gives what was answered wrongly meanwhile, complete once it is over."""


def sent(parcel: Parcel) -> Befalling:
    """Eight senders in a process apart send `parcel` again and again."""

    @contextmanager
    def befall() -> Iterator[list[str]]:
        command = [sys.executable, "-m", "serving.proofs.blocking.senders"]
        pipe, wrong = subprocess.PIPE, list[str]()
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:  # noqa: S603 - our own command
            if process.stdin is None or process.stdout is None:
                raise ChildProcessError("the senders have no pipes")
            process.stdin.write(f"{json.dumps(asdict(parcel))}\n")
            process.stdin.flush()
            process.stdout.readline()
            try:
                yield wrong
            finally:
                process.stdin.close()
                wrong += json.load(process.stdout)

    return befall


def wrong_elements(port: int, key: str) -> Befalling:
    """A megabyte of elements that are no products."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    opening = '{"customer_id": "x", "exclude": [1'
    return sent(
        Parcel(port, "/v1/recommendations", headers, opening, ",1", WRONG_ELEMENTS - 1, "]}")
    )


def large_logins(port: int) -> Befalling:
    """A megabyte to the console's login."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return sent(Parcel(port, "/console/login", headers, "key=", "x", LOGIN_BYTES))


def locked(database: Database) -> Befalling:
    """Somebody else writes and does not come to an end."""

    @contextmanager
    def befall() -> Iterator[None]:
        with database.write():
            yield

    return befall


def slow(database: Database) -> Befalling:
    """Somebody else writes for most of the time."""

    @contextmanager
    def befall() -> Iterator[None]:
        over = threading.Event()

        def go_on() -> None:
            while not over.wait(FREE_FOR):
                with database.write():
                    over.wait(LOCKED_FOR)

        writer = threading.Thread(target=go_on)
        writer.start()
        try:
            yield
        finally:
            over.set()
            writer.join()

    return befall


def file_gone(workspace: Workspace) -> Befalling:
    """The SQLite file is not where it was."""

    @contextmanager
    def befall() -> Iterator[None]:
        names = [f"sayso.db{suffix}" for suffix in ("", "-wal", "-shm")]
        there = [file for name in names if (file := workspace.root / name).exists()]
        for file in there:
            file.rename(file.with_name(f"{file.name}.away"))
        try:
            yield
        finally:
            for file in there:
                file.with_name(f"{file.name}.away").rename(file)

    return befall


def frozen(server: PostgresServer) -> Befalling:
    """PostgreSQL takes no step, while its connections stay open."""

    @contextmanager
    def befall() -> Iterator[None]:
        server.freeze()
        try:
            yield
        finally:
            server.thaw()

    return befall


def stopped(server: PostgresServer) -> Befalling:
    """PostgreSQL has ended with all its connections."""

    @contextmanager
    def befall() -> Iterator[None]:
        server.crash()
        try:
            yield
        finally:
            server.start()

    return befall


def full_disk(folder: Path) -> Befalling:
    """There is no room on the disk of `folder`."""

    @contextmanager
    def befall() -> Iterator[None]:
        ballast = folder / "ballast"
        with ballast.open("wb", buffering=0) as file:
            size = 1 << 20
            while size:
                try:
                    os.write(file.fileno(), b"\0" * size)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    size //= 2
        try:
            yield
        finally:
            ballast.unlink()

    return befall
