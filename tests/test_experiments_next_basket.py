"""The next-basket benchmark: what a fold may know, what the peers do, and that one engine serves
shops and baskets.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from experiments.benchmarks.basket_shop import BasketShop
from experiments.benchmarks.next_basket import METHODS, basket_metrics, next_basket_benchmark, sayso
from experiments.benchmarks.peers.baskets import Baskets, Known, read_baskets
from experiments.benchmarks.peers.item_knn import item_knn
from experiments.benchmarks.peers.popularity import g_top, gp_top, p_top
from experiments.benchmarks.peers.tifu_knn import PUBLISHED, _vectors, tifu_knn_published
from features.errors import SourceError
from models.next_purchase.ranker import NextPurchaseSettings
from serving.cli import command_line

QUICK = NextPurchaseSettings(trees=20, rows_per_leaf=20, threads=1)
TAFENG = (
    Path(os.environ.get("SAYSO_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
    / "tafeng_next_basket"
)


def write_baskets(folder: Path, customers: int = 120, items: int = 30, seed: int = 3) -> Path:
    """A folder of baskets of customers with tastes; ids of items are text, some baskets name an
    item twice.
    """
    draw = np.random.default_rng(seed)
    history, future = {}, {}
    for customer in range(customers):
        likes = np.where(np.arange(items) % 4 == customer % 4, 10.0, 1.0)
        drawn = [
            [
                f"item {n}"
                for n in draw.choice(items, size=int(draw.integers(1, 6)), p=likes / likes.sum())
            ]
            for _ in range(int(draw.integers(2, 8)))
        ]
        history[f"c{customer}"], future[f"c{customer}"] = drawn[:-1], drawn[-1]
    order = [f"c{n}" for n in draw.permutation(customers)]
    cut = [int(customers * 0.72), int(customers * 0.8)]
    folds = [
        {"train": order[: cut[0]], "validate": order[cut[0] : cut[1]], "test": order[cut[1] :]}
    ] * 2
    for name, content in (("history", history), ("future", future), ("folds", folds)):
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def baskets(tmp_path_factory: pytest.TempPathFactory) -> Baskets:
    """A made-up folder, read."""
    return read_baskets(write_baskets(tmp_path_factory.mktemp("baskets")))


def known_of(
    histories: list[list[list[int]]], futures: dict[int, list[int]], items: int, train: list[int]
) -> Known:
    """A fold written by hand."""
    made = [[np.array(basket) for basket in history] for history in histories]
    names = tuple(f"i{n}" for n in range(items))
    return Known(
        names,
        made,
        {row: np.array(basket) for row, basket in futures.items()},
        np.array(train),
        np.empty(0, dtype=np.int64),
    )


def test_a_fold_knows_no_basket_that_it_is_asked_about(baskets: Baskets) -> None:
    """The next baskets of test customers are not among what methods are given."""
    known, (asked, truth) = baskets.known(0), baskets.asked(0)
    assert len(asked) == len(truth) == 24
    assert set(known.futures) == {*known.train.tolist(), *known.validate.tolist()}
    assert not set(asked.tolist()) & set(known.futures)


def test_the_model_sees_of_a_customer_only_what_others_did_next(baskets: Baskets) -> None:
    """Changing the next baskets of a part of the customers changes their labels and no feature of
    theirs.
    """
    known = baskets.known(0)
    mine, others = known.train[:40], known.train[40:]
    changed = {
        row: np.array([0, 1, 2]) if row in mine else basket for row, basket in known.futures.items()
    }
    one, other = (
        BasketShop.of(
            Known(known.items, known.histories, futures, known.train, known.validate)
        ).examples(mine, others)
        for futures in (known.futures, changed)
    )
    np.testing.assert_array_equal(
        one.maker.make(one.histories).features, other.maker.make(other.histories).features
    )
    assert one.bought.tolist() != other.bought.tolist()


@pytest.mark.slow
def test_every_method_answers_and_the_model_beats_the_most_popular(baskets: Baskets) -> None:
    """All metrics are there for each method, with mean and sd, and tastes make a difference."""
    methods = {**METHODS, "sayso": lambda known: sayso(known, QUICK)}
    results = next_basket_benchmark(baskets, 2, methods=methods)
    assert list(results) == list(METHODS)
    for found in results.values():
        for metric in ("recall", "ndcg", "ndcg_repo", "phr"):
            assert 0 < found[f"{metric}@10"]["mean"] <= found["phr@20"]["mean"] <= 1
            assert found[f"{metric}@20"]["sd"] == pytest.approx(0)
        assert found["fit_seconds"] >= 0 <= found["predict_seconds"]
    assert results["sayso"]["recall@10"]["mean"] > results["g_top"]["recall@10"]["mean"] + 0.1


@pytest.mark.slow
def test_the_same_baskets_give_the_same_model(baskets: Baskets) -> None:
    """Fitting twice gives the same booster, byte for byte."""
    known = baskets.known(0)
    one, other = (
        BasketShop.of(known).fit(known.train, QUICK).booster.model_to_string() for _ in range(2)
    )
    assert one == other


def test_metrics_by_hand() -> None:
    """Recall, both NDCGs and PHR of two customers are those computed by hand."""
    answers = [np.array([4, 7, *range(20, 38)]), np.array([1, 2])]
    found = basket_metrics(answers, [np.arange(7, 19), np.array([9])])
    gain, ideal = 1 / np.log2(3), 1 / np.log2(np.arange(2, 14))
    assert found["recall@10"] == pytest.approx(1 / 12 / 2)
    assert found["phr@10"] == pytest.approx(1 / 2)
    assert found["ndcg@10"] == pytest.approx(gain / ideal[:10].sum() / 2)
    assert found["ndcg_repo@10"] == pytest.approx(gain / ideal.sum() / 2)


def test_popularity_peers_count_baskets() -> None:
    """G-Top counts all baskets, P-Top the customer's own, GP-Top the own first and then all."""
    known = known_of([[[0, 1], [1]], [[2], [2, 0], [2]], [[3]]], {}, 5, [0, 1, 2])
    asked = np.array([0, 2])
    assert [row.tolist() for row in g_top(known)(asked, 3)] == [[2, 0, 1]] * 2
    assert [row.tolist() for row in p_top(known)(asked, 3)] == [[1, 0], [3]]
    assert [row.tolist() for row in gp_top(known)(asked, 3)] == [[1, 0, 2], [3, 2, 0]]


def test_tifu_knn_weighs_baskets_as_published() -> None:
    """Of three baskets the newest counts 1/3, the ones before .7/3 and .49/3; in larger groups the
    inner decay comes in.
    """
    vectors = _vectors(known_of([[[0], [1], [2]], [[0]] * 8], {}, 3, [0]), PUBLISHED).toarray()
    np.testing.assert_allclose(vectors[0], np.array([0.49, 0.7, 1.0]) / 3)
    assert vectors[1, 0] == pytest.approx(
        (0.7**6 * (1 + 0.9) / 2 + sum(0.7**n for n in range(6))) / 7
    )
    assert [
        row.tolist()
        for row in tifu_knn_published(known_of([[[0]], [[1]]], {}, 3, [0, 1]))(np.array([1]), 1)
    ] == [[1]]


def test_item_knn_follows_the_cosine() -> None:
    """What is bought with the customer's item comes after that item itself, and before the
    others.
    """
    known = known_of([[[0, 1]], [[0, 1]], [[0]], [[2]]], {}, 4, [0, 1, 2, 3])
    assert item_knn(known)(np.array([2]), 2)[0].tolist() == [0, 1]


def test_baskets_of_any_kind_are_read(tmp_path: Path) -> None:
    """Numbers or text as ids, items named twice, empty baskets, customers without history or next
    basket, folds without validate.
    """
    (tmp_path / "history.json").write_text(json.dumps({"1": [[7, 7, "x"], []], "2": []}))
    (tmp_path / "future.json").write_text(json.dumps({"1": [7], "2": ["new"], "3": []}))
    (tmp_path / "folds.json").write_text(json.dumps([{"train": [1, "3", "gone"], "test": ["2"]}]))
    made = read_baskets(tmp_path)
    assert made.items == ("7", "new", "x")
    assert [[basket.tolist() for basket in history] for history in made.histories] == [
        [[0, 2]],
        [],
        [],
    ]
    assert {name: rows.tolist() for name, rows in made.folds[0].items()} == {
        "train": [0],
        "validate": [],
        "test": [1],
    }


@pytest.mark.parametrize("broken", ["", "[]", "{}", "7", '{"1": "abc"}', '{"1": [7]}'])
def test_files_of_another_form_are_refused(tmp_path: Path, broken: str) -> None:
    """What is no JSON or of another form is one explained error."""
    write_baskets(tmp_path, customers=10)
    (tmp_path / "history.json").write_text(broken)
    with pytest.raises(SourceError, match=r"JSON|has to be"):
        read_baskets(tmp_path)


def test_a_method_that_cannot_be_fitted_says_why(tmp_path: Path) -> None:
    """Twelve customers are too few for the ranker, and the others still answer."""
    results = next_basket_benchmark(read_baskets(write_baskets(tmp_path, customers=12)), 1)
    assert "repeat orders to learn from" in results["sayso"]["error"]
    assert all("error" not in found for name, found in results.items() if name != "sayso")


def test_the_command_prints_what_the_contract_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sayso benchmark next-basket DIR --folds 1 --json` prints one object with all methods."""
    monkeypatch.setitem(METHODS, "sayso", lambda known: sayso(known, QUICK))
    done = CliRunner().invoke(
        command_line(),
        [
            "benchmark",
            "next-basket",
            str(write_baskets(tmp_path, customers=80)),
            "--folds",
            "1",
            "--json",
        ],
    )
    assert done.exit_code == 0
    assert set(json.loads(done.stdout)["methods"]) == set(METHODS)


@pytest.mark.slow
def test_ta_feng_is_won() -> None:
    """On one fold of Ta-Feng the model has the published bar of recall and beats every peer."""
    if not TAFENG.is_dir():
        pytest.skip(f"{TAFENG} is not there")
    results = next_basket_benchmark(read_baskets(TAFENG), 1)
    assert results["sayso"]["recall@10"]["mean"] >= 0.18
    assert max(results, key=lambda name: results[name]["recall@10"]["mean"]) == "sayso"
