"""What a command shows: tables and sentences for people, one JSON object for programs, progress on
stderr.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from features.progress import Progress as Report

WIDTH = 110


class Screen:
    """Where a command's results go.

    With `as_json`, sentences and tables are kept back and `result` is printed.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self._as_json = as_json
        self._console = Console(
            width=None if sys.stdout.isatty() else WIDTH, highlight=False, soft_wrap=False
        )
        self._errors = Console(stderr=True)

    @property
    def asks(self) -> bool:
        """Whether there is somebody to answer a question."""
        return not self._as_json and sys.stdin.isatty()

    def say(self, text: str = "") -> None:
        """A line for people; Rich's markup is understood."""
        if not self._as_json:
            self._console.print(text)

    def link(self, address: str) -> None:
        """An address on a line of its own, never broken, so that it can be clicked or copied."""
        if not self._as_json:
            self._console.print(f"   {address}", soft_wrap=True, markup=False)

    def table(
        self, title: str | None, columns: Sequence[str], rows: Sequence[Sequence[object]]
    ) -> None:
        """A table for people; all columns but the first are numbers or short words, set to the
        right.
        """
        if self._as_json:
            return
        if title is not None:
            self._console.print(f"\n[bold]{title}[/bold]")
        table = Table(header_style="dim", box=None, pad_edge=False, padding=(0, 3, 0, 0))
        for position, name in enumerate(columns):
            table.add_column(name, justify="left" if position == 0 else "right")
        for row in rows:
            table.add_row(*(str(cell) for cell in row))
        self._console.print(table)

    def result(self, document: Mapping[str, Any]) -> None:
        """The command's outcome for programs."""
        if self._as_json:
            sys.stdout.write(json.dumps(document, ensure_ascii=False, default=str) + "\n")

    @contextmanager
    def progress(self) -> Iterator[Report]:
        """A progress bar on stderr where that is a terminal."""
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(
            *columns, console=self._errors, transient=True, disable=not sys.stderr.isatty()
        ) as bar:
            task = bar.add_task("starting", total=1.0)

            def report(what: str, share: float) -> None:
                bar.update(task, description=what, completed=share)

            yield report


def comparison_rows(
    comparison: Mapping[str, Mapping[str, float]], metrics: Sequence[str]
) -> list[list[str]]:
    """Rows of a table of methods by metrics; a metric that a method has not is left empty."""
    return [
        [method, *(f"{values[name]:.4f}" if name in values else "" for name in metrics)]
        for method, values in comparison.items()
    ]
