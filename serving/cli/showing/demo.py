"""`sayso demo`."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from experiments.training.registry import task
from features.config.environment import Settings
from features.shop.shop import Shop
from models.registry import Version
from serving.access.api_keys import Keys
from serving.cli.options import DebugOption, JsonOption
from serving.cli.screen import Screen
from serving.demo.preparation import Prepared, prepare_demo
from serving.demo.script import Answer, Crm, DemoScript, tell
from serving.server import free_port, is_free, running


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("demo")(demo)


def demo(
    workspace: Annotated[
        Path, typer.Option("--workspace", help="Folder of the demo's workspace.", file_okay=False)
    ] = Path("demo"),
    port: Annotated[
        int, typer.Option("--port", help="Port of the service; another one where it is in use.")
    ] = 3000,
    *,
    leave: Annotated[
        bool, typer.Option("--exit", help="Stop the service at the end, on a terminal too.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """The whole path on the bundled data of a British gift shop: load, consents, train, promote,
    serve, ask.
    """
    screen = Screen(as_json=as_json)
    with ExitStack() as service:
        with screen.progress() as progress:
            prepared = prepare_demo(workspace, Settings(), progress)
            shop = prepared.shop
            progress("starting the service", 0.95)
            _, secret = Keys(shop.database).create(["all"])
            chosen = port if is_free(port) else free_port()
            log = shop.workspace.root / "service.log"
            url = service.enter_context(running(shop.workspace, chosen, log))
        script = _ask(url, secret, shop)
        _show(screen, prepared, script, url, secret)
        root = str(shop.workspace.root)
        screen.result({"url": url, "key": secret, "workspace": root, "story": asdict(script)})
        if sys.stdout.isatty() and not leave and not as_json:
            serve_until_interrupted(screen)


def _ask(url: str, secret: str, shop: Shop) -> DemoScript:
    crm = Crm(url, secret)
    try:
        return tell(crm, shop)
    finally:
        crm.close()


def _show(screen: Screen, prepared: Prepared, script: DemoScript, url: str, secret: str) -> None:
    _show_shop(screen, prepared.shop)
    _show_models(screen, prepared.champions)
    _show_story(screen, script)
    _show_end(screen, prepared.shop, script, url, secret)


def serve_until_interrupted(screen: Screen) -> None:
    """Wait for Ctrl-C while the service goes on."""
    screen.say("\nThe service goes on until you press Ctrl-C.")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        screen.say("Stopped.")


def _show_shop(screen: Screen, shop: Shop) -> None:
    purpose = shop.config.models.next_purchase.purpose
    asked = len(shop.config.catalog.askable(purpose))
    everybody = len(shop.customers.all())
    shared = shop.ledger.granted(purpose).groupby("customer").size()
    everything = int((shared == asked).sum())
    screen.say(
        "[bold]Sayso[/bold] predicts what customers want next, from nothing but what they agreed to"
        " share, and tells them why.\n"
    )
    until = f"{shop.loaded_until():%d %B %Y}"
    screen.say(
        f"[bold]1. A shop.[/bold] Online Retail, a British gift shop: orders of {everybody:,}"
        f" customers up to {until}. Its data holds no consents, so they were"
        f" [bold]simulated[/bold]: {everything:,} share everything, {len(shared) - everything:,}"
        f" withhold something, {everybody - len(shared):,} share nothing. Unknown is no."
    )


def _show_models(screen: Screen, champions: Mapping[str, Version]) -> None:
    screen.say(
        "\n[bold]2. Two models[/bold], trained on what was granted, judged on later data that they"
        " had not seen:"
    )
    rows = []
    for model, said in (
        ("churn", "churn within 90 days, AUC"),
        ("next_purchase", "next purchase, recall@10"),
    ):
        metric, metrics = task(model).decisive, champions[model].metrics
        others = ", ".join(
            f"{name.replace('_', ' ')} {metrics[f'baseline.{name}.{metric}']:.3f}"
            for name in task(model).baselines
        )
        rows.append((said, f"[bold]{metrics[metric]:.3f}[/bold]", others))
    screen.table(None, ("", "sayso", "baselines"), rows)


def _show_story(screen: Screen, story: DemoScript) -> None:
    screen.say("\n[bold]3. Asked over HTTP, as a CRM would.[/bold]")
    show_recommendation(screen, "shares everything", story.everything)
    show_recommendation(screen, "shares only what they bought", story.purchases_only)
    show_recommendation(screen, "shares nothing, so sees what everybody sees", story.nothing)
    screen.say(
        f"   The second one dismisses {escape(story.dismissed)}. Told as an event, it is gone:"
    )
    show_recommendation(screen, "again", story.without_dismissed)
    show_churn(screen, story.churn)
    screen.say(
        "\n[bold]4. Control.[/bold] The first customer withdraws what they bought. The very next"
        " answer does without:"
    )
    show_recommendation(screen, "again", story.after)
    screen.say(f"   They hide {escape(story.opted_out)}, and it is gone:")
    show_recommendation(screen, "again", story.without_product)


def show_recommendation(screen: Screen, who: str, answer: Answer) -> None:
    """What a customer is recommended, each with its first reason."""
    screen.say(
        f"   [cyan]Customer {answer['customer_id']}[/cyan] {who} [dim](used:"
        f" {', '.join(answer['consent']['used']) or 'nothing'})[/dim]"
    )
    for item in answer["items"]:
        reason = next((reason["text"] for reason in item["explanation"]["reasons"]), "")
        screen.say(f"     {item['rank']}. {escape(item['title']):<36} [dim]{escape(reason)}[/dim]")


def show_churn(screen: Screen, answer: Answer) -> None:
    """How likely a customer is to leave, with the reasons and what each category changes."""
    if not answer["available"]:
        screen.say(
            f"   [cyan]Customer {answer['customer_id']}[/cyan]: no churn estimate"
            f" ({answer['unavailable_because']})"
        )
        return
    game = answer["explanation"]["categories"]
    screen.say(
        f"   [cyan]Customer {answer['customer_id']}[/cyan] leaves within {answer['horizon_days']}"
        f" days with probability [bold]{answer['probability']:.2f}[/bold] ({answer['band']}); with"
        f" nothing shared it would be {game['base_value']:.2f}."
    )
    for reason in answer["explanation"]["reasons"][:3]:
        screen.say(f"     - [dim]{escape(reason['text'])}[/dim]")
    without = ", ".join(
        f"{part['category']} {part['without']:.2f}" for part in game["contributions"]
    )
    screen.say(f"     [dim]Without one category it would be: {without}[/dim]")


def _show_end(screen: Screen, shop: Shop, story: DemoScript, url: str, secret: str) -> None:
    root = shop.workspace.root
    screen.say("\n[bold]5. Look for yourself.[/bold]")
    screen.say("   The customer's page, with a switch for each category:")
    screen.link(story.everything["why_url"])
    screen.say(f"   The service, {url}, with an API key for it:")
    screen.link(secret)
    screen.say("   The models in MLflow:")
    screen.link(
        f"{Path(sys.executable).parent / 'mlflow'} ui --backend-store-uri"
        f" sqlite:///{root / 'mlflow.db'}"
    )
    screen.say("   Your own shop: sayso try orders.csv, or sayso init myshop --from orders.csv.")
