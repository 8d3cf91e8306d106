"""`sayso explain` and `sayso benchmark explain`, and the notebook of the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from serving.analysis import explain_timing as explain_benchmark
from tests.serving_shop import CATEGORIES, copied, sharing
from tests.test_cli_commands import Done, failed, sayso, told

pytest_plugins = ["tests.serving_fixtures"]

WHO = sharing(*CATEGORIES)[0]
NOTEBOOK = Path(__file__).parent.parent / "docs" / "notebook.md"


@pytest.fixture(scope="module")
def shop(trained_root, tmp_path_factory) -> Path:
    """A workspace with both champions."""
    return copied(trained_root, tmp_path_factory.mktemp("explained") / "workspace")


def test_an_estimate_is_explained_as_the_customer_reads_it(shop) -> None:
    """Probability, game, contributions and the customer's own reasons are told, and the same goes
    out as JSON.
    """
    document = told(sayso("explain", WHO, "--json", workspace=shop))
    shown = sayso("explain", WHO, workspace=shop).stdout
    assert f"{100 * document['probability']:.1f} in 100" in shown
    for part in document["explanation"]["categories"]["contributions"]:
        cells = [
            part["category"],
            f"{100 * part['contribution']:+.1f}",
            f"{100 * part['without']:.1f}",
        ]
        assert cells in [line.split() for line in shown.splitlines()]
    for reason in document["explanation"]["reasons"]:
        assert reason["text"] in shown
    for part in document["explanation"]["contributions"]:
        assert part["feature"] in shown


def test_recommendations_are_explained_with_their_places(shop) -> None:
    """Each product has its place with and without each category, and the contrast of the first two
    adds up.
    """
    document = told(sayso("explain", WHO, "--model", "next_purchase", "--json", workspace=shop))
    assert [one["place"] for one in document["game"]] == list(range(1, 11))
    assert all(set(one["place_without"]) == set(CATEGORIES) for one in document["game"])
    first, second = document["items"][:2]
    assert document["contrast"]["difference"] == first["score"] - second["score"]
    assert sum(part for _, part in document["contrast"]["by_category"]) == pytest.approx(
        first["score"] - second["score"], abs=1e-6
    )
    assert (
        first["title"] in sayso("explain", WHO, "--model", "next_purchase", workspace=shop).stdout
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "ending"),
    [([], "png"), (["--model", "next_purchase"], "svg"), (["--kind", "beeswarm"], "png")],
)
def test_a_picture_is_written(shop, tmp_path, more, ending) -> None:
    """A waterfall of either answer, or a beeswarm of all estimates, as PNG or SVG."""
    file = tmp_path / f"picture.{ending}"
    assert told(sayso("explain", WHO, *more, "--plot", file, "--json", workspace=shop))[
        "plot"
    ] == str(file)
    begins = file.read_bytes()[:200]
    assert (
        begins.startswith(b"\x89PNG") if ending == "png" else b"<svg" in file.read_bytes()[:2_000]
    )


@pytest.mark.slow
def test_what_cannot_be_explained_is_told(shop, untrained_root, tmp_path) -> None:
    """Somebody unknown, somebody who shares nothing, a shop without champions, and a picture of no
    known kind.
    """
    failed(sayso("explain", "nobody-of-this-name", workspace=shop), "no such customer")
    failed(sayso("explain", sharing()[0], workspace=shop), "shares nothing")
    untrained = copied(untrained_root, tmp_path / "untrained")
    failed(sayso("explain", WHO, workspace=untrained), "no champion", "sayso train churn")
    failed(
        sayso("explain", WHO, "--model", "next_purchase", workspace=untrained),
        "sayso train next_purchase",
    )
    failed(sayso("benchmark", "explain", workspace=untrained), "no champion")
    wrong: list[Done] = [
        sayso("explain", WHO, "--plot", "picture.gif", workspace=shop),
        sayso("explain", WHO, "--model", "next_purchase", "--kind", "beeswarm", workspace=shop),
    ]
    assert [done.returncode for done in wrong] == [2, 2]


@pytest.mark.parametrize("more", [[], ["--model", "churn"], ["--categories", "3"]])
def test_the_benchmark_times_every_way_to_explain(shop, monkeypatch, more) -> None:
    """For 1, 10 and 200 rows of a champion or of a made-up model each way has its time, and
    explaining ten beats pred_contrib.
    """
    monkeypatch.setattr(explain_benchmark, "REPEATS", {1: 3, 10: 8, 200: 2})
    monkeypatch.setattr(explain_benchmark, "MADE_UP_TREES", 40)
    document = told(sayso("benchmark", "explain", *more, "--json", workspace=shop))
    assert set(document["rows"]) == {"1", "10", "200"}
    for times in document["rows"].values():
        assert {
            "predict_ms",
            "shap_ms",
            "categories_ms",
            "pred_contrib_ms",
            "shap_path_dependent_ms",
        } <= set(times)
        assert all(milliseconds > 0 for milliseconds in times.values())
    assert document["ratios"]["explain_10_to_pred_contrib_10"] < 1


@pytest.mark.slow
def test_the_notebook_runs(shop, tmp_path, monkeypatch) -> None:
    """The code of docs/notebook.md runs as it stands, from top to bottom."""
    monkeypatch.chdir(tmp_path)
    Path("workspace").symlink_to(shop)
    known: dict[str, object] = {}
    for block in re.findall(
        r"```python\n(.*?)```", NOTEBOOK.read_text(encoding="utf-8"), flags=re.DOTALL
    ):
        exec(compile(block, str(NOTEBOOK), "exec"), known)  # noqa: S102 - the project's own documentation
    assert Path("one.svg").stat().st_size > 1_000
    assert Path("everybody.png").stat().st_size > 1_000
