"""The churn model: its targets, its rows, and what a trained one must hold to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.definitions.definitions import STANDARD
from features.definitions.frames import reads_of
from features.errors import TrainingError
from features.shop.shop import Shop
from features.tables.declared import transactions
from features.warehouse.arrow import arrow_table
from features.warehouse.gate import Gate
from features.warehouse.store import Warehouse
from models.churn.backtest import Blend, best_weights, trials
from models.churn.distillation import MOST_WEIGHT, as_frequent_as
from models.churn.model import ChurnModel
from models.churn.rows import (
    MOMENTS_PER_HORIZON,
    SHARE_OF_HORIZON_BEFORE,
    ChurnRows,
    churn_rows,
    customers_at,
    enough_known,
    rolling_dates,
    spine_of,
)
from models.churn.settings import FEWEST_CUSTOMERS, ChurnSettings, ChurnTask
from models.churn.teacher import fit_teacher
from models.churn.training import fit_churn, require_enough
from models.masking import Masking
from models.metrics import churn_metrics
from models.targets import first_orders, futures
from tests.feature_frames import covering

PURPOSE = "churn_prediction"
HORIZON = 30
AS_OF = datetime(2024, 5, 1)  # noqa: DTZ001 - naive UTC as in the warehouse
END = AS_OF + timedelta(days=HORIZON)
TICK = timedelta(microseconds=1)
QUICK = ChurnSettings(
    learning_rate=0.1,
    most_trees=75,
    rows_per_leaf=40,
    taught_trees=50,
    masked_rows=10_000,
    threads=1,
)
THOROUGH = replace(QUICK, taught_trees=ChurnSettings().taught_trees)


def gate_to(shop: Shop, folder: Path, *orders: tuple[int, datetime]) -> Gate:
    """A gate to a warehouse of these orders (customer, moment), whose order times all may be
    used.
    """
    moments = pd.DatetimeIndex([moment for _, moment in orders]).as_unit("us")
    frame = pd.DataFrame(
        {
            "customer": [customer for customer, _ in orders],
            "ordered_at": moments,
            "recorded_at": moments,
        }
    )
    frame = frame.assign(
        order_id=[f"o{n}" for n in range(len(orders))],
        product_id="p",
        quantity=1,
        unit_price=1.0,
        amount=1.0,
        source="orders",
    )
    warehouse = Warehouse(folder)
    warehouse.replace({transactions.NAME: arrow_table(frame, transactions.TABLE)})
    granted = covering(
        pd.DataFrame({"customer": frame["customer"].unique(), "category": "order_times"})
    )
    return Gate(warehouse, shop.config.catalog, PURPOSE, granted, shop.clock())


def spine(*customers: int) -> pd.DataFrame:
    """Customers at `AS_OF`."""
    return pd.DataFrame({"customer": customers, "as_of": pd.Timestamp(AS_OF).as_unit("us")})


@pytest.mark.parametrize(
    ("moment", "left"),
    [
        (AS_OF - TICK, True),
        (AS_OF, False),
        (AS_OF + timedelta(days=15), False),
        (END - TICK, False),
        (END, True),
        (END + TICK, True),
    ],
)
def test_an_order_keeps_a_customer_from_as_of_to_the_horizon(
    shop: Shop, tmp_path: Path, moment: datetime, left: bool
) -> None:
    """An order exactly at as_of counts as coming back, one exactly at the end of the horizon no
    more.
    """
    gate = gate_to(shop, tmp_path, (1, AS_OF - timedelta(days=9)), (1, moment))
    assert (futures(gate, spine(1), HORIZON)["order_days"] == 0).tolist() == [left]


def test_targets_stand_in_the_order_of_the_spine(shop: Shop, tmp_path: Path) -> None:
    """Each row has its own customer's target under its own index, at whichever moment."""
    gate = gate_to(shop, tmp_path, (1, AS_OF), (2, END), (3, AS_OF - TICK))
    asked = spine(3, 1, 2).set_axis([7, 5, 9])
    asked.loc[9, "as_of"] = pd.Timestamp(END)
    assert futures(gate, asked, HORIZON)["order_days"].to_dict() == {7: 0.0, 5: 1.0, 9: 1.0}


def test_what_the_horizon_held_is_counted(shop: Shop, tmp_path: Path) -> None:
    """Two orders of a day are one day with an order, the wait ends with the first, and who did not
    order has no wait at all.
    """
    third = AS_OF + timedelta(days=3)
    gate = gate_to(
        shop,
        tmp_path,
        (1, third),
        (1, third + timedelta(hours=2)),
        (1, AS_OF + timedelta(days=9)),
        (2, AS_OF - TICK),
    )
    found = futures(gate, spine(1, 2), HORIZON)
    assert found["order_days"].tolist() == [2, 0]
    assert found["days_to_next_order"].tolist() == pytest.approx([3, np.nan], nan_ok=True)
    assert found["value"].isna().all(), "nobody allowed amounts to be used"


def test_first_orders_are_of_those_who_allow_their_times(shop: Shop) -> None:
    """Each customer's first order is that of their lines, and who withholds order times has
    none.
    """
    gate = shop.gate(PURPOSE)
    lines = shop.warehouse.table("transactions").to_pandas()
    allowed = lines[lines["customer"].isin(gate.customers_granting(("transactions.ordered_at",)))]
    expected = allowed.groupby("customer")["ordered_at"].min()
    found = first_orders(gate, shop.loaded_until())
    assert found.to_dict() == expected.to_dict()
    assert 0 < len(found) < lines["customer"].nunique()


def test_moments_roll_back_from_the_last() -> None:
    """Moments lie a sixth of the horizon apart, oldest first, as far back as enough of a horizon is
    on record before them.
    """
    needed = timedelta(days=60) / SHARE_OF_HORIZON_BEFORE
    dates = rolling_dates(AS_OF - timedelta(days=100), AS_OF, 60)
    assert dates[-1] == AS_OF
    assert {later - earlier for earlier, later in pairwise(dates)} == {
        timedelta(days=60) / MOMENTS_PER_HORIZON
    }
    assert (
        timedelta(0)
        <= dates[0] - (AS_OF - timedelta(days=100) + needed)
        < timedelta(days=60) / MOMENTS_PER_HORIZON
    )
    assert rolling_dates(AS_OF - needed, AS_OF, 60) == [AS_OF]


def test_too_short_a_history_has_no_moments() -> None:
    """A history that begins too late for even one moment gives none."""
    assert rolling_dates(AS_OF - timedelta(days=1), AS_OF, 60) == []


def test_the_record_begins_when_enough_customers_are_known() -> None:
    """That is when fifty had ordered, or in a small shop a tenth; one early order does not begin
    it.
    """
    days = pd.Series(pd.date_range("2024-01-01", periods=1_000))
    assert enough_known(days) == pd.Timestamp("2024-02-19")
    assert enough_known(days[:100]) == pd.Timestamp("2024-01-10")
    early = pd.concat([pd.Series([pd.Timestamp("2019-01-01")]), days[:99]])
    assert enough_known(early) == pd.Timestamp("2024-01-09")


def test_a_history_of_nobody_is_said(shop: Shop) -> None:
    """Where nobody allows their order times the error says so."""
    nobody = shop.gate_for(PURPOSE, shop.ledger.granted(PURPOSE).iloc[:0])
    with pytest.raises(TrainingError):
        rolling_dates(first_orders(nobody, shop.loaded_until()).min(), AS_OF, 60)


def test_only_customers_are_in_the_spine() -> None:
    """At each moment those are there whose first order lies before it."""
    firsts = pd.Series(
        {1: pd.Timestamp(AS_OF) - TICK, 2: pd.Timestamp(AS_OF), 3: pd.Timestamp(END)}
    )
    made = spine_of(firsts, [AS_OF, END])
    assert made.to_numpy().tolist() == [
        [1, pd.Timestamp(AS_OF)],
        [1, pd.Timestamp(END)],
        [2, pd.Timestamp(END)],
    ]


@pytest.fixture(scope="module")
def task(shop: Shop) -> ChurnTask:
    """What the made-up shop's churn model has to learn."""
    catalog, features = shop.config.catalog, shop.config.models.churn.features
    masking = Masking.of(
        [catalog.categories_of(reads_of(name)) for name in features], catalog.askable(PURPOSE)
    )
    return ChurnTask(
        features, masking, {name: catalog.category_of(reads_of(name)) for name in features}, HORIZON
    )


@pytest.fixture(scope="module")
def rows(shop: Shop, task: ChurnTask) -> ChurnRows:
    """Rows of the made-up shop at eight moments whose future is known."""
    last = shop.loaded_until() - timedelta(days=HORIZON)
    dates = [last - timedelta(days=20 * n) for n in range(8)][::-1]
    gate = shop.gate(PURPOSE)
    return churn_rows(
        gate, customers_at(gate, task.features, dates, shop.facts), task.features, HORIZON
    )


@pytest.fixture(scope="module")
def model(rows: ChurnRows, task: ChurnTask) -> ChurnModel:
    """A churn model of the made-up shop, whose student has learnt as long as in use."""
    return fit_churn(rows, task, THOROUGH)


def test_rows_and_targets_belong_together(shop: Shop, task: ChurnTask, rows: ChurnRows) -> None:
    """Labels are 0 or 1 beside features of the same number of rows, and the last moment's can be
    seen to be true.
    """
    assert rows.features.shape == (len(rows.labels), len(task.features))
    assert set(rows.labels) == {0.0, 1.0}
    last = rows.as_of.max()
    lines = shop.warehouse.table("transactions").to_pandas()
    recency = rows.features[rows.as_of == last, task.features.index("days_since_last_order")]
    assert not np.isnan(recency).any()
    came_back = lines.loc[lines["ordered_at"] >= last, "customer"]
    allowed = shop.gate(PURPOSE).customers_granting(("transactions.ordered_at",))
    known = lines.loc[(lines["ordered_at"] < last) & lines["customer"].isin(allowed), "customer"]
    assert (rows.labels[rows.as_of == last] == 0).sum() == len(set(came_back) & set(known))


def test_the_model_tells_who_leaves(rows: ChurnRows, model: ChurnModel) -> None:
    """On what it learnt from, the model is far better than chance, and on average right."""
    assert churn_metrics(rows.labels, model.probability(rows.features))["auc"] > 0.75
    mean = np.average(model.probability(rows.features), weights=rows.weights)
    assert mean == pytest.approx(np.average(rows.labels, weights=rows.weights), abs=0.002)


def test_the_teacher_is_right_on_average(rows: ChurnRows, task: ChurnTask) -> None:
    """The mean answer of the teacher is the share who left, moments weighed as they are learnt
    from.
    """
    teacher = fit_teacher(rows, task, QUICK, Blend(50))
    mean = np.average(teacher.probability(rows.features), weights=rows.weights)
    assert mean == pytest.approx(np.average(rows.labels, weights=rows.weights), abs=1e-6)


def test_earlier_customers_are_weighed_to_be_like_todays() -> None:
    """With the weights, every level of the answer is as frequent among the earlier ones as today;
    none counts without bound.
    """
    draw = np.random.default_rng(5)
    now, earlier = draw.beta(4, 2, 4_000), draw.beta(3, 3, 6_000)
    weights = as_frequent_as(now, earlier)
    assert np.average(earlier, weights=weights) == pytest.approx(now.mean(), abs=0.02)
    assert abs(earlier.mean() - now.mean()) > 0.1
    assert as_frequent_as(now, np.append(np.zeros(999), 0.9)).max() == MOST_WEIGHT


@pytest.mark.slow
def test_the_order_of_todays_customers_changes_nothing(rows: ChurnRows, task: ChurnTask) -> None:
    """Today's customers in another order give the same model to the last bit."""
    today = rows.features[rows.as_of == rows.as_of.max()]
    first, other = (
        fit_churn(replace(rows, futures=None), task, QUICK, one).booster.model_to_string()
        for one in (today, today[::-1])
    )
    assert first == other


def test_a_model_calibrated_apart_is_refused(model: ChurnModel, tmp_path: Path) -> None:
    """Files of before this release are not read as if their score were log-odds by itself."""
    model.save(tmp_path)
    file = tmp_path / "manifest.json"
    file.write_text(
        file.read_text().replace(
            '"horizon_days"', '"calibrator": {"slope": 0.8, "intercept": 0.1}, "horizon_days"'
        )
    )
    with pytest.raises(ValueError, match="train it anew"):
        ChurnModel.load(tmp_path)


def test_expectations_are_right_on_average(rows: ChurnRows, model: ChurnModel) -> None:
    """Orders and their value are foreseen rightly over all customers, and a wait lies within the
    horizon.
    """
    assert rows.futures is not None
    assert model.outlook is not None
    found = [
        model.outlook.expected(rows.features[at : at + 1]) for at in range(0, len(rows.labels), 3)
    ]
    observed = np.nanmean(rows.futures[::3], axis=0)
    assert np.mean([one.orders for one in found]) == pytest.approx(observed[0], rel=0.15)
    assert np.mean([one.value for one in found]) == pytest.approx(observed[1], rel=0.15)
    assert all(0 <= one.days_to_next_order <= HORIZON for one in found)
    nothing = model.outlook.expected(np.full((1, len(model.features)), np.nan))
    assert nothing.orders == pytest.approx(observed[0], rel=0.3), (
        "who shares nothing is expected to do what customers do on average"
    )


def test_saving_and_loading_changes_nothing(
    rows: ChurnRows, model: ChurnModel, tmp_path: Path
) -> None:
    """A loaded model gives the same probabilities to the last bit, and knows the same features,
    categories and horizon.
    """
    model.save(tmp_path)
    loaded = ChurnModel.load(tmp_path)
    assert loaded.probability(rows.features).tobytes() == model.probability(rows.features).tobytes()
    assert (loaded.features, loaded.category_of, loaded.horizon_days) == (
        model.features,
        model.category_of,
        HORIZON,
    )
    assert loaded.outlook is not None
    assert loaded.outlook.expected(rows.features[:1]) == model.outlook.expected(rows.features[:1])
    assert loaded.masking.categories == model.masking.categories
    np.testing.assert_array_equal(loaded.masking.needs, model.masking.needs)
    expectations = {f"expected_{name}.txt" for name in ("orders", "value", "days_to_next_order")}
    assert {path.name for path in tmp_path.iterdir()} == {
        "booster.txt",
        "manifest.json",
        *expectations,
    }


@pytest.mark.slow
def test_the_same_seed_gives_the_same_model(
    rows: ChurnRows, task: ChurnTask, model: ChurnModel, tmp_path: Path
) -> None:
    """Training again on the same rows gives the same files, byte for byte, and another seed gives
    others.
    """
    for name, settings_ in (("again", THOROUGH), ("other", replace(THOROUGH, seed=8))):
        (tmp_path / name).mkdir()
        fit_churn(rows, task, settings_).save(tmp_path / name)
    (tmp_path / "first").mkdir()
    model.save(tmp_path / "first")
    for file in ("booster.txt", "manifest.json"):
        first, again, other = (
            (tmp_path / name / file).read_bytes() for name in ("first", "again", "other")
        )
        assert first == again
        assert (first == other) == (file == "manifest.json")


def test_one_row_alone_is_as_among_many(rows: ChurnRows, model: ChurnModel) -> None:
    """A probability does not depend on the rows beside it, to the last bit."""
    together = model.probability(rows.features[:40])
    alone = np.concatenate([model.probability(rows.features[[at]]) for at in range(40)])
    assert together.tobytes() == alone.tobytes()


DIRECTIONS = {one.name: one.sign for one in STANDARD.used_by("churn") if one.sign}


@pytest.mark.parametrize("feature", DIRECTIONS)
def test_churn_moves_as_common_sense_says(rows: ChurnRows, model: ChurnModel, feature: str) -> None:
    """Raising one of these features moves no customer's probability against its direction."""
    if feature not in model.features:
        pytest.skip("the made-up shop has no such data, or the feature has to be listed by hand")
    at, values = model.features.index(feature), rows.features[:150].copy()
    steps = np.nanquantile(rows.features[:, at], np.linspace(0, 1, 15))
    answers = []
    for step in steps:
        values[:, at] = step
        answers.append(model.log_odds(values))
    assert (np.diff(np.array(answers), axis=0) * DIRECTIONS[feature] >= 0).all()


def test_who_withholds_everything_gets_about_the_base_rate(
    rows: ChurnRows, model: ChurnModel
) -> None:
    """The answer for a row in which nothing is known lies within five points of the share of all
    who left.
    """
    nothing = model.probability(np.full((1, len(model.features)), np.nan))[0]
    assert nothing == pytest.approx(rows.labels.mean(), abs=0.05)


def test_too_few_rows_are_said(rows: ChurnRows, task: ChurnTask) -> None:
    """With fewer rows than needed the error names both numbers, and what to do."""
    few = rows.at(np.arange(len(rows.labels)) < FEWEST_CUSTOMERS - 1)
    with pytest.raises(TrainingError, match=r"only 49 customers.*50 are needed.*`horizon_days`"):
        fit_churn(few, task, QUICK)


def test_too_few_customers_are_said(shop: Shop, task: ChurnTask) -> None:
    """Ten customers are too few at however many moments."""
    gate = shop.gate(PURPOSE)
    ten = shop.ledger.granted(PURPOSE).loc[
        lambda grants: grants["customer"].isin(gate.customers()[:10])
    ]
    last = shop.loaded_until() - timedelta(days=HORIZON)
    dates = [last - timedelta(days=10 * n) for n in range(12)]
    few = customers_at(shop.gate_for(PURPOSE, ten), task.features, dates, shop.facts)
    with pytest.raises(TrainingError, match="customers"):
        require_enough(few["customer"].nunique())


@pytest.mark.parametrize(
    ("label", "said"), [(1.0, "every customer left"), (0.0, "no customer left")]
)
def test_one_class_is_said(rows: ChurnRows, task: ChurnTask, label: float, said: str) -> None:
    """Where all left or all stayed there is nothing to learn, and the error says which."""
    with pytest.raises(TrainingError, match=said):
        fit_churn(rows.at(rows.labels == label), task, QUICK)


def test_rows_of_one_moment_are_tried_on_other_customers(rows: ChurnRows) -> None:
    """Where nothing lies ahead of anything, each third of the customers is judged by the others,
    and by nobody who is in it.
    """
    one = rows.at(rows.as_of == rows.as_of.max())
    pairs = list(trials(one, HORIZON, seed=7))
    assert sum(len(judged.labels) for _, judged in pairs) == len(one.labels)
    assert {len(learnt.labels) + len(judged.labels) for learnt, judged in pairs} == {
        len(one.labels)
    }


def test_rows_of_many_moments_are_tried_ahead_of_time(rows: ChurnRows) -> None:
    """What is learnt from has ended its horizon when what it is tried on begins."""
    pairs = list(trials(rows, HORIZON, seed=7))
    assert pairs
    for learnt, judged in pairs:
        assert learnt.as_of.max() + np.timedelta64(HORIZON, "D") <= judged.as_of.min()


def test_what_cannot_be_tried_is_trained_with_moderate_settings(
    rows: ChurnRows, task: ChurnTask
) -> None:
    """With two moments within one horizon nothing can be tried, and the model is trained all the
    same.
    """
    two = rows.at(rows.as_of >= np.unique(rows.as_of)[-2])
    assert best_weights(two, task, QUICK) == Blend(25)
    assert fit_churn(two, task, QUICK).probability(two.features).std() > 0.1


@pytest.mark.slow
def test_of_very_many_rows_some_are_enough(rows: ChurnRows, task: ChurnTask) -> None:
    """With a limit the trees grow on so many rows, drawn at random, and the answers are right on
    average but for the draw.
    """
    model = fit_churn(rows, task, replace(QUICK, most_rows=500))
    assert model.booster.num_trees() > 0
    mean = np.average(model.probability(rows.features), weights=rows.weights)
    assert mean == pytest.approx(np.average(rows.labels, weights=rows.weights), abs=0.06)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_answers_are_probabilities(model: ChurnModel, seed: int) -> None:
    """Whatever the features, known or not, the answer lies strictly between 0 and 1."""
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(20, len(model.features))) * 10.0 ** draw.integers(
        -3, 8, len(model.features)
    )
    features[draw.random(features.shape) < 0.3] = np.nan
    answers = model.probability(features)
    assert ((answers > 0) & (answers < 1)).all()
