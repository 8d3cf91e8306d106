"""What a run leaves in MLflow for people to read: card, pictures, intervals, and nobody's data."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from experiments.audits.explainability import deletion, some_of
from experiments.audits.explanation_plots import summary_plot
from features.shop.shop import Shop
from models.metrics import most_calibration_error_by_chance
from models.mlflow_names import registered_parts
from models.registry import CHAMPION
from models.tracking import REGISTERED, Tracking
from tests.serving_shop import CANARY

pytest_plugins = ["tests.serving_fixtures"]

HEADINGS = [
    "What it is for, and what not",
    "Data",
    "How good it is",
    "When data is withheld",
    "Groups of customers",
    "Explanations",
    "Limits",
]
PICTURES = {
    "churn": {"calibration_by_consent", "gain", "shap_summary", "deletion"},
    "next_purchase": {"shap_summary", "deletion"},
}


@pytest.fixture(scope="module", params=["churn", "next_purchase"])
def champion(request, served):
    """The champion of one model, and the folder of its run's artifacts."""
    found = Tracking.of(served.workspace).by_alias(request.param, CHAMPION)
    client = Tracking.of(served.workspace)._client
    return found, Path(client.download_artifacts(found.run_id, ""))


class Outline(HTMLParser):
    """Headings and table cells of a page, and whether every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.cells = 0

    def handle_starttag(self, tag, attrs):
        """Note an opened tag."""
        self.cells += tag == "td"
        if tag != "meta":
            self.open.append(tag)
        assert attrs is not None

    def handle_endtag(self, tag):
        """Fail on a tag that was not open."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Note a heading."""
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def test_the_card_tells_all_that_is_asked_of_one(champion, served):
    """Use, data, quality, consent, groups, explanations, limits, owner and how to contest stand in
    both forms, and nothing is missing.
    """
    version, folder = champion
    page = Outline()
    page.feed((folder / "model_card.html").read_text(encoding="utf-8"))
    assert page.headings[: len(HEADINGS)] == HEADINGS
    assert page.open == []
    assert page.cells > 40
    text = (folder / "model_card.md").read_text(encoding="utf-8")
    for part in (
        *HEADINGS,
        served.config.shop.owner,
        served.config.shop.human_contact,
        version.tags["ledger_seq"],
        "95% interval",
    ):
        assert part in text
    assert "nan" not in text.lower().split()
    decisive = "auc" if version.model == "churn" else "recall_at_10"
    assert f"{version.metrics[decisive]:.3f}" in text


def test_the_version_links_to_its_card(champion, served):
    """The description in the registry leads to the card of the version's own run."""
    version, _ = champion
    client = Tracking.of(served.workspace)._client
    name, number = registered_parts(version.tags[REGISTERED])
    described = client.get_model_version(name, number).description
    assert f"/runs/{version.run_id}/artifacts/model_card.html" in described


def test_a_run_holds_what_data_scientists_look_for(champion, served):
    """Metrics with intervals under every consent pattern, pictures, the data set by digest, lineage
    and ledger position.
    """
    version, folder = champion
    decisive = "auc" if version.model == "churn" else "recall_at_10"
    for pattern in ("", "without_spending.", "without_all."):
        low, middle, high = (
            version.metrics[f"{pattern}{decisive}{end}"] for end in (".low", "", ".high")
        )
        assert low <= middle <= high
    assert PICTURES[version.model] <= {file.stem for file in (folder / "plots").iterdir()}
    assert (folder / "features.json").is_file()
    (data_set,) = (
        Tracking.of(served.workspace)._client.get_run(version.run_id).inputs.dataset_inputs
    )
    assert len(data_set.dataset.digest) == 36
    assert int(version.tags["ledger_seq"]) > 0


def test_the_model_is_loaded_with_its_signature(champion, served):
    """`mlflow.lightgbm.load_model` gives the booster back, whose columns are those of the
    signature.
    """
    version, _ = champion
    assert Tracking.of(served.workspace)._client
    address = f"models:/{registered_parts(version.tags[REGISTERED])[0]}@{CHAMPION}"
    booster = mlflow.lightgbm.load_model(address)
    names = mlflow.models.get_model_info(address).signature.inputs.input_names()
    assert names == booster.feature_name()
    assert np.isfinite(booster.predict(pd.DataFrame([[np.nan] * len(names)], columns=names))).all()


def test_nobody_is_in_what_a_run_leaves_behind(champion, served: Shop):
    """No id and no pseudonym of a customer stands in any artifact, as text or as bytes."""
    _, folder = champion
    traces = [CANARY.encode(), *(str(one).encode() for one in served.customers.all())]
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert len(files) > 10
    assert [
        (file.name, trace)
        for file in files
        for held in [file.read_bytes()]
        for trace in traces
        if trace in held
    ] == []


# ---- what the figures mean ----


def test_chance_explains_what_exact_forecasts_show():
    """About five of a hundred samples of exact forecasts lie above the limit, and hardly one of
    forecasts far off lies below.
    """
    draw = np.random.default_rng(3)
    forecast = draw.uniform(0.05, 0.95, 800)
    bins = np.minimum((forecast * 10).astype(int), 9)

    def error(true):
        outcomes = draw.random(800) < true
        return sum(abs((forecast - outcomes)[bins == b].sum()) for b in range(10)) / 800

    most = most_calibration_error_by_chance(forecast, 1)
    assert 0 <= sum(error(forecast) > most for _ in range(100)) <= 12
    assert sum(error(np.clip(forecast + 0.1, 0, 1)) > most for _ in range(100)) >= 95
    assert most_calibration_error_by_chance(forecast, 1, 0.05) > most


def test_taking_away_what_matters_moves_the_answer_faster_than_chance():
    """For a score of one feature among ten the explanation's order leads; an order that names the
    others first does not.
    """
    rows = np.random.default_rng(5).normal(2, 1, (120, 10))

    def score(given):
        return np.nan_to_num(given[:, 3]) * 2

    right, wrong = np.zeros_like(rows), np.ones_like(rows)
    right[:, 3], wrong[:, 3] = 1, 0
    assert deletion(rows, right, score).metrics["deletion.lead.low"] > 0
    assert deletion(rows, wrong, score).metrics["deletion.lead.high"] < 0


def test_the_picture_of_contributions_holds_nobodys_values():
    """Every dot is a mean over at least twenty customers, so one customer's extreme value is no
    dot.
    """
    draw = np.random.default_rng(6)
    values = draw.normal(size=(90, 2))
    added = values * 0.5
    added[0, 0] = 1_000.0
    figure = summary_plot(["a", "b"], values, added)
    dots = np.concatenate(
        [np.asarray(part.get_offsets())[:, 0] for part in figure.axes[0].collections]
    )
    assert np.nanmax(dots) < 100
    few = summary_plot(["a"], values[:50, :1], added[:50, :1])
    assert np.isnan(
        np.concatenate(
            [np.asarray(part.get_offsets())[:, 0] for part in few.axes[0].collections]
        ).astype(float)
    ).all()


def test_some_rows_are_spread_over_all():
    """A sample begins with the first row and ends with the last; a short table is taken whole."""
    rows = np.arange(100, dtype=float)[:, None]
    assert some_of(rows, 5).ravel().tolist() == [0, 24, 49, 74, 99]
    assert len(some_of(rows, 500)) == 100
