"""The command line."""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module

import typer

from features.errors import SaysoError

COMMANDS = {
    "demo": "commands.demo",
    "init": "commands.data",
    "ingest": "commands.data",
    "consent": "commands.consent",
    "customer": "commands.customer",
    "upkeep": "commands.upkeep",
    "vault": "commands.upkeep",
    "features": "commands.data",
    "train": "commands.models",
    "promote": "commands.promote",
    "score": "commands.models",
    "explain": "commands.explain",
    "models": "commands.status",
    "serve": "commands.service",
    "keys": "commands.keys",
    "selftest": "commands.selftest",
    "benchmark": "benchmarks.command",
    "templates": "commands.templates",
}
"""Which module holds which command.

Only the one that is called is imported, since some take seconds.
"""


def command_line(wanted: str | None = None) -> typer.Typer:
    """All commands, or only the module of the `wanted` one."""
    app = typer.Typer(
        name="sayso",
        help=(
            "Predicts what each customer is likely to do and want next, from nothing but what they"
            " agreed to share, and tells them why."
        ),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(lambda: None)
    names = [COMMANDS[wanted]] if wanted in COMMANDS else list(dict.fromkeys(COMMANDS.values()))
    for name in names:
        import_module(f"serving.cli.{name}").register(app)
    return app


def main() -> None:
    """Run the command line: 0 on success, 2 for wrong use, 1 for a failure that is explained on
    stderr.
    """
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    # Else LightGBM trains 20 times slower on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        command_line(next(iter(sys.argv[1:]), None))()
    except (SaysoError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        sys.stderr.write(f"{_told(error)}\n")
        sys.exit(1)


def _told(error: SaysoError | OSError) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename} cannot be read or written: {error.strerror}"
    return str(error)
