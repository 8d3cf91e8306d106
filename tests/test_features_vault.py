"""The vault: what is sealed opens for its own purpose alone, survives every rotation, and is gone
with its key.
"""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

import features.customers.master_keys
import features.customers.vault
from features.customers.master_keys import MasterKeys
from features.customers.vault import NOBODY, PayloadGone, PayloadKey, Vault
from features.database.engine import Database
from features.database.tables import payload_keys
from features.errors import WorkspaceError
from tests.made_up_consents import rows_of

CUSTOMERS = range(1, 12)
ABOUT = "note"
KEY = PayloadKey(bytes(range(32)))
Sealed = dict[int, bytes]


def sealed_for(database: Database, vault: Vault, customers: range = CUSTOMERS) -> Sealed:
    """Something sealed for each of these customers."""
    with database.write() as connection:
        keys = vault.keys_for_sealing(connection, customers)
    return {
        customer: key.seal(f"secret of {customer}".encode(), ABOUT)
        for customer, key in keys.items()
    }


def assert_all_open(database: Database, masters: MasterKeys, sealed: Sealed) -> None:
    """A process that begins now reads everything."""
    vault = Vault(database, masters)
    with database.read() as connection:
        for customer, payload in sealed.items():
            assert (
                vault.opened(connection, customer, payload, ABOUT)
                == f"secret of {customer}".encode()
            )


def wrapped_by(database: Database) -> set[str]:
    """Names of the master keys that are needed."""
    return {row["master"] for row in rows_of(database, payload_keys)}


# ---- one payload ----


@given(content=st.binary(max_size=300), about=st.text(max_size=20))
def test_what_was_sealed_opens_as_it_was(content: bytes, about: str) -> None:
    """Any bytes come back, sealing twice gives different payloads, and neither holds the
    content.
    """
    payload = KEY.seal(content, about)
    assert KEY.open(payload, about) == content
    assert payload != KEY.seal(content, about)
    assert len(content) < 4 or content not in payload


@pytest.mark.parametrize("about", ["", "Note", "note ", "evidence:1"])
def test_a_payload_opens_for_what_it_is_about_alone(about: str) -> None:
    """A payload put in another place does not open there."""
    with pytest.raises(PayloadGone):
        KEY.open(KEY.seal(b"secret", ABOUT), about)


def test_a_payload_opens_with_its_own_key_alone() -> None:
    """Another customer's key does not open it."""
    with pytest.raises(PayloadGone):
        PayloadKey(bytes(32)).open(KEY.seal(b"secret", ABOUT), ABOUT)


def test_any_altered_byte_is_found() -> None:
    """Whichever bit of a payload behind its first byte is turned, it does not open."""
    payload = KEY.seal(b"secret", ABOUT)
    for position in range(1, len(payload)):
        with pytest.raises(PayloadGone):
            KEY.open(
                payload[:position] + bytes([payload[position] ^ 1]) + payload[position + 1 :], ABOUT
            )


def test_a_payload_that_was_cut_is_gone() -> None:
    """Whatever is left of a payload that was cut off is told as gone, and not as another fault."""
    payload = KEY.seal(b"secret", ABOUT)
    for length in range(len(payload)):
        with pytest.raises(PayloadGone):
            KEY.open(payload[:length], ABOUT)


# ---- keys ----


def test_a_key_is_made_once(database: Database, vault: Vault) -> None:
    """A customer keeps their key, somebody who has none gets none by being asked for, and nobody's
    key is its own.
    """
    with database.write() as connection:
        first = vault.keys_for_sealing(connection, [1, 2, 1])
        assert (
            vault.keys(connection, [1, 2, 3]) == first == vault.keys_for_sealing(connection, [2, 1])
        )
        assert vault.key(connection, None) == vault.key(connection, NOBODY)
    assert len({key.secret for key in first.values()}) == 2
    assert {row["customer"] for row in rows_of(database, payload_keys)} == {NOBODY, 1, 2}


def test_more_keys_than_one_question_asks_for(
    sqlite_database: Database, masters: MasterKeys
) -> None:
    """Keys of five thousand customers are found again, each its own."""
    vault = Vault(sqlite_database, masters)
    with sqlite_database.write() as connection:
        made = vault.keys_for_sealing(connection, range(5_000))
        assert vault.keys(connection, range(5_000)) == made
    assert len({key.secret for key in made.values()}) == 5_000


def test_two_who_need_a_key_at_once_get_the_same(database: Database, vault: Vault) -> None:
    """Who needs a customer's first key while another makes it gets that one."""

    def need() -> PayloadKey:
        with database.write() as connection:
            return vault.key(connection, 1)

    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            mine = vault.key(connection, 1)
            theirs = pool.submit(need)
            time.sleep(0.2)
        assert theirs.result() == mine


def test_a_destroyed_key_takes_everything_with_it(
    database: Database, vault: Vault, masters: MasterKeys
) -> None:
    """What was sealed for a customer whose key was destroyed is gone, for them alone, and a new key
    does not bring it back.
    """
    sealed = sealed_for(database, vault)
    with database.write() as connection:
        vault.destroy(connection, 3)
        with pytest.raises(PayloadGone, match="destroyed"):
            vault.opened(connection, 3, sealed[3], ABOUT)
        vault.key(connection, 3)
        with pytest.raises(PayloadGone):
            vault.opened(connection, 3, sealed.pop(3), ABOUT)
    assert_all_open(database, masters, sealed)


def test_keys_lie_in_the_database_wrapped(
    sqlite_database: Database, masters: MasterKeys, tmp_path: Path
) -> None:
    """Neither a customer's key nor the master key is in the database's files, and the master key's
    file is its owner's alone.
    """
    vault = Vault(sqlite_database, masters)
    with sqlite_database.write() as connection:
        key = vault.key(connection, 1)
    written = b"".join(file.read_bytes() for file in tmp_path.glob("sayso.db*"))
    assert key.secret not in written
    assert masters.all()[0].secret not in written
    assert masters.file.stat().st_mode & 0o777 == 0o600


def test_a_key_moved_to_another_customer_does_not_open(database: Database, vault: Vault) -> None:
    """A wrapped key is bound to its customer, and one that stands in the database in plain bytes is
    not believed.
    """
    sealed = sealed_for(database, vault, range(1, 3))
    mine = next(row["wrapped"] for row in rows_of(database, payload_keys) if row["customer"] == 1)
    for wrapped in (mine, b"\x00" + bytes(32)):
        with database.write() as connection:
            connection.execute(
                update(payload_keys).where(payload_keys.c.customer == 2).values(wrapped=wrapped)
            )
            with pytest.raises(PayloadGone, match="altered"):
                vault.opened(connection, 2, sealed[2], ABOUT)
            with pytest.raises(PayloadGone, match="altered"):
                vault.key(connection, 2)


def test_tags_tell_kinds_and_texts_apart(database: Database, vault: Vault, tmp_path: Path) -> None:
    """A text has one tag per kind, the same each time, and another one under another shop's key."""
    other = Database.open(f"sqlite:///{tmp_path / 'other.db'}")
    with database.write() as connection, other.write() as elsewhere:
        tags = vault.tags(connection, "a", ["x", "y"])
        assert vault.tags(connection, "a", ["x", "y"]) == tags
        both = [*tags.values(), *vault.tags(connection, "b", ["x"]).values()]
        both += (
            Vault(other, MasterKeys(tmp_path / "other.keys")).tags(elsewhere, "a", ["x"]).values()
        )
    other.close()
    assert len(set(both)) == 4


# ---- master keys ----


def text_of(*keys: bytes) -> str:
    """Master keys as they are stated in the environment."""
    return ",".join(base64.b64encode(key).decode() for key in keys)


def test_keys_from_the_environment_are_newest_first(database: Database, tmp_path: Path) -> None:
    """Several keys may be stated while they are rotated: all open, the first seals, and rotating
    makes the others needless.
    """
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    file = tmp_path / "unused"
    sealed = sealed_for(database, Vault(database, MasterKeys(file, text_of(old))))
    both = MasterKeys(file, text_of(new, old))
    assert_all_open(database, both, sealed)
    assert Vault(database, both).rotate() == len(CUSTOMERS)
    assert Vault(database, both).rotate() == 0
    assert_all_open(database, MasterKeys(file, text_of(new)), sealed)
    assert not file.exists()


def test_a_missing_master_key_is_named(database: Database, vault: Vault, tmp_path: Path) -> None:
    """With another master key nothing opens, the error names the missing one and where to put it,
    and nothing is lost.
    """
    sealed = sealed_for(database, vault)
    foreign = MasterKeys(tmp_path / "other.keys")
    foreign.make()
    other = Vault(database, foreign)
    for attempt in (other.keys, other.keys_for_sealing):
        with (
            database.write() as connection,
            pytest.raises(WorkspaceError, match=wrapped_by(database).pop()) as error,
        ):
            attempt(connection, [1])
        assert "SAYSO_MASTER_KEY" in str(error.value)
    with pytest.raises(WorkspaceError):
        other.rotate()
    assert_all_open(database, vault._masters, sealed)


@pytest.mark.parametrize(
    "stated",
    ["", " , ", "key", text_of(b"short"), text_of(bytes(32), b"short"), text_of(bytes(33)), "ü"],
)
def test_what_is_no_master_key_is_said(tmp_path: Path, stated: str) -> None:
    """A text that holds no key of 32 bytes, or one beside a key, is refused; the file is named, and
    left as it is.
    """
    with pytest.raises(WorkspaceError, match="SAYSO_MASTER_KEY holds no master key"):
        MasterKeys(tmp_path / "unused", stated).all()
    file = tmp_path / "master.keys"
    file.write_bytes(stated.encode())
    with pytest.raises(WorkspaceError, match=r"master\.keys holds no master key"):
        MasterKeys(file).all()
    assert file.read_bytes() == stated.encode()


def test_all_who_need_the_first_master_key_get_the_same(tmp_path: Path) -> None:
    """Of many who make the file at once, one counts, and no other file is left."""
    folder = tmp_path / "keys"
    folder.mkdir()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: MasterKeys(folder / "master.keys").make(), range(32)))
        found = list(pool.map(lambda _: MasterKeys(folder / "master.keys").all(), range(32)))
    assert len(set(found)) == 1
    assert [file.name for file in folder.iterdir()] == ["master.keys"]


# ---- rotation ----


def test_a_rotation_wraps_every_key_anew(
    database: Database, vault: Vault, masters: MasterKeys
) -> None:
    """After a rotation one new master key is left, everything opens, and the old one opens
    nothing.
    """
    sealed, (old,) = sealed_for(database, vault), masters.all()
    assert vault.rotate() == len(CUSTOMERS)
    (new,) = masters.all()
    assert new != old
    assert wrapped_by(database) == {new.name}
    assert_all_open(database, masters, sealed)
    with pytest.raises(WorkspaceError, match=new.name):
        assert_all_open(database, MasterKeys(masters.file, text_of(old.secret)), sealed)
    assert masters.file.stat().st_mode & 0o777 == 0o600


def test_a_rotation_of_nothing(vault: Vault, masters: MasterKeys) -> None:
    """Where nothing is sealed yet the master key is replaced all the same."""
    masters.make()
    old = masters.all()
    assert vault.rotate() == 0
    assert masters.all() != old


class Killed(BaseException):
    """The process ends here."""


class Steps:
    """Counts the steps of a rotation, and dies before or after one of them."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.at, self.after, self.taken = at, after, 0

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` as a step."""

        def step(*arguments: Any) -> Any:
            self.taken += 1
            if self.taken == self.at and not self.after:
                raise Killed
            result = function(*arguments)
            if self.taken == self.at and self.after:
                raise Killed
            return result

        return step


STEPS = 7
"""A new key, four batches of keys, finding that none is left, forgetting the old key."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, STEPS + 1))
def test_a_rotation_that_is_killed_goes_on(
    database: Database,
    vault: Vault,
    masters: MasterKeys,
    monkeypatch: pytest.MonkeyPatch,
    at: int,
    after: bool,
) -> None:
    """Killed before or after any of its steps, a rotation leaves everything readable, and ends as
    if nothing had been when begun again.
    """
    sealed, old = sealed_for(database, vault), masters.all()
    steps = Steps(at, after=after)
    with monkeypatch.context() as patch:
        patch.setattr(features.customers.vault, "BATCH", 3)
        patch.setattr(
            features.customers.master_keys,
            "replace_text",
            steps(features.customers.master_keys.replace_text),
        )
        patch.setattr(Vault, "_rewrap", steps(Vault._rewrap))
        with pytest.raises(Killed):
            vault.rotate()
    assert_all_open(database, masters, sealed)
    sealed |= sealed_for(database, Vault(database, masters), range(20, 23))
    Vault(database, masters).rotate()
    assert_all_open(database, masters, sealed)
    (new,) = masters.all()
    assert new not in old
    assert wrapped_by(database) == {new.name}


def test_the_steps_are_all_there_are(
    database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rotation of this size takes so many steps: the test above leaves none out."""
    sealed_for(database, vault)
    steps = Steps(0, after=False)
    monkeypatch.setattr(features.customers.vault, "BATCH", 3)
    monkeypatch.setattr(
        features.customers.master_keys,
        "replace_text",
        steps(features.customers.master_keys.replace_text),
    )
    monkeypatch.setattr(Vault, "_rewrap", steps(Vault._rewrap))
    vault.rotate()
    assert steps.taken == STEPS


def test_a_key_made_before_a_rotation_and_committed_during_it_is_wrapped_anew(
    database: Database, vault: Vault, masters: MasterKeys
) -> None:
    """A rotation waits for whoever is making a key under the old master key."""
    sealed = sealed_for(database, vault)
    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            sealed[99] = vault.key(connection, 99).seal(b"secret of 99", ABOUT)
            rotating = pool.submit(vault.rotate)
            time.sleep(0.3)
        assert rotating.result() == len(CUSTOMERS) + 1
    assert_all_open(database, masters, sealed)
    assert wrapped_by(database) == {master.name for master in masters.all()}


def test_keys_made_while_others_rotate_all_open(
    database: Database, vault: Vault, masters: MasterKeys
) -> None:
    """Customers who get their keys during several rotations can all be read after them."""
    ended = threading.Event()
    sealed: Sealed = {}

    def make(first: int) -> None:
        for customer in range(first, first + 10_000):
            if ended.is_set():
                return
            sealed.update(sealed_for(database, vault, range(customer, customer + 1)))

    with ThreadPoolExecutor(2) as pool:
        making = [pool.submit(make, first) for first in (0, 10_000)]
        for _ in range(3):
            vault.rotate()
        ended.set()
        for one in making:
            one.result()
    assert_all_open(database, masters, sealed)
    assert wrapped_by(database) == {master.name for master in masters.all()}


def test_two_rotations_at_once_lose_nothing(
    database: Database, vault: Vault, masters: MasterKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rotation that begins while another one is on its way does not throw that one's master key
    away.
    """
    sealed = sealed_for(database, vault)
    begun, ended = threading.Event(), threading.Event()
    make = features.customers.master_keys._new

    def slow() -> Any:
        """The first to make a key is held up until the other rotation has ended, or waits for this
        one.
        """
        if not begun.is_set():
            begun.set()
            ended.wait(0.5)
        return make()

    monkeypatch.setattr(features.customers.master_keys, "_new", slow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(vault.rotate)
        begun.wait()
        second = pool.submit(Vault(database, masters).rotate)
        second.add_done_callback(lambda _: ended.set())
        for one in (first, second):
            one.exception()
    assert_all_open(database, masters, sealed)
