"""What an operator does to a whole workspace (`sayso migrate`, `backup`, `restore`, `doctor`), and
to the program (`sayso build`).
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from features.config.environment import Settings
from features.errors import SaysoError
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.cli.options import DEFAULT_WORKSPACE, DebugOption, JsonOption, WorkspaceOption
from serving.cli.screen import Screen
from serving.operations import packaging
from serving.operations.backup import back_up
from serving.operations.doctor import Doctor
from serving.operations.moving import Verified, migrate
from serving.operations.restore import Restored, Restoring

OutOption = Annotated[
    Path,
    typer.Option(
        "--out",
        metavar="FILE|DIR",
        help="Where to write it: an archive where the name ends with .tar.gz, else a folder.",
    ),
]
WithKeysOption = Annotated[
    bool,
    typer.Option(
        "--with-keys",
        help="Put master.keys, secret and anchor.key in it; without them keep these elsewhere.",
    ),
]


PROJECT = Path(__file__).parents[3]
"""Where the packages lie; the project's folder, where it was installed from a checkout."""


class Ill(SaysoError):
    """Something about a workspace is left to be mended."""


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("migrate")(move)
    app.command("backup")(backup)
    app.command("restore")(restore)
    app.command("doctor")(doctor)
    app.command("build")(build)


def move(
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="URL",
            help=(
                "Address of the empty database to go to, such as"
                " postgresql+psycopg://USER:PASSWORD@HOST/NAME or sqlite:////PATH/TO/FILE."
            ),
        ),
    ],
    clear: Annotated[
        bool,
        typer.Option(
            "--clear",
            help="Empty the old one once the new one is checked, also after an earlier move.",
        ),
    ] = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Take everything that the database holds to another one, check it there and use that from now
    on.

    The old one becomes read-only. Stop the service first, and start it afterwards.
    """
    screen = Screen(as_json=as_json)
    with screen.progress() as progress:
        moved = migrate(Workspace.open(workspace, Settings()), to, progress, clear_old=clear)
    if moved.verified is not None:
        _show(screen, moved.verified)
    screen.say(
        f"[bold]{moved.went_to}[/bold] is the workspace's database now; {moved.came_from} is"
        " read-only. Take SAYSO_DATABASE_URL away, or set it to the new address."
    )
    screen.say(
        f"{moved.came_from} was emptied."
        if moved.cleared
        else f"[bold]{moved.came_from} still holds everything that it held, personal data among"
        " it[/bold], also of whoever is erased from now on: once the new one is in use, empty it"
        " with `sayso migrate --to URL --clear` and the same address, or delete it."
    )
    screen.result(asdict(moved))


def backup(
    out: OutOption,
    with_keys: WithKeysOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write database, warehouse and models, as they were at one moment, to a file or folder.

    The service may go on meanwhile.
    """
    screen = Screen(as_json=as_json)
    shop = Shop(Workspace.open(workspace, Settings()))
    with screen.progress() as progress:
        made = back_up(shop, out, progress, with_keys=with_keys)
    screen.say(
        f"[bold]{out}[/bold] holds {made.events:,} consents, {made.decisions:,} decisions,"
        f" {len(made.files):,} files, as of {made.made_at}."
    )
    screen.say(
        "The keys are in it: whoever has it can read everything."
        if made.keys
        else "The keys are not in it: keep master.keys, secret and anchor.key in another place."
    )
    screen.say(
        f"Keep {shop.workspace.erasure_list.file} apart from it and up to date: with it, whoever is"
        " erased from now on stays erased when this backup is put back."
    )
    screen.result({**asdict(made), "files": len(made.files), "file": str(out)})


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="The backup.", exists=True)],
    erased: Annotated[
        Path | None,
        typer.Option("--erased", help="The newest list of the erased.", dir_okay=False),
    ] = None,
    nobody_erased: Annotated[
        bool,
        typer.Option(
            "--nobody-erased-since", help="State that nobody was erased since the backup."
        ),
    ] = False,
    keys: Annotated[
        Path | None,
        typer.Option("--keys", help="Folder with the files of the keys.", file_okay=False),
    ] = None,
    consents_from: Annotated[
        str | None,
        typer.Option(
            "--consents-from",
            metavar="URL",
            help=(
                "The database that the backup was made of, where it can still be read: what"
                " customers chose since is taken from there."
            ),
        ),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make a workspace from a backup, in which whoever was erased since stays erased."""
    screen = Screen(as_json=as_json)
    restoring = Restoring(file, workspace, Settings(), erased, nobody_erased, keys, consents_from)
    with screen.progress() as progress:
        done = restoring.run(progress)
    screen.say(
        f"[bold]{workspace}[/bold] is as it was at {done.backup.made_at}; its database is"
        f" {done.database}."
    )
    screen.say(
        f"{done.erased_again:,} customers who were erased since were erased again;"
        f" {done.kept_out:,} are kept out."
    )
    screen.say(_what_of_later(done))
    screen.result({**asdict(done), "backup": {**asdict(done.backup), "files": None}})


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Mend what is safe to mend.")] = False,
    new_secret: Annotated[
        bool,
        typer.Option(
            "--new-secret", help="Make a new secret where it is lost; links sent so far end."
        ),
    ] = False,
    new_anchor_key: Annotated[
        bool,
        typer.Option(
            "--new-anchor-key",
            help="Make a new key for anchors where it is lost; those taken so far are worthless.",
        ),
    ] = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Say what is wrong with a workspace and what to do about it, and mend what is safe.

    It ends with 1 where something is left.
    """
    screen = Screen(as_json=as_json)
    found = Doctor(Workspace.found(workspace, Settings()), fix, new_secret, new_anchor_key).look()
    for one in found:
        how = "mended" if one.mended else "--fix mends it" if one.mendable else "to do"
        screen.say(f"[bold]{how}[/bold]: {escape(one.fault)}")
    left = sum(not one.mended for one in found)
    if not left:
        screen.say("Nothing is wrong with this workspace." if not found else "All of it is mended.")
    screen.result({"faults": [asdict(one) for one in found], "left": left})
    if left:
        raise Ill(f"{left} of {len(found)} faults are left")


def build(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder of the Bento; new or empty.")
    ] = Path("bento"),
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make a Bento of the program, with its lock and a container file.

    Nothing of a shop is in it.
    """
    screen = Screen(as_json=as_json)
    with screen.progress() as progress:
        built = packaging.build(out, PROJECT, progress)
    screen.say(f"[bold]{built.tag}[/bold] is in {built.folder} ({built.bytes / 1e6:.1f} MB).")
    screen.say(
        f"`{built.folder}/{packaging.SOURCES}/{packaging.PROGRAM} serve` serves it, in an"
        f" environment of {packaging.LOCK}; {built.container_file} makes a container of it."
    )
    screen.result(asdict(built))


def _what_of_later(done: Restored) -> str:
    """What became of what customers chose after the backup."""
    since = done.backup.last_event_at or done.backup.made_at
    if done.later is not None:
        return (
            f"{done.later.consents:,} consents and {done.later.opt_outs:,} opt-outs of after"
            f" {since} were taken over."
        )
    return (
        f"[bold]What customers chose after {since} is not in it[/bold], withdrawals and opt-outs"
        " among it. If the database that the backup was made of can still be read, restore again"
        " into a new folder with --consents-from URL; else import it with `sayso consent import`"
        " before serving."
    )


def _show(screen: Screen, verified: Verified) -> None:
    screen.table(
        "What was copied, read back and found equal",
        ("table", "rows"),
        [(name.replace("_", " "), f"{rows:,}") for name, rows in verified.rows.items() if rows],
    )
    screen.say(
        f"The chains of {verified.events:,} consents and {verified.decisions:,} decisions hold;"
        f" {verified.kept_out:,} erased customers stay out; {verified.keys:,} keys open."
    )
