"""A feature is declared in one place: one file adds it, renames it or removes it."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from explain.explanation import FeatureContribution
from explain.reasons import reasons_for
from explain.templates import ShopWords, templates_of
from explain.wording import Wording
from features.definitions.definitions import STANDARD
from features.definitions.frames import customer_frame, features_for
from features.errors import FeatureError
from features.shop.shop import Shop
from features.warehouse.gate import Gate
from models.churn.boosting import Growth, boost
from models.churn.settings import ChurnSettings
from tests.feature_frames import granted_all, spine_of
from tests.synthetic_shop import END

ROOT = Path(__file__).parents[1]
MOMENT = datetime(2024, 10, 3, 12)  # noqa: DTZ001 - the warehouse's times are naive UTC
OWN = """\
from features.definitions.definition import defines
from features.definitions.feature import Feature
from features.definitions.sentence import counted
from features.warehouse.fields import QUANTITY


@defines(
    Feature(
        "most_of_one",
        direction="falls",
        unit="items",
        meaning="Items of the largest order line.",
        says={"churn": (counted("own.most", "{count} item at once.", "{count} items at once."),)},
    ),
    reads=[QUANTITY],
)
def largest(rows, _shop):
    return rows.group_by("customer", "as_of").aggregate(most_of_one=rows.quantity.max())
"""
DECLARED_AT = OWN.splitlines().index("    Feature(") + 1


def own_module(folder: Path, text: str = OWN) -> ModuleType:
    """A shop's own file of definitions."""
    file = folder / "own_features.py"
    file.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("own_features", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- adding one ----


def test_one_file_adds_a_feature_to_frames_and_to_the_model(shop: Shop, tmp_path: Path) -> None:
    """A feature in a file of its own is offered to the model it names, and to no other, and its
    values are in the frame.
    """
    definitions = STANDARD.with_declared_in(own_module(tmp_path))
    catalog = shop.config.catalog
    standard = features_for(catalog, "churn", "churn_prediction")
    listed = features_for(catalog, "churn", "churn_prediction", definitions)
    assert listed == (*standard, "most_of_one")
    assert features_for(catalog, "next_purchase", "recommendations", definitions) == features_for(
        catalog, "next_purchase", "recommendations"
    )
    lines = shop.warehouse.table("transactions").to_pandas()
    granted = granted_all(pd.Index(lines["customer"].unique()))
    gate = Gate(shop.warehouse, catalog, "churn_prediction", granted, END)
    spine = spine_of(gate.customers()[:40], (MOMENT,))
    frame = customer_frame(gate, ["orders", "most_of_one"], spine, shop.facts, definitions)
    seen = lines[lines["recorded_at"] < MOMENT].groupby("customer")["quantity"].max()
    wanted = seen.reindex(frame["customer"]).to_numpy("float64")
    np.testing.assert_array_equal(frame["most_of_one"].to_numpy(), wanted)
    assert np.isfinite(wanted).any()


def test_one_file_bounds_the_model_by_the_direction(tmp_path: Path) -> None:
    """Trees are held to the direction that the file declares, though the data say otherwise, and
    are free where it says so.
    """
    draw = np.random.default_rng(1)
    features = draw.uniform(0, 10, (600, 2))
    target = (features[:, 1] + draw.normal(size=600) > 5).astype(float)
    moved = {}
    for direction in ("falls", "free", "rises"):
        text = OWN.replace('"falls"', f'"{direction}"')
        definitions = STANDARD.with_declared_in(own_module(tmp_path, text))
        names = ("average_order_value", "most_of_one")
        booster = boost(
            names,
            features,
            target,
            np.ones(600),
            "binary",
            Growth(10, 4, 0.1, 20),
            ChurnSettings(feature_share=1.0),
            definitions,
        )
        steps = np.column_stack([np.full(11, 5.0), np.arange(11.0)])
        moved[direction] = np.ptp(booster.predict(steps, raw_score=True))
    assert moved["falls"] == 0
    assert min(moved["free"], moved["rises"]) > 0.5


def test_a_feature_that_nobody_declared_is_not_trained_on() -> None:
    """A column without a declaration is refused, rather than left free without a word."""
    rows = np.ones((40, 1))
    with pytest.raises(FeatureError, match="no feature `shoe_size`"):
        boost(
            ("shoe_size",),
            rows,
            rows[:, 0],
            rows[:, 0],
            "binary",
            Growth(1, 2, 0.1, 1),
            ChurnSettings(),
        )


def test_one_file_says_the_sentence_of_its_feature(tmp_path: Path) -> None:
    """A reason is said in the sentence of the file, after all others of the list."""
    definitions = STANDARD.with_declared_in(own_module(tmp_path))
    templates = templates_of(definitions.used_by("churn"), "churn")
    assert templates[-1].features == ("most_of_one",)
    parts = [FeatureContribution("most_of_one", "purchases", 6.0, -0.4)]
    ((reason,),) = reasons_for(
        [(parts, {"most_of_one": 6.0})],
        templates,
        ShopWords(),
        Wording(),
        helpful_only=False,
    )
    assert (reason.text, reason.template) == ("6 items at once.", "own.most")


# ---- renaming and removing one ----

ASKED = """
import json
from explain.templates import CHURN_TEMPLATES, RECOMMENDATION_TEMPLATES, SILENT
from features.definitions.definitions import STANDARD
from models.churn.logistic import RECENCY_FREQUENCY_VALUE
from models.next_purchase.candidate_features import candidate_features

ranking = [one.name for one in STANDARD.used_by("next_purchase")]
print(json.dumps({
    "churn": {one.name: one.sign for one in STANDARD.used_by("churn")},
    "ranker": [*ranking, *candidate_features(ranking)],
    "few": RECENCY_FREQUENCY_VALUE,
    "said of churn": [[one.key, one.features] for one in CHURN_TEMPLATES],
    "said of products": [[one.key, one.features] for one in RECOMMENDATION_TEMPLATES],
    "silent": list(SILENT),
}))
"""


def facts_of(folder: Path) -> dict[str, Any]:
    """What models and explanations make of the features, in a process of its own."""
    made = subprocess.run(  # noqa: S603 - this very interpreter
        [sys.executable, "-c", ASKED],
        cwd=folder,
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(made.stdout)
    return found


@pytest.fixture(scope="module")
def before() -> dict[str, Any]:
    """The facts of the project as it is."""
    return facts_of(ROOT)


def changed(folder: Path, file: str, change: Callable[[str], str]) -> dict[str, Any]:
    """The facts of a copy of the project in which one file of definitions is another."""
    for package in ("features", "models", "explain"):
        kept_out = shutil.ignore_patterns("__pycache__", "data", "locales")
        shutil.copytree(ROOT / package, folder / package, ignore=kept_out)
    definitions = folder / "features/definitions" / file
    text = definitions.read_text(encoding="utf-8")
    other = change(text)
    assert other != text
    definitions.write_text(other, encoding="utf-8")
    return facts_of(folder)


def in_place_of(facts: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """Facts in which a feature has another name."""
    found: dict[str, Any] = json.loads(json.dumps(facts).replace(f'"{old}"', f'"{new}"'))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "function", "old", "new"),
    [
        ("customer.py", "price_level", "usual_price", "price_usually_paid"),
        ("rhythm.py", "order_rhythm", "days_since_last_order", "silent_days"),
        ("history.py", "frequency", "times_bought", "orders_with_it"),
    ],
)
def test_one_file_renames_a_feature(
    before: dict[str, Any], tmp_path: Path, file: str, function: str, old: str, new: str
) -> None:
    """With a feature and its function renamed in one file all models keep as many features, the
    same directions and the same sentences.
    """

    def renamed(text: str) -> str:
        return re.sub(rf"\b{function}\b", "renamed", re.sub(rf"\b{old}\b", new, text))

    assert changed(tmp_path, file, renamed) == in_place_of(before, old, new)


@pytest.mark.slow
def test_one_file_removes_a_feature(before: dict[str, Any], tmp_path: Path) -> None:
    """With a feature cut out of one file it is gone everywhere, and nothing else is."""

    def without(text: str) -> str:
        (call,) = (
            node
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "Feature"
            and ast.literal_eval(node.args[0]) == "lines_per_order"
        )
        lines = text.splitlines(keepends=True)
        del lines[call.lineno - 1 : call.end_lineno]
        return "".join(lines)

    wanted = json.loads(json.dumps(before))
    del wanted["churn"]["lines_per_order"]
    for names in ("ranker", "silent"):
        wanted[names].remove("lines_per_order")
    wanted["said of churn"].remove(["lines_per_order", ["lines_per_order"]])
    assert changed(tmp_path, "customer.py", without) == wanted


OTHER_THINGS = {"home_country", "items", "order_days", "orders", "overdue", "products"}
"""Names of features that are also settings, columns or tables."""


def test_no_other_file_names_a_feature() -> None:
    """Outside the definitions the code reaches for a feature by its declaration, never by a text
    that a new name would leave behind.
    """
    names = set(STANDARD.by_feature) - OTHER_THINGS
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno} {node.value}"
        for package in ("features", "models", "explain", "experiments", "serving")
        for file in sorted((ROOT / package).rglob("*.py"))
        if ROOT / "features/definitions" not in file.parents
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert found == []


# ---- what is missing ----

SAYS = next(line for line in OWN.splitlines(keepends=True) if "says=" in line)


@pytest.mark.parametrize(
    ("part", "instead", "told"),
    [
        ('        direction="falls",\n', "", "has no direction"),
        ('direction="falls"', 'direction="sideways"', "has no direction"),
        ('        unit="items",\n', "", "has no unit"),
        ('        meaning="Items of the largest order line.",\n', "", "has no meaning"),
        (SAYS, "", "has no sentence"),
        (SAYS, '        says={"churn": ()},\n', "has no sentence for `churn`"),
        ('says={"churn"', 'says={"chrun"', "model `chrun`; there are churn, next_purchase"),
        ("{count} item at once.", "{number} item at once.", "nothing fills `{number}`"),
        ("reads=[QUANTITY]", "reads=[]", "has no category"),
        ("reads=[QUANTITY]", 'reads=["quantity"]', "has no category.*`quantity`"),
    ],
)
def test_a_declaration_that_lacks_a_part_does_not_load(
    tmp_path: Path, part: str, instead: str, told: str
) -> None:
    """Without direction, unit, meaning, sentence or category a feature is refused with the file and
    line of its declaration.
    """
    assert OWN.count(part) == 1
    with pytest.raises(FeatureError, match=rf"own_features.py, line {DECLARED_AT}: .*{told}"):
        own_module(tmp_path, OWN.replace(part, instead))


@pytest.mark.parametrize(
    ("part", "instead", "told"),
    [
        ("most_of_one", "orders", "is declared before, in .*customer.py, line"),
        ("own.most", "orders", "key `orders`, which another has"),
    ],
)
def test_a_declaration_that_takes_a_name_is_refused(
    tmp_path: Path, part: str, instead: str, told: str
) -> None:
    """A feature by the name of another, or a sentence by the key of another, is refused with the
    line.
    """
    module = own_module(tmp_path, OWN.replace(part, instead))
    with pytest.raises(FeatureError, match=rf"own_features.py, line {DECLARED_AT}: .*{told}"):
        STANDARD.with_declared_in(module)
