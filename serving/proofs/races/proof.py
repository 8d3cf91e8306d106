"""The proof that off means off now, against the real server with four threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

import numpy as np

from features.consent.simulated import simulated_consents
from features.progress import Progress
from features.shop.online import refresh_online
from features.shop.shop import Shop
from serving.access.api_keys import Keys
from serving.proofs.races.race import Race, Track
from serving.proofs.stage.proof import Finding, Proof
from serving.proofs.stage.switches import OptOut, Switch, Withdrawal
from serving.proofs.stage.synthetic_shop import make_shop, promote_both
from serving.server import free_port, running

RACES = 1_000
SEED = 20_240_102
CUSTOMERS = 150
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
    """Race as often as `share` asks for."""
    progress("training the models that answer", 0.0)
    shop = _ready_shop(folder)
    races = ceil(RACES * share)
    score = Score()
    progress("starting the server", 0.05)
    with track_of(shop, folder / "service.log") as track:
        for number, race in enumerate(run_races(shop, track, races)):
            progress("racing", 0.1 + 0.9 * number / races)
            score.count(race)
    return Finding(score.figures, tuple(score.faults))


@contextmanager
def track_of(shop: Shop, log: Path) -> Iterator[Track]:
    """The server of `shop` while the block runs, and a track to it."""
    _, key = Keys(shop.database).create(["all"])
    with running(shop.workspace, free_port(), log) as url:
        track = Track(url, key)
        try:
            yield track
        finally:
            track.close()


def run_races(
    shop: Shop, track: Track, races: int, customer_ids: list[str] | None = None
) -> Iterator[Race]:
    """So many races, each of another customer in turn; a customer switches one thing off after
    another.
    """
    draw = np.random.default_rng(SEED)
    turns = customer_ids or sorted(shop.customers.all().values())
    for number in range(races):
        turn, position = divmod(number, len(turns))
        switch = _switch(shop, track, turns[position], turn + position)
        yield track.run(switch, float(draw.uniform(0, LONGEST_WAIT)))


def _switch(shop: Shop, track: Track, customer_id: str, turn: int) -> Switch:
    """In turn a category for recommendations, a product, a category for churn; the next category
    each third time.
    """
    models = shop.config.models
    kind, step = turn % 3, turn // 3
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


def _ready_shop(folder: Path) -> Shop:
    """A shop in which everybody allows everything, with champions in its registry."""
    shop = make_shop(folder, SEED, CUSTOMERS)
    shop.ledger.append_all(
        simulated_consents(
            shop.config.catalog, sorted(shop.customers.all().values()), SEED, everything=True
        )
    )
    refresh_online(shop)
    promote_both(shop)
    return shop


PROOF = Proof(
    "races",
    "Off means off now: no answer that begins after a withdrawal was acknowledged uses what was"
    " withdrawn.",
    run,
)
