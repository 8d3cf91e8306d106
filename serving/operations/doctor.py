"""`sayso doctor`: what is wrong with a workspace, and mending what is safe to mend.

Mended is only what loses nothing and can be made from what is there. What is missing for good is
never made anew, but for the two keys that an operator asks for by name.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from features.consent.anchors import make_anchor_key
from features.consent.verification import verify_ledger
from features.customers.pseudonyms import suppressions
from features.database.engine import Database
from features.errors import SaysoError
from features.private_file import made_text
from features.shop.binding import adopt_database, identity_in, proven_own
from features.shop.faults import faults
from features.shop.private_files import close_to_others, open_files
from features.shop.shop import Shop
from features.shop.workspace import BINDING, Workspace
from models.registry import CHALLENGER, CHAMPION, Registry
from serving.decisions.record import verify_decisions

MODELS = ("churn", "next_purchase")
HALF = ".partial"


@dataclass(frozen=True)
class Ailment:
    """Something wrong, in a sentence with what to do; whether it can be mended safely, and was."""

    fault: str
    mendable: bool = False
    mended: bool = False


@dataclass(frozen=True)
class Doctor:
    """Looks at one workspace; with `fix` it mends what is safe.

    `new_secret` and `new_anchor_key` make another key where the file of one is lost.
    """

    workspace: Workspace
    fix: bool = False
    new_secret: bool = False
    new_anchor_key: bool = False

    def look(self) -> list[Ailment]:
        """Everything that was found."""
        self._make_keys()
        return [
            *self._binding(),
            *map(Ailment, faults(self.workspace)),
            *self._modes(),
            *self._halves(),
            *self._content(),
        ]

    def _make_keys(self) -> None:
        if self.new_secret:
            made_text(self.workspace.secret_file, lambda: secrets.token_urlsafe(32))
        if self.new_anchor_key:
            make_anchor_key(self.workspace.anchor_key)

    def _binding(self) -> Iterator[Ailment]:
        """A workspace that lost the note of its database gets it back where the keys prove which
        one it is.
        """
        if self.workspace.begun:
            return
        database = Database(self.workspace.database_url)
        try:
            if identity_in(database) is None or not proven_own(self.workspace, database):
                return
            if self.fix:
                adopt_database(self.workspace, database)
            yield Ailment(
                f"{BINDING}, which says which database belongs to this workspace, is missing; the"
                " keys fit this database, so it is the one",
                mendable=True,
                mended=self.fix,
            )
        except (SQLAlchemyError, SaysoError):  # which the faults tell
            return
        finally:
            database.close()

    def _modes(self) -> Iterator[Ailment]:
        for file in open_files(self.workspace):
            if self.fix:
                close_to_others(file)
            yield Ailment(
                f"others than its owner may open {file}; close it with chmod"
                f" {'700' if file.is_dir() else '600'}",
                mendable=True,
                mended=self.fix,
            )

    def _halves(self) -> Iterator[Ailment]:
        """Copies that were cut off: nothing refers to them."""
        for half in sorted(self.workspace.models.glob(f"*/*{HALF}")):
            if self.fix:
                shutil.rmtree(half)
            yield Ailment(
                f"{half} was left by a process that was killed; nothing uses it",
                mendable=True,
                mended=self.fix,
            )

    def _content(self) -> Iterator[Ailment]:
        """What takes longer to look at: chains, models, the warehouse."""
        workspace = self.workspace
        if not workspace.begun:
            return
        shop = Shop(workspace)
        try:
            yield from self._chains(shop)
            yield from self._erased(shop)
            yield from self._models(shop)
        except (SQLAlchemyError, SaysoError):  # which the faults tell
            return
        finally:
            if "database" in shop.__dict__:
                shop.database.close()
        yield from self._warehouse(shop)

    def _chains(self, shop: Shop) -> Iterator[Ailment]:
        try:
            verify_ledger(shop.database, shop.config.catalog)
            with shop.database.read() as connection:
                verify_decisions(connection)
        except SaysoError as error:
            yield Ailment(str(error))

    def _erased(self, shop: Shop) -> Iterator[Ailment]:
        kept = self.workspace.erasure_list
        with shop.database.read() as connection:
            erased = suppressions(connection)
        if lacking := erased.keys() - (kept.read() if kept.file.exists() else {}).keys():
            if self.fix:
                kept.add(erased)
            yield Ailment(
                f"{kept.file} lacks {len(lacking)} of the erased, who would come back with an older"
                " backup",
                mendable=True,
                mended=self.fix,
            )

    def _models(self, shop: Shop) -> Iterator[Ailment]:
        registry = Registry(shop.database, self.workspace.models)
        for model in MODELS:
            for role in (CHAMPION, CHALLENGER):
                try:
                    if (version := registry.by_alias(model, role)) is not None:
                        registry.folder(version)
                except SaysoError as error:
                    yield Ailment(f"{error}. Train it anew, or put it back with `sayso restore`")

    def _warehouse(self, shop: Shop) -> Iterator[Ailment]:
        try:
            if shop.warehouse.filled:
                shop.loaded_until()
        except (SaysoError, OSError, ValueError) as error:
            yield Ailment(
                f"the warehouse cannot be read ({error}); make it anew with `sayso ingest`"
            )
