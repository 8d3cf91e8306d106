"""The proof that withheld data has no influence.

A pair is one customer for one purpose in two worlds: what was recorded of them differs, and all of
that is withheld. Many customers of two worlds make as many pairs at once, each with choices and
alterations of their own; who withholds nothing is not counted, but looked at all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

import numpy as np

from features.consent.simulated import simulated_consents
from features.progress import Progress
from serving.proofs.stage.proof import TENTH, Finding, Proof
from serving.proofs.stage.synthetic_shop import MODELS, make_shop, train
from serving.proofs.withheld.answers import Champions
from serving.proofs.withheld.comparison import compare
from serving.proofs.withheld.kept_models import KeptModels
from serving.proofs.withheld.leaks.leak import Leak
from serving.proofs.withheld.leaks.planted import LEAKS
from serving.proofs.withheld.retraining import differing_files
from serving.proofs.withheld.twins import twins

PAIRS = 10_000
RETRAINED = 20
SEED = 20_240_101
BASE_CUSTOMERS = 300
CUSTOMERS = (60, 600)
"""Sizes of the worlds lie between these."""
ENOUGH_TO_LEARN = 320
ENOUGH_TO_LEAK = 120


@dataclass
class Bench:
    """Where worlds are compared: the workspace whose `sayso.toml` they share, the champions that
    answer, and the score.
    """

    template: Path
    champions: Champions
    folder: Path
    worlds: int = 0
    pairs: int = 0
    outcomes: int = 0
    retrained: int = 0
    files: int = 0
    caught: int = 0
    faults: list[str] = field(default_factory=list)

    def compare_worlds(self, seed: int, most: int) -> None:
        """Compare one pair of worlds, whose size (up to `most` customers) and purpose under test
        follow from the seed.
        """
        model, customers = (
            MODELS[seed % len(MODELS)],
            min(most, int(np.random.default_rng(seed).integers(*CUSTOMERS))),
        )
        with twins(self.template, self.folder / "pair", model, seed, customers) as pair:
            for compared in compare(pair, self.champions):
                self.outcomes += compared.compared
                if compared.differing:
                    found = f"{compared.differing} of {compared.compared} {compared.outcome}"
                    self.faults.append(
                        f"in the worlds of seed {seed}, withheld data changes {found} ({model})"
                    )
            self.worlds += 1
            self.pairs += len(pair.pairs)

    def retrain(self, seed: int) -> None:
        """Train one model in both worlds."""
        model = MODELS[seed % len(MODELS)]
        with twins(self.template, self.folder / "pair", model, seed, ENOUGH_TO_LEARN) as pair:
            files, differing = differing_files(pair, self.folder / "pair" / "models")
        self.files += files
        self.retrained += 1
        if differing:
            self.faults.append(
                f"in the worlds of seed {seed}, withheld data changes {differing} of {files} files"
                f" of the model {model}"
            )

    def plant(self, leak: Leak) -> None:
        """See whether a planted leak is caught."""
        if self.catches(leak):
            self.caught += 1
        else:
            self.faults.append(f"this proof does not notice when {leak.name}")

    def catches(self, leak: Leak, customers: int = ENOUGH_TO_LEAK) -> bool:
        """Whether any outcome differs between the twins while the product leaks."""
        with (
            leak.planted(),
            twins(self.template, self.folder / "pair", leak.model, SEED, customers) as pair,
        ):
            return any(compared.differing for compared in compare(pair, self.champions))


def make_bench(folder: Path) -> Bench:
    """A bench with champions trained on a world of its own."""
    shop = make_shop(folder, SEED, BASE_CUSTOMERS)
    shop.ledger.append_all(
        simulated_consents(shop.config.catalog, sorted(shop.customers.all().values()), SEED)
    )
    models = KeptModels(folder / "models")
    for model in MODELS:
        train(shop, models, model)
    shop.database.close()
    return Bench(shop.workspace.root, Champions(models), folder)


def run(folder: Path, share: float, progress: Progress) -> Finding:
    """Compare worlds, retrain models, and plant leaks: all of them from a tenth of the full size
    on.
    """
    progress("training the models that answer", 0.0)
    bench = make_bench(folder)
    wanted = ceil(PAIRS * share)
    seed = SEED
    while bench.pairs < wanted:
        progress("comparing worlds", 0.05 + 0.6 * bench.pairs / wanted)
        bench.compare_worlds(seed, max(CUSTOMERS[0], 2 * (wanted - bench.pairs)))
        seed += 1
    for number in range(ceil(RETRAINED * share)):
        progress("training models anew", 0.65 + 0.15 * number / RETRAINED)
        bench.retrain(seed + number)
    leaks = LEAKS[: ceil(len(LEAKS) * min(1.0, TENTH * share))]
    for number, leak in enumerate(leaks):
        progress("planting leaks", 0.8 + 0.2 * number / len(leaks))
        bench.plant(leak)
    return Finding(_figures(bench, len(leaks)), tuple(bench.faults))


def _figures(bench: Bench, leaks: int) -> dict[str, int]:
    return {
        "worlds compared": bench.worlds,
        "pairs (a customer whose withheld data differs, for one purpose)": bench.pairs,
        "outcomes compared (features, training data, answers with their explanations)": (
            bench.outcomes
        ),
        "pairs of models trained anew": bench.retrained,
        "files of models compared": bench.files,
        "planted leaks": leaks,
        "planted leaks caught": bench.caught,
    }


PROOF = Proof(
    "withheld", "Withheld data has no influence on features, models, answers and explanations.", run
)
