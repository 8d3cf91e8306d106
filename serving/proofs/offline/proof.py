"""The promise that nothing calls home: the whole path works without a network, and strace sees
nobody try to reach one.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from features.progress import Progress
from serving.proofs.offline.attempted_calls import SYSTEM_CALLS, Attempt, attempts
from serving.proofs.offline.calling_home import PLANTED
from serving.proofs.stage.proof import TENTH, CannotProve, Finding, Proof
from serving.proofs.stage.sandbox import NETWORK, bare_environment, own, run_in_sandbox, tracing

PATH = "serving.proofs.offline.path"
CALLER = "serving.proofs.offline.calling_home"


def prove(folder: Path, share: float, progress: Progress) -> Finding:
    """Walk the demo's path at full size, else that of a small shop, traced and without a network;
    below a tenth nothing is trained.
    """
    shop = "demo" if share >= 1 else "small" if share >= 1 / TENTH else "untrained"
    control = _control(folder)
    trace = folder / "path.trace"
    apart = [*own(NETWORK), *tracing(SYSTEM_CALLS, trace)]
    seen = run_in_sandbox(apart, PATH, [str(folder), shop], folder, progress)
    tried = _read(trace)
    outward = [attempt for attempt in tried if attempt.leads_out]
    figures = {
        name: seen[name] for name in ("network interfaces", "answers", "pages and style sheets")
    }
    faults = [f"something tried to reach {attempt}" for attempt in sorted(set(map(str, outward)))]
    return Finding(
        {
            **figures,
            "connections and messages traced": len(tried),
            "attempts to leave the machine": len(outward),
            "planted attempts seen": control,
            "addresses of elsewhere in pages": len(seen["foreign"]),
        },
        (*faults, *_faults(seen)),
    )


def _faults(seen: dict[str, list[str]]) -> Iterator[str]:
    yield from (f"a page names an address of elsewhere: {found}" for found in seen["foreign"])
    yield from (f"the page {name} failed" for name in seen["refused"])


def _control(folder: Path) -> int:
    """Number of attempts seen of a program that does call home: without them, seeing none would
    mean nothing.
    """
    trace = folder / "control.trace"
    command = [*own(NETWORK), *tracing(SYSTEM_CALLS, trace), sys.executable, "-m", CALLER]
    subprocess.run(command, check=True, env=bare_environment(folder), capture_output=True)  # noqa: S603 - our own command
    out = [attempt for attempt in _read(trace) if attempt.leads_out]
    if missed := [host for host in PLANTED if host not in {attempt.host for attempt in out}]:
        raise CannotProve(
            f"strace did not show planted attempts to reach {', '.join(missed)}, so it would show"
            " no others here either"
        )
    return len(out)


def _read(trace: Path) -> list[Attempt]:
    with trace.open(encoding="utf-8", errors="replace") as lines:
        return attempts(lines)


OFFLINE = Proof(
    "offline",
    "nothing calls home: data, training, service and pages need no network, and nothing tries to"
    " reach one",
    prove,
)
