"""Which of the staff looked at what: in the log without anybody's id, in the database with whose
data it was.
"""

from __future__ import annotations

import logging
import secrets

from sqlalchemy import insert

from features import clock
from features.database.tables import audit_log
from features.shop.shop import Shop

log = logging.getLogger("sayso.console")


def record_access(shop: Shop, key_id: str, kind: str, customer: int | None = None) -> None:
    """Record that the holder of a key looked at something of that `kind`, and at whose data."""
    log.info("key %s: %s", key_id, kind)
    row = {
        "id": "acc_" + secrets.token_hex(12),
        "key_id": key_id,
        "kind": kind,
        "at": clock.to_text(shop.clock()),
        "customer": customer,
    }
    with shop.database.write() as connection:
        connection.execute(insert(audit_log).values(**row))
