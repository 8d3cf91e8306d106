"""Models follow withdrawals: which versions learnt from whom, since when that is over, and until
when they are replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from experiments.promotion.gates import judge
from experiments.promotion.rollout import PromotionRefused, promote
from experiments.promotion.withdrawn_since import VersionStatus, model_status
from experiments.training.registry import task_names
from features import clock
from features.consent.grants import grants
from features.consent.ledger import ConsentEvent
from features.consent.training_sets import read_all, remember
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.registry import CHALLENGER, Version
from models.tracking import Tracking
from serving.rights.rights import Rights
from tests.serving_shop import customer_id, sharing
from tests.synthetic_shop import END

pytest_plugins = ["tests.serving_fixtures"]

ANN, BEN, CLEO, STRANGER = "c000", "c001", "c002", "c003"
ITEMS, CHURN = "recommendations", "churn_prediction"
RUN = "a-run"


class MadeUp:
    """A registry of versions that nobody trained."""

    def __init__(self, *versions: Version, held: Sequence[str] = (CHALLENGER,)) -> None:
        """`held` are the aliases of the first version."""
        self._versions, self._held, self.promoted = versions, tuple(held), list[Version]()

    def versions(self, model: str) -> list[tuple[Version, tuple[str, ...]]]:
        """As `Tracking.versions`."""
        return [
            (one, self._held if one is self._versions[0] else ())
            for one in self._versions
            if one.model == model
        ]

    def by_alias(self, model: str, alias: str) -> Version | None:
        """As `Tracking.by_alias`."""
        return next((one for one, held in self.versions(model) if alias in held), None)

    def folder(self, _version: Version) -> None:
        """As `Tracking.folder`, whose files nobody reads here."""

    def promote(self, version: Version, _gates: object, _override: object) -> None:
        """As `Tracking.promote`."""
        self.promoted.append(version)


def version(run: str = RUN, model: str = "next_purchase", number: str = "1") -> Version:
    """A version with figures that pass every other gate."""
    figures = {
        "recall_at_10": 0.5,
        **{
            f"baseline.{name}.recall_at_10": 0.1
            for name in ("popular", "personal_frequency", "item_knn")
        },
    }
    figures |= {
        f"explainable.{name}": 0.0 for name in ("additivity", "withheld", "without_category")
    }
    return Version(
        model, number, run, datetime(2024, 10, 1, tzinfo=UTC), figures, {"owner": "the owner"}
    )


def days_later(shop: Shop, days: float) -> Shop:
    """The same shop after some days."""
    moment = END + timedelta(days=days)
    return Shop(Workspace.open(shop.workspace.root), lambda: moment)


def trained(shop: Shop, *ids: str, run: str = RUN, purpose: str = ITEMS) -> None:
    """Remember that a run learnt from these customers just now."""
    whose = [shop.customers.find(id) for id in ids]
    assert None not in whose
    with shop.database.write() as connection:
        remember(
            connection,
            run,
            purpose,
            shop.ledger.position(),
            [one for one in whose if one is not None],
            shop.clock(),
        )


def say(
    shop: Shop, id: str, action: str, purpose: str = ITEMS, category: str = "purchases"
) -> None:
    """Record what a customer said."""
    notice = "1" if action in ("granted", "renewed") else None
    shop.ledger.append(ConsentEvent(id, purpose, category, action, "test", notice))


def status(shop: Shop, *versions: Version) -> VersionStatus:
    """Status of the only version, or of the first one."""
    return model_status(shop, MadeUp(*(versions or (version(),))))[0]  # type: ignore[arg-type]  # a fake in place of MLflow


def judged(shop: Shop, challenger: Version) -> tuple[bool, str]:
    """What the gate says of a version."""
    _, results = judge(shop, MadeUp(challenger), challenger.model)  # type: ignore[arg-type]  # a fake in place of MLflow
    result = next(result for result in results if result.gate == "fresh")
    return result.passed, result.figure


def test_a_training_set_is_kept_as_it_was(fresh_shop):
    """Who was in it, for which purpose and at which position of the ledger comes back, each
    customer once and in order.
    """
    with fresh_shop.database.write() as connection:
        remember(connection, "x", ITEMS, 17, [5, 2**62 - 1, 3, 5], END)
        remember(connection, "y", CHURN, 18, [], END + timedelta(days=1))
    with fresh_shop.database.read() as connection:
        first, second = read_all(connection)
    assert (first.run_id, first.purpose, first.ledger_seq, first.made_at) == (
        "x",
        ITEMS,
        17,
        clock.to_text(END),
    )
    assert first.customers.tolist() == [3, 5, 2**62 - 1]
    assert second.customers.tolist() == []
    assert first.tainted_since is second.tainted_since is None


def test_a_run_that_learnt_for_two_purposes_hears_of_both(fresh_shop):
    """Whoever takes back either is counted, once; and an erased customer leaves the sets of
    both.
    """
    trained(fresh_shop, ANN, BEN)
    trained(fresh_shop, BEN, CLEO, purpose=CHURN)
    assert (status(fresh_shop).customers, status(fresh_shop).withdrawn) == (3, 0)
    say(fresh_shop, CLEO, "withdrawn", purpose=CHURN, category="order_times")
    say(fresh_shop, ANN, "withdrawn", purpose=CHURN, category="order_times")
    assert status(fresh_shop).withdrawn == 1
    say(fresh_shop, BEN, "withdrawn", purpose=CHURN, category="order_times")
    say(fresh_shop, BEN, "withdrawn")
    assert status(fresh_shop).withdrawn == 2
    Rights(fresh_shop).erase(BEN)
    assert status(fresh_shop).withdrawn == 2
    with fresh_shop.database.read() as connection:
        assert [(one.purpose, len(one.customers), one.erased) for one in read_all(connection)] == [
            (ITEMS, 1, 1),
            (CHURN, 1, 1),
        ]


def test_a_version_of_which_nothing_is_known_passes_no_gate(fresh_shop):
    """A version from before training sets were kept is told as such, and has to be trained
    again.
    """
    found = status(fresh_shop)
    assert (
        found.customers,
        found.ledger_seq,
        found.withdrawn,
        found.retrain_by,
        found.overdue,
    ) == (None, None, 0, None, False)
    passed, figure = judged(fresh_shop, version())
    assert not passed
    assert "train it again" in figure


def test_a_version_whose_customers_all_stand_is_fresh(fresh_shop):
    """Grants, and what others or members say of another purpose or said before, taint nothing."""
    say(fresh_shop, ANN, "withdrawn", category="spending")
    trained(fresh_shop, ANN, BEN)
    say(fresh_shop, ANN, "granted", category="spending")
    say(fresh_shop, BEN, "renewed")
    say(fresh_shop, ANN, "withdrawn", purpose=CHURN)
    say(fresh_shop, STRANGER, "withdrawn")
    found = status(fresh_shop)
    assert (found.customers, found.withdrawn, found.retrain_by, found.overdue) == (
        2,
        0,
        None,
        False,
    )
    assert found.ledger_seq == fresh_shop.ledger.position() - 4
    assert judged(fresh_shop, version()) == (True, "0 of 2 customers withdrew since")


@pytest.mark.parametrize(
    "action", ["withdrawn", "refused", "objected", "expired", "privacy_signal"]
)
def test_whatever_ends_a_grant_taints_the_version(fresh_shop, action):
    """The version has to be replaced 30 days after the ledger heard of it, and does not become
    champion any more.
    """
    trained(fresh_shop, ANN, BEN)
    say(days_later(fresh_shop, 2), ANN, action)
    found = status(days_later(fresh_shop, 3))
    assert (found.customers, found.withdrawn) == (2, 1)
    assert found.retrain_by == clock.to_text(END + timedelta(days=32))
    assert not found.overdue
    assert status(days_later(fresh_shop, 33)).overdue
    passed, figure = judged(fresh_shop, version())
    assert not passed
    assert "1 of 2" in figure


def test_the_first_withdrawal_decides_when_and_each_customer_counts_once(fresh_shop):
    """Several withdrawals of several categories by two members are two customers, and the earliest
    sets the deadline.
    """
    trained(fresh_shop, ANN, BEN, CLEO)
    for days, id in ((1, BEN), (2, ANN), (5, ANN)):
        say(
            days_later(fresh_shop, days),
            id,
            "withdrawn",
            category=("purchases", "spending")[days % 2],
        )
    found = status(days_later(fresh_shop, 6))
    assert found.withdrawn == 2
    assert found.retrain_by == clock.to_text(END + timedelta(days=31))


def test_the_shop_may_promise_to_be_quicker(fresh_shop):
    """`retrain_within_days` sets the deadline."""
    file = fresh_shop.workspace.root / "sayso.toml"
    file.write_text(
        file.read_text().replace(
            "[models.churn]", "[models]\nretrain_within_days = 7\n\n[models.churn]"
        )
    )
    shop = days_later(fresh_shop, 0)
    trained(shop, ANN)
    say(shop, ANN, "withdrawn")
    assert status(shop).retrain_by == clock.to_text(END + timedelta(days=7))


def test_versions_are_told_newest_first_each_with_its_own_set(fresh_shop):
    """Of two versions of one model only the one that learnt from who left is tainted; aliases stand
    with theirs.
    """
    trained(fresh_shop, ANN, run="old")
    trained(fresh_shop, BEN, run="new")
    trained(fresh_shop, ANN, run="churn", purpose=CHURN)
    say(fresh_shop, ANN, "withdrawn")
    registry = MadeUp(version("new", number="2"), version("old"), version("churn", "churn"))
    found = model_status(fresh_shop, registry)  # type: ignore[arg-type]  # a fake in place of MLflow
    assert {(one.version.run_id, one.withdrawn, one.aliases) for one in found} == {
        ("new", 0, (CHALLENGER,)),
        ("old", 1, ()),
        ("churn", 0, ()),
    }
    assert [one.version.version for one in found if one.version.model == "next_purchase"] == [
        "2",
        "1",
    ]
    assert {one.version.model for one in found} == set(task_names())


def test_an_erased_customer_taints_the_version_for_good(fresh_shop):
    """Erasure takes the customer out of the set, and the version still has to be replaced in
    time.
    """
    trained(fresh_shop, ANN, BEN)
    Rights(days_later(fresh_shop, 2)).erase(ANN)
    found = status(days_later(fresh_shop, 3))
    assert found.withdrawn == 1
    assert found.retrain_by == clock.to_text(END + timedelta(days=32))
    assert not judged(fresh_shop, version())[0]


def test_every_erased_customer_counts(fresh_shop):
    """Two erased members are two who left, and who withdrew before being erased is not counted
    twice.
    """
    trained(fresh_shop, ANN, BEN, CLEO)
    say(fresh_shop, BEN, "withdrawn")
    for count, id in enumerate((ANN, BEN, CLEO), start=1):
        Rights(fresh_shop).erase(id)
        assert status(fresh_shop).withdrawn == max(count, 2)
    assert not judged(fresh_shop, version())[0]


def test_an_erasure_never_puts_the_deadline_off(fresh_shop):
    """Who withdrew and is erased weeks later leaves the date by which the version has to go where
    it was.
    """
    trained(fresh_shop, ANN, BEN)
    say(days_later(fresh_shop, 1), ANN, "withdrawn")
    before = status(days_later(fresh_shop, 20)).retrain_by
    assert before == clock.to_text(END + timedelta(days=31))
    Rights(days_later(fresh_shop, 25)).erase(ANN)
    found = status(days_later(fresh_shop, 35))
    assert found.retrain_by == before
    assert found.overdue


def test_a_tainted_challenger_is_not_promoted(fresh_shop):
    """Promotion is refused by the gate `fresh` with its figure, while the other gates pass."""
    trained(fresh_shop, ANN, BEN)
    registry = MadeUp(version())
    challenger, results = judge(fresh_shop, registry, "next_purchase")  # type: ignore[arg-type]  # a fake
    assert all(result.passed for result in results)
    promote(registry, challenger, results, END)  # type: ignore[arg-type]  # a fake
    say(fresh_shop, BEN, "withdrawn")
    challenger, results = judge(fresh_shop, registry, "next_purchase")  # type: ignore[arg-type]  # a fake
    assert [result.gate for result in results if not result.passed] == ["fresh"]
    with pytest.raises(PromotionRefused, match="1 of 2") as refused:
        promote(registry, challenger, results, END)  # type: ignore[arg-type]  # a fake
    assert refused.value.gate == "fresh"
    assert registry.promoted == [challenger]


def test_who_withdrew_everything_is_in_no_later_training(fresh_shop):
    """The gate of the next build gives no row of the customer, at the position of the ledger that
    is kept with it.
    """
    whose = fresh_shop.customers.find(ANN)
    assert whose in set(fresh_shop.gate(ITEMS).spine(fresh_shop.loaded_until())["customer"])
    for category in fresh_shop.config.catalog.askable(ITEMS):
        say(fresh_shop, ANN, "withdrawn", category=category)
    gate = fresh_shop.gate(ITEMS)
    assert whose not in set(gate.spine(fresh_shop.loaded_until())["customer"])
    assert gate.ledger_seq == fresh_shop.ledger.position()


def test_real_training_keeps_whom_it_learnt_from(served):
    """Both models of the served shop have their set, at the position that MLflow states, of
    granting customers alone.
    """
    found = {one.version.model: one for one in model_status(served, Tracking.of(served.workspace))}
    assert set(found) == set(task_names())
    with served.database.read() as connection:
        sets = {one.run_id: one for one in read_all(connection)}
        asked = {
            purpose: grants(
                connection, served.config.catalog, purpose, clock.to_text(served.clock())
            )
            for purpose in (ITEMS, CHURN)
        }
    silent = {
        served.customers.find(id)
        for id in [*sharing(), *(customer_id(number) for number in range(19, 320, 20))]
    } - {None}
    assert silent
    for one in found.values():
        kept = sets[one.version.run_id]
        assert one.customers == len(kept.customers) > 100
        assert str(one.ledger_seq) == one.version.tags["ledger_seq"]
        assert one.version.tags["purpose"] == kept.purpose
        assert not silent & set(kept.customers.tolist())
        assert len(set(kept.customers.tolist()) & set(asked[kept.purpose]["customer"])) > 100
