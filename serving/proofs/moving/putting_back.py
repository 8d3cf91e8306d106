"""Backups that are older than erasures, put back in either kind of database."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from features.config.environment import Settings
from features.intake.ingest import ingest
from features.shop.shop import Shop
from serving.operations.archive import BackupBroken
from serving.operations.backup import back_up
from serving.operations.restore import RestoreRefused, Restoring
from serving.proofs.moving.furnished_shop import ERASED_BEFORE, IDS, files_of, shop_in
from serving.rights.rights import Rights


def erase_and_put_back(
    root: Path, folder: Path, targets: dict[str, str | None], erasures: int
) -> tuple[dict[str, int], list[str]]:
    """Back up, erase so many more, put the backup back on every target and load the sources again;
    figures, and what was wrong.
    """
    faults: list[str] = []
    backup = folder / "backup.tar.gz"
    with shop_in(root) as shop:
        made = back_up(shop, backup)
        gone = [one for one in IDS if shop.customers.find(one) is not None][:erasures]
        numbers = {one: shop.customers.pseudonym(one) for one in gone}
        for customer_id in gone:
            Rights(shop).erase(customer_id)
    models = files_of(root, "models")
    faults += _refusals(backup, folder, root)
    for name, url in targets.items():
        put = folder / f"back-{name}"
        settings = Settings.model_construct(workspace=put, database_url=url)
        restored = Restoring(backup, put, settings, root / "erased.list", keys=root).run()
        if restored.erased_again != erasures:
            faults.append(f"{name}: {restored.erased_again} of {erasures} were erased again")
        if files_of(put, "models") != models:
            faults.append(f"{name}: the files of the models are not those that were backed up")
        with shop_in(put, url) as shop:
            faults += [f"{name}: {fault}" for fault in _traces(shop, numbers)]
            ingest(shop.workspace, shop.database)
            faults += [f"{name}, after ingest: {fault}" for fault in _traces(shop, numbers)]
            if shop.ledger.position() < made.events:
                faults.append(f"{name}: the ledger is shorter than it was")
    figures = {
        "customers erased after the backup was made": erasures,
        "kinds of database that it was put back in": len(targets),
        "erased customers found there": sum("is back" in fault for fault in faults),
    }
    return figures, faults


def _traces(shop: Shop, numbers: dict[str, int]) -> list[str]:
    """What is there of the erased, by their ids, by their numbers and by their keys."""
    every = [*ERASED_BEFORE, *numbers]
    found = ["an erased customer is back" for one in every if shop.customers.find(one) is not None]
    found += [
        "rows of an erased customer is back" for n in numbers.values() if shop.warehouse.count(n)
    ]
    with shop.database.read() as connection:
        left = shop.vault.keys(connection, list(numbers.values()))
    found += ["the key of an erased customer is back" for _ in left]
    if shop.customers.erased(every) != frozenset(every):
        found.append("an erased customer is not kept out")
    return found


def _refusals(backup: Path, folder: Path, root: Path) -> list[str]:
    """What must not be put back: without the list of the erased, without keys, with an old list,
    over what is there, and a backup of which one bit changed.
    """
    faults = []
    old = folder / "old.list"
    old.write_text("", encoding="ascii")
    spoilt = folder / "spoilt.tar.gz"
    content = np.frombuffer(backup.read_bytes(), dtype=np.uint8).copy()
    content[len(content) // 2] ^= 1
    spoilt.write_bytes(content.tobytes())
    newest, nowhere = root / "erased.list", folder / "nowhere"
    settings = Settings.model_construct(workspace=nowhere)
    attempts = {
        "without the list of the erased": Restoring(backup, nowhere, settings, keys=root),
        "with an older list": Restoring(backup, nowhere, settings, old, keys=root),
        "without keys": Restoring(backup, nowhere, settings, newest),
        "over a workspace": Restoring(backup, root, settings, newest, keys=root),
        "of a spoilt backup": Restoring(spoilt, nowhere, settings, newest, keys=root),
    }
    for name, attempt in attempts.items():
        try:
            attempt.run()
        except (RestoreRefused, BackupBroken):
            if not nowhere.exists():
                continue
        faults.append(f"a restore {name} was not refused, or left something behind")
    return faults
