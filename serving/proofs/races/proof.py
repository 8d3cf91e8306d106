"""The proof that off means off now, against the real server with four threads, and against two
services on one PostgreSQL.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

import numpy as np

from features.consent.simulated import simulated_consents
from features.progress import Progress, part_of
from features.shop.online import refresh_online
from features.shop.shop import Shop
from serving.access.api_keys import Keys
from serving.operations.moving import migrate
from serving.proofs.races.race import Race, Track
from serving.proofs.stage.postgres import postgres_server, wheel
from serving.proofs.stage.proof import Finding, Proof
from serving.proofs.stage.switches import OptOut, Switch, Withdrawal
from serving.proofs.stage.synthetic_shop import make_shop, open_shop, promote_both, workspace_in
from serving.server import free_port, running

RACES = 1_000
RACES_OF_TWO = 120
"""Races of a withdrawal between two services on one PostgreSQL."""
WHERE_OF_TWO = "two services on one PostgreSQL: "
SEED = 20_240_102
CUSTOMERS = 150
SHOP, SHARED = "shop", "shared"
"""Folders of the workspace, as it is made and as two services share it."""
LONGEST_WAIT = 0.03
"""Seconds by which the moment of a switch varies, so that it meets answers at every stage."""


@dataclass
class Score:
    """What the races came to."""

    withdrawals: int = 0
    opt_outs: int = 0
    judged: int = 0
    in_flight: int = 0
    real: int = 0
    faults: list[str] = field(default_factory=list)

    def count(self, race: Race) -> None:
        """Add one race."""
        withdrawn = isinstance(race.switch, Withdrawal)
        self.withdrawals += withdrawn
        self.opt_outs += not withdrawn
        self.judged += len(race.judged)
        self.in_flight += len(race.in_flight)
        self.real += bool(race.in_flight) and race.used_before
        if race.disobeyed:
            what = "a withdrawal" if withdrawn else "an opt-out"
            self.faults.append(
                f"{race.disobeyed} of {len(race.judged)} answers that began after {what} was"
                " acknowledged did not obey it"
            )

    @property
    def figures(self) -> dict[str, int]:
        """The score by name."""
        return {
            "races of a withdrawal": self.withdrawals,
            "races of an opt-out": self.opt_outs,
            "answers begun after the acknowledgement, all judged": self.judged,
            "answers in flight while it was sent": self.in_flight,
            "races with answers in flight, and with use of it just before": self.real,
        }


def run(folder: Path, share: float, progress: Progress) -> Finding:
    """Race as often as `share` asks for, in one service and between two."""
    wheel()
    progress("training the models that answer", 0.0)
    _ready_shop(folder)
    shutil.copytree(folder / SHOP, folder / SHARED)
    alone = _race_alone(folder, ceil(RACES * share), part_of(progress, 0.1, 0.7))
    of_two = _race_of_two(folder, ceil(RACES_OF_TWO * share), part_of(progress, 0.7, 1.0))
    figures = {f"{WHERE_OF_TWO}{name}": count for name, count in of_two.figures.items() if count}
    faults = (*alone.faults, *(f"{WHERE_OF_TWO}{fault}" for fault in of_two.faults))
    return Finding({**alone.figures, **figures}, faults)


def _race_alone(folder: Path, races: int, progress: Progress) -> Score:
    """Races in one service on SQLite."""
    shop, score = open_shop(folder / SHOP), Score()
    with track_of(shop, folder / "service.log") as track:
        for number, race in enumerate(run_races(shop, track, races)):
            progress("racing", number / races)
            score.count(race)
    shop.database.close()
    return score


def _race_of_two(folder: Path, races: int, progress: Progress) -> Score:
    """Withdrawals sent to one service while it and another one on the same PostgreSQL answer."""
    score = Score()
    with postgres_server(durable=False) as server:
        migrate(workspace_in(folder / SHARED), server.url)
        shop = open_shop(folder / SHARED, server.url)
        with (
            running(shop.workspace, free_port(), folder / "other.log") as other,
            track_of(shop, folder / "one.log", other) as track,
        ):
            for number, race in enumerate(run_races(shop, track, races, only_withdrawals=True)):
                progress("racing between two services", number / races)
                score.count(race)
        shop.database.close()
    return score


@contextmanager
def track_of(shop: Shop, log: Path, *others: str) -> Iterator[Track]:
    """The server of `shop` while the block runs, and a track to it and to `others`."""
    _, key = Keys(shop.database).create(["all"])
    with (
        running(shop.workspace, free_port(), log) as url,
        closing(Track(url, key, *others)) as track,
    ):
        yield track


def run_races(
    shop: Shop,
    track: Track,
    races: int,
    customer_ids: list[str] | None = None,
    *,
    only_withdrawals: bool = False,
) -> Iterator[Race]:
    """So many races, each of another customer in turn; a customer switches one thing off after
    another.
    """
    draw = np.random.default_rng(SEED)
    turns = customer_ids or sorted(shop.customers.all().values())
    for number in range(races):
        turn, position = divmod(number, len(turns))
        kinds = (0, 2) if only_withdrawals else (0, 1, 2)
        step, kind = divmod(turn + position, len(kinds))
        switch = _switch(shop, track, turns[position], kinds[kind], step)
        yield track.run(switch, float(draw.uniform(0, LONGEST_WAIT)))


def _switch(shop: Shop, track: Track, customer_id: str, kind: int, step: int) -> Switch:
    """By kind a category for recommendations, a product, or a category for churn; the next one at
    each step.
    """
    models = shop.config.models
    if kind == 1:
        items = track.answer(
            "/v1/recommendations", {"customer_id": customer_id, "explain": "none"}
        )["items"]
        return OptOut(customer_id, items[step % len(items)]["product_id"])
    route, purpose = (
        ("/v1/recommendations", models.next_purchase.purpose)
        if kind == 0
        else ("/v1/churn", models.churn.purpose)
    )
    categories = shop.config.catalog.askable(purpose)
    return Withdrawal(customer_id, route, purpose, categories[step % len(categories)])


def _ready_shop(folder: Path) -> None:
    """Make a shop in which everybody allows everything, with champions in its registry."""
    shop = make_shop(folder, SEED, CUSTOMERS)
    shop.ledger.append_all(
        simulated_consents(
            shop.config.catalog, sorted(shop.customers.all().values()), SEED, everything=True
        )
    )
    refresh_online(shop)
    promote_both(shop)
    shop.database.close()


PROOF = Proof(
    "races",
    "Off means off now: no answer that begins after a withdrawal was acknowledged uses what was"
    " withdrawn.",
    run,
)
