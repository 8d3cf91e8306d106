"""Looking at a service from outside while something befalls it: whether `/livez` and a style sheet
answer at once, and how many threads its worker has.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

AT_ONCE = ("/livez", "/pages/sayso.css")
EVERY_SECONDS = 0.05
LONGEST = 20.0


@dataclass
class Seen:
    """Seconds that `/livez` and the style sheet took; those of them in which the worker waited for
    nothing but a processor; seconds of a processor that its threads had meanwhile; seconds of a
    bare server at the same moments; the most threads; what got no answer.
    """

    took: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    threads: int = 0
    silent: int = 0
    without_processor: float = 0.0
    """Share of the time for which the worker wanted to go on and had no processor."""

    @property
    def slowest(self) -> float:
        """The longest that anything took."""
        return max(self.took, default=0.0)

    @property
    def slowest_of_worker(self) -> float:
        """The longest that anything took beside waiting for a processor."""
        return max(
            (took - waited for took, waited in zip(self.took, self.waited, strict=True)),
            default=0.0,
        )

    @property
    def worked_at_slowest(self) -> float:
        """What the worker's threads had of a processor during the longest look."""
        return max(zip(self.took, self.worked, strict=True), default=(0.0, 0.0))[1]

    @property
    def of_machine(self) -> float:
        """The longest that the bare server took: what the machine adds to everything."""
        return max(self.bare, default=0.0)


@contextmanager
def bare_server() -> Iterator[int]:
    """The port of a server that does nothing but answer, while the block runs."""
    command = [sys.executable, "-m", "serving.proofs.blocking.bare_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command
        if process.stdout is None:
            raise ChildProcessError("the bare server has no output")
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


@contextmanager
def watching(port: int, bare: int, worker: int) -> Iterator[Seen]:
    """Look all the while that the block runs."""
    seen, over = Seen(), threading.Event()

    def look() -> None:
        while not over.wait(EVERY_SECONDS):
            for path in AT_ONCE:
                before = processor_times(worker)
                took = asked(port, path)
                seen.silent += took is None
                seen.took.append(LONGEST if took is None else took)
                seen.waited.append(waited_since(before, worker, seen.took[-1]))
                seen.worked.append(worked_since(before, worker))
            seen.bare.append(asked(bare, "/") or LONGEST)
            seen.threads = max(seen.threads, threads_of(worker))

    watcher = threading.Thread(target=look, name="watch")
    began, before = time.monotonic(), processor_times(worker)
    watcher.start()
    try:
        yield seen
    finally:
        lasted = time.monotonic() - began
        seen.without_processor = waited_since(before, worker, lasted) / lasted
        over.set()
        watcher.join()


def asked(port: int, path: str) -> float | None:
    """Seconds until the first bytes of a 200 came; None where none came."""
    began = time.perf_counter()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=LONGEST) as line:
            line.sendall(f"GET {path} HTTP/1.1\r\nHost: selftest\r\n\r\n".encode())
            answer = line.recv(64)
    except OSError:
        return None
    return time.perf_counter() - began if answer.startswith(b"HTTP/1.1 200") else None


Times = dict[int, tuple[float, float]]
"""By thread: seconds at work on a processor, and seconds ready to go on without one."""


def processor_times(process: int) -> Times:
    """The times of each thread of a process since its beginning; empty where the system does not
    tell.
    """
    times: Times = {}
    with suppress(OSError):
        for thread in Path(f"/proc/{process}/task").iterdir():
            with suppress(OSError, ValueError, IndexError):
                told = (thread / "schedstat").read_text(encoding="ascii").split()
                times[int(thread.name)] = int(told[0]) / 1e9, int(told[1]) / 1e9
    return times


def waited_since(before: Times, process: int, seconds: float) -> float:
    """How many of the last `seconds` a process that wanted to go on had no processor for.

    No thread of it was at work then, and some were ready; what it waits for otherwise, such as a
    database, does not count.
    """
    work, wait = _times_since(before, process)
    return max(0.0, min(seconds - work, wait))


def worked_since(before: Times, process: int) -> float:
    """Seconds of a processor that all threads of a process had since."""
    return _times_since(before, process)[0]


def _times_since(before: Times, process: int) -> tuple[float, float]:
    since = [
        (work - before[thread][0], wait - before[thread][1])
        for thread, (work, wait) in processor_times(process).items()
        if thread in before
    ]
    return sum(work for work, _ in since), sum(wait for _, wait in since)


def threads_of(process: int) -> int:
    """How many threads a process has; 0 where it has ended."""
    try:
        return sum(1 for _ in Path(f"/proc/{process}/task").iterdir())
    except OSError:
        return 0


def workers_on(port: int) -> list[int]:
    """The process ids of the workers that answer on `port`: children of the one that listens."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and f"--port\0{port}\0" in _command(entry):
            children = Path(f"{entry}/task/{entry.name}/children").read_text(encoding="ascii")
            return [
                int(child)
                for child in children.split()
                if "_bentoml_impl.worker.service" in _command(Path(f"/proc/{child}"))
            ]
    return []


def worker_on(port: int) -> int:
    """The process id of the first of them."""
    workers = workers_on(port)
    if not workers:
        raise ProcessLookupError(f"no worker answers on port {port}")
    return workers[0]


def _command(process: Path) -> str:
    try:
        return (process / "cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
