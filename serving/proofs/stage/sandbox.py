"""Running part of a selftest in a process apart: in a network or a file system of its own, and in a
bare environment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from features.errors import SaysoError
from features.progress import Progress
from serving.proofs.stage.proof import CannotProve

KEPT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "VIRTUAL_ENV")
"""All that a process apart inherits: no setting of Sayso's and no switch of a library's telemetry
is among it.
"""
NETWORK, MOUNTS = "--net", "--mount"
LAST_WORDS = 2_000


class BrokeOff(SaysoError):
    """The process apart ended without a result."""


def bare_environment(home: Path) -> dict[str, str]:
    """The environment of a process apart, whose home is `home`."""
    return {**{name: os.environ[name] for name in KEPT if name in os.environ}, "HOME": str(home)}


def own(namespace: str) -> list[str]:
    """The command that gives what follows it a network (`NETWORK`) or mounts (`MOUNTS`) of its own.

    Raises `CannotProve`.
    """
    for rights in (["--map-root-user"], []):
        command = ["unshare", *rights, namespace]
        if (
            shutil.which("unshare")
            and subprocess.run([*command, "true"], check=False, capture_output=True).returncode == 0  # noqa: S603
        ):
            return command
    raise CannotProve(
        "this needs Linux namespaces: install util-linux, which has `unshare`, and run as root or"
        " where user namespaces are allowed (`sysctl kernel.unprivileged_userns_clone=1`, or"
        " `docker run --privileged`)"
    )


def tracing(system_calls: str, out: Path) -> list[str]:
    """The command that writes down those system calls of what follows it and of all its children.

    Raises `CannotProve`.
    """
    if shutil.which("strace") is None:
        raise CannotProve(
            "this needs strace, which shows every connection that is attempted: `apt-get install"
            " strace`"
        )
    command = [
        "strace",
        "-f",
        "-qq",
        "-s",
        "0",
        "-e",
        f"trace={system_calls}",
        "-e",
        "signal=none",
        "-o",
        str(out),
    ]
    # Stops only at the calls asked for; older ones know no such option.
    quick = [
        *command[:1],
        "--seccomp-bpf",
        *command[1:],
    ]
    for tried in (quick, command):
        if subprocess.run([*tried, "true"], check=False, capture_output=True).returncode == 0:  # noqa: S603 - a fixed command
            return tried
    raise CannotProve(
        "strace may not look at processes here: allow ptrace, such as with `docker run --cap-add"
        " SYS_PTRACE`"
    )


def run_in_sandbox(
    before: Sequence[str], module: str, arguments: Sequence[str], folder: Path, progress: Progress
) -> dict[str, Any]:
    """The result that `module` hands over with `hand_over`, run behind the command `before`.

    Raises `BrokeOff` where it gives none.
    """
    home, log = folder / "home", folder / f"{module.rpartition('.')[2]}.log"
    home.mkdir(parents=True, exist_ok=True)
    command = [*before, sys.executable, "-m", module, *arguments]
    result: dict[str, Any] | None = None
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(  # noqa: S603 - our own command
            command, env=bare_environment(home), stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        for line in process.stdout or ():
            result = _heard(line, progress) or result
    if process.returncode or result is None:
        raise BrokeOff(
            f"a part of the selftest broke off with {process.returncode}:"
            f" {log.read_text(encoding='utf-8')[-LAST_WORDS:]}"
        )
    return result


def _heard(line: str, progress: Progress) -> dict[str, Any] | None:
    """The result, if that is what a line of the process apart holds; else its progress is passed
    on.
    """
    try:
        said = json.loads(line)
    except ValueError:
        return None
    if isinstance(said, dict) and "share" in said:
        progress(said["what"], said["share"])
    return said["result"] if isinstance(said, dict) and "result" in said else None


def pass_on(what: str, share: float) -> None:
    """Progress of a process apart."""
    _say({"what": what, "share": share})


def hand_over(result: Mapping[str, Any]) -> None:
    """Give the result of a process apart to the selftest that started it."""
    _say({"result": dict(result)})


def _say(document: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()
