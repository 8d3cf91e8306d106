"""The gates before the champion's office, one by one; overriding them; and the way back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from math import inf, nan

import numpy as np
import pytest

from experiments.promotion.gates import (
    GATES,
    Candidacy,
    GateResult,
    better_than_baselines,
    better_than_champion,
    calibrated,
    explainable,
    fair,
    fresh,
    judge,
    owned,
)
from experiments.promotion.rollout import PromotionRefused, promote, roll_back
from experiments.promotion.withdrawn_since import VersionStatus
from experiments.training.registry import task
from experiments.trials.champion_recipe import COMPARED, NOTE, REFRESH
from experiments.trials.paired_difference import (
    churn_differences,
    paired_difference,
    ranking_differences,
)
from features.config.schema import Audit
from features.consent.ledger import ConsentEvent
from features.consent.training_sets import remember
from features.errors import ModelUnavailable
from models.registry import CHALLENGER, CHAMPION, Version, override_of
from models.tracking import BEFORE, Tracking
from tests.test_models_tracking import run_of

pytest_plugins = ["tests.serving_fixtures", "tests.registry_fixtures"]

NOW = datetime(2024, 1, 1, tzinfo=UTC)
CHAMPIONS = "3"


def version(
    model: str = "churn", number: str = "4", tags: dict[str, str] | None = None, **metrics: float
) -> Version:
    """A version that passes every gate but for what is stated; `__` in a name stands for a dot."""
    decisive = "auc" if model == "churn" else "recall_at_10"
    good = {
        decisive: 0.8,
        "explainable.additivity": 1e-8,
        "explainable.withheld": 0.0,
        "explainable.without_category": 0.0,
    }
    if model == "churn":
        good |= {
            "ece": 0.01,
            "ece_at_limit": 0.06,
            "without_spending.ece": 0.02,
            "without_spending.ece_at_limit": 0.06,
        }
    good |= {f"baseline.{name}.{decisive}": 0.7 for name in task(model).baselines}
    stated = {name.replace("__", "."): value for name, value in metrics.items()}
    return Version(model, number, "run", NOW, good | stated, {"owner": "somebody"} | (tags or {}))


def case(
    challenger: Version, champion: Version | None = None, withdrawn: int = 0, of_champion: int = 0
) -> Candidacy:
    """A challenger before the gates."""
    status = VersionStatus(challenger, (), 1, 100, withdrawn, None, overdue=False)
    return Candidacy(challenger, champion, status, of_champion, Audit())


def compared(
    low: float, high: float, *, refresh: bool = False, against: str = CHAMPIONS, note: str = ""
) -> Version:
    """A challenger that was set against a champion's recipe."""
    ends = {
        f"against_champion__{against}__auc__{end}": value
        for end, value in (("low", low), ("middle", (low + high) / 2), ("high", high))
    }
    return version(
        tags={COMPARED: against, REFRESH: "yes" if refresh else "no", NOTE: note}, **ends
    )


@pytest.mark.parametrize("model", ["churn", "next_purchase"])
def test_a_challenger_has_to_reach_every_baseline(model):
    """Equal to the best baseline passes, below any one of them does not, and the figure names the
    best.
    """
    metric = "auc" if model == "churn" else "recall_at_10"
    for name in task(model).baselines:
        for theirs, passed in ((0.8, True), (0.8001, False)):
            result = better_than_baselines(
                case(version(model, **{f"baseline__{name}__{metric}": theirs}))
            )
            assert result.passed is passed
            assert name in result.figure


@pytest.mark.parametrize(("high", "passed"), [(0.01, True), (0.0, True), (-0.001, False)])
def test_a_baseline_that_is_better_by_chance_refuses_nobody(high, passed):
    """Where it was measured how sure a lead is, a challenger is refused for what chance does not
    explain alone.
    """
    ends = {
        f"lead__recency__auc__{end}": value
        for end, value in (("low", -0.05), ("middle", -0.02), ("high", high))
    }
    result = better_than_baselines(case(version(baseline__recency__auc=0.82, **ends)))
    assert result.passed is passed
    assert f"recency 0.8200 (lead -0.0200, 95%: -0.0500 to {high:+.4f})" in result.figure


def test_leads_are_as_sure_as_there_are_customers():
    """The lead of a method over itself is none, over a worse one it is above zero, and with few
    customers it is not sure.
    """
    draw = np.random.default_rng(3)
    labels = (draw.random(800) < 0.4).astype(float)
    good = labels + draw.normal(0, 1, 800)
    scores = {"sayso": good, "same": good, "worse": labels + draw.normal(0, 3, 800)}
    found = churn_differences(labels, scores)
    assert paired_difference(found, "same", "auc") == (0.0, 0.0, 0.0)
    assert paired_difference(found, "worse", "auc")[0] > 0.05
    assert (
        paired_difference(
            churn_differences(labels[:30], {name: own[:30] for name, own in scores.items()}),
            "worse",
            "auc",
        )[0]
        < 0.05
    )
    assert paired_difference(found, "nobody", "auc") is None
    truth = [{"a"}] * 50
    recall = ranking_differences(
        {"sayso": [["a"]] * 50, "worse": [["a"]] * 20 + [["b"]] * 30}, truth, 10
    )
    low, middle, high = paired_difference(recall, "worse", "recall_at_10")
    assert 0.4 < low < middle < high < 0.8
    assert middle == pytest.approx(0.6, abs=0.05)


@pytest.mark.parametrize(
    ("low", "high", "refresh", "withdrew", "passed"),
    [
        (0.001, 0.02, False, 0, True),
        (-0.001, 0.02, False, 0, False),
        (-0.001, 0.02, True, 0, True),
        (0.0, 0.0, True, 0, True),
        (-0.02, -0.001, True, 0, False),
        (-0.001, 0.02, False, 7, True),
        (-0.02, -0.001, False, 7, False),
        (nan, nan, False, 0, False),
    ],
)
def test_a_challenger_has_to_be_better_than_the_champion_beyond_noise(
    low, high, refresh, withdrew, passed
):
    """Above 0 with all of the interval; a refresh, or whoever replaces a tainted champion, only has
    to be no worse.
    """
    result = better_than_champion(
        case(compared(low, high, refresh=refresh), version(number=CHAMPIONS), of_champion=withdrew)
    )
    assert result.passed is passed
    assert f"{low:+.4f} to {high:+.4f}" in result.figure
    assert ("a refresh" in result.figure) is refresh


def test_a_first_champion_has_nobody_to_beat():
    """Without a champion, or where the champion stands before the gates again, the gate passes."""
    assert better_than_champion(case(version())).passed
    assert better_than_champion(case(version(), version())).passed


@pytest.mark.parametrize(
    ("challenger", "said"),
    [
        (compared(0.1, 0.2, against="2"), "it was compared with version 2; train again"),
        (version(), "another champion, or none, when it was trained; train again"),
        (
            version(tags={COMPARED: CHAMPIONS, REFRESH: "no", NOTE: "its recipe cannot be fitted"}),
            "its recipe cannot be fitted",
        ),
    ],
)
def test_a_challenger_that_was_not_compared_is_refused(challenger, said):
    """Where the champion changed since, or could not be fitted anew, the gate says which and what
    to do.
    """
    result = better_than_champion(case(challenger, version(number=CHAMPIONS)))
    assert not result.passed
    assert said in result.figure


def test_features_that_are_gone_are_named():
    """A comparison without features that the catalog no longer offers says so."""
    told = better_than_champion(
        case(compared(0.01, 0.02, note="without home_country"), version(number=CHAMPIONS))
    )
    assert told.passed
    assert "without home_country" in told.figure


@pytest.mark.parametrize(
    ("pattern", "error", "passed"),
    [
        ("", 0.06, True),
        ("", 0.0601, False),
        ("without_spending__", 0.0601, False),
        ("", nan, False),
    ],
)
def test_probabilities_have_to_be_calibrated_whatever_is_withheld(pattern, error, passed):
    """An error above what the limit and chance explain fails, under any consent pattern, which the
    figure names.
    """
    result = calibrated(case(version(**{f"{pattern}ece": error})))
    assert result.passed is passed
    assert (pattern.rstrip("_").replace("_", " ") or "all granted") in result.figure or passed


def test_the_calibrated_gate_says_what_chance_alone_gives():
    """Beside the error stands the error of exact forecasts, where it was measured."""
    assert (
        "chance alone gives about 0.0250"
        in calibrated(case(version(ece=0.07, ece_by_chance=0.025))).figure
    )
    assert "chance alone" not in calibrated(case(version(ece=0.07))).figure


@pytest.mark.parametrize(
    ("bias", "said"), [(0.05, "0.050 too high"), (-0.05, "0.050 too low"), (0.01, ""), (None, "")]
)
def test_forecasts_that_are_off_together_are_told_from_those_that_are_not(bias, said):
    """Where the level of a whole period explains most of the error, the gate says how far it was
    off and what to do.
    """
    measured = {} if bias is None else {"without_spending__bias": bias}
    figure = calibrated(case(version(without_spending__ece=0.07, **measured))).figure
    assert said in figure
    assert ("override with that reason" in figure) is bool(said)


def test_a_gate_that_passes_gives_no_advice():
    """Who passes is told the figure alone."""
    assert "override" not in calibrated(case(version(ece=0.05, bias=0.05))).figure


def test_what_was_not_measured_does_not_pass():
    """A churn model without calibration figures, or any model whose explanations were not looked
    at, is refused.
    """
    bare = replace(version(), metrics={"auc": 0.8})
    assert not calibrated(case(bare)).passed
    assert not explainable(case(bare)).passed
    assert "train it again" in explainable(case(bare)).figure
    assert calibrated(case(version("next_purchase"))).passed


@pytest.mark.parametrize(
    ("figures", "passed"),
    [
        ({"additivity": 9e-7}, True),
        ({"additivity": 2e-6}, False),
        ({"withheld": 1e-12}, False),
        ({"withheld": inf}, False),
        ({"without_category": 1.0}, False),
    ],
)
def test_what_cannot_be_explained_is_refused(figures, passed):
    """Contributions add up, a withheld category contributes exactly nothing, and every feature has
    a category.
    """
    assert (
        explainable(
            case(version(**{f"explainable__{name}": value for name, value in figures.items()}))
        ).passed
        is passed
    )


@pytest.mark.parametrize(
    ("measure", "low", "passed"),
    [
        ("auc", 0.05, True),
        ("auc", 0.051, False),
        ("selection", 0.19, True),
        ("calibration", 0.06, False),
    ],
)
def test_groups_may_not_lie_too_far_apart(measure, low, passed):
    """A gap fails where even the low end of its interval is above the limit for its measure."""
    name = f"fair__customers__country__{measure}"
    result = fair(
        case(
            version(**{f"{name}__gap": low + 0.1, f"{name}__low": low, f"{name}__high": low + 0.2})
        )
    )
    assert result.passed is passed
    assert f"{measure} gap" in result.figure
    assert "customers.country" in result.figure


def test_no_audit_is_said_and_does_not_stop():
    """Where no group was large enough the gate passes and says that nothing was audited."""
    result = fair(case(version(tags={"fair": "not audited: nobody agreed"})))
    assert (result.passed, result.figure) == (True, "not audited: nobody agreed")


def test_who_withdrew_and_who_owns():
    """One withdrawal since training fails, and so does a version that nobody answers for."""
    assert fresh(case(version())).passed
    assert not fresh(case(version(), withdrawn=1)).passed
    assert owned(case(version())).passed
    assert not owned(case(version(tags={"owner": ""}))).passed


def test_every_gate_is_asked(served):
    """`judge` gives the result of each gate, in their order; without a challenger there is nothing
    to judge.
    """
    tracking = Tracking.of(served.workspace)
    challenger, results = judge(served, tracking, "churn")
    assert [result.gate for result in results] == [gate.__name__ for gate in GATES]
    assert challenger.version == tracking.by_alias("churn", CHALLENGER).version
    with pytest.raises(ModelUnavailable, match="no challenger for `weather`"):
        judge(served, tracking, "weather")


# ---- one champion after another ----


@pytest.fixture
def tracking(registry) -> Tracking:
    """A registry of its own."""
    return registry


PASSED = [GateResult("better_than_baselines", True, "fine"), GateResult("fresh", True, "0 of 9")]


def failing(gate: str) -> list[GateResult]:
    """Results of which one failed."""
    return [*PASSED[:1], GateResult(gate, False, "3 of 4")]


def test_the_first_failing_gate_refuses_and_the_registry_stays(tracking):
    """A refused promotion names gate and figure and moves no alias."""
    champion, challenger = tracking.record(run_of(1)), tracking.record(run_of(2))
    promote(tracking, champion, PASSED, NOW)
    with pytest.raises(PromotionRefused, match=r"calibrated.*3 of 4") as refused:
        promote(tracking, challenger, failing("calibrated"), NOW)
    assert refused.value.gate == "calibrated"
    assert tracking.by_alias("churn", CHAMPION).version == champion.version
    assert tracking.by_alias("churn", CHALLENGER).tags == challenger.tags


def test_an_override_is_kept_with_its_reason(tracking):
    """Reason, gates and moment stand in the registry; promoted properly later, the same version
    bears them no more.
    """
    challenger = tracking.record(run_of(1))
    promote(tracking, challenger, failing("calibrated"), NOW, "the season is unlike any other")
    champion = tracking.by_alias("churn", CHAMPION)
    expected = {
        "reason": "the season is unlike any other",
        "gates": "calibrated",
        "at": "2024-01-01T00:00:00.000000Z",
    }
    assert override_of(champion) == expected
    assert champion.tags["gate.calibrated"] == "3 of 4"
    promote(tracking, champion, PASSED, NOW)
    again = tracking.by_alias("churn", CHAMPION)
    assert override_of(again) is None
    assert "gate.calibrated" not in again.tags
    assert BEFORE not in again.tags


@pytest.mark.parametrize("gate", ["fresh", "explainable"])
def test_some_gates_stand_whatever_the_reason(tracking, gate):
    """What was taken back is not used, and what cannot be explained is not released."""
    challenger = tracking.record(run_of(1))
    with pytest.raises(PromotionRefused, match=f"{gate}.*no reason overrides"):
        promote(tracking, challenger, failing(gate), NOW, "we have to")
    assert tracking.by_alias("churn", CHAMPION) is None


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_an_override_needs_a_reason(tracking, reason):
    """An empty reason, or one nobody would read, is none."""
    with pytest.raises(PromotionRefused, match="needs a reason"):
        promote(tracking, tracking.record(run_of(1)), failing("calibrated"), NOW, reason)
    assert tracking.by_alias("churn", CHAMPION) is None


def learnt_from(shop, version, ids=("c000",)):
    """Remember whom a version learnt from."""
    with shop.database.write() as connection:
        remember(
            connection,
            version.run_id,
            "churn_prediction",
            shop.ledger.position(),
            [shop.customers.find(id) for id in ids],
            shop.clock(),
        )


def test_going_back_puts_the_champion_before_into_office(tracking, fresh_shop):
    """Three champions one after another are gone back through one by one; before the first there is
    none.
    """
    versions = [tracking.record(run_of(seed)) for seed in (1, 2, 3)]
    for one in versions:
        learnt_from(fresh_shop, one)
        promote(tracking, one, PASSED, NOW)
    for back in (1, 0):
        left, now = roll_back(fresh_shop, tracking, "churn")
        assert (left.version, now.version) == (versions[back + 1].version, versions[back].version)
        assert tracking.by_alias("churn", CHAMPION).version == versions[back].version
    with pytest.raises(
        PromotionRefused, match="no version of `churn` was champion before version 1"
    ):
        roll_back(fresh_shop, tracking, "churn")
    assert tracking.by_alias("churn", CHAMPION).version == versions[0].version
    assert tracking.by_alias("churn", CHALLENGER).version == versions[2].version


def test_nobody_goes_back_to_what_was_withdrawn(tracking, fresh_shop):
    """Where a customer of the version before withdrew, or nobody knows its customers, the champion
    stays.
    """
    first, second = tracking.record(run_of(1)), tracking.record(run_of(2))
    for one in (first, second):
        promote(tracking, one, PASSED, NOW)
    with pytest.raises(PromotionRefused, match="not known whom it learnt from"):
        roll_back(fresh_shop, tracking, "churn")
    learnt_from(fresh_shop, first, ("c000", "c001"))
    fresh_shop.ledger.append(
        ConsentEvent("c000", "churn_prediction", "purchases", "withdrawn", "test")
    )
    with pytest.raises(
        PromotionRefused, match=r"1 of its customers withdrew since; version 2 stays"
    ):
        roll_back(fresh_shop, tracking, "churn")
    with pytest.raises(ModelUnavailable, match="no champion for `next_purchase`"):
        roll_back(fresh_shop, tracking, "next_purchase")
    assert tracking.by_alias("churn", CHAMPION).version == second.version
