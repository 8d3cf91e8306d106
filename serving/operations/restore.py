"""`sayso restore`: a workspace made from a backup, in which nobody who was erased comes back.

A backup may be older than an erasure. So the list of the erased, which is kept beside the database
and outlives it, is held against the customers of the backup, and whoever is on it is erased again
before the workspace can be used.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from features.clock import Clock, utc_now
from features.config.environment import Settings
from features.customers.erasure_list import ErasureList
from features.customers.pseudonyms import keep_out, named_by, suppressions
from features.customers.vault import Vault
from features.database.identity import Identity, new_identity, without_password
from features.errors import SaysoError
from features.progress import Progress, part_of, silent
from features.shop.binding import Binding, adopt_database, bind
from features.shop.private_files import close_to_others
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.operations.archive import DATABASE, ERASED, KEYS, MANIFEST, Manifest, unpacked
from serving.operations.backup import KEY_FILES
from serving.operations.later_choices import LaterChoices, take_later
from serving.operations.moving import fill, prepare_empty, reached
from serving.rights.rights import Rights

NOT_TAKEN = (KEYS, MANIFEST)
"""Parts of a backup that are no part of the workspace made of it."""


class RestoreRefused(SaysoError):
    """A backup cannot be put back like this; nothing was made."""


@dataclass(frozen=True)
class Restored:
    """What was put back: the backup's manifest, how many customers were erased again, how many are
    kept out in all, and where the database is (without a password); and what customers chose after
    the backup, where that could be taken over.
    """

    backup: Manifest
    erased_again: int
    kept_out: int
    database: str
    later: LaterChoices | None = None


@dataclass(frozen=True)
class Restoring:
    """A `backup` to be made the workspace `root`.

    `erased` is the list of the erased as it is now; where there is none, `nobody_erased` states
    that nobody was erased since the backup. `keys` is a folder with the files of the keys, where
    they are not in the backup. `consents_from` is the address of the database that the backup was
    made of, where that can still be read: what customers chose since is taken from there.
    """

    backup: Path
    root: Path
    settings: Settings
    erased: Path | None = None
    nobody_erased: bool = False
    keys: Path | None = None
    consents_from: str | None = None

    def run(self, progress: Progress = silent, now: Clock = utc_now) -> Restored:
        """Do it: all of it, or nothing.

        Raises `RestoreRefused`, and `BackupBroken` for a backup that is not whole.
        """
        root = self.root.absolute()
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise RestoreRefused(
                f"{root} is there already; name a new folder, and put the old one aside"
            )
        root.parent.mkdir(parents=True, exist_ok=True)
        progress("checking the backup", 0.0)
        with (
            unpacked(self.backup) as (content, manifest),
            tempfile.TemporaryDirectory(prefix=f".{root.name}.", dir=root.parent) as staging,
        ):
            erased = self._erased(content, manifest)
            made = Path(staging) / "workspace"
            shutil.copytree(content, made, ignore=partial(_not_taken, content))
            self._take_keys(content, made)
            for file in (made, *self._staged(made).private_files):
                close_to_others(file)
            later = self._take_later(made, progress)
            again, kept_out = self._erase_again(made, erased, part_of(progress, 0.2, 0.6), now)
            where = self._place_database(made, root, part_of(progress, 0.6, 0.9), now)
            if root.exists():
                root.rmdir()
            made.rename(root)
        progress("done", 1.0)
        return Restored(manifest, again, kept_out, where, later)

    def _erased(self, content: Path, manifest: Manifest) -> dict[str, str]:
        """Tags of everybody who was erased, before the backup and since."""
        before = ErasureList(content / ERASED).read()
        file = self.erased or self.settings.erasure_list
        if file is not None and (self.erased is not None or file.exists()):
            since = ErasureList(file).read()
            if before.keys() - since.keys():
                raise RestoreRefused(
                    f"{file} is older than the backup: it lacks customers who were erased by"
                    " then; name the newest list of the erased"
                )
            return {**since, **before}
        if not self.nobody_erased:
            raise RestoreRefused(
                f"the backup is of {manifest.made_at}, and nobody can tell who was erased since:"
                " name the list of the erased with --erased (erased.list of the workspace, or the"
                " file in SAYSO_ERASURE_LIST), or state with --nobody-erased-since that there was"
                " no erasure after the backup"
            )
        return before

    def _take_keys(self, content: Path, made: Path) -> None:
        stated = {"master.keys": self.settings.master_key, "secret": self.settings.secret}
        folders = [folder for folder in (self.keys, content / KEYS) if folder is not None]
        missing = []
        for name in KEY_FILES:
            found = [folder / name for folder in folders if (folder / name).is_file()]
            if found:
                shutil.copyfile(found[0], made / name)
            elif stated.get(name) is None:
                missing.append(name)
        if missing:
            raise RestoreRefused(
                f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not in the backup:"
                " name the folder where keys are kept with --keys, or set SAYSO_MASTER_KEY and"
                " SAYSO_SECRET"
            )

    def _take_later(self, made: Path, progress: Progress) -> LaterChoices | None:
        """Add what customers chose since the backup; None where nobody says where that stands."""
        if self.consents_from is None:
            return None
        progress("taking over what customers chose since", 0.1)
        source, target = reached(self.consents_from), reached(self._staged(made).database_url)
        try:
            target.migrate()
            return take_later(source, target)
        finally:
            source.close()
            target.close()

    def _erase_again(
        self, made: Path, erased: dict[str, str], progress: Progress, now: Clock
    ) -> tuple[int, int]:
        """Erase whoever is on the list and in the backup; how many these are, and how many are kept
        out now.
        """
        workspace = self._staged(made)
        shop = Shop(workspace, now)
        self._identity(workspace)
        try:
            with shop.database.write() as connection:
                ids = named_by(connection, shop.vault, erased, shop.config.catalog.ids)
                keep_out(connection, erased)
            rights = Rights(shop)
            for number, customer_id in enumerate(ids):
                progress("erasing again who was erased since", number / len(ids))
                rights.erase(customer_id)
            with shop.database.read() as connection:
                kept_out = suppressions(connection)
            workspace.erasure_list.add(kept_out)
            return len(ids), len(kept_out)
        finally:
            shop.database.close()

    def _staged(self, made: Path) -> Workspace:
        """The workspace while it is made, with its database in a file of SQLite."""
        own = {
            "database_url": f"sqlite:///{made / DATABASE}",
            "mlflow_uri": None,
            "workspace": made,
        }
        return Workspace.open(made, self.settings.model_copy(update=own))

    def _identity(self, workspace: Workspace) -> str:
        database = reached(workspace.database_url)
        try:
            return adopt_database(workspace, database).id
        finally:
            database.close()

    def _place_database(self, made: Path, root: Path, progress: Progress, now: Clock) -> str:
        """Put the database where the settings want it, and have the workspace know it there."""
        workspace = self._staged(made)
        own = f"sqlite:///{root / DATABASE}"
        if (wanted := self.settings.database_url or own) == own:
            bind(made, Binding(self._identity(workspace), own))
            return own
        staged, target = reached(workspace.database_url), reached(wanted)
        try:
            prepare_empty(target)
            identity = Identity(new_identity(), self._identity(workspace), None, None)
            with staged.read() as connection:
                vault = Vault(target, workspace.master_keys)
                fill(connection, target, identity, vault, progress, now)
        finally:
            staged.close()
            target.close()
        for left in made.glob(f"{DATABASE}*"):
            left.unlink()
        bind(made, Binding(identity.id, without_password(wanted)))
        return without_password(wanted)


def _not_taken(content: Path, folder: str, _names: Collection[str]) -> Collection[str]:
    return NOT_TAKEN if Path(folder) == content else ()
