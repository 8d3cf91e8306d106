"""What befalls a service while it is asked, on either database."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx

from features.database.engine import Database
from features.shop.workspace import Workspace
from serving.proofs.stage.postgres import PostgresServer

WRONG_ELEMENTS = 490_000
SENDERS = 8
LOGIN_BYTES = 990_000
LOCKED_FOR, FREE_FOR = 0.3, 0.1
Befalling = Callable[[], AbstractContextManager[None]]


def repeated(work: Callable[[], None], senders: int = 1) -> Befalling:
    """So many threads do `work` again and again while the block runs."""

    @contextmanager
    def befall() -> Iterator[None]:
        over = threading.Event()

        def go_on() -> None:
            while not over.is_set():
                work()

        threads = [threading.Thread(target=go_on) for _ in range(senders)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    return befall


def sending(url: str, path: str, headers: Mapping[str, str], body: bytes) -> Callable[[], None]:
    """Sends `body` once; the service may close the connection before it is through."""

    def send() -> None:
        try:
            answer = httpx.post(url + path, content=body, headers=dict(headers), timeout=60.0)
        except httpx.TransportError:
            return
        if answer.status_code >= 500 and answer.status_code != 503:
            raise ValueError(f"{path} answered {answer.status_code}")

    return send


def wrong_elements(url: str, key: str) -> Befalling:
    """Eight senders of a megabyte of elements that are no products."""
    said = b'{"customer_id": "x", "exclude": [' + b",".join([b"1"] * WRONG_ELEMENTS) + b"]}"
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return repeated(sending(url, "/v1/recommendations", headers, said), SENDERS)


def large_logins(url: str) -> Befalling:
    """Eight senders of a megabyte to the console's login."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return repeated(sending(url, "/console/login", headers, b"key=" + b"x" * LOGIN_BYTES), SENDERS)


def locked(database: Database) -> Befalling:
    """Somebody else writes and does not come to an end."""

    @contextmanager
    def befall() -> Iterator[None]:
        with database.write():
            yield

    return befall


def slow(database: Database) -> Befalling:
    """Somebody else writes for most of the time."""

    def write() -> None:
        with database.write():
            threading.Event().wait(LOCKED_FOR)
        threading.Event().wait(FREE_FOR)

    return repeated(write)


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
