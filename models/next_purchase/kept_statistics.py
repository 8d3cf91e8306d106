"""Product statistics kept on disk: made of the same orders again, they are read and not made."""

from __future__ import annotations

import hashlib
import inspect
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from models.next_purchase import item_pairs, product_statistics

KEY = "made_of"
"""Name in the file of the digest of all that its statistics were made of."""


@dataclass(frozen=True)
class KeptStatistics:
    """Called as `product_statistics.product_statistics`: what it made last lies in `file`, which
    holds nothing of one customer, and is used again for the same orders alone.
    """

    file: Path

    def __call__(
        self,
        orders: pd.DataFrame,
        as_of: datetime,
        sold_within_days: int,
        homes: pd.Series | None = None,
        prices: pd.Series | None = None,
    ) -> product_statistics.ProductStatistics:
        """The statistics, read or made."""
        made_of = _digest(orders, as_of, sold_within_days, homes, prices)
        if (kept := self._kept(made_of)) is not None:
            return kept
        made = product_statistics.product_statistics(orders, as_of, sold_within_days, homes, prices)
        self._keep(made, made_of)
        return made

    def _kept(self, made_of: bytes) -> product_statistics.ProductStatistics | None:
        """What lies there, if it was made of the same."""
        try:
            with self.file.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                if arrays[KEY].tobytes() == made_of:
                    return product_statistics.ProductStatistics.of(arrays)
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            pass  # not there, or not whole
        return None

    def _keep(self, made: product_statistics.ProductStatistics, made_of: bytes) -> None:
        """Put them in the place of those before; where nothing can be written, nothing is kept."""
        arrays = {**made.arrays, KEY: np.frombuffer(made_of, np.uint8)}
        partial = self.file.with_name(f"{self.file.name}.{secrets.token_hex(8)}")
        try:
            with os.fdopen(
                os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
            ) as out:
                np.savez(out, allow_pickle=False, **arrays)
            os.replace(partial, self.file)
        except OSError:
            partial.unlink(missing_ok=True)


def _digest(
    orders: pd.DataFrame,
    as_of: datetime,
    sold_within_days: int,
    homes: pd.Series | None,
    prices: pd.Series | None,
) -> bytes:
    """Of all that statistics are made of, and of the code that makes them."""
    digest = hashlib.sha256(repr((as_of, sold_within_days, np.__version__)).encode())
    for module in (item_pairs, product_statistics):
        digest.update(inspect.getsource(module).encode())
    for column in ("customer", "order_id", "product_id", "ordered_at"):
        digest.update(pd.util.hash_pandas_object(orders[column], index=False).to_numpy().tobytes())
    for series in (homes, prices):
        known = b"" if series is None else pd.util.hash_pandas_object(series).to_numpy().tobytes()
        digest.update(len(known).to_bytes(8, "little") + known)
    return digest.digest()
