"""The selftest `withheld`: it holds, and each planted leak is caught by it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.progress import silent
from serving.proofs.stage.synthetic_shop import MODELS, draw_shop
from serving.proofs.withheld.alterations import SCHEMAS, Recorded
from serving.proofs.withheld.choices import draw_choices
from serving.proofs.withheld.comparison import compare
from serving.proofs.withheld.leaks.leak import Leak
from serving.proofs.withheld.leaks.planted import LEAKS
from serving.proofs.withheld.proof import PROOF, SEED, Bench, make_bench
from serving.proofs.withheld.retraining import differing_files
from serving.proofs.withheld.twins import twins

pytestmark = pytest.mark.slow  # `make selftest` runs the proof itself, which takes its time

CUSTOMERS = 70
QUICK = 4
"""Each leak takes seconds; of so many one is planted by default, and all of them with `-m slow` and
by the selftest itself.
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Bench:
    """Champions trained once."""
    return make_bench(tmp_path_factory.mktemp("bench"))


def test_withheld_data_has_no_influence(tmp_path):
    """A very small run of the whole proof finds no fault."""
    found = PROOF.run(tmp_path, 0.001, silent)
    assert found.holds, found.faults
    assert min(found.figures.values()) > 0


@settings(
    max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), customers=st.integers(20, 40), model=st.sampled_from(MODELS))
def test_worlds_of_any_seed_look_the_same(bench, seed, customers, model):
    """Whatever the seed, the number of customers and the purpose, no outcome tells two worlds
    apart.
    """
    with twins(bench.template, bench.folder / "any", model, seed, customers) as pair:
        assert [compared for compared in compare(pair, bench.champions) if compared.differing] == []


@pytest.mark.parametrize("model", MODELS)
def test_a_retrained_model_is_the_same_in_every_byte(bench, model):
    """Files and metrics of a model trained in both worlds are the same."""
    with twins(bench.template, bench.folder / "retrained", model, SEED, 320) as pair:
        files, differing = differing_files(pair, bench.folder / "retrained" / "models")
    assert files >= 3
    assert differing == 0


@pytest.mark.parametrize(
    "leak",
    [
        pytest.param(leak, id=leak.name, marks=() if number % QUICK == 0 else pytest.mark.slow)
        for number, leak in enumerate(LEAKS)
    ],
)
def test_a_planted_leak_is_caught(bench: Bench, leak: Leak):
    """While the product leaks, an outcome differs."""
    assert bench.catches(leak)


def test_leaks_are_gone_after_they_were_planted():
    """A leak puts back what it replaced."""
    for leak in LEAKS:
        before = [getattr(swap.owner, swap.name) for swap in leak.swaps]
        with leak.planted():
            assert all(
                getattr(swap.owner, swap.name) is not part
                for swap, part in zip(leak.swaps, before, strict=True)
            )
        assert all(
            getattr(swap.owner, swap.name) is part
            for swap, part in zip(leak.swaps, before, strict=True)
        )


def test_nothing_but_what_is_withheld_is_altered(bench):
    """Every value that a customer grants, and every row that holds one, is the same in both
    worlds.
    """
    draw, world = np.random.default_rng(SEED), draw_shop(SEED, CUSTOMERS)
    with twins(bench.template, bench.folder / "altered", "churn", SEED, 20) as pair:
        catalog, purpose = pair.one.shop.config.catalog, pair.one.purpose
    pseudonyms = pd.Series(range(CUSTOMERS), index=world.customer_ids)
    withheld = draw_choices(catalog, world.customer_ids, purpose, draw).withheld.rename(
        index=pseudonyms
    )
    recorded = Recorded.of(world, pseudonyms)
    altered = recorded.altered(catalog, withheld, draw)
    assert len(recorded.differing(altered)) > CUSTOMERS // 2
    for field in (field for field in catalog.fields.values() if field.table != "products"):
        allowing = withheld.index[~withheld[field.category]]
        one, other = (part.frames[field.table] for part in (recorded, altered))
        kept, also = (
            frame.loc[frame["customer"].isin(allowing), ["customer", field.column]]
            for frame in (one, other)
        )
        pd.testing.assert_frame_equal(
            kept.reset_index(drop=True), also.reset_index(drop=True), check_dtype=False
        )
    assert set(SCHEMAS) == set(altered.frames)
