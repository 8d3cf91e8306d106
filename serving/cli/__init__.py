"""The command line."""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from features.errors import SaysoError


class Listed(NamedTuple):
    """What the list of commands needs, so that none is imported for it."""

    module: str
    """Which module of `serving.cli` holds the command."""
    sentence: str
    """The command's own sentence, or as much of it as a line of the list may hold."""


COMMANDS = {
    "demo": Listed(
        "showing.demo",
        "The whole path on the bundled data of a British gift shop: load, consents, train, promote,"
        " serve, ask.",
    ),
    "try": Listed(
        "showing.trial",
        "Your own export in a throw-away workspace: recognise, load, simulate consents, train, and"
        " open the page of a real customer.",
    ),
    "init": Listed(
        "commands.data",
        "Make a workspace: `sayso.toml` with the sources, the field catalog, horizons and"
        " defaults.",
    ),
    "ingest": Listed(
        "commands.data",
        "Load or refresh the warehouse from the sources in `sayso.toml`; of what was loaded before"
        " only what is new is read.",
    ),
    "features": Listed(
        "commands.data",
        "Write the consented feature frame as Parquet: `NaN` where a customer withholds what a"
        " feature reads.",
    ),
    "sync": Listed(
        "commands.sync",
        "For a scheduler: load the sources, refresh, delete what is past its retention, train what"
        " is due and promote it past its gates.",
    ),
    "upkeep": Listed(
        "commands.upkeep",
        "Record consents that ran out and delete what is past its retention; for a scheduler, once"
        " a day.",
    ),
    "train": Listed(
        "commands.models",
        "Train a model, compare it with its baselines, log it to MLflow and register it as"
        " challenger.",
    ),
    "score": Listed(
        "commands.models",
        "Write the probability, band, contributions and reasons of every customer who may be"
        " scored.",
    ),
    "audience": Listed(
        "commands.audience",
        "Write who may be written to, on which channel and why; each of them is recorded before.",
    ),
    "promote": Listed(
        "commands.promote",
        "Check the gates and make the challenger champion, or refuse with the gate that failed and"
        " its figure; or go back by one champion.",
    ),
    "explain": Listed(
        "commands.explain",
        "Explain what a customer would be answered now, with the reasons that they read and the"
        " numbers behind them.",
    ),
    "serve": Listed("commands.service", "Run the HTTP service until Ctrl-C."),
    "migrate": Listed(
        "commands.operations",
        "Take everything that the database holds to another one, check it there and use that from"
        " now on.",
    ),
    "backup": Listed(
        "commands.operations",
        "Write database, warehouse and models, as they were at one moment, to a file or folder.",
    ),
    "restore": Listed(
        "commands.operations",
        "Make a workspace from a backup, in which whoever was erased since stays erased.",
    ),
    "doctor": Listed(
        "commands.operations",
        "Say what is wrong with a workspace and what to do about it, and mend what is safe.",
    ),
    "build": Listed(
        "commands.operations", "Make a Bento of the program, with its lock and a container file."
    ),
    "selftest": Listed(
        "commands.selftest",
        "Put what Sayso promises to the test, each in a shop of its own that is thrown away"
        " afterwards.",
    ),
    "templates": Listed(
        "commands.templates",
        "List every sentence that a reason can be said in: its features, what it speaks for, and"
        " its text in each language.",
    ),
    "consent": Listed("commands.consent", "What customers granted, refused and withdrew."),
    "customer": Listed(
        "commands.customer", "A customer's rights: to see, to correct, to be erased."
    ),
    "vault": Listed("commands.upkeep", "The keys that personal data is encrypted with."),
    "models": Listed("commands.status", "The models, and whose data they learnt from."),
    "keys": Listed("commands.keys", "API keys of the service."),
    "benchmark": Listed(
        "benchmarks.command", "Measure against peers, on your own data and machine."
    ),
}
"""Which module holds which command, in the order in which they are listed.

Only the module of the command that is called is imported, since some take seconds.
"""


class Commands(TyperGroup):
    """Lists the commands as `COMMANDS` tells of them, and imports the one that is called."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, listed in COMMANDS.items():
            self.add_command(TyperCommand(name, help=listed.sentence))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that `args` call, imported, and the arguments left for it."""
        name, command, left = super().resolve_command(ctx, args)
        return name, imported(name) if name else command, left


def imported(name: str) -> Any:
    """The command `name` as its module makes it."""
    app = _typer(TyperGroup)
    import_module(f"serving.cli.{COMMANDS[name].module}").register(app)
    return typer.main.get_group(app).commands[name]


def command_line() -> typer.Typer:
    """All commands."""
    return _typer(Commands)


def _typer(group: type[TyperGroup]) -> typer.Typer:
    app = typer.Typer(
        name="sayso",
        cls=group,
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
    return app


def main() -> None:
    """Run the command line: 0 on success, 2 for wrong use, 1 for a failure that is explained on
    stderr.
    """
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    # Else LightGBM trains 20 times slower on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        command_line()()
    except (SaysoError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        sys.stderr.write(f"{_told(error)}\n")
        sys.exit(1)


def _told(error: SaysoError | OSError) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename} cannot be read or written: {error.strerror}"
    return str(error)
