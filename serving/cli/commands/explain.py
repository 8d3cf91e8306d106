"""`sayso explain`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import matplotlib as mpl
import typer

from explain.analyst import stated_explanation
from explain.contribution_plots import beeswarm, waterfall, write
from features.config.environment import Settings
from features.shop.workspace import Workspace
from serving.analysis.explained_customer import (
    everybodys_churn,
    explained_churn,
    explained_recommendations,
)
from serving.bootstrap import Sayso
from serving.cli.adoption import assembled
from serving.cli.options import (
    DEFAULT_WORKSPACE,
    CustomerArgument,
    DebugOption,
    JsonOption,
    ModelChoice,
    WorkspaceOption,
)
from serving.cli.screen import Screen

PICTURES = (".png", ".svg")
POINTS = 100


class Kind(StrEnum):
    """What a picture shows: one customer's answer, or everybody's."""

    WATERFALL = "waterfall"
    BEESWARM = "beeswarm"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("explain")(explain)


def explain(
    customer: CustomerArgument,
    model: Annotated[
        ModelChoice, typer.Option("--model", help="Which answer.")
    ] = ModelChoice.CHURN,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", help="Picture to write: PNG or SVG by its ending.", dir_okay=False),
    ] = None,
    kind: Annotated[
        Kind, typer.Option("--kind", help="One customer's answer, or all estimates.")
    ] = Kind.WATERFALL,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Explain what a customer would be answered now, with the reasons that they read and the
    numbers behind them.
    """
    screen = Screen(as_json=as_json)
    _check_picture(model, plot, kind)
    sayso = assembled(Workspace.open(workspace, Settings()))
    if model is ModelChoice.CHURN:
        answer = explained_churn(sayso, customer)
        _show_churn(screen, answer)
    else:
        answer = explained_recommendations(sayso, customer)
        _show_recommendations(screen, answer)
    if plot is not None:
        _draw(sayso, model, kind, answer, plot)
        screen.say(f"\n[bold]{plot}[/bold] shows it.")
    screen.result({**answer, "plot": None if plot is None else str(plot)})


def _check_picture(model: ModelChoice, plot: Path | None, kind: Kind) -> None:
    if plot is not None and plot.suffix.lower() not in PICTURES:
        raise typer.BadParameter(
            f"{plot} ends in {plot.suffix or 'nothing'}; a picture is a {' or a '.join(PICTURES)}",
            param_hint="--plot",
        )
    if kind is Kind.BEESWARM and model is not ModelChoice.CHURN:
        raise typer.BadParameter(
            "ranking scores cannot be compared between customers; a beeswarm is of churn",
            param_hint="--kind",
        )


def _show_churn(screen: Screen, answer: Mapping[str, Any]) -> None:
    why = answer["explanation"]
    game = why["categories"]
    screen.say(
        f"Likely to order nothing within {answer['horizon_days']} days:"
        f" [bold]{POINTS * answer['probability']:.1f} in 100[/bold]."
    )
    screen.say(f"Of a customer of whom nothing is known: {POINTS * game['base_value']:.1f} in 100.")
    rows = [
        (
            part["category"],
            f"{POINTS * part['contribution']:+.1f}",
            f"{POINTS * part['without']:.1f}",
        )
        for part in game["contributions"]
    ]
    screen.table(
        "What each category of data changes, in points of 100",
        ("category", "contributes", "without it"),
        rows,
    )
    screen.table(
        f"What each feature adds to {why['base_value']:.3f}, in log-odds", _COLUMNS, _features(why)
    )
    _show_consent_and_reasons(screen, answer, why["reasons"])


def _show_recommendations(screen: Screen, answer: Mapping[str, Any]) -> None:
    categories = list(answer["consent"]["used"])
    places = {product["product_id"]: product for product in answer["game"]}
    rows = [_item_row(item, places.get(item["product_id"]), categories) for item in answer["items"]]
    columns = ("product", "place", *(f"no {name}" for name in categories), "everybody")
    screen.table(
        "Places now, without each category of data, and without any; - is no candidate",
        columns,
        rows,
    )
    first, compared = answer["items"][0], answer["contrast"]
    why = first["explanation"]
    screen.table(
        f"{first['title']}: what each feature adds to {why['base_value']:.3f}",
        _COLUMNS,
        _features(why),
    )
    if compared is not None:
        parts = [(name, f"{part:+.3f}") for name, part in compared["by_category"]]
        screen.table(
            f"Why it stands above {answer['items'][1]['title']}: {compared['difference']:+.3f}",
            ("category", "difference"),
            parts,
        )
    _show_consent_and_reasons(screen, answer, why["reasons"])


_COLUMNS = ("feature", "category", "value", "contributes")


def _features(why: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (part["feature"], part["category"], f"{part['value']:.4g}", f"{part['contribution']:+.4f}")
        for part in why["contributions"]
    ]


def _item_row(
    item: Mapping[str, Any], places: Mapping[str, Any] | None, categories: list[str]
) -> list[str]:
    without = [
        _place(None if places is None else places["place_without"][name]) for name in categories
    ]
    return [
        item["title"],
        str(item["rank"]),
        *without,
        _place(None if places is None else places["place_for_everybody"]),
    ]


def _place(place: int | None) -> str:
    return "-" if place is None else str(place)


def _show_consent_and_reasons(
    screen: Screen, answer: Mapping[str, Any], reasons: list[Mapping[str, str]]
) -> None:
    screen.say(
        f"\nUsed: {', '.join(answer['consent']['used'])}. Withheld:"
        f" {', '.join(answer['consent']['withheld']) or 'nothing'}."
    )
    screen.say("[bold]The customer reads:[/bold]")
    for reason in reasons:
        screen.say(f"   {reason['text']} [dim]({reason['category']})[/dim]")
    if not reasons:
        screen.say("   [dim]no reason: nothing that was used speaks for it clearly enough[/dim]")


def _draw(
    sayso: Sayso, model: ModelChoice, kind: Kind, answer: Mapping[str, Any], file: Path
) -> None:
    mpl.use("Agg")
    if kind is Kind.BEESWARM:
        figure = beeswarm(everybodys_churn(sayso), "What moves the estimates of churn, in log-odds")
    elif model is ModelChoice.CHURN:
        figure = waterfall(
            stated_explanation(answer["explanation"]),
            "What leads to this estimate of churn, in log-odds",
        )
    else:
        first = answer["items"][0]
        figure = waterfall(
            stated_explanation(first["explanation"]),
            f"What speaks for {first['title']}, in its ranking score",
        )
    write(figure, file)
