"""BG/NBD and Pareto/NBD as the papers have them, and peers that say why they cannot be fitted."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.benchmarks.peers.bg_nbd import BgNbd
from experiments.benchmarks.peers.order_models import order_model_peer, repeat_orders
from experiments.benchmarks.peers.scores import logistic_rfm_peer, recency_peer
from experiments.trials.churn_trial import ChurnTrial
from features.errors import TrainingError
from models.churn.rows import ChurnRows
from models.churn.settings import ChurnTask
from models.masking import Masking
from models.repeat_orders.pareto_nbd import ParetoNbd
from models.repeat_orders.recency_frequency import RepeatOrders

BG_NBD = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
PARETO_NBD = ParetoNbd(r=0.553, alpha=10.578, s=0.606, beta=11.669)
"""The parameters published for 2,357 customers of CDNOW, in weeks."""


def orders(*rows: tuple[float, float, float]) -> RepeatOrders:
    """Customers with (repeats, last, known)."""
    columns = np.array(rows, dtype=np.float64).T
    return RepeatOrders(columns[0], columns[1], columns[2], np.ones(len(rows)))


FIRST = orders((2, 30.43, 38.86))
"""The first customer of that sample."""


def simulated(
    model: BgNbd | ParetoNbd, customers: int, known: float, horizon: float, seed: int = 0
) -> tuple[RepeatOrders, np.ndarray]:
    """What customers of `model` ordered within `known` time, and whether they ordered nothing
    within the `horizon` after that.
    """
    draw = np.random.default_rng(seed)
    rates = draw.gamma(model.r, 1 / model.alpha, customers)
    rows, silent = [], []
    for rate in rates:
        if isinstance(model, BgNbd):
            leaves_at, leaving = np.inf, draw.beta(model.a, model.b)
        else:
            leaves_at, leaving = draw.exponential(1 / draw.gamma(model.s, 1 / model.beta)), 0.0
        now, inside, later = 0.0, [], 0
        while (now := now + draw.exponential(1 / rate)) < min(known + horizon, leaves_at):
            if now <= known:
                inside.append(now)
            else:
                later += 1
            if draw.random() < leaving:
                break
        rows.append((len(inside), inside[-1] if inside else 0.0, known))
        silent.append(later == 0)
    return orders(*rows), np.array(silent)


def test_the_published_customer_is_alive_as_published() -> None:
    """The first customer of the CDNOW sample is alive with .7266 under the published BG/NBD, and
    with .869 under Pareto/NBD.
    """
    assert BG_NBD.alive(FIRST)[0] == pytest.approx(0.7266, abs=2e-4)
    assert PARETO_NBD.alive(FIRST)[0] == pytest.approx(0.8691, abs=2e-4)


@pytest.mark.parametrize("model", [BG_NBD, PARETO_NBD])
def test_likelihoods_are_those_of_silence(model: BgNbd | ParetoNbd) -> None:
    """The likelihood of no repeat order at all is the probability that a new customer stays silent
    so long.
    """
    new = orders((0, 0, 0.0))
    silent = orders((0, 0, 26.0))
    if isinstance(model, ParetoNbd):
        assert model.no_order(new, 26.0)[0] == pytest.approx(
            np.exp(model.log_likelihood(silent)[0]), rel=1e-9
        )
    else:
        assert np.exp(model.log_likelihood(silent)[0]) == pytest.approx(
            (model.alpha / (model.alpha + 26)) ** model.r
        )


@pytest.mark.parametrize("model", [BG_NBD, PARETO_NBD])
def test_silence_is_foreseen_as_often_as_it_happens(model: BgNbd | ParetoNbd) -> None:
    """Among simulated customers the probabilities of no order are right on average, and in each
    half of them.
    """
    seen, silent = simulated(model, 20_000, known=39.0, horizon=13.0)
    forecast = model.no_order(seen, 13.0)
    for chosen in (forecast >= 0, forecast < np.median(forecast), seen.repeats >= 2):
        assert forecast[chosen].mean() == pytest.approx(silent[chosen].mean(), abs=0.02)


@pytest.mark.parametrize("model", [BG_NBD, PARETO_NBD])
def test_parameters_are_recovered(model: BgNbd | ParetoNbd) -> None:
    """Fitted on what a known model made, in whole days, the parameters that matter most come out
    again, in days.
    """
    seen, _ = simulated(model, 12_000, known=39.0, horizon=0.0, seed=1)
    days = RepeatOrders(seen.repeats, seen.last * 7, seen.known * 7, seen.counts)
    found = type(model).fit(days)
    assert found.r == pytest.approx(model.r, rel=0.25)
    assert found.alpha / 7 == pytest.approx(model.alpha, rel=0.25)
    assert (
        found.log_likelihood(days).sum()
        >= type(model)(**{**model.__dict__, "alpha": model.alpha * 7, **_beta(model)})
        .log_likelihood(days)
        .sum()
    )


def _beta(model: BgNbd | ParetoNbd) -> dict[str, float]:
    return {"beta": model.beta * 7} if isinstance(model, ParetoNbd) else {}


def test_customers_alike_are_counted() -> None:
    """Customers alike to the day become one row that stands for them all."""
    grouped = orders((1, 2.2, 9.0), (1, 1.9, 9.4), (0, 0, 9.0)).grouped()
    assert sorted(
        zip(
            grouped.repeats.tolist(),
            grouped.last.tolist(),
            grouped.known.tolist(),
            grouped.counts.tolist(),
            strict=True,
        )
    ) == [
        (0, 0, 9, 1),
        (1, 2, 9, 2),
    ]


def test_of_many_customers_enough_of_every_kind_stand_for_all() -> None:
    """As many as asked for, from the least active to the most, whatever order they come in."""
    many = orders(*[(number % 7, number % 50, 50 + number % 13) for number in range(1_000)])
    shuffled = many.at(np.random.default_rng(0).permutation(1_000))
    few = shuffled.enough(100)
    assert [len(few.repeats), len(many.enough(1_000).repeats)] == [100, 1_000]
    np.testing.assert_array_equal(few.known, many.enough(100).known)
    assert few.repeats.mean() == pytest.approx(many.repeats.mean(), abs=0.1)


def trial(features: dict[str, list[float]], horizon_days: int = 30) -> ChurnTrial:
    """Three customers at one moment, the same to learn from and to be judged by."""
    names = tuple(features)
    values = np.array(list(features.values()), dtype=np.float64).T
    rows = ChurnRows(values, np.array([1.0, 0.0, 1.0]), np.zeros(3, dtype="datetime64[us]"))
    return ChurnTrial(
        ChurnTask(names, Masking.of([()] * len(names), ()), dict.fromkeys(names, ""), horizon_days),
        rows,
        rows,
    )


ONCE = {
    "order_days": [1.0, 1.0, 1.0],
    "days_since_first_order": [9.0, 5.0, 2.0],
    "days_since_last_order": [9.0, 5.0, 2.0],
}


def test_repeat_orders_come_from_features() -> None:
    """Repeats are the days with an order but the first, and the last order's time counts from the
    first.
    """
    made = trial({**ONCE, "order_days": [1, 3, 2], "days_since_last_order": [9, 1, 1]})
    seen = repeat_orders(made, made.judged)
    assert (seen.repeats.tolist(), seen.last.tolist(), seen.known.tolist()) == (
        [0, 2, 1],
        [0, 4, 1],
        [9, 5, 2],
    )


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (trial(ONCE), "no customer ordered twice"),
        (trial({"total_spent": [1.0, 2.0, 3.0]}), "needs order_days"),
        (trial({**ONCE, "order_days": [np.nan, 2, 2]}), "order times of every customer"),
        (trial(ONCE, horizon_days=0), "this data has none"),
    ],
)
def test_a_model_of_orders_says_why_it_cannot_be_fitted(made: ChurnTrial, said: str) -> None:
    """Without repeat orders, order times or a horizon the error says what is missing."""
    with pytest.raises(TrainingError, match=said):
        order_model_peer(BgNbd, made)


@pytest.mark.parametrize("peer", [recency_peer, logistic_rfm_peer])
def test_simple_scores_need_recency(peer) -> None:
    """Where nothing is known of the last order the error says so."""
    with pytest.raises(TrainingError, match="needs days_since_last_order"):
        peer(trial({"total_spent": [1.0, 2.0, 3.0]}))
