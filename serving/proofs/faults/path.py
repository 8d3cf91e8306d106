"""A service on a small disk of its own, put through every fault.

Run by `serving.proofs.faults.proof` as `python -m serving.proofs.faults.path FOLDER QUESTIONS`
where it may mount.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx

from features.shop.shop import Shop
from serving.access.api_keys import Keys
from serving.proofs.faults.kinds import FAULTS
from serving.proofs.faults.trial import Trial
from serving.proofs.stage.sandbox import hand_over, pass_on
from serving.proofs.stage.small_shop import make_shop, sharing_everything, sharing_purchases
from serving.server import free_port, running

DISK_SIZE = "64m"


def try_all(folder: Path, shop: Shop, questions: int) -> Trial:
    """Serve `shop` and put the service through every fault, asking so many `questions` under
    each.
    """
    _, key = Keys(shop.database).create(["all"])
    shop.database.close()
    with (
        running(shop.workspace, free_port(), folder / "service.log") as url,
        httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=40.0, trust_env=False
        ) as http,
    ):
        trial = Trial(http, shop.workspace, sharing_everything(), sharing_purchases())
        for position, (name, fault) in enumerate(FAULTS.items()):
            pass_on(name, 0.3 + 0.7 * position / len(FAULTS))
            trial.undergo(name, fault, questions)
        trial.check_acknowledged()
        trial.check_not_restarted()
        return trial


def main() -> None:
    """Make the disk and the shop on it, and try."""
    folder, questions = Path(sys.argv[1]), int(sys.argv[2])
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(  # noqa: S603 - a fixed command
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "sayso-selftest", str(disk)],  # noqa: S607 - as above
        check=True,
    )
    trial = try_all(
        folder, make_shop(disk, lambda what, share: pass_on(what, 0.3 * share)), questions
    )
    seconds = {
        "slowest recovery in seconds": round(trial.slowest, 1),
        "registry noticed within seconds": round(trial.slowest_noticed, 1),
    }
    hand_over({"counts": dict(trial.counts), "seconds": seconds, "faults": trial.faults})


if __name__ == "__main__":
    main()
