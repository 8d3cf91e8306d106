"""Explanations as analysts take them: as the library's own objects, from frames of any kind of
number, and as pictures.
"""

from __future__ import annotations

import lightgbm
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from explain import feature_matrix, shap_explanation, stated_explanation
from explain.contribution_plots import beeswarm, summary_plot, waterfall, write
from features.errors import FeatureError
from models.churn.model import ChurnModel
from models.masking import Masking
from models.trees.booster import Booster

FEATURES = ("orders", "total_spent", "home_country")


@pytest.fixture(scope="module")
def model() -> ChurnModel:
    """A small churn model of three features, each of a category of its own."""
    draw = np.random.default_rng(3)
    rows = draw.normal(size=(800, 3)) * [3, 100, 1]
    rows[draw.random(rows.shape) < 0.2] = np.nan
    labels = (
        np.nan_to_num(rows[:, 0]) + np.nan_to_num(rows[:, 1]) / 50 + draw.normal(size=800) > 0
    ).astype(float)
    data = lightgbm.Dataset(rows, labels, feature_name=list(FEATURES), params={"verbose": -1})
    booster = lightgbm.train(
        {"objective": "binary", "num_leaves": 6, "verbose": -1, "num_threads": 1, "seed": 1},
        data,
        20,
    )
    masking = Masking(("purchases", "spending", "location"), np.eye(3, dtype=bool))
    category_of = dict(zip(FEATURES, masking.categories, strict=True))
    return ChurnModel(Booster.of(booster), FEATURES, masking, category_of, 90)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Rows to explain."""
    return pd.DataFrame(
        np.random.default_rng(4).normal(size=(60, 3)) * [3, 100, 1], columns=list(FEATURES)
    )


def test_contributions_lead_to_the_answer_of_every_row(
    model: ChurnModel, frame: pd.DataFrame
) -> None:
    """Base value and values add up to the calibrated log-odds, and names and data stand in the
    model's order.
    """
    found = shap_explanation(model, frame[["home_country", "orders", "total_spent"]])
    np.testing.assert_allclose(
        found.base_values + found.values.sum(axis=1),
        model.log_odds(frame.to_numpy()),
        rtol=0,
        atol=1e-9,
    )
    assert tuple(found.feature_names) == FEATURES
    np.testing.assert_array_equal(found.data, frame.to_numpy())


def test_a_column_left_out_is_withheld(model: ChurnModel, frame: pd.DataFrame) -> None:
    """What the frame lacks is missing and contributes exactly nothing."""
    found = shap_explanation(model, frame[["orders"]])
    assert np.isnan(found.data[:, 1:]).all()
    assert not found.values[:, 1:].any()
    assert found.values[:, 0].any()


@pytest.mark.parametrize(
    "kind", ["int64", "Int64", "float32", "Float64", "boolean", "bool", "uint8", "int64[pyarrow]"]
)
def test_numbers_of_any_kind_are_taken_for_what_they_are(model: ChurnModel, kind: str) -> None:
    """Nullable, small and true-or-false columns give the contributions of the same numbers as
    floats.
    """
    plain = pd.DataFrame({"orders": [1.0, 0.0, 1.0], "total_spent": 5.0})
    typed = plain.astype({"orders": kind})
    np.testing.assert_array_equal(
        shap_explanation(model, typed).values, shap_explanation(model, plain).values
    )


@pytest.mark.parametrize("kind", ["Int64", "Float64", "boolean", "int64[pyarrow]"])
def test_a_missing_value_of_any_kind_is_withheld(model: ChurnModel, kind: str) -> None:
    """`pd.NA` is missing like `NaN`."""
    typed = pd.DataFrame({"orders": pd.array([1, None, 0], dtype=kind), "total_spent": 5.0})
    found = shap_explanation(model, typed)
    assert np.isnan(found.data[:, 0]).tolist() == [False, True, False]
    assert found.values[1, 0] == 0.0


def test_values_never_seen_in_training_are_explained_exactly(model: ChurnModel) -> None:
    """Enormous, tiny and infinite numbers still add up."""
    rows = np.array([[1e30, -1e30, 0.0], [-np.inf, np.inf, 1e-300], [0.0, -0.0, 123456789.0]])
    found = shap_explanation(model, pd.DataFrame(rows, columns=list(FEATURES)))
    np.testing.assert_allclose(
        found.base_values + found.values.sum(axis=1), model.log_odds(rows), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["3", "4"]),
        pd.Series(["a", "b"], dtype="category"),
        pd.Series([1, "x"], dtype=object),
        pd.to_datetime(pd.Series(["2024-01-01"] * 2)),
    ],
)
def test_what_is_no_number_is_refused_by_name(model: ChurnModel, column: pd.Series) -> None:
    """Text, categories and dates are refused with the column's name and what to do."""
    with pytest.raises(FeatureError, match=r"`orders` holds .* features are numbers"):
        shap_explanation(model, pd.DataFrame({"orders": column}))


def test_a_column_that_the_model_does_not_have_is_refused() -> None:
    """A misspelt feature is told rather than withheld in silence."""
    with pytest.raises(FeatureError, match="no feature `order`"):
        feature_matrix(pd.DataFrame({"order": [1.0]}), FEATURES)


def test_pictures_are_drawn(model: ChurnModel, frame: pd.DataFrame, tmp_path) -> None:
    """A waterfall, a beeswarm and a summary are written as PNG and SVG, name the features plainly
    and leave nothing open behind.
    """
    import matplotlib.pyplot as plt  # noqa: PLC0415 - only to see that nothing stays open

    found = shap_explanation(model, frame)
    stated = {
        "base_value": 0.1,
        "contributions": [{"feature": "total_spent", "value": 3.0, "contribution": -0.4}],
    }
    figures = {
        "one.svg": waterfall(found[0], "One customer"),
        "stated.svg": waterfall(stated_explanation(stated), "As stated"),
        "all.svg": beeswarm(found, "Everybody"),
        "summary.png": summary_plot(found.values, found.data, FEATURES, "log-odds"),
    }
    for name, figure in figures.items():
        assert isinstance(figure, Figure)
        write(figure, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 5_000
    assert not plt.get_fignums()
    said = " ".join(
        label.get_text()
        for axes in figures["one.svg"].axes
        for label in (*axes.get_xticklabels(), *axes.get_yticklabels())
    )
    assert "with nothing known: " in said
    assert "E[f" not in said
    assert "total spent" in said
