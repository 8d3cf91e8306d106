"""Customers and their pseudonyms."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.customers import Customers, external_id_of, find, find_or_add
from features.database import Database


def test_a_pseudonym_stays(database: Database) -> None:
    """An id gets one pseudonym, and the same one whenever and however it is asked for."""
    known = Customers(database)
    first = known.assign(pd.Series(["ann", "bob", "ann"], index=[5, 3, 9]))
    assert first.index.tolist() == [5, 3, 9]
    assert first.dtype == "int64"
    assert first[5] == first[9] != first[3]
    again = known.assign(pd.Series(["bob", "eve"]))
    assert again[0] == first[3] == known.find("bob")
    with database.write() as connection:
        assert find_or_add(connection, ["ann", "zoe"])["ann"] == first[5] == find(connection, "ann")
        assert external_id_of(connection, int(first[5])) == "ann"


def test_nobody_is_found_who_was_never_told_of(database: Database) -> None:
    """Looking for an unknown id finds nothing and makes nothing."""
    known = Customers(database)
    known.assign(pd.Series(["ann"]))
    assert known.find("bob") is None
    assert known.external_ids([1, 2]) == {}


def test_pseudonyms_are_not_made_of_ids(database: Database, tmp_path: Path) -> None:
    """The same ids get other pseudonyms in another database, which no hash of the id explains."""
    ids = pd.Series([f"c{n}" for n in range(300)])
    other = Database.open(f"sqlite:///{tmp_path / 'other.db'}")
    here, there = Customers(database).assign(ids), Customers(other).assign(ids)
    other.close()
    assert not set(here) & set(there)
    digests = [hashlib.new(kind, name.encode()).digest()[:8] for name in ids for kind in ("md5", "sha1", "sha256")]
    assert not {int.from_bytes(digest) >> shift for digest in digests for shift in range(3)} & set(here)


def test_pseudonyms_fill_their_range(sqlite_database: Database) -> None:
    """Of many pseudonyms none is repeated, none is negative or longer than 62 bits, every bit is used, and no order is kept."""
    drawn = Customers(sqlite_database).assign(pd.Series([f"c{n}" for n in range(5_400)]))
    assert drawn.is_unique
    assert drawn.between(0, 2**62 - 1).all()
    bits = (drawn.to_numpy()[:, None] >> np.arange(62)) & 1
    assert np.all(np.abs(bits.mean(axis=0) - 0.5) < 0.05)
    assert abs(drawn.astype(float).corr(pd.Series(range(5_400), dtype=float))) < 0.1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ids=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=30), min_size=1, max_size=8
    )
)
def test_any_text_may_be_an_id(database: Database, ids: list[str]) -> None:
    """Ids in any script come back exactly as the shop wrote them, and different ids are different customers."""
    known = Customers(database)
    pseudonyms = known.assign(pd.Series(ids, dtype="str"))
    assert len(set(pseudonyms)) == len(set(ids))
    assert known.external_ids(pseudonyms.tolist()) == dict(zip(pseudonyms, ids, strict=True))


def agree(database: Database) -> bool:
    """Whether two writers that add the same customer at the same time get the same pseudonym."""

    def add() -> int:
        with database.write() as connection:
            return find_or_add(connection, ["ann"])["ann"]

    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            mine = find_or_add(connection, ["ann"])["ann"]
            theirs = pool.submit(add)
            time.sleep(0.2)
        return mine == theirs.result()


def test_two_who_name_a_new_customer_agree_on_sqlite(sqlite_database: Database) -> None:
    """Who names a new customer while another does gets the other's pseudonym."""
    assert agree(sqlite_database)


def test_two_who_name_a_new_customer_agree_on_postgresql(postgres_database: Database) -> None:
    """Who names a new customer while another does gets the other's pseudonym."""
    assert agree(postgres_database)
