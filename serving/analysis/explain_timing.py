"""How long explaining takes beside predicting, and beside what others offer for it: in one process,
on one thread, in turns.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import lightgbm
import numpy as np
import shap

from explain.attribution import Attribution
from explain.coalition_scores import coalition_scores
from explain.game import game_of
from features.definitions.frames import feature_frame
from features.errors import ModelUnavailable
from features.progress import Progress
from models.arrays import Floats
from models.churn.model import ChurnModel
from models.masking import Masking
from models.next_purchase.model import NextPurchaseModel
from models.trees.booster import Booster
from serving.bootstrap import Sayso
from serving.churn.estimate import play_churn
from serving.live.champions import Loaded
from serving.recommending.known import Seen

REPEATS = {1: 300, 10: 60, 200: 6}
"""How often what is measured is done, by the number of rows."""
MOST_ROWS = max(REPEATS)
SOME_CUSTOMERS = 25
MADE_UP: Mapping[str, object] = {
    "objective": "binary",
    "num_leaves": 31,
    "min_data_in_leaf": 20,
    "learning_rate": 0.05,
    "num_threads": 1,
    "verbose": -1,
    "seed": 1,
}
MADE_UP_TREES, MADE_UP_ROWS, FEATURES_OF_A_CATEGORY = 300, 6_000, 5
Game = Callable[[int], object]
"""Plays the consent game for that many rows."""


@dataclass(frozen=True)
class Subject:
    """A model, how serving has it `score` rows, and what it is asked about: sets of 200 `rows`,
    best first, each with its game.
    """

    title: str
    booster: Booster
    score: Callable[[Floats], Floats]
    attribution: Attribution
    rows: Sequence[Floats]
    games: Sequence[Game]


def measure(subject: Subject, progress: Progress) -> dict[str, dict[str, dict[str, float]]]:
    """By number of rows and by what is done, the median and the 99th percentile in milliseconds."""
    booster = lightgbm.Booster(model_str=subject.booster.text)
    nothing = np.full((1, booster.num_feature()), np.nan)
    library = shap.TreeExplainer(booster, data=nothing, feature_perturbation="interventional")
    path_dependent = shap.TreeExplainer(booster, feature_perturbation="tree_path_dependent")
    ways: dict[str, Callable[[Floats, Game], object]] = {
        "predict": lambda rows, _game: booster.predict(rows, raw_score=True, num_threads=1),
        "score": lambda rows, _game: subject.score(rows),
        "shap": lambda rows, _game: subject.attribution.contributions(rows),
        "categories": lambda rows, game: game(len(rows)),
        "pred_contrib": lambda rows, _game: booster.predict(rows, pred_contrib=True, num_threads=1),
        "shap_path_dependent": lambda rows, _game: _quietly(path_dependent, rows),
        "shap_library": lambda rows, _game: library.shap_values(rows, check_additivity=False),
    }
    found = {}
    for done, (count, repeats) in enumerate(REPEATS.items()):
        progress(f"explaining {count} rows at a time", done / len(REPEATS))
        found[str(count)] = _taking_turns(subject, ways, count, repeats)
    return found


def _quietly(explainer: shap.TreeExplainer, rows: Floats) -> object:
    """The library warns that its values have another shape than they once had."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return explainer.shap_values(rows, check_additivity=False)


def _taking_turns(
    subject: Subject, ways: Mapping[str, Callable[[Floats, Game], object]], count: int, repeats: int
) -> dict[str, dict[str, float]]:
    milliseconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(-2, repeats):  # the first two warm up
        at = turn % len(subject.rows)
        rows, game = np.ascontiguousarray(subject.rows[at][:count]), subject.games[at]
        for name, way in ways.items():
            way(rows, game)  # once for the caches, which hold what the way before it left there
            began = time.perf_counter()
            way(rows, game)
            if turn >= 0:
                milliseconds[name].append(1_000 * (time.perf_counter() - began))
    return {
        name: {"p50": float(np.median(taken)), "p99": float(np.quantile(taken, 0.99))}
        for name, taken in milliseconds.items()
    }


def next_purchase_subject(sayso: Sayso) -> Subject:
    """The ranker in office, with the candidates of real customers; a game is that of as many
    products' scores.

    Raises `ModelUnavailable` where there is none, or nobody to rank for.
    """
    champion = sayso.recommender.champion
    if champion is None:
        raise _no_champion("next_purchase")
    sets, games = [], []
    for customer in _sharing_most(sayso, sayso.shop.config.models.next_purchase.purpose):
        seen = sayso.what_if.seen_under_every_coalition(customer)
        if seen is not None:
            rows, product_ids = _best_candidates(champion.model, seen)
            sets.append(rows)
            games.append(partial(_play_ranks, champion.model, seen, product_ids))
    if not sets:
        raise ModelUnavailable("no customer of this workspace shares anything for recommendations")
    model = champion.model
    return Subject(
        _title(champion, "candidates of customers"),
        model.booster,
        model.score,
        champion.attribution,
        sets,
        games,
    )


def _best_candidates(model: NextPurchaseModel, seen: Seen) -> tuple[Floats, list[str]]:
    """The customer's 200 best candidates, over again where there are fewer, and their ids."""
    allowed = seen.allowed[-1]
    ranked = replace(model, maker=replace(model.maker, statistics=allowed.statistics)).rank(
        allowed.histories, MOST_ROWS
    )
    best = np.resize(ranked.best[0], MOST_ROWS)
    return (
        ranked.candidates.features[best],
        allowed.statistics.product_ids[ranked.candidates.products[best]].tolist(),
    )


def _play_ranks(
    model: NextPurchaseModel, seen: Seen, product_ids: Sequence[str], count: int
) -> object:
    asked = list(dict.fromkeys(product_ids[:count]))
    players = [str(number) for number in range(len(seen.allowed).bit_length() - 1)]
    return [game_of(players, scores) for scores in coalition_scores(model, seen.allowed, asked).T]


def churn_subject(sayso: Sayso) -> Subject:
    """The churn model in office, with the features of real customers, each of whom plays with all
    that they share.

    Raises `ModelUnavailable` where there is none, or nobody to estimate.
    """
    champion = sayso.churn.champion
    if champion is None:
        raise _no_champion("churn")
    shop, model = sayso.shop, champion.model
    gate = shop.gate(shop.config.models.churn.purpose)
    known = feature_frame(gate, model.features, shop.loaded_until(), shop.facts)[
        list(model.features)
    ].to_numpy("float64")
    if not len(known):
        raise ModelUnavailable(
            "no customer of this workspace shares anything for the churn estimate"
        )
    return _of_churn(model, champion.attribution, known, _title(champion, "rows of customers"))


def made_up_subject(categories: int) -> Subject:
    """A model of 300 trees of 31 leaves on five features of each of so many categories, trained on
    the spot on random numbers.
    """
    draw = np.random.default_rng(1)
    names = tuple(f"category {number}" for number in range(categories))
    needs = np.repeat(np.eye(categories, dtype=bool), FEATURES_OF_A_CATEGORY, axis=0)
    masking = Masking(names, needs)
    withheld = masking.draw(MADE_UP_ROWS, draw) & (draw.random((MADE_UP_ROWS, 1)) < 0.5)
    features = masking.withhold(draw.normal(size=(MADE_UP_ROWS, len(needs))), withheld)
    known = np.nan_to_num(features)
    labels = (
        known[:, ::3].sum(axis=1) + known[:, 0] * known[:, -1] + draw.normal(size=MADE_UP_ROWS) > 0
    ).astype(float)
    data = lightgbm.Dataset(features, labels, params={"verbose": -1})
    booster = Booster.of(lightgbm.train(dict(MADE_UP), data, num_boost_round=MADE_UP_TREES))
    columns = tuple(booster.feature_name())
    model = ChurnModel(booster, columns, masking, dict.fromkeys(columns, names[0]), horizon_days=90)
    whole = features[~np.isnan(features).any(axis=1)]
    return _of_churn(
        model,
        Attribution(booster),
        whole,
        f"a made-up model of {categories} categories, {len(columns)} features",
    )


def _of_churn(model: ChurnModel, attribution: Attribution, known: Floats, title: str) -> Subject:
    draw = np.random.default_rng(2)
    sets = [known[draw.integers(len(known), size=MOST_ROWS)] for _ in range(SOME_CUSTOMERS)]
    return Subject(
        title,
        model.booster,
        model.log_odds,
        attribution,
        sets,
        [partial(_play_rows, model, rows) for rows in sets],
    )


def _play_rows(model: ChurnModel, rows: Floats, count: int) -> object:
    return [play_churn(model, rows[[at]], model.masking.categories) for at in range(count)]


def _sharing_most(sayso: Sayso, purpose: str) -> list[int]:
    """Some customers, those who share most categories first."""
    granted = sayso.shop.ledger.granted(purpose).groupby("customer")["category"].nunique()
    return [
        int(customer)
        for customer in granted.sort_values(ascending=False, kind="stable").index[:SOME_CUSTOMERS]
    ]


def _title(champion: Loaded[NextPurchaseModel] | Loaded[ChurnModel], of: str) -> str:
    name = champion.name
    return (
        f"{name['name'].replace('_', ' ')} version {name['version']}"
        f" ({champion.model.booster.num_trees()} trees), {of}"
    )


def _no_champion(model: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"there is no champion for `{model}`; `sayso train {model}` and `sayso promote {model}`"
        " make one"
    )
