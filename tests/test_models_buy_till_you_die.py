"""The order process: what it foretells, of whom it says nothing, and how far the teacher hears
it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import beta, gamma, poisson
from sklearn.metrics import log_loss

from features.synthetic.histories import orders_of_a_kind
from models.churn.backtest import Backtest, Blend, best_of
from models.churn.ensemble import BlendWeights, Said
from models.churn.settings import ChurnSettings
from models.repeat_orders.buy_till_you_die import REGULARITIES, fit_buy_till_you_die
from models.repeat_orders.mbg_cnbd import MbgCnbd
from models.repeat_orders.recency_frequency import RHYTHM, RepeatOrders

NAMES = ("total_spent", *RHYTHM)
HORIZON = 60


Shop = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def shops() -> dict[int, Shop]:
    """By regularity: features of customers who order so, and who orders nothing within the
    horizon.
    """
    return {regularity: orders_of_a_kind(6_000, HORIZON, regularity) for regularity in (1, 4)}


@pytest.mark.parametrize("regularity", [1, 4])
def test_silence_is_foretold_as_often_as_it_happens(
    shops: dict[int, Shop], regularity: int
) -> None:
    """Fitted to how customers ordered, with no look at who came back, it is right on average, also
    of those who order often.
    """
    features, silent = shops[regularity]
    process = fit_buy_till_you_die(NAMES, features, HORIZON, regularity)
    assert process is not None
    backtests = expit(process.log_odds(features))
    for chosen in (backtests > 0, backtests < 0.5, features[:, 1] > 2):
        assert backtests[chosen].mean() == pytest.approx(silent[chosen].mean(), abs=0.03)


def test_each_shop_is_foretold_best_by_its_own_process(shops: dict[int, Shop]) -> None:
    """Orders at random by the process of orders at random, regular ones by a regular one."""
    for own, (features, silent) in shops.items():
        losses = {}
        for regularity in (1, 4):
            process = fit_buy_till_you_die(NAMES, features, HORIZON, regularity)
            assert process is not None
            losses[regularity] = log_loss(silent, expit(process.log_odds(features)))
        assert min(losses, key=losses.__getitem__) == own


@pytest.mark.parametrize("regularity", REGULARITIES)
def test_of_who_withholds_order_times_nothing_is_said(
    shops: dict[int, Shop], regularity: int
) -> None:
    """Their answers are missing, and those of the others what they would be without them."""
    features = shops[1][0].copy()
    features[::3, 1:] = np.nan
    shown = ~np.isnan(features[:, 1])
    process, alone = (
        fit_buy_till_you_die(NAMES, rows, HORIZON, regularity)
        for rows in (features, features[shown])
    )
    assert process is not None
    assert alone is not None
    said = process.log_odds(features)
    assert np.isnan(said[~shown]).all()
    np.testing.assert_array_equal(said[shown], alone.log_odds(features[shown]))


@pytest.mark.parametrize("regularity", REGULARITIES)
@pytest.mark.parametrize(
    ("names", "horizon_days", "days"),
    [
        (NAMES, 0, 3.0),
        (("total_spent",), HORIZON, 3.0),
        (NAMES, HORIZON, 1.0),
        (NAMES, HORIZON, np.nan),
    ],
    ids=["no horizon", "no order times", "nobody ordered twice", "all withhold them"],
)
def test_where_nothing_tells_how_customers_order_there_is_none(
    names: tuple[str, ...], horizon_days: int, days: float, regularity: int
) -> None:
    """No process is made up."""
    assert (
        fit_buy_till_you_die(names, np.full((80, len(names)), days), horizon_days, regularity)
        is None
    )


@pytest.mark.parametrize("regularity", REGULARITIES)
def test_whose_numbers_give_out_is_left_to_the_others(
    shops: dict[int, Shop], regularity: int
) -> None:
    """Of a customer of ten thousand orders the process says a number or nothing, and never an
    infinite one.
    """
    process = fit_buy_till_you_die(NAMES, shops[1][0], HORIZON, regularity)
    assert process is not None
    said = process.log_odds(
        np.array(
            [
                [1.0, 10_000, 20_000, 1],
                [1.0, 3_000, 400, 399.5],
                [1.0, 2, 1, 0.0],
                [1.0, 1, 0.0, 0.0],
            ]
        )
    )
    assert not np.isinf(said).any()
    assert np.isfinite(said[2:]).all()


def test_the_likelihood_of_regular_orders_is_the_integral_over_rates_and_chances() -> None:
    """For one customer of three orders, MBG/CNBD-3 in closed form and by integrating what it says
    of one rate and one chance.
    """
    model = MbgCnbd(regularity=3, r=1.3, alpha=9.0, a=0.7, b=2.5)
    customer = RepeatOrders(np.array([2.0]), np.array([30.0]), np.array([44.0]), np.ones(1))

    def over_rates(likelihood: Callable[[float], float]) -> float:
        """Six events until the third order, thirty days after the first, and what came then."""
        prior = gamma(1.3, scale=1 / 9).pdf
        return quad(
            lambda rate: rate**6 * np.exp(-rate * 30) * prior(rate) * likelihood(rate),
            0,
            5,
            epsabs=0,
            epsrel=1e-9,
        )[0]

    def silent(wait: float) -> float:
        """Fewer than three events since then."""
        return over_rates(lambda rate: poisson.cdf(2, rate * wait))

    gone = over_rates(lambda _: 1.0)
    leaving = quad(lambda chance: chance * (1 - chance) ** 2 * beta.pdf(chance, 0.7, 2.5), 0, 1)[0]
    staying = quad(lambda chance: (1 - chance) ** 3 * beta.pdf(chance, 0.7, 2.5), 0, 1)[0]
    total = silent(14.0) * staying + gone * leaving
    assert np.exp(model.log_likelihood(customer)[0]) == pytest.approx(total, rel=1e-6)
    assert model.no_order(customer, 20.0)[0] == pytest.approx(
        (silent(34.0) * staying + gone * leaving) / total, rel=1e-6
    )


def backtests(*betterment: float) -> list[Backtest]:
    """Trials in which the process knows so much more of the truth than trees and lines do, or
    less.
    """
    draw = np.random.default_rng(3)
    made = []
    for more in betterment:
        truth = draw.normal(0, 2, 4_000)
        guess, process = (truth + draw.normal(0, spread, 4_000) for spread in (1.5, 1.5 - more))
        labels = (draw.random(4_000) < expit(truth)).astype(np.float64)
        made.append(
            Backtest(Said(np.stack([guess * 0.5, guess]), guess, {2: process}), labels, step=25)
        )
    return made


@pytest.mark.parametrize(
    ("betterment", "heard"),
    [((1.4, 1.4, 1.4), True), ((-9.0, -9.0, -9.0), False), ((1.4, 1.4, -9.0), False)],
)
def test_the_process_is_heard_where_it_betters_every_trial(
    betterment: tuple[float, ...], heard: bool
) -> None:
    """One that knows more is heard, one that knows less is not, nor one that knows less now and
    then.
    """
    weights = best_of(backtests(*betterment), ChurnSettings(most_trees=50, tree_step=25)).weights
    assert (weights.process > 0, weights.regularity == 2) == (heard, heard)


def test_members_speak_together_by_their_shares() -> None:
    """Trees and lines by the share of the lines, the process beside both, and where it says nothing
    they speak alone.
    """
    said = Said(np.array([1.0, 1.0]), np.array([3.0, 3.0]), {4: np.array([10.0, np.nan])})
    assert said.together(BlendWeights(logistic=0.25, process=0.5, regularity=4)).tolist() == [
        5.75,
        1.5,
    ]
    assert said.together(BlendWeights(logistic=0.25, process=0.5, regularity=1)).tolist() == [
        1.5,
        1.5,
    ]
    grown = Said(np.array([[1.0], [2.0]]), np.zeros(1), {})
    assert Backtest(grown, np.ones(1), step=25).by(Blend(50, BlendWeights(0.5, 0.0)))[0] == [1.0]
