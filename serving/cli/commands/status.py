"""`sayso models status`."""

from __future__ import annotations

from datetime import UTC

import typer

from experiments.promotion.withdrawn_since import VersionStatus, model_status
from experiments.training.registry import task_names
from features import clock
from features.config.environment import Settings
from features.errors import WorkspaceError
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from features.warehouse.pauses import is_old
from models.registry import override_of
from models.tracking import Tracking
from serving.cli.options import DEFAULT_WORKSPACE, DebugOption, JsonOption, WorkspaceOption
from serving.cli.screen import Screen
from serving.delivery.exposures import discoveries

app = typer.Typer(
    help="The models, and whose data they learnt from.", no_args_is_help=True, rich_markup_mode=None
)
app.callback()(lambda: None)


def register(root: typer.Typer) -> None:
    """Add the commands to `root`."""
    root.add_typer(app, name="models")


@app.command("status")
def status(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show every version, how many customers it learnt from have withdrawn since, and until when it
    has to be replaced.
    """
    screen = Screen(as_json=as_json)
    shop = Shop(Workspace.open(workspace, Settings()))
    found = model_status(shop, Tracking.of(shop.workspace, shop.database))
    if not found:
        commands = " and ".join(f"`sayso train {name}`" for name in task_names())
        screen.say(f"There is no model yet; {commands} make them.")
    else:
        columns = (
            "model",
            "version",
            "",
            "trained",
            "ledger",
            "customers",
            "withdrawn since",
            "retrain by",
            "in spite of",
        )
        screen.table("Models", columns, [_row(one) for one in found])
    new = discoveries(shop.database, shop.clock())
    screen.say(
        f"{new.explored:,} of the {new.places:,} places shown in the last 30 days were discoveries"
        f" ({100 * new.share:.1f}%)."
    )
    told = {"places": new.places, "explored": new.explored, "share": new.share}
    versions = [_document(one) for one in found]
    screen.result({"versions": versions, "discoveries": told, **_record(screen, shop)})


def _record(screen: Screen, shop: Shop) -> dict[str, object]:
    """Where the shop's record ends, with a warning where that is old."""
    try:
        until = shop.loaded_until().replace(tzinfo=UTC)
    except WorkspaceError:  # nothing is loaded
        return {"data_until": None, "data_is_old": False}
    old = is_old(until, shop.clock(), shop.warehouse.usual_pause())
    if old:
        screen.say(
            f"[bold]The record ends at {until:%Y-%m-%d}[/bold], which is longer ago than the shop's"
            " usual pause: answers speak of that day. Load newer orders with `sayso ingest`."
        )
    return {"data_until": clock.to_text(until), "data_is_old": old}


def _row(one: VersionStatus) -> list[object]:
    by = "" if one.retrain_by is None else one.retrain_by[:10] + (" OVERDUE" if one.overdue else "")
    customers = "not known" if one.customers is None else f"{one.customers:,}"
    version = one.version
    aliases = ", ".join(one.aliases)
    return [
        version.model,
        version.version,
        aliases,
        f"{version.trained_at:%Y-%m-%d}",
        one.ledger_seq or "",
        customers,
        one.withdrawn,
        by,
        _in_spite_of(one),
    ]


def _in_spite_of(one: VersionStatus) -> str:
    override = override_of(one.version)
    return "" if override is None else f"{override['gates']}: {override['reason']}"


def _document(one: VersionStatus) -> dict[str, object]:
    return {
        "model": one.version.model,
        "version": one.version.version,
        "aliases": list(one.aliases),
        "trained_at": one.version.trained_at.isoformat(),
        "ledger_seq": one.ledger_seq,
        "customers": one.customers,
        "withdrawn_since": one.withdrawn,
        "retrain_by": one.retrain_by,
        "overdue": one.overdue,
        "override": override_of(one.version),
    }
