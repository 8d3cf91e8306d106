"""Next purchases: candidates, the ranker that orders them, and what neither may do."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.definitions.frames import reads_of
from features.errors import TrainingError
from features.shop.shop import Shop
from models.next_purchase import candidates
from models.next_purchase import examples as purchase_examples
from models.next_purchase.candidate_features import (
    AFFINITIES,
    CANDIDATE_READS,
    PLACES,
    candidate_features,
)
from models.next_purchase.candidates import CandidateMaker
from models.next_purchase.examples import PurchaseData, history_masking
from models.next_purchase.histories import Histories, HistoryMasking
from models.next_purchase.model import NextPurchaseModel
from models.next_purchase.orders import orders
from models.next_purchase.product_statistics import PRODUCT_FEATURES
from models.next_purchase.ranker import (
    GAIN_FROM_FEW,
    Examples,
    NextPurchaseSettings,
    fit_next_purchase,
)

PURPOSE = "recommendations"
QUICK = NextPurchaseSettings(trees=15, rows_per_leaf=50, threads=1)


@pytest.fixture(scope="module")
def data(shop: Shop) -> PurchaseData:
    """What the made-up shop's next-purchase model may read."""
    gate, section = shop.gate(PURPOSE), shop.config.models.next_purchase
    return PurchaseData(
        gate,
        orders(gate, shop.loaded_until()),
        section.features,
        shop.facts,
        section.sold_within_days,
    )


@pytest.fixture(scope="module")
def maker(shop: Shop, data: PurchaseData) -> CandidateMaker:
    """Candidates by the newest statistics."""
    return data.maker(shop.loaded_until())


@pytest.fixture(scope="module")
def spine(shop: Shop, data: PurchaseData) -> pd.DataFrame:
    """All who granted anything, at the end."""
    return pd.DataFrame(
        {
            "customer": data.gate.customers(),
            "as_of": pd.Timestamp(shop.loaded_until()).as_unit("us"),
        }
    )


@pytest.fixture(scope="module")
def histories(data: PurchaseData, spine: pd.DataFrame, maker: CandidateMaker) -> Histories:
    """Their histories."""
    return data.histories(spine, maker.statistics)


@pytest.fixture(scope="module")
def masking(shop: Shop, data: PurchaseData) -> HistoryMasking:
    """Which categories the columns need."""
    return history_masking(data, shop.config.catalog.askable(PURPOSE))


@pytest.fixture(scope="module")
def examples(shop: Shop, data: PurchaseData) -> list[Examples]:
    """Real orders of three blocks."""
    return [data.examples(begin)[0] for begin in data.begins(shop.loaded_until())[:3]]


@pytest.fixture(scope="module")
def category_of(shop: Shop, data: PurchaseData) -> dict[str, str]:
    """The category that each column is shown under."""
    reads = (
        {name: reads_of(name) for name in data.features}
        | {name: CANDIDATE_READS[name] for name in candidate_features(data.features)}
        | dict.fromkeys(PRODUCT_FEATURES, ())
    )
    return {name: shop.config.catalog.category_of(fields) for name, fields in reads.items()}


@pytest.fixture(scope="module")
def model(
    examples: list[Examples],
    maker: CandidateMaker,
    masking: HistoryMasking,
    category_of: dict[str, str],
) -> NextPurchaseModel:
    """A ranker of the made-up shop."""
    return fit_next_purchase(examples, maker, masking, category_of, QUICK)


def column(maker: CandidateMaker, features: np.ndarray, name: str) -> np.ndarray:
    """One column of candidates' features."""
    return features[:, maker.features.index(name)]


# ---- candidates ----


def test_candidates_are_what_was_bought_what_goes_with_it_and_best_sellers(
    maker: CandidateMaker, histories: Histories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is room for all, a row's candidates are its own products still sold, what goes
    with or follows them, best sellers.
    """
    monkeypatch.setattr(candidates, "OFFERED", dict.fromkeys(candidates.OFFERED, 1_000))
    made, statistics = maker.make(histories), maker.statistics
    assert (np.diff(made.rows) >= 0).all()
    since = maker.history.index("orders_since_last_bought")
    for row in range(0, len(histories), 9):
        mine = histories.slice(row, row + 1)
        wanted = {
            *mine.products.tolist(),
            *statistics.best_sellers[: candidates.BEST_SELLERS].tolist(),
        }
        for name in candidates.OFFERED:
            matrix, decay = AFFINITIES[name]
            sums = decay ** mine.columns[:, since] @ getattr(statistics, matrix)[mine.products]
            wanted |= set(np.flatnonzero(sums > 0).tolist())
        found = made.products[made.rows == row].tolist()
        assert sorted(found) == found
        assert set(found) == wanted & set(np.flatnonzero(statistics.sold))
        assert len(set(found)) == len(found)


def test_only_the_best_are_offered(
    maker: CandidateMaker, histories: Histories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for three of what follows, these are the three that follow most."""
    monkeypatch.setattr(candidates, "OFFERED", {"follows_your_products": 3})
    monkeypatch.setattr(candidates, "BEST_SELLERS", 0)
    made = maker.make(histories)
    for row in range(0, len(histories), 9):
        own = histories.slice(row, row + 1).products
        sums = np.where(maker.statistics.sold, maker.statistics.following[own].sum(axis=0).A1, 0.0)
        offered = set(made.products[made.rows == row]) - set(own)
        assert all(
            sums[product] >= np.sort(sums)[-3] * (1 - 1e-6) and sums[product] > 0
            for product in offered
        )


def test_learned_features_compare_with_the_history(
    maker: CandidateMaker, histories: Histories
) -> None:
    """Similarities are sums over the history and over the last order, prices and places compare
    with the customer's own.
    """
    made, statistics = maker.make(histories), maker.statistics
    since, home, usual = (
        maker.history.index("orders_since_last_bought"),
        maker.customer.index("home_country"),
        maker.customer.index("usual_price"),
    )
    for row in range(0, len(histories), 9):
        mine, at = histories.slice(row, row + 1), made.rows == row
        products, features = made.products[at], made.features[at]
        for name, (matrix, decay) in AFFINITIES.items():
            weights = decay ** mine.columns[:, since]
            pairs = (
                getattr(statistics, matrix)
                .toarray()
                .astype(np.float64)[np.ix_(mine.products, products)]
            )
            expected = (
                weights @ pairs / np.sqrt(weights.sum())
                if len(weights)
                else np.full(len(products), np.nan)
            )
            np.testing.assert_allclose(column(maker, features, name), expected, rtol=1e-6)
        lives = {1.0: statistics.at_home, 0.0: statistics.abroad}.get(
            mine.customers[0, home], np.full(len(statistics.product_ids), np.nan)
        )
        np.testing.assert_array_equal(
            column(maker, features, "popular_where_you_live"), lives[products]
        )
        np.testing.assert_allclose(
            column(maker, features, "price_against_usual"),
            np.log(statistics.prices[products] / mine.customers[0, usual]),
        )
        bought = dict(
            zip(
                mine.products.tolist(),
                mine.columns[:, maker.history.index("times_bought")],
                strict=True,
            )
        )
        never = 0.0 if len(mine.products) else np.nan
        np.testing.assert_array_equal(
            column(maker, features, "times_bought"),
            [bought.get(product, never) for product in products.tolist()],
        )
        np.testing.assert_array_equal(
            features[:, -len(PRODUCT_FEATURES) :], statistics.facts[products]
        )


def test_places_are_counted_among_all_products(maker: CandidateMaker, histories: Histories) -> None:
    """A customer's own products come first, the most frequent one at 0; all others stand after them
    by what fits.
    """
    made = maker.make(histories)
    often = maker.history.index("recent_frequency")
    for row in range(0, len(histories), 9):
        mine, at = histories.slice(row, row + 1), made.rows == row
        if not len(mine.products) or np.isnan(mine.columns[:, often]).any():
            continue
        for name, affinity in PLACES.items():
            sums = getattr(maker.statistics, AFFINITIES[affinity][0])[mine.products].sum(axis=0).A1
            for product, place in zip(
                made.products[at].tolist(), column(maker, made.features[at], name), strict=True
            ):
                assert (
                    (sums > sums[product] * (1 + 1e-6)).sum()
                    <= place
                    <= (sums > sums[product] * (1 - 1e-6)).sum()
                )
        own = dict(zip(mine.products.tolist(), mine.columns[:, often], strict=True))
        among, fits = (
            column(maker, made.features[at], name)
            for name in ("place_among_yours", "place_by_what_fits_yours")
        )
        for product, place, after in zip(made.products[at].tolist(), among, fits, strict=True):
            if product in own:
                assert (np.array(list(own.values())) > own[product]).sum() <= place < len(own)
            else:
                assert place == len(own) + after


def test_the_share_of_orders_is_times_bought_by_orders(
    maker: CandidateMaker, histories: Histories
) -> None:
    """Of a product never bought it is 0, and of an unknown history there is none."""
    made = maker.make(histories)
    times, orders_, share = (
        column(maker, made.features, name)
        for name in ("times_bought", "orders", "share_of_your_orders")
    )
    np.testing.assert_allclose(share, times / orders_)


def test_hidden_and_unsold_products_are_no_candidates(
    data: PurchaseData, histories: Histories
) -> None:
    """Neither a product that must not be shown nor one that nobody bought for long is a candidate
    of anybody.
    """
    maker = replace(data, sold_within_days=20).maker(datetime(2024, 10, 26))  # noqa: DTZ001 - naive UTC as in the warehouse
    statistics = maker.statistics
    hidden = [0, 7, 31]
    made = maker.make(histories, hidden)
    assert len(made.products)
    assert statistics.sold[made.products].all()
    assert not set(hidden) & set(made.products)
    everything = maker.make(histories)
    assert set(hidden) & set(everything.products)
    kept = ~np.isin(everything.products, hidden)
    np.testing.assert_array_equal(everything.features[kept], made.features)


def test_who_withholds_purchases_gets_best_sellers_only(
    shop: Shop, maker: CandidateMaker, masking: HistoryMasking, histories: Histories
) -> None:
    """Without purchases the candidates are the best sellers, and no value is made of what was
    bought.
    """
    granted = {"order_times", "spending", "location"}
    made = maker.make(masking.allow(histories, granted))
    best = np.sort(maker.statistics.best_sellers[: candidates.BEST_SELLERS])
    assert (made.products.reshape(len(histories), -1) == best).all()
    needs = shop.config.catalog.categories_of
    for name in (*maker.history, *maker.customer, *maker.candidate):
        if "purchases" in needs(CANDIDATE_READS.get(name) or reads_of(name)):
            assert np.isnan(column(maker, made.features, name)).all()
    assert not np.isnan(column(maker, made.features, "usual_price")).all()


@pytest.mark.parametrize("withheld", ["purchases", "order_times", "spending", "location"])
def test_no_feature_of_a_withheld_category_has_a_value(
    shop: Shop, maker: CandidateMaker, masking: HistoryMasking, histories: Histories, withheld: str
) -> None:
    """Whatever reads a withheld category is missing for every candidate; that a product was never
    bought is known from purchases.
    """
    made = maker.make(masking.allow(histories, set(masking.categories) - {withheld}))
    never = column(maker, made.features, "times_bought") == 0
    for name in (*maker.history, *maker.customer, *maker.candidate):
        if withheld in shop.config.catalog.categories_of(
            CANDIDATE_READS.get(name) or reads_of(name)
        ):
            values = column(maker, made.features, name)
            assert np.isnan(values[~never] if name == "recent_frequency" else values).all()
    assert np.nan_to_num(column(maker, made.features, "recent_frequency")[never]).any() == np.False_


def test_who_grants_nothing_gets_what_everybody_gets(
    maker: CandidateMaker, masking: HistoryMasking, histories: Histories
) -> None:
    """With everything withheld all rows have the same candidates with the same features: the
    products' own facts.
    """
    made = maker.make(masking.allow(histories, set()))
    width = len(maker.features)
    rows = made.features.reshape(len(histories), -1, width)
    np.testing.assert_array_equal(rows, np.broadcast_to(rows[0], rows.shape))
    assert np.isnan(made.features[:, : width - len(PRODUCT_FEATURES)]).all()


def test_a_row_alone_is_as_in_a_batch(maker: CandidateMaker, histories: Histories) -> None:
    """Candidates and features of one customer are those of the batch, to the last bit."""
    made = maker.make(histories)
    for row in range(0, len(histories), 7):
        alone = maker.make(histories.slice(row, row + 1))
        at = made.rows == row
        np.testing.assert_array_equal(alone.products, made.products[at])
        assert alone.features.tobytes() == made.features[at].tobytes()


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 1_000])
def test_the_size_of_a_batch_is_of_no_account(
    maker: CandidateMaker, histories: Histories, size: int
) -> None:
    """However many rows are made at a time, the result is the same to the last bit."""
    part = histories.slice(0, 128)
    expected = maker.make(part)
    made = [(first, maker.make(batch)) for first, batch in part.batches(size)]
    np.testing.assert_array_equal(
        np.concatenate([some.rows + first for first, some in made]), expected.rows
    )
    np.testing.assert_array_equal(
        np.concatenate([some.products for _, some in made]), expected.products
    )
    assert np.vstack([some.features for _, some in made]).tobytes() == expected.features.tobytes()


def test_nobody_has_no_candidates(maker: CandidateMaker, histories: Histories) -> None:
    """Of no customers there are no candidates, as for a block of days in which nobody ordered
    again.
    """
    assert len(maker.make(histories.slice(0, 0)).rows) == 0


# ---- examples ----


def test_examples_are_last_orders_seen_from_before(shop: Shop, data: PurchaseData) -> None:
    """Each example is a customer's last repeat order of the block, its labels what was in it, its
    history what was recorded before it.
    """
    begin = data.begins(shop.loaded_until())[0]
    made, asked = data.examples(begin)
    assert asked["customer"].is_unique
    assert (
        asked["as_of"]
        .between(begin, begin + timedelta(days=data.windows.days), inclusive="left")
        .all()
    )
    candidates_ = made.maker.make(made.histories)
    labels, statistics = made.labels(candidates_), made.maker.statistics
    lines = data.orders.set_index("customer")
    for row, example in enumerate(asked.itertuples()):
        mine = lines.loc[[example.customer]]
        inside = mine[
            (mine["ordered_at"] >= begin)
            & (mine["ordered_at"] < begin + timedelta(days=data.windows.days))
        ]
        assert example.as_of == inside["ordered_at"].max() > mine["ordered_at"].min()
        bought = set(mine.loc[mine["order_id"] == example.order_id, "product_id"])
        at = candidates_.rows == row
        assert set(
            statistics.product_ids[candidates_.products[at & (labels == 1)]]
        ) == bought & set(statistics.product_ids[candidates_.products[at]])
        before = set(mine.loc[mine["ordered_at"] < example.as_of, "product_id"])
        assert set(
            statistics.product_ids[made.histories.slice(row, row + 1).products]
        ) == before & set(statistics.product_ids)


@pytest.mark.slow
def test_of_many_orders_some_are_drawn(
    shop: Shop, data: PurchaseData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more orders than can teach anything so many are drawn, always the same, as examples like
    all others.
    """
    every, all_asked = data.examples(begin := data.begins(shop.loaded_until())[0])
    monkeypatch.setattr(purchase_examples, "MOST_ORDERS", 20 * data.windows.count)
    made, asked = data.examples(begin)
    assert len(asked) == 20 < len(all_asked)
    at = np.flatnonzero(all_asked["order_id"].isin(asked["order_id"]))
    pd.testing.assert_frame_equal(asked, all_asked.iloc[at].reset_index(drop=True))
    all_candidates, candidates_ = (part.maker.make(part.histories) for part in (every, made))
    np.testing.assert_array_equal(
        made.labels(candidates_), every.labels(all_candidates)[np.isin(all_candidates.rows, at)]
    )
    pd.testing.assert_frame_equal(data.examples(begin)[1], asked)


# ---- the ranker ----


def test_the_model_knows_tastes(model: NextPurchaseModel, examples: list[Examples]) -> None:
    """Among the ten best of an order's row there is what was bought more often than among the ten
    best sellers.
    """
    newest = examples[0]
    served = replace(model, maker=newest.maker)
    ranked = served.rank(newest.histories, 10)
    labels = newest.labels(ranked.candidates)
    ours = np.mean([labels[best].sum() for best in ranked.best])
    popular = set(newest.maker.statistics.best_sellers[:10].tolist())
    theirs = sum(labels[np.isin(ranked.candidates.products, list(popular))]) / len(newest.histories)
    assert ours > 1.3 * theirs


def test_the_best_are_the_best(model: NextPurchaseModel, histories: Histories) -> None:
    """Each row has its k highest scores in descending order, equal ones by position, and all where
    there are fewer than k.
    """
    ranked = model.rank(histories, 10)
    assert len(ranked.best) == len(histories)
    for row, best in enumerate(ranked.best):
        mine = np.flatnonzero(ranked.candidates.rows == row)
        order = sorted(
            mine.tolist(), key=lambda at: (-ranked.scores[at], ranked.candidates.products[at])
        )
        assert best.tolist() == order[:10]
    assert [len(best) for best in model.rank(histories.slice(0, 3), 1_000).best] == np.bincount(
        model.rank(histories.slice(0, 3), 1).candidates.rows
    ).tolist()


def test_ranking_one_is_ranking_many(model: NextPurchaseModel, histories: Histories) -> None:
    """Alone a customer has the same best products with the same scores as among all, to the last
    bit.
    """
    ranked = model.rank(histories, 10)
    for row in range(0, len(histories), 16):
        alone = model.rank(histories.slice(row, row + 1), 10)
        np.testing.assert_array_equal(
            alone.candidates.products[alone.best[0]], ranked.candidates.products[ranked.best[row]]
        )
        assert alone.scores[alone.best[0]].tobytes() == ranked.scores[ranked.best[row]].tobytes()


def test_what_is_hidden_is_never_ranked(model: NextPurchaseModel, histories: Histories) -> None:
    """Hiding the best product of everybody gives everybody the others in the same order."""
    part = histories.slice(0, 40)
    ranked = model.rank(part, 12)
    hidden = np.unique(ranked.candidates.products[[best[0] for best in ranked.best]])[:6]
    again = model.rank(part, 6, hidden)
    for before, after in zip(ranked.best, again.best, strict=True):
        left = [
            product
            for product in ranked.candidates.products[before].tolist()
            if product not in hidden
        ]
        assert again.candidates.products[after].tolist()[: len(left)] == left[:6]


def test_saving_and_loading_changes_nothing(
    model: NextPurchaseModel, histories: Histories, tmp_path: Path
) -> None:
    """A loaded model ranks the same products with the same scores, masks alike, and is data
    alone.
    """
    model.save(tmp_path)
    loaded = NextPurchaseModel.load(tmp_path)
    one, other = model.rank(histories, 10), loaded.rank(histories, 10)
    assert one.scores.tobytes() == other.scores.tobytes()
    np.testing.assert_array_equal(np.concatenate(one.best), np.concatenate(other.best))
    assert (loaded.features, loaded.category_of) == (model.features, model.category_of)
    granted = {"purchases", "location"}
    np.testing.assert_array_equal(
        loaded.masking.allow(histories, granted).customers,
        model.masking.allow(histories, granted).customers,
    )
    assert loaded.masking.entries == model.masking.entries == {"purchases"}
    assert {path.name for path in tmp_path.iterdir()} == {
        "booster.txt",
        "manifest.json",
        "statistics.npz",
    }


def test_a_model_of_other_columns_is_refused(model: NextPurchaseModel, tmp_path: Path) -> None:
    """A ranker that was trained before a column came is told apart when it is read, not when it is
    first asked.
    """
    model.save(tmp_path)
    booster = tmp_path / "booster.txt"
    booster.write_text(
        booster.read_text(encoding="utf-8").replace("fits_the_basket", "went_with_the_basket"),
        encoding="utf-8",
    )
    with pytest.raises(ValueError, match="train it anew"):
        NextPurchaseModel.load(tmp_path)


def test_the_same_seed_gives_the_same_model(
    examples: list[Examples],
    maker: CandidateMaker,
    masking: HistoryMasking,
    category_of: dict[str, str],
    model: NextPurchaseModel,
) -> None:
    """Training again gives the same booster, byte for byte, and another seed another."""
    again = fit_next_purchase(examples, maker, masking, category_of, QUICK)
    other = fit_next_purchase(examples, maker, masking, category_of, replace(QUICK, seed=8))
    assert (
        again.booster.model_to_string()
        == model.booster.model_to_string()
        != other.booster.model_to_string()
    )


def test_too_few_orders_are_said(
    examples: list[Examples],
    maker: CandidateMaker,
    masking: HistoryMasking,
    category_of: dict[str, str],
) -> None:
    """With fewer than thirty repeat orders the error says how many there are, how many are needed
    and what to do.
    """
    few = replace(examples[0], histories=examples[0].histories.slice(0, 20))
    with pytest.raises(
        TrainingError, match=r"only 20 repeat orders.*30 are needed.*Load more history"
    ):
        fit_next_purchase([few], maker, masking, category_of, QUICK)


def test_few_orders_get_fewer_trees_smaller_leaves_and_splits_that_gain_more() -> None:
    """From two thousand orders on the settings hold; below they shrink in proportion, to two fifths
    of the trees and 20 rows.
    """
    settings = NextPurchaseSettings(trees=100, rows_per_leaf=200)
    assert settings.suited(2_000) == settings.suited(90_000) == settings
    assert settings.suited(1_000) == replace(
        settings, trees=50, rows_per_leaf=100, least_gain=GAIN_FROM_FEW / 2
    )
    few = settings.suited(30)
    assert few == replace(settings, trees=40, rows_per_leaf=20, least_gain=few.least_gain)
    assert few.least_gain == pytest.approx(GAIN_FROM_FEW, rel=0.02)
    assert replace(settings, least_gain=50).suited(30).least_gain == 50
    assert replace(settings, rows_per_leaf=5).suited(30).rows_per_leaf == 5
