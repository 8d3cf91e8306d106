"""Data health, as `sayso ingest` and `sayso sync` show it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.markup import escape

from features.intake.health.drift import Oddity
from features.intake.health.record import Load
from serving.cli.screen import Screen


def show_oddities(screen: Screen, oddities: Iterable[Oddity]) -> None:
    """What is odd about a load, a line each."""
    for oddity in oddities:
        screen.say(f"[bold]Odd:[/bold] {escape(oddity.told)}")


def show_loads(screen: Screen, loads: Sequence[Load]) -> None:
    """The figures of each load, the oldest first, and what was odd about it."""
    if not loads:
        screen.say("Nothing was loaded yet.")
        return
    rows = [
        (
            f"{load.at:%Y-%m-%d %H:%M}",
            *(f"{count:,}" for count in load.figures.counts.values()),
            f"{load.figures.newest:%Y-%m-%d}",
            len(load.oddities) or "-",
        )
        for load in loads
    ]
    screen.table("Loads", ("at", *loads[-1].figures.counts, "newest", "odd"), rows)
    for load in loads:
        if load.oddities:
            screen.say(f"\n{load.at:%Y-%m-%d %H:%M}")
            show_oddities(screen, load.oddities)
