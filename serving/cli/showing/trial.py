"""`sayso try`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from experiments.training.registry import task
from features.config.environment import Settings
from features.intake.ingest import ingest
from features.intake.ingest_report import IngestReport
from features.intake.reading.source_files import files_of
from features.intake.setup.guess import Guess
from features.intake.setup.new_workspace import create
from features.progress import Progress
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.access.api_keys import Keys
from serving.cli.commands.data import show_guesses, show_ingest
from serving.cli.options import DebugOption, JsonOption
from serving.cli.screen import Screen
from serving.cli.showing.demo import serve_until_interrupted, show_churn, show_recommendation
from serving.demo.preparation import Prepared, prepare_trial
from serving.demo.script import Answer, Crm, sharing_everything
from serving.server import free_port, is_free, running

ELSEWHERE = ("database_url", "mlflow_uri", "public_url", "erasure_list")
"""Settings that would send parts of the trial to what a shop uses in earnest."""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("try")(try_out)


def try_out(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Exports of orders, or a folder of them."),
    ],
    keep: Annotated[
        Path | None,
        typer.Option("--keep", help="Keep the workspace in this folder.", file_okay=False),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", help="Port of the service; another one where it is in use.")
    ] = 3000,
    *,
    leave: Annotated[
        bool, typer.Option("--exit", help="Stop after printing the link, on a terminal too.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Your own export in a throw-away workspace: recognise, load, simulate consents, train, and
    open the page of a real customer.
    """
    screen = Screen(as_json=as_json)
    with _folder(keep) as root, ExitStack() as left_open:
        with screen.progress() as progress:
            shop, guesses, report = _loaded(root, files, progress)
            left_open.callback(shop.database.close)
            prepared = prepare_trial(shop, progress)
            progress("starting the service", 0.95)
            _, secret = Keys(shop.database).create(["all"])
            chosen = port if is_free(port) else free_port()
            url = left_open.enter_context(running(shop.workspace, chosen, root / "service.log"))
        show_guesses(screen, guesses)
        show_ingest(screen, report)
        _show_models(screen, prepared)
        answer = _ask(screen, url, secret, prepared)
        served = {"url": url, "key": secret, "why_url": answer["why_url"]}
        models = {"champions": sorted(prepared.champions), "refused": dict(prepared.refused)}
        screen.result({**served, **models, "workspace": str(root) if keep else None})
        if sys.stdout.isatty() and not leave and not as_json:
            serve_until_interrupted(screen)


def _loaded(
    root: Path, files: Sequence[Path], progress: Progress
) -> tuple[Shop, list[Guess], IngestReport]:
    """A workspace of its own with the files loaded, whatever databases the environment names."""
    progress("recognising the columns", 0.0)
    named = [each for file in files for each in files_of(str(file.resolve()), Path("/"))]
    guesses = create(root, named)
    own = Settings(workspace=root, **dict.fromkeys(ELSEWHERE))
    shop = Shop(Workspace.open(root, own))
    progress("loading the orders", 0.05)
    return shop, guesses, ingest(shop.workspace, shop.database)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """The folder to keep, else one that is gone afterwards."""
    if keep is not None:
        yield keep.resolve()
        return
    root = Path(tempfile.mkdtemp(prefix="sayso-try-"))
    try:
        yield root / "shop"
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _show_models(screen: Screen, prepared: Prepared) -> None:
    screen.say(
        "\nYour data holds no consents, so they were [bold]simulated[/bold]. What the models reach"
        " on later data that they had not seen:"
    )
    rows: list[Sequence[object]] = []
    for name, version in prepared.champions.items():
        metric = task(name).decisive
        others = ", ".join(
            f"{other.replace('_', ' ')} {version.metrics[f'baseline.{other}.{metric}']:.3f}"
            for other in task(name).baselines
        )
        rows.append((f"{name}, {metric}", f"[bold]{version.metrics[metric]:.3f}[/bold]", others))
    if rows:
        screen.table(None, ("", "sayso", "baselines"), rows)
    for why in prepared.refused.values():
        screen.say(f"[bold]Not served:[/bold] {why}.")


def _ask(screen: Screen, url: str, secret: str, prepared: Prepared) -> Answer:
    """What a real customer is answered, with the link to their page."""
    crm = Crm(url, secret)
    try:
        customer = sharing_everything(prepared.shop)
        answer = crm.recommend(customer)
        screen.say("\nA customer of yours, who shares everything:")
        show_recommendation(screen, "shares everything", answer)
        if "churn" in prepared.champions:
            show_churn(screen, crm.ask("/v1/churn", {"customer_id": customer}))
    finally:
        crm.close()
    screen.say("   Their page, with a switch for each category:")
    screen.link(answer["why_url"])
    return answer
