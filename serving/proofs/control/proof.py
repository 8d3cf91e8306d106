"""The proof that the number shown for "without this" is the one that is served once it is
withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from features.catalog import Catalog
from features.consent.event import GRANTED, ConsentEvent
from features.progress import Progress, part_of
from features.shop.online import refresh_online
from features.shop.shop import Shop
from features.synthetic.presets import PROVED
from serving.bootstrap import Sayso, assemble
from serving.proofs.control.trial import Score, Trial
from serving.proofs.stage.proof import Finding, Proof
from serving.proofs.stage.synthetic_shop import make_shop, promote_both

PAIRS = 1_000
SEED = 20_240_103
CUSTOMERS = 480
FEWEST_CUSTOMERS = 160
"""Fewer would be too few to train on."""
BASKET = 3
"""Products in a basket."""
LOOKS_AFTER = 20
"""After so many customers the service looks for changes, as it does every few seconds."""


def run(folder: Path, share: float, progress: Progress) -> Finding:
    """Foretell, withdraw and compare as often as `share` asks for, category after category of one
    customer after another.
    """
    wanted = round(PAIRS * share)
    shop = _ready_shop(
        folder, max(round(CUSTOMERS * share), FEWEST_CUSTOMERS), part_of(progress, 0.0, 0.3)
    )
    sayso = assemble(shop.workspace, "")
    try:
        score = compare(sayso, wanted, part_of(progress, 0.3, 1.0))
        return Finding(score.figures, tuple(score.faults))
    finally:
        sayso.close()
        shop.database.close()


def compare(sayso: Sayso, wanted: int, progress: Progress) -> Score:
    """What came of so many pairs of a customer and a category, for both models."""
    sayso.watch.look()
    score = Score()
    for number, trial in enumerate(_trials(sayso)):
        progress("foretelling, withdrawing, comparing", score.pairs / wanted)
        if number % LOOKS_AFTER == LOOKS_AFTER - 1:
            sayso.watch.look()
        for _ in range(min(len(trial.left), wanted - score.pairs)):
            trial.withdraw_next(score)
        if score.pairs == wanted:
            break
    return score


def _trials(sayso: Sayso) -> Iterator[Trial]:
    """One for every customer; the order in which they withdraw differs from one to the next, and
    half have a basket.
    """
    purpose = sayso.shop.config.models.churn.purpose
    champion = sayso.recommender.champion
    products = [] if champion is None else champion.model.maker.statistics.product_ids.tolist()
    for number, id in enumerate(sorted(sayso.shop.customers.all().values())):
        stated = sayso.shop.ledger.state(sayso.shop.customers.pseudonym(id))
        granted = [
            state["category"]
            for state in stated
            if state["purpose"] == purpose and state["allowed"]
        ]
        turn = number % max(len(granted), 1)
        basket = (
            [products[(number + place) % len(products)] for place in range(BASKET)]
            if products and number // 2 % 2
            else ()
        )
        yield Trial(sayso, id, granted[turn:] + granted[:turn], basket)


def consents(catalog: Catalog, customers: int) -> list[ConsentEvent]:
    """Half of the customers grant everything; of the others number n grants the categories whose
    bits are set in n.
    """
    events = []
    for number in range(customers):
        for purpose in catalog.purposes:
            version = catalog.current_notice(purpose).version
            categories = catalog.askable(purpose)
            everything = 2 ** len(categories) - 1
            kind = 1 + number // 2 % everything if number % 2 else everything
            for position, category in enumerate(categories):
                said = GRANTED if kind >> position & 1 else "refused"
                events.append(
                    ConsentEvent(
                        PROVED.customer_id(number), purpose, category, said, "selftest", version
                    )
                )
    return events


def _ready_shop(folder: Path, customers: int, progress: Progress) -> Shop:
    progress("making a shop and training its models", 0.0)
    shop = make_shop(folder, SEED, customers)
    shop.ledger.append_all(consents(shop.config.catalog, customers))
    refresh_online(shop)
    promote_both(shop)
    return shop


PROOF = Proof(
    "control",
    "What is shown for `without this` is, exactly, what is served after the withdrawal.",
    run,
)
