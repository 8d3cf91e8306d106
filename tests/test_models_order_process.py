"""The order process: what it foretells, of whom it says nothing, and how far the teacher hears it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from models.churn_members import Said, Shares
from models.churn_settings import ChurnSettings
from models.foretelling import Foretold, Size, _best
from models.order_process import fit_order_process
from models.repeat_orders import RHYTHM
from tests.made_up_orders import random_orders

NAMES = ("total_spent", *RHYTHM)
HORIZON = 60


@pytest.fixture(scope="module")
def shop() -> tuple[np.ndarray, np.ndarray]:
    """Features of customers who order at random until they are gone, and who orders nothing within the horizon."""
    return random_orders(6_000, HORIZON)


def test_silence_is_foretold_as_often_as_it_happens(shop: tuple[np.ndarray, np.ndarray]) -> None:
    """Fitted to how customers ordered, with no look at who came back, it is right on average, also of those who order often."""
    features, silent = shop
    process = fit_order_process(NAMES, features, HORIZON)
    assert process is not None
    foretold = expit(process.log_odds(features))
    for chosen in (foretold > 0, foretold < 0.5, features[:, 1] > 2):
        assert foretold[chosen].mean() == pytest.approx(silent[chosen].mean(), abs=0.03)


def test_of_who_withholds_order_times_nothing_is_said(shop: tuple[np.ndarray, np.ndarray]) -> None:
    """Their answers are missing, and those of the others what they would be without them."""
    features = shop[0].copy()
    features[::3, 1:] = np.nan
    shown = ~np.isnan(features[:, 1])
    process, alone = (fit_order_process(NAMES, rows, HORIZON) for rows in (features, features[shown]))
    assert process is not None
    assert alone is not None
    said = process.log_odds(features)
    assert np.isnan(said[~shown]).all()
    np.testing.assert_array_equal(said[shown], alone.log_odds(features[shown]))


@pytest.mark.parametrize(
    ("names", "horizon_days", "days"),
    [(NAMES, 0, 3.0), (("total_spent",), HORIZON, 3.0), (NAMES, HORIZON, 1.0), (NAMES, HORIZON, np.nan)],
    ids=["no horizon", "no order times", "nobody ordered twice", "all withhold them"],
)
def test_where_nothing_tells_how_customers_order_there_is_none(names: tuple[str, ...], horizon_days: int, days: float) -> None:
    """No process is made up."""
    assert fit_order_process(names, np.full((80, len(names)), days), horizon_days) is None


def foretold(*betterment: float) -> list[Foretold]:
    """Trials in which the process knows so much more of the truth than trees and lines do, or less."""
    draw = np.random.default_rng(3)
    made = []
    for more in betterment:
        truth = draw.normal(0, 2, 4_000)
        guess, process = (truth + draw.normal(0, spread, 4_000) for spread in (1.5, 1.5 - more))
        labels = (draw.random(4_000) < expit(truth)).astype(np.float64)
        made.append(Foretold(Said(np.stack([guess * 0.5, guess]), guess, process), labels, step=25))
    return made


@pytest.mark.parametrize(("betterment", "heard"), [((1.4, 1.4, 1.4), True), ((-9.0, -9.0, -9.0), False), ((1.4, 1.4, -9.0), False)])
def test_the_process_is_heard_where_it_betters_every_trial(betterment: tuple[float, ...], heard: bool) -> None:
    """One that knows more is heard, one that knows less is not, nor one that knows less now and then."""
    assert (_best(foretold(*betterment), ChurnSettings(most_trees=50, tree_step=25)).shares.process > 0) is heard


def test_members_speak_together_by_their_shares() -> None:
    """Trees and lines by the share of the lines, the process beside both, and where it says nothing they speak alone."""
    said = Said(np.array([1.0, 1.0]), np.array([3.0, 3.0]), np.array([10.0, np.nan]))
    assert said.together(Shares(lines=0.25, process=0.5)).tolist() == [5.75, 1.5]
    grown = Said(np.array([[1.0], [2.0]]), np.zeros(1), np.full(1, np.nan))
    assert Foretold(grown, np.ones(1), step=25).by(Size(50, Shares(0.5, 0.0)))[0] == [1.0]


def test_whose_numbers_give_out_is_left_to_the_others(shop: tuple[np.ndarray, np.ndarray]) -> None:
    """Of a customer of ten thousand orders the process says a number or nothing, and never an infinite one."""
    process = fit_order_process(NAMES, shop[0], HORIZON)
    assert process is not None
    said = process.log_odds(np.array([[1.0, 10_000, 20_000, 1], [1.0, 3_000, 400, 399.5], [1.0, 2, 1, 0.0], [1.0, 1, 0.0, 0.0]]))
    assert not np.isinf(said).any()
    assert np.isfinite(said[2:]).all()
