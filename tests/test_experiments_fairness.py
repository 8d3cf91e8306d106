"""The fairness audit: who is in it, what it finds, and training that weighs groups."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from experiments.audits.fairness import audit_churn, audit_ranking, fairness_findings, largest_gap
from experiments.audits.groups import (
    NOT_KNOWN,
    OTHERS,
    Groups,
    audited_groups,
    fairness_gaps,
    pooled,
)
from experiments.audits.mitigation import NONE, Strength, best_of, weigh_by
from experiments.benchmarks.churn_audited import audit
from experiments.promotion.withdrawn_since import freshness
from experiments.training.registry import task
from experiments.training.train import TrainingOptions, train
from experiments.trials.churn_trial import ChurnTrial
from features.config.reading import ConfigError
from features.consent.ledger import ConsentEvent
from features.errors import SourceError, TrainingError
from features.intake.public_orders import read_public_groups
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.churn.bands import HIGH_ABOVE
from models.churn.rows import ChurnRows
from models.churn.settings import ChurnSettings, ChurnTask
from models.masking import Masking
from models.tracking import Tracking
from serving.cli import command_line
from tests.serving_shop import CHURN, copied
from tests.synthetic_shop import order_lines

pytest_plugins = ["tests.serving_fixtures"]
pytestmark = pytest.mark.early

QUICK = ChurnSettings(
    leaves=15,
    learning_rate=0.1,
    most_trees=150,
    tree_step=50,
    rows_per_leaf=20,
    taught_trees=50,
    taught_learning_rate=0.1,
    masked_rows=10_000,
    threads=1,
)
MOMENT = np.datetime64("2024-01-01", "us")


def answers(rows: int, seed: int, noisy: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Groups a, b and c, outcomes, and forecasts that are right but for group b, for which a share
    `noisy` is made up.
    """
    draw = np.random.default_rng(seed)
    groups = draw.choice(["a", "b", "c"], rows, p=[0.5, 0.3, 0.2])
    right = draw.uniform(0.02, 0.98, rows)
    labels = (draw.random(rows) < right).astype(float)
    made_up = (groups == "b") & (draw.random(rows) < noisy)
    return groups, labels, np.where(made_up, draw.uniform(0.02, 0.98, rows), right)


def test_figures_by_group_are_the_textbook_ones():
    """Customers, base rate, AUC, calibration gap and share in the high band of each group, each
    within its interval.
    """
    groups, labels, forecast = answers(900, 1)
    (found,) = audit_churn({"x": groups}, labels, forecast, 50)
    for name, row in found.table.items():
        own = groups == name
        expected = {
            "base_rate": labels[own].mean(),
            "auc": roc_auc_score(labels[own], forecast[own]),
            "calibration_gap": (forecast - labels)[own].mean(),
            "selection_rate": (forecast[own] > HIGH_ABOVE).mean(),
        }
        assert row["customers"] == own.sum()
        for column, value in expected.items():
            low, middle, high = row[column]
            assert middle == pytest.approx(value)
            assert low < middle < high


def test_a_model_that_is_worse_for_a_group_is_found_out():
    """Forecasts made up for half of one group show as an AUC gap above noise; without that there is
    none.
    """
    gaps = {
        noisy: audit_churn({"x": found[0]}, *found[1:], 50)[0].gaps
        for noisy in (0.0, 0.7)
        if (found := answers(3_000, 2, noisy))
    }
    worse = next(gap for gap in gaps[0.7] if gap.measure == "auc")
    assert worse.low > 0.05
    assert next(gap for gap in gaps[0.0] if gap.measure == "auc").low < 0


def test_the_largest_of_many_gaps_is_no_finding_by_itself():
    """Between ten groups that are alike, the interval of the largest gap lies above 0 in few of a
    hundred samples.
    """
    draw, wrong = np.random.default_rng(7), 0
    for _ in range(100):
        values = draw.normal(0, 1, 10)
        wrong += largest_gap("x", "recall", values, values + draw.normal(0, 1, (300, 10))).low > 0
    assert wrong <= 10
    assert largest_gap("x", "auc", np.array([0.5, np.nan]), np.ones((3, 2))) is None


def test_a_few_customers_hide_no_gap_of_many():
    """Beside a group that tells nothing for sure, what is certain of two others is still the least
    that the largest gap is.
    """
    draw = np.random.default_rng(1)
    values, sure = np.array([0.5, 0.4, 0.38]), np.array([0.005, 0.005, 0.2])
    found = largest_gap("x", "calibration", values, values + sure * draw.normal(0, 1, (500, 3)))
    assert found.gap == pytest.approx(0.12)
    assert 0.05 < found.low < 0.1
    assert found.high > 0.4


def test_draws_in_which_a_group_is_all_alike_are_left_out():
    """Where a draw of a small group holds one outcome only, the others tell how sure a gap is;
    where all do, nothing does.
    """
    draw = np.random.default_rng(1)
    values = np.array([0.8, 0.6])
    draws = values + draw.normal(0, 0.02, (500, 2))
    whole = largest_gap("x", "auc", values, draws)
    draws[::5, 1] = np.nan
    assert largest_gap("x", "auc", values, draws).low == pytest.approx(whole.low, abs=0.01)
    assert largest_gap("x", "auc", values, np.full((9, 2), np.nan)) is None


def test_recommendations_are_audited_by_recall():
    """Recall by group is its mean, and the gap between groups is stated."""
    groups = np.array(["a"] * 80 + ["b"] * 60)
    recall = np.where(groups == "a", 0.5, 0.2) + np.random.default_rng(0).normal(0, 0.05, 140)
    (found,) = audit_ranking({"x": groups}, recall, 50)
    assert found.table["a"]["recall"][1] == pytest.approx(recall[:80].mean())
    assert found.gaps[0].gap == pytest.approx(recall[:80].mean() - recall[80:].mean())
    assert found.gaps[0].low > 0.25


def test_small_groups_are_pooled_and_too_small_ones_left_out():
    """Nothing is said of fewer than fifty customers, together or alone, and who did not agree is in
    no group.
    """
    groups = np.array(["a"] * 60 + ["b"] * 30 + ["c"] * 25 + [NOT_KNOWN] * 9)
    assert dict(zip(*np.unique(pooled(groups, 50), return_counts=True), strict=True)) == {
        "a": 60,
        OTHERS: 55,
        NOT_KNOWN: 9,
    }
    assert set(pooled(groups[:90], 50)) == {"a", NOT_KNOWN}
    assert audit_churn({"x": groups[:90]}, np.ones(90), np.ones(90), 50) == []


def test_gaps_are_read_back_as_they_were_logged():
    """What a run states of its gaps is what the gate reads; without an audit there is a reason and
    no gap.
    """
    found = fairness_findings(
        audit_churn({"customers.country": answers(600, 3)[0]}, *answers(600, 3)[1:], 50),
        ["customers.country"],
        50,
    )
    assert {(gap.attribute, gap.measure) for gap in fairness_gaps(found.metrics)} == {
        ("customers.country", name) for name in ("auc", "calibration", "selection")
    }
    assert found.tags["fair"] == "audited by customers.country"
    nothing = fairness_findings([], [], 50)
    assert fairness_gaps(nothing.metrics) == []
    assert "no attribute is declared" in nothing.tags["fair"]


def test_only_who_agreed_to_the_audit_is_in_it(fresh_shop):
    """A group is known of exactly those who granted its category for the audit; a withdrawal takes
    them out at once.
    """
    purpose, moment = "fairness_audit", pd.Timestamp(fresh_shop.loaded_until()).as_unit("us")
    everybody = pd.DataFrame({"customer": list(fresh_shop.customers.all()), "as_of": moment})
    known = audited_groups(fresh_shop, everybody).at(everybody)["customers.country"]
    agreed = set(fresh_shop.gate(purpose).customers_granting(["customers.country"]))
    assert {
        one for one, name in zip(everybody["customer"], known, strict=True) if name != NOT_KNOWN
    } == agreed
    assert 0 < len(agreed) < len(everybody)
    leaving = next(id for one, id in fresh_shop.customers.all().items() if one in agreed)
    fresh_shop.ledger.append(ConsentEvent(leaving, purpose, "location", "withdrawn", "test"))
    again = audited_groups(fresh_shop, everybody).at(everybody)["customers.country"]
    assert (again == NOT_KNOWN).sum() == (known == NOT_KNOWN).sum() + 1


# ---- weighing ----


def rows_of(seed: int, customers: int = 600) -> tuple[ChurnRows, pd.Series]:
    """Rows at two moments, and a small group that leaves for another reason than the rest, which
    one feature hints at.
    """
    draw = np.random.default_rng(seed)
    who = np.tile(np.arange(customers), 2)
    small = np.arange(customers) % 6 == 0
    features = draw.normal(size=(2 * customers, 3))
    features[:, 2] = 0.15 * features[:, 2] + small[who]
    drift = np.where(small[who], 1.5 * features[:, 1] - 1, 1.5 * features[:, 0])
    labels = (draw.random(len(who)) < 1 / (1 + np.exp(-drift))).astype(float)
    as_of = np.repeat([MOMENT, MOMENT + np.timedelta64(30, "D")], customers)
    return ChurnRows(features, labels, as_of, customer=who), pd.Series(
        np.where(small, "few", "many")
    )


def task_of(count: int = 3) -> ChurnTask:
    """A task of made-up features, all of one category."""
    names = tuple(f"f{n}" for n in range(count))
    masking = Masking.of([{"c"}] * count, ("c",))
    return ChurnTask(names, masking, dict.fromkeys(names, "c"), 30, definitions=None)


def groups_of(rows: ChurnRows, named: pd.Series) -> Groups:
    """The groups of these rows."""
    return Groups.constant(
        "x", named, pd.DataFrame({"customer": rows.customer, "as_of": rows.as_of})
    )


def test_presence_lets_each_group_count_the_same():
    """At full presence both groups weigh the same in sum; who is in no group keeps the mean
    weight.
    """
    rows, named = rows_of(1)
    weighed = weigh_by(groups_of(rows, named))(rows, Strength(presence=1))
    own = (named[weighed.customer] == "few").to_numpy()
    assert weighed.emphasis[own].sum() == pytest.approx(weighed.emphasis[~own].sum())
    assert weighed.weights.mean() == pytest.approx(1)
    assert weigh_by(groups_of(rows, named))(rows, NONE) is rows
    partly = weigh_by(groups_of(rows, named[named == "few"]))(rows, Strength(presence=1))
    assert np.unique(partly.emphasis).tolist() == [1.0]


def test_weights_do_not_depend_on_who_is_who():
    """The same rows under other numbers, and in another order, give the same weighed rows to the
    last bit.
    """
    rows, named = rows_of(2)
    order = np.random.default_rng(3).permutation(len(rows.labels))
    other = replace(rows, customer=900 - rows.customer).at(order)
    one = weigh_by(groups_of(rows, named))(rows, Strength(1, 8))
    two = weigh_by(groups_of(other, named.set_axis(900 - named.index)))(other, Strength(1, 8))
    assert one.features.tobytes() == two.features.tobytes()
    assert one.emphasis.tobytes() == two.emphasis.tobytes()


def test_the_strength_that_costs_too_much_is_not_chosen():
    """The smallest gap wins among those that keep the AUC; equal ones weigh as little as they
    can.
    """
    mild, strong = Strength(presence=1), Strength(presence=2)
    assert best_of({NONE: (2.0, 0.8), mild: (1.5, 0.799), strong: (1.0, 0.79)}) == mild
    assert best_of({NONE: (2.0, 0.8), mild: (2.0, 0.8), strong: (2.5, 0.9)}) == NONE


@pytest.mark.slow
def test_weighing_helps_a_small_group_on_customers_not_seen():
    """A group drowned by another is served better after it was weighed, and the report holds both
    sides.
    """
    (known, named), (judged, _) = rows_of(5, 1_800), rows_of(6, 1_800)
    trial = ChurnTrial(task_of(), known, judged.at(judged.as_of == judged.as_of.max()))
    report = audit(trial, "x", named, mitigate=True, settings=QUICK)
    gap = report["mitigated"]["gaps"]["x.auc"]
    assert report["attributes"]["x"]["gaps"]["auc"][1] == pytest.approx(gap["before"])
    assert gap["after"] < gap["before"]
    assert report["mitigated"]["auc_gained"][1] > -0.01


@pytest.fixture
def root(untrained_root, tmp_path):
    """A workspace for one test to change."""
    return copied(untrained_root, tmp_path / "mugs")


ALLOWED = """
[purposes.fairness_mitigation]
label = "Treating everyone alike"
description = "Letting our predictions learn to work for every group of customers."

[[notices]]
purpose = "fairness_mitigation"
version = "1"
language = "en"
covers_earlier_data = true
text = "We would like to use your country so that our predictions work for everybody."

[audit]
mitigation_purpose = "fairness_mitigation"
fewest_customers = 20
"""


def test_weighing_needs_a_purpose_of_its_own(root):
    """What was given for the audit alone does not change a model; the error says what to
    declare.
    """
    shop = Shop(Workspace.open(root))
    with pytest.raises(TrainingError, match=r"fairness_audit.*mitigation_purpose"):
        train(
            task("churn"),
            shop,
            Tracking.of(shop.workspace),
            settings=CHURN,
            options=TrainingOptions(mitigate=True),
        )
    assert Tracking.of(shop.workspace).by_alias("churn", "challenger") is None


@pytest.mark.slow
def test_weighed_training_states_before_and_after(root):
    """With the purpose and its grants, the run holds the strength, the gaps before and after, and
    what the AUC did.
    """
    file = root / "sayso.toml"
    file.write_text(
        file.read_text().replace('"fairness_audit"]', '"fairness_audit", "fairness_mitigation"]')
        + ALLOWED
    )
    shop = Shop(Workspace.open(root))
    tracking = Tracking.of(shop.workspace)
    with pytest.raises(TrainingError, match="fewer than two groups"):
        train(task("churn"), shop, tracking, settings=CHURN, options=TrainingOptions(mitigate=True))
    grants = [
        ConsentEvent(id, "fairness_mitigation", "location", "granted", "form", "1")
        for id in shop.customers.all().values()
    ]
    shop.ledger.append_all(grants)
    version = train(
        task("churn"), shop, tracking, settings=CHURN, options=TrainingOptions(mitigate=True)
    ).version
    assert Strength.parse(version.parameters["mitigation"]) is not None
    assert {
        "mitigation.auc",
        "mitigation.auc.low",
        "mitigation.before.customers.country.auc",
    } <= set(version.metrics)
    assert version.tags["fair"] == "audited by customers.country"
    for id in sorted(shop.customers.all().values())[:3]:
        shop.ledger.append(ConsentEvent(id, "fairness_mitigation", "location", "withdrawn", "form"))
    assert freshness(shop, version).withdrawn == 3


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ('attributes = ["customers.age"]', "customers.age"),
        ('attributes = ["transactions.amount"]', "transactions.amount"),
        ('attributes = ["customers.country"]\npurpose = "curiosity"', "curiosity"),
        ('mitigation_purpose = "curiosity"', "curiosity"),
        ("most_auc_gap = 2", "most_auc_gap"),
    ],
)
def test_an_audit_that_cannot_be_is_refused_with_its_line(root, stated, said):
    """Attributes and purposes that are not declared are named with the line of sayso.toml."""
    file = root / "sayso.toml"
    file.write_text(f"{file.read_text()}\n[audit]\n{stated}\n")
    with pytest.raises(ConfigError, match=rf"line \d+.*{said}"):
        Workspace.open(root).config.audited  # noqa: B018 - reading it is what fails


def test_what_is_sensitive_is_no_feature(root):
    """A feature that reads a field declared sensitive is refused: such a field serves the audit
    alone.
    """
    file = root / "sayso.toml"
    lines = file.read_text().split("[fields.customers.country]")
    file.write_text(
        lines[0] + "[fields.customers.country]" + lines[1].replace('"ordinary"', '"sensitive"', 1)
    )
    with pytest.raises(ConfigError, match=r"home_country.*sensitive"):
        Workspace.open(root).config.audited  # noqa: B018


@pytest.fixture(scope="module")
def orders_with_towns(tmp_path_factory):
    """The made-up shop's orders as the benchmark reads them, with a town for most customers."""
    lines = order_lines()
    number = lines["customer_id"].str[1:].astype(int)
    town = pd.Series(np.where(number % 3 == 0, "north", "south"), lines.index).where(
        number % 10 > 0
    )
    file = tmp_path_factory.mktemp("towns") / "orders.parquet"
    frame = pd.DataFrame(
        {
            "customer_id": lines["customer_id"],
            "date": pd.to_datetime(lines["ordered_at"]),
            "town": town,
        }
    )
    frame.assign(value=lines["quantity"] * lines["unit_price"]).to_parquet(file)
    return file


@pytest.mark.slow
def test_the_benchmark_audits_by_a_column(orders_with_towns, monkeypatch):
    """`--audit COLUMN --mitigate` adds groups, gaps and what weighing did to the report; customers
    without a town are in no group.
    """
    monkeypatch.setattr(
        "serving.cli.benchmarks.churn.compare",
        lambda *_: {"customers": 1, "base_rate": 0.5, "methods": {}, "differences": {}},
    )
    words = [
        "benchmark",
        "churn",
        str(orders_with_towns),
        "--horizon",
        "30",
        "--audit",
        "town",
        "--mitigate",
    ]
    report = json.loads(CliRunner().invoke(command_line(), [*words, "--json"]).stdout)["audit"]
    assert set(report["attributes"]["town"]["groups"]) == {"north", "south"}
    assert set(report["mitigated"]["gaps"]) == {"town.auc", "town.calibration", "town.selection"}


@pytest.mark.slow
def test_the_audit_is_shown_as_a_table(orders_with_towns, monkeypatch):
    """Without `--json` there is a table for each attribute."""
    monkeypatch.setattr(
        "serving.cli.benchmarks.churn.compare",
        lambda *_: {"customers": 1, "base_rate": 0.5, "methods": {}, "differences": {}},
    )
    words = ["benchmark", "churn", str(orders_with_towns), "--horizon", "30", "--audit", "town"]
    assert "By town" in CliRunner().invoke(command_line(), words).stdout


@pytest.mark.parametrize("words", [["--mitigate"], ["--audit", "town", "--label", "town"]])
def test_options_that_do_not_go_together_are_wrong_use(orders_with_towns, words):
    """Weighing needs groups, and an audit needs orders."""
    assert (
        CliRunner()
        .invoke(command_line(), ["benchmark", "churn", str(orders_with_towns), *words])
        .exit_code
        == 2
    )


def test_a_column_that_is_not_there_is_named(orders_with_towns):
    """The error says which columns there are."""
    with pytest.raises(SourceError, match=r"town.*lacks age"):
        read_public_groups(orders_with_towns, "age")
