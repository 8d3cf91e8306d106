"""One shop's data, opened: its configuration, database, ledger and warehouse, and the gates to
it.
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property

import pandas as pd

from features import clock
from features.clock import Clock, utc_now
from features.config.schema import Config
from features.consent.anchors import Anchors
from features.consent.grants import grants
from features.consent.ledger import Ledger, position
from features.customers.pseudonyms import Customers
from features.customers.vault import Vault
from features.database.engine import UNHURRIED, Database, Patience
from features.definitions.definition import ShopFacts
from features.shop.binding import open_database
from features.shop.one_person import bring_together
from features.shop.workspace import Workspace
from features.warehouse.gate import Gate
from features.warehouse.minimum_age import MinimumAge
from features.warehouse.store import Warehouse


class Shop:
    """The data layer of a workspace, each part made when it is first needed."""

    def __init__(
        self, workspace: Workspace, now: Clock = utc_now, patience: Patience = UNHURRIED
    ) -> None:
        self.workspace = workspace
        self.clock = now
        self._patience = patience

    @property
    def config(self) -> Config:
        """`sayso.toml`, checked."""
        return self.workspace.config

    @cached_property
    def database(self) -> Database:
        """The workspace's own database, at the newest schema, its customers under the rule of their
        ids.
        """
        database = open_database(self.workspace, self._patience)
        vault = Vault(database, self.workspace.master_keys)
        parts = (self.config, self.workspace.tables, self.warehouse, self.clock)
        bring_together(database, vault, *parts)
        return database

    @cached_property
    def ledger(self) -> Ledger:
        """The consent ledger."""
        return Ledger(self.database, self.config.catalog, self.vault, self.clock)

    @cached_property
    def vault(self) -> Vault:
        """The customers' payload keys."""
        return Vault(self.database, self.workspace.master_keys)

    @property
    def anchors(self) -> Anchors:
        """Signed statements of how far the ledger has come."""
        return Anchors(self.database, self.workspace.anchor_key, self.clock)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The warehouse."""
        return Warehouse(self.workspace.warehouse)

    @cached_property
    def customers(self) -> Customers:
        """The mapping between the shop's customer ids and the pseudonyms."""
        return Customers(self.database, self.vault, self.config.catalog.ids)

    @cached_property
    def minimum_age(self) -> MinimumAge:
        """Who is too young for anything to be made of their data."""
        shop = self.config.shop
        unknown = shop.withhold_unknown_age
        return MinimumAge(self.warehouse, self.clock, shop.minimum_age, withhold_unknown=unknown)

    @property
    def facts(self) -> ShopFacts:
        """What feature definitions may know of the shop."""
        return ShopFacts(self.config.shop.home_country)

    def gate(self, purpose: str) -> Gate:
        """The gate for `purpose`, with the grants in force at this moment."""
        with self.database.read() as connection:
            granted = grants(connection, self.config.catalog, purpose, clock.to_text(self.clock()))
            return self.gate_for(purpose, granted, position(connection))

    def gate_for(self, purpose: str, granted: pd.DataFrame, ledger_seq: int = 0) -> Gate:
        """The gate for `purpose`, under grants that were read at one position of the ledger; those
        of who is too young do not count.
        """
        return Gate(
            self.warehouse,
            self.config.catalog,
            purpose,
            self.minimum_age.admitted(granted),
            self.clock(),
            ledger_seq,
            self.workspace.tables,
        )

    def loaded_until(self) -> datetime:
        """The moment that the warehouse speaks for."""
        return self.warehouse.loaded_until()
