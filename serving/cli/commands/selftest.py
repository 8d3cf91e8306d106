"""`sayso selftest`: put the promises to the test on this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from features.errors import SaysoError
from serving.cli.options import DebugOption, JsonOption
from serving.cli.screen import Screen
from serving.proofs.registry import PROOFS
from serving.proofs.stage.proof import TENTH, CannotProve, Finding, Proof


class PromiseBroken(SaysoError):
    """A selftest found a promise that does not hold."""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("selftest")(selftest)


def selftest(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", help="Which ones; all of them where none is named."),
    ] = None,
    *,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="At full size, which takes up to an hour; a tenth of it otherwise."
        ),
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Put what Sayso promises to the test, each in a shop of its own that is thrown away
    afterwards.
    """
    screen = Screen(as_json=as_json)
    found = {
        proof.name: _run(screen, proof, 1.0 if full else 1 / TENTH)
        for proof in _chosen(names or list(PROOFS))
    }
    screen.result({name: _document(finding) for name, finding in found.items()})
    broken = [
        f"{name}: {fault}"
        for name, finding in found.items()
        if isinstance(finding, Finding)
        for fault in finding.faults
    ]
    if broken:
        raise PromiseBroken(
            f"{len(broken)} findings contradict what Sayso promises: {'; '.join(broken[:5])}"
        )


def _document(finding: Finding | CannotProve) -> dict[str, object]:
    if isinstance(finding, CannotProve):
        return {"holds": None, "not_proved_because": str(finding)}
    return {"holds": finding.holds, **finding.figures, "faults": list(finding.faults)}


def _chosen(names: Sequence[str]) -> list[Proof]:
    if unknown := [name for name in names if name not in PROOFS]:
        raise typer.BadParameter(
            f"there is no selftest {unknown[0]!r}; there are {', '.join(PROOFS)}"
        )
    return [PROOFS[name] for name in names]


def _run(screen: Screen, proof: Proof, share: float) -> Finding | CannotProve:
    """What the proof found, or why this machine cannot tell, which is said and is no fault."""
    try:
        with (
            tempfile.TemporaryDirectory(prefix="sayso-selftest-") as folder,
            screen.progress() as progress,
        ):
            finding = proof.run(Path(folder), share, progress)
    except CannotProve as reason:
        screen.say(f"\n[bold]{proof.name}[/bold]: not put to the test here: {reason}")
        return reason
    screen.table(
        f"{proof.name}: {proof.promise}",
        ("measured", ""),
        [(name, figure) for name, figure in finding.figures.items()],
    )
    screen.say(
        "[bold green]holds[/bold green]"
        if finding.holds
        else f"[bold red]{len(finding.faults)} faults[/bold red]"
    )
    return finding
