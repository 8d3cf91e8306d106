"""The card of one training run, written to be read by whoever answers for the model, and by whoever
doubts it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from experiments.audits.basket_completion import IGNORED, WITH
from experiments.audits.groups import AUDITED_ON, fairness_gaps
from experiments.model_card.document import Card, Section, Table, between, figure, with_interval
from experiments.model_card.wording import CardWording, spoken
from experiments.trials.champion_recipe import PREFIX as AGAINST
from features.shop.shop import Shop
from models.training_run import Run

Metrics = Mapping[str, float]


@dataclass(frozen=True)
class Facts:
    """What a card needs beside the run: the words of its task, the moment of the holdout, how many
    customers or orders were judged, and how many customers were learnt from.
    """

    shop: Shop
    run: Run
    words: CardWording
    holdout: datetime
    judged: int
    customers: int


def card_pages(
    shop: Shop, run: Run, words: CardWording, holdout: datetime, judged: int, customers: int
) -> Run:
    """The run with its model card as Markdown and as HTML."""
    card = model_card(Facts(shop, run, words, holdout, judged, customers))
    return replace(run, pages={**run.pages, **card.files()})


def model_card(facts: Facts) -> Card:
    """The card."""
    about, run, words = facts.shop.config.shop, facts.run, facts.words
    sections = [
        _use(facts),
        _data(facts),
        _quality(facts),
        _consent(run, words),
        _groups(run, words),
        _explaining(run),
        Section("Limits", words.limits),
        _people(facts),
    ]
    name = run.model.replace("_", " ")
    summary = (
        f"{about.name} uses this model to {words.purpose}. Its owner:"
        f" {run.tags['owner'] or 'nobody yet'}. The figures are from data it had not seen, of"
        " customers who agreed."
    )
    return Card(
        f"Model card: {name}", summary, [section for section in sections if section is not None]
    )


def _use(facts: Facts) -> Section:
    horizon = facts.run.parameters.get("horizon_days", "")
    return Section(
        "What it is for, and what not",
        [text.format(horizon=horizon) for text in facts.words.uses],
    )


def _data(facts: Facts) -> Section:
    run = facts.run
    fields: Mapping[str, Mapping[str, Sequence[str]]] = run.documents["features"]
    rows = [
        [
            name,
            ", ".join(read["categories"]) or "the product's own",
            ", ".join(read["reads"]) or "-",
        ]
        for name, read in fields.items()
    ]
    told = (
        f"It learnt from {facts.customers:,} customers who agreed to the purpose"
        f" {run.tags['purpose']}, as the consent ledger stood at position {run.tags['ledger_seq']}."
        " A feature is missing wherever a customer does not grant every category that it needs."
    )
    kept = (
        f"Data set SHA-256 {run.data_digest}. Neither this card nor the tracking server holds a"
        " customer's id or anybody's values."
    )
    return Section(
        "Data",
        [told, kept],
        [Table("Features and what they need", ["feature", "needs", "reads"], rows, words=True)],
    )


def _quality(facts: Facts) -> Section:
    run, names = facts.run, facts.words.metrics
    methods = {
        name: {metric.replace("@", "_at_"): value for metric, value in row.items()}
        for name, row in run.documents["comparison"].items()
    }
    rows = [
        [name.replace("_", " "), *(figure(values.get(metric)) for metric in names)]
        for name, values in methods.items()
    ]
    interval = [
        "sayso, 95% interval",
        *(
            between(run.metrics.get(f"{metric}.low"), run.metrics.get(f"{metric}.high"))
            for metric in names
        ),
    ]
    judged = f"{facts.judged:,} {facts.words.judged}"
    said = (
        f"Fitted on what was known by {facts.holdout:%d %B %Y} and judged on {judged} after that. "
        "The registered model was then fitted anew on everything."
    )
    table = Table(
        "On the holdout",
        ["method", *(spoken(name) for name in names)],
        [rows[0], interval, *rows[1:]],
    )
    return Section("How good it is", [said, *_against(run)], [table, *_begun(run, names)])


def _against(run: Run) -> list[str]:
    found: Mapping[str, Any] = run.documents.get(AGAINST, {})
    if not found:
        return ["There was no champion to compare it with."]
    if "impossible" in found:
        return [
            (
                f"It could not be compared with the champion, version {found['version']}:"
                f" {found['impossible']}."
            )
        ]
    parts = ", ".join(
        f"{spoken(name)} {with_interval(ends, 4)}" for name, ends in found["differences"].items()
    )
    again = " It is made in the same way, on newer data." if found["refresh"] else ""
    return [
        (
            f"Minus those of the champion's recipe (version {found['version']}), on the same rows"
            f" and the same holdout: {parts}.{again}"
        )
    ]


def _consent(run: Run, words: CardWording) -> Section:
    names = words.metrics_by_consent
    ends = [
        name.removesuffix(names[0])
        for name in run.metrics
        if name.endswith(f".{names[0]}") and name.startswith("without_")
    ]
    rows = [
        [_pattern(prefix), *(_measured(run.metrics, f"{prefix}{name}") for name in names)]
        for prefix in ("", *ends)
    ]
    said = (
        "One model answers under every consent. These are its answers to the same customers, had"
        " all of them withheld something."
    )
    return Section(
        "When data is withheld",
        [said, *words.about_consent],
        [Table("By consent pattern", ["", *(spoken(name) for name in names)], rows)],
    )


def _begun(run: Run, names: Sequence[str]) -> list[Table]:
    if f"{WITH}.{names[0]}" not in run.metrics:
        return []
    told = {WITH: "with what is in the basket in mind", IGNORED: "as if nothing were in it"}
    rows = [
        [said, *(_measured(run.metrics, f"{prefix}.{name}") for name in names)]
        for prefix, said in told.items()
    ]
    return [
        Table(
            "The rest of orders of which a part, drawn at random, is in the basket",
            ["", *(spoken(name) for name in names)],
            rows,
        )
    ]


def _groups(run: Run, words: CardWording) -> Section:
    audited: Mapping[str, Any] = run.documents.get("fairness", {})
    if not audited:
        return Section(
            "Groups of customers", [f"The model was {run.tags.get(AUDITED_ON, 'not audited')}."]
        )
    said = (
        "Groups are compared with customers who agreed to that, for this check alone. Small groups"
        " are pooled."
    )
    if words.about_groups:
        said = f"{said} {words.about_groups}"
    tables = [_table_of_groups(attribute, found["groups"]) for attribute, found in audited.items()]
    gaps = [
        [g.attribute, g.measure, f"{figure(g.gap)} ({between(g.low, g.high)})"]
        for g in fairness_gaps(run.metrics)
    ]
    tables.append(
        Table(
            "Largest gaps between two groups, with 95% intervals that hold for all pairs at once",
            ["attribute", "measure", "gap"],
            gaps,
        )
    )
    return Section("Groups of customers", [said, *_mitigation(run)], tables)


def _mitigation(run: Run) -> list[str]:
    found: Mapping[str, Any] = run.documents.get("mitigation", {})
    if not found:
        return []
    gaps = ", ".join(
        f"{name} {figure(gap['before'])} before and {figure(gap['after'])} after"
        for name, gap in found["gaps"].items()
    )
    return [
        (
            f"Groups were weighed in training ({found['strength']}): {gaps}; AUC moved by"
            f" {with_interval(found['auc_gained'], 4)}."
        )
    ]


def _table_of_groups(attribute: str, groups: Mapping[str, Mapping[str, Any]]) -> Table:
    columns = list(next(iter(groups.values())))
    rows = [
        [name, *(_cell(values[column]) for column in columns)] for name, values in groups.items()
    ]
    return Table(f"By {attribute}", ["group", *(spoken(column) for column in columns)], rows)


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else with_interval(value)


def _explaining(run: Run) -> Section:
    error, lead = run.metrics.get("explainable.additivity"), run.metrics.get("deletion.lead")
    if error is None or lead is None:
        return Section(
            "Explanations",
            [f"Its answers cannot be explained: {run.tags.get('explainable', 'nobody looked')}."],
        )
    told = (
        f"What the features contribute adds up to the answer within {error:.0e}. A withheld feature"
        " contributes exactly 0. Taking features away in the order of the explanation moves the"
        f" score by {figure(lead)} more than in random order (95% interval"
        f" {between(run.metrics['deletion.lead.low'], run.metrics['deletion.lead.high'])}). The"
        " pictures beside this card show both."
    )
    return Section("Explanations", [told])


def _people(facts: Facts) -> Section:
    about = facts.shop.config.shop
    contest = (
        f"Who thinks that an answer about them is wrong writes to {about.human_contact}, where a"
        " person looks at it. Every answer names that address, and links to a page that tells what"
        " was used and lets each kind of data be switched off."
    )
    return Section(
        "Who answers for it, and how to contest an answer", [f"Owner: {about.owner}.", contest]
    )


def _measured(metrics: Metrics, name: str) -> str:
    low, high = metrics.get(f"{name}.low"), metrics.get(f"{name}.high")
    return (
        figure(metrics.get(name))
        if low is None
        else f"{figure(metrics.get(name))} ({between(low, high)})"
    )


def _pattern(prefix: str) -> str:
    return {"": "everything granted", "without_all.": "nothing granted"}.get(
        prefix
    ) or prefix.rstrip(".").replace("_", " ")
