"""The churn benchmark: public orders, labelled customers, intervals, and withheld data."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, roc_auc_score
from typer.testing import CliRunner

from experiments.benchmarks.churn import PEERS, compare, public_trial
from experiments.benchmarks.labelled_customers import Encoding, folds, labelled_rows
from experiments.benchmarks.withholding import withholding
from experiments.trials.churn_trial import ChurnTrial
from experiments.trials.paired_bootstrap import PairedBootstrap, interval
from features.errors import SourceError, TrainingError
from features.intake.public_orders import read_public_orders
from models.churn.settings import ChurnSettings
from models.churn.training import fit_churn
from serving.cli import command_line
from tests.synthetic_shop import order_lines

pytestmark = pytest.mark.early

QUICK = ChurnSettings(
    learning_rate=0.1,
    most_trees=50,
    rows_per_leaf=40,
    taught_trees=50,
    masked_rows=10_000,
    threads=1,
)
SIMPLE = {
    name: PEERS[name] for name in ("recency", "logistic_rfm", "logistic", "bg_nbd", "pareto_nbd")
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made-up shop's lines as a benchmark reads them, with a column that it has no use for."""
    lines = order_lines()
    frame = pd.DataFrame(
        {"customer_id": lines["customer_id"], "date": pd.to_datetime(lines["ordered_at"])}
    )
    frame = frame.assign(value=lines["quantity"] * lines["unit_price"], title=lines["title"])
    target = tmp_path_factory.mktemp("public") / "orders.parquet"
    frame.to_parquet(target)
    return target


@pytest.fixture(scope="module")
def trial(file: Path) -> ChurnTrial:
    """The newest 30 days of it, and what was before."""
    return public_trial(read_public_orders(file), 30)


def labelled(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    """Customers with contracts, who leave when their contract is monthly and they are new."""
    draw = np.random.default_rng(seed)
    months, contract = (
        draw.integers(0, 60, rows),
        draw.choice(["monthly", "one year", "two years"], rows),
    )
    chance = 1 / (1 + np.exp(0.08 * months - 2.0 * (contract == "monthly")))
    frame = pd.DataFrame(
        {"customerID": [f"id {n}" for n in range(rows)], "months": months, "contract": contract}
    )
    charges = pd.Series(draw.uniform(10, 90, rows).round(2)).astype("str").where(months > 0, " ")
    return frame.assign(
        charges=charges, country="x", left=np.where(draw.random(rows) < chance, "Yes", "No")
    )


def test_the_holdout_is_the_newest_horizon(file: Path, trial: ChurnTrial) -> None:
    """Customers are judged a horizon before the end of the data, and all that is learnt from ended
    its horizon before that.
    """
    until = datetime.combine(
        read_public_orders(file)["ordered_at"].max().date(), datetime.min.time()
    ) + pd.Timedelta(days=1)
    holdout = np.datetime64(until - pd.Timedelta(days=30), "us")
    assert set(trial.judged.as_of) == {holdout}
    assert trial.known.as_of.max() + np.timedelta64(30, "D") <= holdout


def test_the_report_holds_every_method(trial: ChurnTrial) -> None:
    """Every method has its metrics, every peer its intervals around Sayso's lead, and a peer that
    fails its reason.
    """

    def failing(_trial: ChurnTrial) -> np.ndarray:
        raise TrainingError("it cannot be")

    report = compare([trial], settings=QUICK, peers={**SIMPLE, "failing": failing})
    assert list(report["methods"]) == ["sayso", *SIMPLE, "failing"]
    assert (
        report["methods"]["failing"]
        == report["differences"]["failing"]
        == {"error": "it cannot be"}
    )
    ours = report["methods"]["sayso"]
    for name in SIMPLE:
        for metric, (low, middle, high) in report["differences"][name].items():
            assert low < middle < high
            assert low < ours[metric] - report["methods"][name][metric] < high
    assert report["customers"] == len(trial.judged.labels)
    assert ours["auc"] > 0.65


@pytest.mark.slow
def test_the_benchmark_fits_the_model_that_is_served(trial: ChurnTrial) -> None:
    """Sayso's figures are those of `fit_churn`, the function that `sayso train churn` calls, on the
    rows before the holdout.
    """
    answers = fit_churn(trial.known, trial.task, QUICK, trial.today).probability(
        trial.judged.features
    )
    assert compare([trial], settings=QUICK, peers={})["methods"]["sayso"]["auc"] == roc_auc_score(
        trial.judged.labels, answers
    )


def test_who_is_who_makes_no_difference(file: Path, tmp_path: Path, trial: ChurnTrial) -> None:
    """With other customer ids and the rows in another order the rows to learn from are the same to
    the last bit.
    """
    frame = pd.read_parquet(file)
    numbers = {
        name: hash_
        for hash_, name in enumerate(sorted(frame["customer_id"].unique(), reverse=True))
    }
    frame.assign(customer_id=frame["customer_id"].map(numbers)).sample(
        frac=1, random_state=1
    ).to_parquet(tmp_path / "other.parquet")
    other = public_trial(read_public_orders(tmp_path / "other.parquet"), 30)
    assert other.known.features.tobytes() == trial.known.features.tobytes()
    assert other.judged.labels.tobytes() == trial.judged.labels.tobytes()


def test_bootstrapped_metrics_are_the_metrics_of_each_draw() -> None:
    """AUC, with ties, and log loss of a draw are scikit-learn's for the customers drawn."""
    draw = np.random.default_rng(3)
    labels, scores = (draw.random(80) < 0.4).astype(float), draw.integers(1, 9, 80) / 10
    found = PairedBootstrap(labels, seed=5, draws=4).metrics(scores)
    drawn = np.random.default_rng(5).integers(80, size=(4, 80))
    assert found["auc"] == pytest.approx([roc_auc_score(labels[row], scores[row]) for row in drawn])
    assert found["log_loss"] == pytest.approx([log_loss(labels[row], scores[row]) for row in drawn])
    assert interval(np.zeros(9)) == [0.0, 0.0, 0.0]


@pytest.mark.slow
def test_answers_under_withheld_data_are_measured(trial: ChurnTrial) -> None:
    """Each pattern has the masked model's AUC beside that of a model trained for it; who shares
    nothing is told about the base rate.
    """
    report = withholding(trial, settings=QUICK)
    assert set(report) == {"all", "without_order_times", "without_spending", "none"}
    for name in ("all", "without_spending"):
        assert report[name]["auc"] == pytest.approx(report[name]["auc_trained_for_it"], abs=0.05)
    base_rate = trial.judged.labels.mean()
    assert report["none"]["probability"] == pytest.approx(base_rate, abs=0.05)
    assert abs(base_rate - trial.known.labels.mean()) > 0.1, (
        "customers grow older, and who shares nothing is told about those of today"
    )


def test_a_labelled_table_becomes_numbers() -> None:
    """Numbers stay, also where written as text, values of text become 1 or 0, ids and constants are
    left out, blanks are missing.
    """
    frame = labelled()
    encoding = Encoding.of(frame.drop(columns="left"))
    assert encoding.features == (
        "months",
        "charges",
        "contract is monthly",
        "contract is one year",
        "contract is two years",
    )
    values = encoding.encode(frame)
    assert np.isnan(values[:, 1]).sum() == (frame["months"] == 0).sum() > 0
    assert (values[:, 2] == (frame["contract"] == "monthly")).all()
    unseen = encoding.encode(frame.assign(contract=None))
    assert np.isnan(unseen[:, 2:]).all()


def test_a_label_is_learnt() -> None:
    """The same class tells who will leave by a label, and peers that need orders say that there are
    none.
    """
    task, rows = labelled_rows(labelled(1_200), "left")
    report = compare(
        [ChurnTrial(task, *pair) for pair in folds(rows, 3, 0)], settings=QUICK, peers=SIMPLE
    )
    assert report["methods"]["sayso"]["auc"] > 0.75
    assert "this data has none" in report["methods"]["bg_nbd"]["error"]
    assert report["customers"] == 1_200


def test_folds_are_alike() -> None:
    """Each row is judged once, by a model that has not seen it, and the shares who left differ by
    less than one row.
    """
    _, rows = labelled_rows(labelled(), "left")
    pairs = folds(rows, 5, 0)
    assert sum(len(judged.labels) for _, judged in pairs) == len(rows.labels)
    counts = [judged.labels.sum() for _, judged in pairs]
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("gone", "no column gone; there are customerID"),
        ("contract", "holds monthly, one year, two years; it has to say yes or no"),
    ],
)
def test_a_label_that_does_not_say_who_left_is_refused(label: str, said: str) -> None:
    """The error names the columns there are, or the values found."""
    with pytest.raises(TrainingError, match=said):
        labelled_rows(labelled(), label)


def test_a_table_of_nothing_but_ids_is_refused() -> None:
    """Where no column tells customers apart the error says so."""
    with pytest.raises(TrainingError, match="no column but the label"):
        labelled_rows(labelled()[["customerID", "country", "left"]], "left")


GOOD = {"customer_id": ["a", "b"], "date": ["2024-01-01", "2024-01-02"], "value": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"customer_id": ["a"], "date": ["2024-01-01"]}, "lacks value"),
        ({**GOOD, "date": ["2024-01-01", "soon"]}, "no date"),
        ({**GOOD, "date": ["2024-01-01", None]}, "1 rows have no date"),
        ({**GOOD, "value": ["1", "much"]}, "no number"),
        ({**GOOD, "value": [1.0, np.inf]}, "1 rows have no finite value"),
        ({**GOOD, "customer_id": [None, None]}, "nobody to learn from"),
        ({"customer_id": [], "date": [], "value": []}, "no rows"),
    ],
)
def test_a_table_that_is_none_is_refused(
    tmp_path: Path, columns: dict[str, list[object]], said: str
) -> None:
    """Missing columns and values that are no dates, numbers or customers are named."""
    pd.DataFrame(columns).to_parquet(tmp_path / "orders.parquet")
    with pytest.raises(SourceError, match=said):
        read_public_orders(tmp_path / "orders.parquet")


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    """Text is no table, and neither is a file that is not there."""
    (tmp_path / "orders.csv").write_text("customer_id,date,value\n")
    with pytest.raises(SourceError, match="cannot be read as Parquet"):
        read_public_orders(tmp_path / "orders.csv")
    with pytest.raises(SourceError, match="no such file"):
        read_public_orders(tmp_path / "nothing.parquet")


@pytest.mark.parametrize(
    ("chosen", "horizon", "said"),
    [
        (lambda frame: frame[frame["customer_id"] < "c030"], 30, "customers to learn churn from"),
        (lambda frame: frame, 400, "too short for a horizon of 400 days"),
        (lambda frame: frame, 290, "too short"),
    ],
)
def test_too_little_history_is_said(
    file: Path, tmp_path: Path, chosen, horizon: int, said: str
) -> None:
    """Too few customers, or a horizon longer than the data, give the numbers and what to do."""
    chosen(pd.read_parquet(file)).to_parquet(tmp_path / "orders.parquet")
    with pytest.raises(TrainingError, match=said):
        public_trial(read_public_orders(tmp_path / "orders.parquet"), horizon)


def test_the_command_prints_one_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sayso benchmark churn --json` prints the report, and nothing else."""
    monkeypatch.setattr(
        compare, "__defaults__", (*compare.__defaults__[:2], {"logistic": PEERS["logistic"]})
    )
    labelled().to_parquet(tmp_path / "customers.parquet")
    told = CliRunner().invoke(
        command_line(),
        ["benchmark", "churn", str(tmp_path / "customers.parquet"), "--label", "left", "--json"],
    )
    assert told.exit_code == 0, told.output
    assert set(json.loads(told.stdout)) == {"customers", "base_rate", "methods", "differences"}
