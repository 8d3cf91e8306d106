"""Customers and their pseudonyms."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.catalog import CustomerIds
from features.clock import Clock
from features.customers.id_normalisation import is_nobody, normalised
from features.customers.master_keys import MasterKeys
from features.customers.pseudonyms import Customers, external_id_of, find, find_or_add, suppress
from features.customers.vault import Vault
from features.database.engine import Database
from features.database.tables import customers, suppressed
from features.errors import ConsentError
from tests.made_up_consents import ledger_of, rows_of, said, vault_of


def test_a_pseudonym_stays(database: Database, vault: Vault) -> None:
    """An id gets one pseudonym, and the same one whenever and however it is asked for."""
    known = Customers(database, vault)
    first = known.assign(pd.Series(["ann", "bob", "ann"], index=[5, 3, 9]))
    assert first.index.tolist() == [5, 3, 9]
    assert first.dtype == "Int64"
    assert first[5] == first[9] != first[3]
    again = known.assign(pd.Series(["bob", "eve"]))
    assert again[0] == first[3] == known.find("bob")
    with database.write() as connection:
        assert (
            find_or_add(connection, vault, ["ann", "zoe"])["ann"]
            == first[5]
            == find(connection, "ann")
        )
        assert external_id_of(connection, int(first[5])) == "ann"


def test_nobody_is_found_who_was_never_told_of(database: Database, vault: Vault) -> None:
    """Looking for an unknown id finds nothing and makes nothing."""
    known = Customers(database, vault)
    known.assign(pd.Series(["ann"]))
    assert known.find("bob") is None
    assert known.external_ids([1, 2]) == {}


def test_pseudonyms_are_not_made_of_ids(database: Database, vault: Vault, tmp_path: Path) -> None:
    """The same ids get other pseudonyms in another database, which no hash of the id explains."""
    ids = pd.Series([f"c{n}" for n in range(300)])
    other = Database.open(f"sqlite:///{tmp_path / 'other.db'}")
    here, there = (
        Customers(database, vault).assign(ids),
        Customers(other, vault_of(other, tmp_path)).assign(ids),
    )
    other.close()
    assert not set(here) & set(there)
    digests = [
        hashlib.new(kind, name.encode()).digest()[:8]
        for name in ids
        for kind in ("md5", "sha1", "sha256")
    ]
    assert not {int.from_bytes(digest) >> shift for digest in digests for shift in range(3)} & set(
        here
    )


def test_pseudonyms_fill_their_range(sqlite_database: Database, masters: MasterKeys) -> None:
    """Of many pseudonyms none is repeated, none is negative or longer than 62 bits, every bit is
    used, and no order is kept.
    """
    drawn = (
        Customers(sqlite_database, Vault(sqlite_database, masters))
        .assign(pd.Series([f"c{n}" for n in range(5_400)]))
        .astype("int64")
    )
    assert drawn.is_unique
    assert drawn.between(0, 2**62 - 1).all()
    bits = (drawn.to_numpy()[:, None] >> np.arange(62)) & 1
    assert np.all(np.abs(bits.mean(axis=0) - 0.5) < 0.05)
    assert abs(drawn.astype(float).corr(pd.Series(range(5_400), dtype=float))) < 0.1


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    ids=st.lists(
        st.text(
            st.characters(exclude_categories=["Cs"], exclude_characters="\x00"),
            min_size=1,
            max_size=30,
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_text_may_be_an_id(database: Database, vault: Vault, ids: list[str]) -> None:
    """Ids in any script come back in their one form, and ids of different forms are different
    customers.
    """
    ids = [id for id in ids if not is_nobody(id)]
    forms = [normalised(id, CustomerIds()) for id in ids]
    known = Customers(database, vault)
    pseudonyms = known.assign(pd.Series(ids, dtype="str"))
    assert len(set(pseudonyms)) == len(set(forms))
    assert known.external_ids(pseudonyms.tolist()) == dict(zip(pseudonyms, forms, strict=True))


def agree(database: Database, vault: Vault) -> bool:
    """Whether two writers that add the same customer at the same time get the same pseudonym."""

    def add() -> int:
        with database.write() as connection:
            return find_or_add(connection, vault, ["ann"])["ann"]

    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            mine = find_or_add(connection, vault, ["ann"])["ann"]
            theirs = pool.submit(add)
            time.sleep(0.2)
        return mine == theirs.result()


def test_two_who_name_a_new_customer_agree_on_sqlite(
    sqlite_database: Database, masters: MasterKeys
) -> None:
    """Who names a new customer while another does gets the other's pseudonym."""
    assert agree(sqlite_database, Vault(sqlite_database, masters))


def test_two_who_name_a_new_customer_agree_on_postgresql(
    postgres_database: Database, masters: MasterKeys
) -> None:
    """Who names a new customer while another does gets the other's pseudonym."""
    assert agree(postgres_database, Vault(postgres_database, masters))


# ---- customers who were erased ----


def erased(database: Database, vault: Vault, *ids: str) -> None:
    """Keep ids out, as an erasure does after it removed the customer."""
    with database.write() as connection:
        for id in ids:
            connection.execute(customers.delete().where(customers.c.external_id == id))
            suppress(connection, vault, id, "2024-06-01T00:00:00.000000Z")


def test_an_erased_customer_gets_no_pseudonym_again(database: Database, vault: Vault) -> None:
    """Among other ids an erased one is missing, the others are as ever, and nothing of it is
    written.
    """
    known = Customers(database, vault)
    before = known.assign(pd.Series(["ann", "bob"]))
    erased(database, vault, "ann")
    again = known.assign(pd.Series(["ann", "bob", "eve", "ann"]))
    assert again.isna().tolist() == [True, False, False, True]
    assert again[1] == before[1]
    assert known.find("ann") is None
    assert {row["external_id"] for row in rows_of(database, customers)} == {"bob", "eve"}


def test_many_ids_of_whom_all_were_erased(sqlite_database: Database, masters: MasterKeys) -> None:
    """Where nobody may be taken in, everybody is missing, in more batches than one."""
    vault = Vault(sqlite_database, masters)
    ids = [f"c{n}" for n in range(5_100)]
    known = Customers(sqlite_database, vault)
    erased(sqlite_database, vault, *ids[::1_000])
    drawn = known.assign(pd.Series(ids))
    assert drawn.index[drawn.isna()].tolist() == list(range(0, 5_100, 1_000))
    assert known.assign(pd.Series(ids[:1])).tolist() == [pd.NA]


def test_no_customer_is_assigned_for_no_id(database: Database, vault: Vault) -> None:
    """An empty column of ids gives an empty column of pseudonyms."""
    drawn = Customers(database, vault).assign(pd.Series([], dtype="str"))
    assert (len(drawn), drawn.dtype) == (0, "Int64")


def test_what_is_kept_of_an_erased_customer_is_a_tag(
    sqlite_database: Database, masters: MasterKeys, tmp_path: Path
) -> None:
    """The suppressed id is in no file of the database, nor is any bare hash of it, and it is kept
    once however often it is erased.
    """
    vault, id = Vault(sqlite_database, masters), "zqx-canary-ann"
    for _ in range(2):
        erased(sqlite_database, vault, id)
    (row,) = rows_of(sqlite_database, suppressed)
    assert row["tag"] not in {
        hashlib.new(kind, id.encode()).hexdigest() for kind in ("md5", "sha1", "sha256")
    }
    sqlite_database.close()
    assert not [file.name for file in tmp_path.glob("*") if id.encode() in file.read_bytes()]


def test_consents_of_an_erased_customer_are_refused(
    database: Database, vault: Vault, clock: Clock
) -> None:
    """An event about an erased customer names the field and leaves nothing of its batch behind,
    with evidence or without.
    """
    erased(database, vault, "ann")
    ledger = ledger_of(database, vault, clock)
    for event in (said("ann"), said("ann", "withdrawn", evidence="form 1", idempotency_key="k")):
        with pytest.raises(ConsentError, match="erased") as error:
            ledger.append_all([said("bob"), event])
        assert error.value.field == "customer_id"
    assert ledger.position() == 0
    assert rows_of(database, customers) == []
