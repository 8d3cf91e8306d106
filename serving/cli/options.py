"""Options that every command takes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.training.registry import task_names

WorkspaceOption = Annotated[
    Path,
    typer.Option(
        "--workspace",
        envvar="SAYSO_WORKSPACE",
        help="Folder of the workspace.",
        show_default=True,
        file_okay=False,
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else there.")
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")]
CustomerArgument = Annotated[
    str, typer.Argument(metavar="CUSTOMER", help="The shop's id of the customer.")
]
DEFAULT_WORKSPACE = Path("workspace")


if TYPE_CHECKING:
    TaskName = str
else:
    TaskName = StrEnum("TaskName", [(name.upper(), name) for name in task_names()])
ModelArgument = Annotated[TaskName, typer.Argument(help="Which model.")]
"""A model that can be trained: whatever the registry of tasks holds."""


class ModelChoice(StrEnum):
    """The two models whose answers the service gives."""

    CHURN = "churn"
    NEXT_PURCHASE = "next_purchase"
