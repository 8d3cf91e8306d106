"""One shop's data, opened: its configuration, database, ledger and warehouse, and the gates to it."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property

from features.clock import Clock, utc_now
from features.config import Config
from features.consent import Ledger
from features.customers import Customers
from features.database import Database
from features.definition import ShopFacts
from features.gate import Gate
from features.warehouse import Warehouse
from features.workspace import Workspace


class Shop:
    """The data layer of a workspace, each part made when it is first needed."""

    def __init__(self, workspace: Workspace, clock: Clock = utc_now) -> None:
        self.workspace = workspace
        self.clock = clock

    @property
    def config(self) -> Config:
        """`sayso.toml`, checked."""
        return self.workspace.config

    @cached_property
    def database(self) -> Database:
        """The database, at the newest schema."""
        return Database.open(self.workspace.database_url)

    @cached_property
    def ledger(self) -> Ledger:
        """The consent ledger."""
        return Ledger(self.database, self.config.catalog, self.clock)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The warehouse."""
        return Warehouse(self.workspace.warehouse)

    @cached_property
    def customers(self) -> Customers:
        """The mapping between the shop's customer ids and the pseudonyms."""
        return Customers(self.database)

    @property
    def facts(self) -> ShopFacts:
        """What feature definitions may know of the shop."""
        return ShopFacts(self.config.shop.home_country)

    def gate(self, purpose: str) -> Gate:
        """The gate for `purpose`, with the grants in force at this moment."""
        return Gate(self.warehouse, self.config.catalog, purpose, self.ledger.granted(purpose))

    def loaded_until(self) -> datetime:
        """The moment that the warehouse speaks for."""
        return self.warehouse.loaded_until()
