"""The vault: personal payloads are sealed with a key of the customer's own, and are gone for good
once that key is.

AES-256-GCM throughout. A customer's key is wrapped by a master key that is not in the database;
destroying the key makes all that was sealed with it unreadable, in backups too (crypto-shredding).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import BigInteger, Connection, bindparam, delete, func, select, text, update

from features.customers.master_keys import MasterKey, MasterKeyMissing, MasterKeys
from features.database.engine import Database, insert_missing
from features.database.prepared import AT_ONCE, PreparedForMany
from features.database.tables import payload_keys
from features.errors import SaysoError, WorkspaceError

PLAIN, SEALED = b"\x00", b"\x01"
"""First byte of a payload: as it is (from before there was encryption), or sealed."""
NOBODY = 0
"""Whose key seals what is about no known customer."""
SHOP = -1
"""Whose key makes tags."""
NONCE = 12
BATCH = 2_000


class PayloadGone(SaysoError):
    """Encrypted content cannot be read: its key was destroyed, or it was altered."""


@dataclass(frozen=True)
class PayloadKey:
    """The key of one customer."""

    secret: bytes

    def seal(self, content: bytes, about: str) -> bytes:
        """`content` unreadable, and bound to what it is `about`: it opens nowhere else."""
        return _sealed(self.secret, secrets.token_bytes(NONCE), content, about)

    def open(self, payload: bytes, about: str) -> bytes:
        """What `seal` was given.

        Raises `PayloadGone` where it was altered, or sealed with another key.
        """
        if payload[:1] == PLAIN:
            return payload[1:]
        try:
            return AESGCM(self.secret).decrypt(
                payload[1 : 1 + NONCE], payload[1 + NONCE :], about.encode()
            )
        except (InvalidTag, ValueError):
            raise PayloadGone("this content was altered, or its key is gone") from None


def seal_all(contents: Sequence[tuple[PayloadKey, bytes, str]]) -> list[bytes]:
    """Each content as its key's `seal` makes it, given what it is about; what has to be random is
    drawn at once, which is what takes long about a small one.
    """
    drawn = secrets.token_bytes(NONCE * len(contents))
    return [
        _sealed(key.secret, drawn[NONCE * number : NONCE * (number + 1)], content, about)
        for number, (key, content, about) in enumerate(contents)
    ]


def _sealed(secret: bytes, nonce: bytes, content: bytes, about: str) -> bytes:
    return SEALED + nonce + AESGCM(secret).encrypt(nonce, content, about.encode())


class Vault:
    """The customers' payload keys in one database, wrapped by `masters`."""

    def __init__(self, database: Database, masters: MasterKeys) -> None:
        self._database = database
        self._masters = masters

    def keys(self, connection: Connection, customers: Collection[int]) -> dict[int, PayloadKey]:
        """Keys by customer, of those who have one.

        A key was destroyed, or never needed, where it is missing.
        """
        wanted, found = list(customers), {}
        for start in range(0, len(wanted), BATCH):
            rows = _wrapped_keys(connection, wanted[start : start + BATCH])
            masters = self._masters.by_name() if rows else {}
            found.update({row[0]: _unwrapped(*row, masters) for row in rows})
        return found

    def keys_for_sealing(
        self, connection: Connection, customers: Collection[int]
    ) -> dict[int, PayloadKey]:
        """Keys by customer, made where there are none; within a transaction that writes."""
        known = self.keys(connection, customers)
        if missing := [customer for customer in dict.fromkeys(customers) if customer not in known]:
            _keep_rotation_out(connection)
            newest = self._newest(connection)
            rows = [
                {"customer": c, "master": newest.name, "wrapped": _wrapped(c, _new(), newest)}
                for c in missing
            ]
            insert_missing(connection, payload_keys, ["customer"], rows)
            known |= self.keys(connection, missing)  # another writer may have been first
        return known

    def _newest(self, connection: Connection) -> MasterKey:
        """The key to wrap with.

        It is made where nothing was ever wrapped; beside what was, one that is missing is lost.
        """
        try:
            return self._masters.all()[0]
        except MasterKeyMissing:
            if connection.execute(select(payload_keys.c.customer).limit(1)).first() is not None:
                raise
            self._masters.make()
            return self._masters.all()[0]

    def key(self, connection: Connection, customer: int | None) -> PayloadKey:
        """The key of one customer (of nobody: None), made where there is none; within a transaction
        that writes.
        """
        whose = NOBODY if customer is None else customer
        return self.keys_for_sealing(connection, [whose])[whose]

    def opened(
        self, connection: Connection, customer: int | None, payload: bytes, about: str
    ) -> bytes:
        """What was sealed for a customer.

        Raises `PayloadGone` where their key was destroyed or the payload altered.
        """
        if payload[:1] == PLAIN:
            return payload[1:]
        whose = NOBODY if customer is None else customer
        return opened_with(self.keys(connection, [whose]).get(whose), payload, about)

    def tags(self, connection: Connection, kind: str, texts: Collection[str]) -> dict[str, str]:
        """For each text a tag that stands for it and cannot be turned back: HMAC-SHA256 under the
        shop's own key.
        """
        secret = self.keys_for_sealing(connection, [SHOP])[SHOP].secret
        return {
            text: hmac.digest(secret, f"{kind}\n{text}".encode(), "sha256").hex() for text in texts
        }

    def destroy(self, connection: Connection, customer: int) -> None:
        """Forget a customer's key, and with it all that was sealed for them."""
        connection.execute(delete(payload_keys).where(payload_keys.c.customer == customer))

    def rotate(self) -> int:
        """Wrap every key with a new master key; how many.

        Killed half-way, it goes on where it was when it is called again.
        """
        with self._database.write() as connection:
            _keep_others_out(connection)
            self._newest(connection)
            self._masters.begin_rotation()
        count = 0
        while changed := self._rewrap(BATCH):
            count += changed
        with self._database.write() as connection:
            _keep_others_out(connection)
            newest = self._masters.all()[0]
            left = connection.execute(
                select(func.count())
                .select_from(payload_keys)
                .where(payload_keys.c.master != newest.name)
            ).scalar_one()
            if not left:
                self._masters.end_rotation()
        return count if not left else count + self.rotate()

    def _rewrap(self, most: int) -> int:
        masters = self._masters.all()
        newest, by_name = masters[0], {master.name: master for master in masters}
        with self._database.write() as connection:
            old = connection.execute(
                select(payload_keys).where(payload_keys.c.master != newest.name).limit(most)
            ).all()
            rows = []
            for row in old:
                key = _unwrapped(row.customer, row.master, row.wrapped, by_name)
                rows.append({"whose": row.customer, "wrapped": _wrapped(row.customer, key, newest)})
            if rows:
                statement = update(payload_keys).where(
                    payload_keys.c.customer == bindparam("whose")
                )
                connection.execute(
                    statement.values(wrapped=bindparam("wrapped"), master=newest.name), rows
                )
        return len(rows)


def opened_with(key: PayloadKey | None, payload: bytes, about: str) -> bytes:
    """What was sealed with a customer's key, None where that is no longer there; raises as
    `Vault.opened`.
    """
    if payload[:1] == PLAIN:
        return payload[1:]
    if key is None:
        raise PayloadGone("the key of this content was destroyed")
    return key.open(payload, about)


def _wrapped_keys(connection: Connection, customers: list[int]) -> list[tuple[int, str, bytes]]:
    """Customer, master key and wrapped key of those who have one."""
    column = payload_keys.c
    if len(customers) <= AT_ONCE:
        return _FEW_KEYS.rows(connection, customers)
    query = select(column.customer, column.master, column.wrapped)
    found = connection.execute(query.where(column.customer.in_(customers)))
    return [(row.customer, row.master, row.wrapped) for row in found]


_FEW_KEYS = PreparedForMany(
    lambda asked: select(
        payload_keys.c.customer, payload_keys.c.master, payload_keys.c.wrapped
    ).where(payload_keys.c.customer.in_(asked)),
    BigInteger(),
)


def _new() -> PayloadKey:
    return PayloadKey(secrets.token_bytes(32))


def _wrapped(customer: int, key: PayloadKey, master: MasterKey) -> bytes:
    return PayloadKey(master.secret).seal(key.secret, f"key:{customer}")


def _unwrapped(
    customer: int, master: str, wrapped: bytes, masters: dict[str, MasterKey]
) -> PayloadKey:
    if master not in masters:
        raise WorkspaceError(
            f"the master key {master} is missing, so what is encrypted cannot be read; put it back"
            " into master.keys in the workspace, or into SAYSO_MASTER_KEY behind the newest one"
        )
    if wrapped[:1] != SEALED:
        raise PayloadGone("this is no wrapped key: it was altered")
    return PayloadKey(PayloadKey(masters[master].secret).open(wrapped, f"key:{customer}"))


def _keep_rotation_out(connection: Connection) -> None:
    """Who makes a key must not have read the master key before a rotation that ends before the new
    key is there.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE payload_keys IN ROW EXCLUSIVE MODE"))


def _keep_others_out(connection: Connection) -> None:
    """In SQLite a transaction that writes is alone anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE payload_keys IN EXCLUSIVE MODE"))
