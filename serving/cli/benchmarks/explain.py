"""`sayso benchmark explain`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from explain.game import MOST_PLAYERS
from features.config.environment import Settings
from features.shop.workspace import Workspace
from serving.analysis.explain_timing import (
    Subject,
    churn_subject,
    made_up_subject,
    measure,
    next_purchase_subject,
)
from serving.cli.adoption import assembled
from serving.cli.options import (
    DEFAULT_WORKSPACE,
    DebugOption,
    JsonOption,
    ModelChoice,
    WorkspaceOption,
)
from serving.cli.screen import Screen

TOLD = {
    "predict": "LightGBM's predict",
    "score": "the same scores as serving makes them",
    "shap": "contributions per feature",
    "categories": "consent game per category",
    "pred_contrib": "LightGBM's pred_contrib",
    "shap_path_dependent": "shap, path-dependent",
    "shap_library": "shap, same game as ours",
}
Found = Mapping[str, Mapping[str, Mapping[str, float]]]


def explain(
    model: Annotated[
        ModelChoice, typer.Option("--model", help="Which champion.")
    ] = ModelChoice.NEXT_PURCHASE,
    categories: Annotated[
        int | None,
        typer.Option(
            "--categories",
            min=1,
            max=MOST_PLAYERS,
            help="Instead of a champion, a made-up model of so many categories.",
        ),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Time explaining beside predicting, and beside other ways to explain, on one thread and in
    turns.
    """
    screen = Screen(as_json=as_json)
    with screen.progress() as progress:
        subject = _champion(workspace, model) if categories is None else made_up_subject(categories)
        found = measure(subject, progress)
    _show(screen, subject, found)
    screen.result(
        {
            "model": subject.title,
            "rows": {rows: _flat(times) for rows, times in found.items()},
            "ratios": ratios_of(found),
        }
    )


def _show(screen: Screen, subject: Subject, found: Found) -> None:
    screen.table(
        f"{subject.title}: milliseconds, median (99th percentile)",
        (
            "",
            *(f"{rows} rows" if rows != "1" else "1 row" for rows in found),
            "of predict, 10 rows",
        ),
        [_row(name, told, found) for name, told in TOLD.items()],
    )
    ratios = ratios_of(found)
    screen.say(
        f"Explaining the best 10 takes {ratios['explain_10_to_predict_200']:.3f} of LightGBM's"
        f" predict of 200 (at most 0.25), and {ratios['explain_10_to_pred_contrib_10']:.3f} of"
        " pred_contrib (at most 0.05)."
    )


def _champion(folder: WorkspaceOption, model: ModelChoice) -> Subject:
    sayso = assembled(Workspace.open(folder, Settings()))
    return churn_subject(sayso) if model is ModelChoice.CHURN else next_purchase_subject(sayso)


def ratios_of(found: Found) -> dict[str, float]:
    """What explaining ten rows takes of what it is measured by."""
    ten = found["10"]["shap"]["p50"]
    return {
        "explain_10_to_predict_200": ten / found["200"]["predict"]["p50"],
        "explain_10_to_pred_contrib_10": ten / found["10"]["pred_contrib"]["p50"],
        "explain_10_to_shap_library_10": ten / found["10"]["shap_library"]["p50"],
    }


def _row(name: str, told: str, found: Found) -> list[str]:
    times = [f"{part[name]['p50']:.3f} ({part[name]['p99']:.3f})" for part in found.values()]
    return [told, *times, f"{found['10'][name]['p50'] / found['10']['predict']['p50']:.1f}"]


def _flat(times: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    medians = {f"{name}_ms": part["p50"] for name, part in times.items()}
    return medians | {f"{name}_p99_ms": part["p99"] for name, part in times.items()}
