"""`sayso audience NAME`: who may be written to, into a file or to the screen."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from features import clock
from features.config.environment import Settings
from features.shop.workspace import Workspace
from serving.access.caller import AT_COMMAND_LINE
from serving.audiences.audience import Asked, Member
from serving.audiences.lines import csv_head, csv_lines, json_lines
from serving.cli.adoption import assembled
from serving.cli.options import DEFAULT_WORKSPACE, DebugOption, JsonOption, WorkspaceOption
from serving.cli.screen import Screen


class LineFormat(StrEnum):
    """How an audience is written."""

    JSONL = "jsonl"
    CSV = "csv"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("audience")(audience)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no moment; write it as 2026-12-31T09:00Z") from None
    return said if said.tzinfo else said.replace(tzinfo=UTC)


def audience(
    name: Annotated[str, typer.Argument(help="The audience, as sayso.toml defines it.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to write it; else stdout.")
    ] = None,
    format: Annotated[
        LineFormat | None,
        typer.Option("--format", help="By the name of FILE where it is not given, else jsonl."),
    ] = None,
    language: Annotated[
        str | None, typer.Option("--language", help="Language of the reasons; else the shop's.")
    ] = None,
    send_at: Annotated[
        str | None,
        typer.Option(
            "--send-at",
            metavar="MOMENT",
            help="When they are written to (ISO 8601, UTC without an offset); else now.",
        ),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    pseudonyms: Annotated[
        bool, typer.Option("--pseudonyms", help="Write pseudonyms in place of the shop's ids.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write who may be written to, on which channel and why; each of them is recorded before."""
    if as_json and out is None:
        raise typer.BadParameter(
            "`--json` prints one object, so say with `--out` where the lines go"
        )
    asked = Asked(name, language, _moment(send_at), pseudonyms)
    screen = Screen(as_json=as_json)
    with screen.progress() as progress:
        progress("reading", 0.0)
        sayso = assembled(Workspace.open(workspace, Settings()))
        try:
            as_csv = (format or _told_by(out)) is LineFormat.CSV
            given = sayso.audiences.give(asked, AT_COMMAND_LINE)
            with _target(out) as target:
                count = _write(given, target, as_csv=as_csv, told=progress)
        finally:
            sayso.close()
    if out is not None:
        screen.say(f"[bold]{count:,}[/bold] customers of `{name}` were written to {out}.")
    at = clock.to_text(asked.send_at) if asked.send_at else None
    told = {"audience": name, "customers": count, "out": out, "send_at": at}
    screen.result({**told, "pseudonymised": pseudonyms})


@contextmanager
def _target(out: Path | None) -> Iterator[BinaryIO]:
    """Where lines go: a file that only its owner reads, and that is there once it is whole."""
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    partial = out.with_name(f"{out.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with os.fdopen(os.open(partial, flags, 0o600), "wb") as handle:
            yield handle
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _told_by(out: Path | None) -> LineFormat:
    return LineFormat.CSV if out is not None and out.suffix == ".csv" else LineFormat.JSONL


def _write(
    given: Iterator[list[Member]],
    target: BinaryIO,
    *,
    as_csv: bool,
    told: Callable[[str, float], None],
) -> int:
    """Write all lines; of how many customers."""
    count = 0
    if as_csv:
        target.write(csv_head())
    for members in given:
        target.write(csv_lines(members) if as_csv else json_lines(members))
        count += len(members)
        told(f"{count:,} customers", 0.5)
    return count
