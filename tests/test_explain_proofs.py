"""What holds for the explanations of both models in office: they add up, are faithful, find what is
true, and can be made again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pytest
from sqlalchemy import select, update

from explain.attribution import Attribution
from features.consent.event import ConsentEvent
from features.database.tables import decisions
from features.definitions.frames import feature_frame
from features.shop.withholding import Withholding
from features.shop.workspace import Workspace
from models.arrays import Floats
from serving.bootstrap import Sayso, assemble
from serving.contract.requests import RecommendationRequest
from serving.decisions.document import plain
from serving.decisions.record import opened, verify_decisions
from serving.recommending.recommendation import unpack
from tests.decided import told
from tests.serving_shop import CATEGORIES, FOR_CHURN, FOR_ITEMS, copied, customer_id, sharing

pytest_plugins = ["tests.serving_fixtures"]
pytestmark = pytest.mark.early

ADDITIVE = 1e-6
CLEARLY_OVERDUE = 3.0
TRUE_DRIVER, NO_INFLUENCE = 0.90, 0.02
RESAMPLES = 4_000
CANARY = 987_654.25
"""A number that stands nowhere in the shop's data."""


@pytest.fixture(scope="module")
def sayso(trained_root, tmp_path_factory) -> Iterator[Sayso]:
    """The parts that answer, on a copy of the shop."""
    made = assemble(
        Workspace.open(copied(trained_root, tmp_path_factory.mktemp("proofs") / "mugs")), ""
    )
    made.watch.look()
    yield made
    made.close()


@dataclass(frozen=True)
class Explained:
    """Rows of one model with its scores and contributions."""

    rows: Floats
    score: Callable[[Floats], Floats]
    attribution: Attribution

    @property
    def contributions(self) -> Floats:
        """Of all rows."""
        return self.attribution.contributions(self.rows)


@pytest.fixture(scope="module")
def churn(sayso) -> Explained:
    """Everybody who may be estimated, as their consent allows."""
    champion, shop = sayso.churn.champion, sayso.shop
    frame = feature_frame(
        shop.gate(FOR_CHURN), champion.model.features, shop.loaded_until(), shop.facts
    )
    return Explained(
        frame[list(champion.model.features)].to_numpy("float64"),
        champion.model.log_odds,
        champion.attribution,
    )


@pytest.fixture(scope="module")
def ranking(sayso) -> Explained:
    """The ten best candidates of forty customers who share all there is."""
    champion, rows = sayso.recommender.champion, []
    for customer in sharing(*CATEGORIES)[:40]:
        seen = sayso.what_if.seen_under_every_coalition(sayso.shop.customers.pseudonym(customer))
        allowed = seen.allowed[-1]
        maker = replace(champion.model.maker, statistics=allowed.statistics)
        ranked = replace(champion.model, maker=maker).rank(allowed.histories, 10)
        rows.append(ranked.candidates.features[ranked.best[0]])
    return Explained(np.vstack(rows), champion.model.score, champion.attribution)


@pytest.fixture(params=["churn", "ranking"])
def explained(request) -> Explained:
    """Each of the two models in turn."""
    return request.getfixturevalue(request.param)


def test_contributions_add_up_to_the_score(explained):
    """Of every row the base value and the contributions are the model's score, and a missing
    feature has exactly none.
    """
    parts = explained.contributions
    assert len(parts) > 200
    np.testing.assert_allclose(
        explained.attribution.base_value + parts.sum(axis=1),
        explained.score(explained.rows),
        rtol=0,
        atol=ADDITIVE,
    )
    assert not parts[np.isnan(explained.rows)].any()


def moved_by_removing(explained: Explained, order: np.ndarray) -> Floats:
    """How far the score of each row has moved from where it began, on average over the steps of
    removing features in `order`.
    """
    left, began = explained.rows.copy(), explained.score(explained.rows)
    moved = np.zeros(len(left))
    for step in range(order.shape[1] - 1):
        left[np.arange(len(left)), order[:, step]] = np.nan
        moved += np.abs(explained.score(left) - began)
    return moved / (order.shape[1] - 1)


def test_an_explanation_is_faithful(explained):
    """Removing features in the order of the explanation moves the score faster than in random
    order, at 99% confidence.
    """
    draw = np.random.default_rng(8)
    by_size = np.argsort(-np.abs(explained.contributions), axis=1, kind="stable")
    at_random = np.mean(
        [
            moved_by_removing(explained, np.argsort(draw.random(explained.rows.shape), axis=1))
            for _ in range(5)
        ],
        axis=0,
    )
    gained = moved_by_removing(explained, by_size) - at_random
    means = gained[draw.integers(len(gained), size=(RESAMPLES, len(gained)))].mean(axis=1)
    low, high = np.quantile(means, [0.005, 0.995])
    print(  # noqa: T201
        f"faster by {gained.mean():.3f}, 99% interval {low:.3f} to {high:.3f}, of {len(gained)}"
        " rows"
    )
    assert low > 0


def games(sayso: Sayso) -> list[dict[str, float]]:
    """What each category contributes to the estimates of customers who share everything and are
    clearly overdue.
    """
    found = []
    for customer in sharing(*CATEGORIES):
        answer = plain(sayso.churn.estimate(customer))
        overdue = {
            part["feature"]: part["value"] for part in answer["explanation"]["contributions"]
        }.get("overdue", 0.0)
        if overdue > CLEARLY_OVERDUE:
            found.append(
                {
                    part["category"]: part["contribution"]
                    for part in answer["explanation"]["categories"]["contributions"]
                }
            )
    return found


def test_the_true_driver_of_churn_is_found(sayso):
    """Who leaves here stops ordering: of those who clearly have, order times count most, and where
    they live counts for nothing.
    """
    found = games(sayso)
    right = np.mean(
        [max(game, key=lambda name: abs(game[name])) == "order_times" for game in found]
    )
    total = {name: sum(abs(game[name]) for game in found) for name in CATEGORIES}
    print(  # noqa: T201
        f"{right:.3f} of {len(found)}; shares"
        f" { ({n: round(v / sum(total.values()), 4) for n, v in total.items()}) }"
    )
    assert len(found) >= 20
    assert right >= TRUE_DRIVER
    assert total["location"] < NO_INFLUENCE * sum(total.values())


@pytest.mark.slow
def test_the_true_driver_of_a_recommendation_is_found(sayso):
    """Customers here buy by taste: what speaks for a product recommended to them is above all what
    they bought.
    """
    category_of, parts, right = (
        sayso.recommender.champion.model.category_of,
        dict.fromkeys(CATEGORIES, 0.0),
        [],
    )
    for customer in sharing(*CATEGORIES):
        (answer,) = sayso.recommender.previews(
            RecommendationRequest(customer_id=customer, k=10),
            [sayso.what_if._permissions(sayso.shop.customers.pseudonym(customer), FOR_ITEMS)],
        )
        for item in plain(answer)["items"]:
            game = dict.fromkeys(CATEGORIES, 0.0)
            for part in item["explanation"]["contributions"]:
                if category_of[part["feature"]] in game:
                    game[part["category"]] += part["contribution"]
            right.append(max(game, key=lambda name: abs(game[name])) == "purchases")
            parts = {name: parts[name] + abs(game[name]) for name in parts}
    print(  # noqa: T201
        f"{np.mean(right):.3f} of {len(right)}; shares"
        f" { ({n: round(v / sum(parts.values()), 4) for n, v in parts.items()}) }"
    )
    assert np.mean(right) >= TRUE_DRIVER
    assert parts["location"] < NO_INFLUENCE * sum(parts.values())


def test_what_is_withheld_is_in_no_answer_no_record_and_no_log(sayso, caplog):
    """Even where a store holds what it should not, of a withheld category no value reaches an
    answer, its record or a log.
    """
    caplog.set_level(logging.DEBUG)
    for customer in (
        sharing("order_times", "spending", "location")[:2]
        + sharing("purchases", "order_times", "location")[:2]
    ):
        _plant(sayso, sayso.shop.customers.pseudonym(customer))
        request = RecommendationRequest(customer_id=customer)
        for decided in (sayso.churn.answer(customer), sayso.recommender.answer(request)):
            answer = told(decided)
            (withheld,) = answer["consent"]["withheld"]
            id = answer["decision_id"]
            with sayso.shop.database.read() as connection:
                row = (
                    connection.execute(select(decisions).where(decisions.c.id == id))
                    .mappings()
                    .one()
                )
                decision = opened(connection, sayso.shop.vault, dict(row))
            inputs = json.loads(decision.inputs)
            if "candidates" in inputs:
                assert not np.isclose(
                    unpack(inputs["features"], len(inputs["candidates"])), CANARY
                ).any()
            for text in (json.dumps(answer), decision.answer, decision.inputs, caplog.text):
                assert str(CANARY) not in text
                assert str(round(CANARY)) not in text.replace(",", "")
            assert decision.answer.count(f'"{withheld}"') == 1
            assert decision.inputs.count(f'"{withheld}"') == 1


def _plant(sayso: Sayso, customer: int) -> None:
    """Store online features of the customer whose withheld values are a canary, as a gate that
    leaks would.
    """
    for part, purpose in ((sayso.churn, FOR_CHURN), (sayso.recommender, FOR_ITEMS)):
        online, row = part._online, part._online.ready(customer)
        granted = sayso.what_if._permissions(customer, purpose).granted
        rule = Withholding.declared(sayso.shop.config.catalog, online.layout)
        hidden = [not rule.needs[name] <= granted for name in online.layout.customer]
        columns = [not rule.needs[name] <= granted for name in online.layout.history]
        known = rule.allow(row, granted)
        products = row.products or ("p01", "p05")
        held = row.columns if row.products else np.full((2, len(columns)), np.nan)
        leaking = replace(
            row,
            customer=np.where(hidden, CANARY, known.customer),
            products=products,
            columns=np.where(columns, CANARY, held),
        )
        with sayso.shop.database.write() as connection:
            online._store(connection, {customer: leaking})
        assert (online.ready(customer).customer == CANARY).any()


@pytest.mark.slow
def test_every_stored_decision_is_made_again_and_an_altered_byte_is_found(sayso):
    """After consents, opt-outs and answers of all kinds every decision recomputes bit for bit; one
    byte altered, that one does not.
    """
    who = [customer_id(number) for number in range(24)]
    for number, customer in enumerate(who):
        _use(sayso, number, customer)
    sayso.recommender.answer(RecommendationRequest(customer_id="somebody unknown"))
    stored = _decisions(sayso)
    assert len(stored) >= 2 * len(who)
    assert {decision.kind for decision in stored} == {"recommendation", "churn"}
    assert all(sayso.decisions.identical(decision) for decision in stored)
    _assert_altered_bytes_are_found(sayso)
    with sayso.shop.database.read() as connection:
        assert verify_decisions(connection) == len(stored)


def _use(sayso: Sayso, number: int, customer: str) -> None:
    """Ask about a customer, who opts out of something or withdraws a category now and then, and is
    asked about again.
    """
    known = sayso.shop.customers.find(customer)
    explain: tuple[Literal["full", "reasons", "none"], ...] = ("full", "reasons", "none")
    sayso.recommender.answer(
        RecommendationRequest(customer_id=customer, k=1 + number % 20, explain=explain[number % 3])
    )
    sayso.churn.answer(customer)
    if known is not None and number % 4 == 0:
        scope, value = (
            ("product", "p01"),
            ("all", None),
            ("purpose", FOR_CHURN),
            ("brand", "brand 1"),
        )[number // 4 % 4]
        sayso.opt_outs.add(known, scope, value, None)
    if known is not None and number % 3 == 0:
        purpose = (FOR_ITEMS, FOR_CHURN)[number % 2]
        sayso.shop.ledger.append(
            ConsentEvent(customer, purpose, CATEGORIES[number % 4], "withdrawn", "test")
        )
    sayso.recommender.answer(RecommendationRequest(customer_id=customer))
    sayso.churn.answer(customer)


def _decisions(sayso: Sayso) -> list:
    with sayso.shop.database.read() as connection:
        rows = connection.execute(select(decisions).order_by(decisions.c.seq)).mappings().all()
        return [opened(connection, sayso.shop.vault, dict(row)) for row in rows]


def _assert_altered_bytes_are_found(sayso: Sayso) -> None:
    """One byte of one decision after another is altered and put back."""
    draw = np.random.default_rng(10)
    with sayso.shop.database.read() as connection:
        contents = {
            row.seq: row.content
            for row in connection.execute(select(decisions.c.seq, decisions.c.content))
        }
    for seq in draw.choice(list(contents), 25, replace=False).tolist():
        at = int(draw.integers(len(contents[seq])))
        altered = (
            contents[seq][:at]
            + bytes([contents[seq][at] ^ 1 << int(draw.integers(8))])
            + contents[seq][at + 1 :]
        )
        for content in (altered, contents[seq]):
            with sayso.shop.database.write() as connection:
                connection.execute(
                    update(decisions).where(decisions.c.seq == seq).values(content=content)
                )
            wrong = [decision for decision in _decisions(sayso) if not decision.intact]
            assert len(wrong) == (content is altered)
            assert not any(sayso.decisions.identical(decision) for decision in wrong)
