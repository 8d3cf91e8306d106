"""Whose account stands beside an e-mail address: a guest who orders with it later is that customer.

Addresses are kept as salted hashes, with the customer's pseudonym, and go with the customer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.customers.pseudonyms import Customers
from features.intake.loading.seen import hashes
from features.intake.loading.sorted_rows import SortedRows
from features.intake.reading.source_files import ReadAnew
from features.tables.declared.transactions import CUSTOMER_EMAIL
from features.tables.table import CUSTOMER, CUSTOMER_ID
from features.warehouse.parts import write_part

NAME = "accounts"
NOBODY = -1
"""Stands for an account that bought nothing so far."""
_TYPES: dict[str, pa.DataType] = {
    "source": pa.string(),
    "mail": pa.uint64(),
    CUSTOMER: pa.int64(),
}
SCHEMA = pa.schema(_TYPES)


def note_accounts(
    parts: Iterable[SortedRows], customers: Customers, salt: str, notes: Path
) -> None:
    """Note the accounts that stand beside addresses in some sources, beside those noted already."""
    frames = []
    for part in parts:
        if CUSTOMER_EMAIL in part.source.columns:
            accounts = part.accounts
            known = customers.known(accounts.values())
            mails = hashes(pd.Series(list(accounts), dtype="object"), salt)
            whose = [known.get(account, NOBODY) for account in accounts.values()]
            frames.append(
                pd.DataFrame({"source": part.source.name, "mail": mails, CUSTOMER: whose})
            )
    if frames:
        rows = pa.Table.from_pandas(pd.concat(frames), SCHEMA, preserve_index=False)
        write_part(rows, notes / f"{NAME}-{len(_files(notes)):06}.parquet")


def _files(notes: Path) -> list[Path]:
    return sorted(notes.glob(f"{NAME}-*.parquet"))


def noted_accounts(
    mails: Iterable[str], source: str, customers: Customers, salt: str, notes: Path
) -> dict[str, str]:
    """The accounts of some addresses (in small letters) in a source, as loads before noted them.

    Raises `ReadAnew` where nobody knows whose an account is.
    """
    asked = pd.Series(list(mails), dtype="object")
    by_hash = dict(zip(hashes(asked, salt).tolist(), asked, strict=True))
    found: dict[str, int] = {}
    for file in _files(notes):
        rows = pq.read_table(file).to_pandas()
        rows = rows[(rows["source"] == source) & rows["mail"].isin(np.array([*by_hash], np.uint64))]
        for mail, customer in zip(rows["mail"].tolist(), rows[CUSTOMER].tolist(), strict=True):
            found.setdefault(by_hash[mail], customer)
    ids = customers.external_ids(sorted(set(found.values())))
    if len(ids) < len(set(found.values())):
        raise ReadAnew("a guest has an account that bought nothing so far")
    return {mail: ids[customer] for mail, customer in found.items()}


def addresses(lines: pd.DataFrame) -> pd.Series:
    """The addresses in some lines, each once."""
    mails: pd.Series = lines[CUSTOMER_EMAIL].dropna().astype("str").str.casefold()
    return mails.drop_duplicates()


def refuse_former_guests(
    lines: pd.DataFrame, accounts: Collection[str], customers: Customers
) -> None:
    """Raise `ReadAnew` where an address gets an account that ordered as a guest before."""
    told = lines[lines[CUSTOMER_ID].notna() & lines[CUSTOMER_EMAIL].notna()]
    mails = told[CUSTOMER_EMAIL].astype("str").str.casefold()
    new = mails[~mails.isin(list(accounts)) & (mails != told[CUSTOMER_ID].str.casefold())]
    if customers.known(new.unique()):
        raise ReadAnew("a guest has an account now")
