"""`sayso benchmark churn`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.benchmarks.churn import SEED, compare, public_trial
from experiments.benchmarks.churn_audited import audit
from experiments.benchmarks.labelled_customers import folds, labelled_rows
from experiments.benchmarks.withholding import withholding
from experiments.trials.churn_trial import ChurnTrial
from features.intake.public_orders import read_parquet, read_public_groups, read_public_orders
from serving.cli.options import DebugOption, JsonOption
from serving.cli.screen import Screen

METRICS = ("auc", "log_loss", "ece", "ece_by_chance", "bias", "brier")
COMPARED = ("auc", "log_loss")
FOLDS = 5


TableArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="Parquet with customer_id, date, value; or, with --label, a row per customer.",
    ),
]
HorizonOption = Annotated[
    int,
    typer.Option(
        "--horizon", min=1, max=3_650, help="Who orders nothing within so many days has left."
    ),
]
LabelOption = Annotated[
    str | None,
    typer.Option("--label", help="Column that says who left, where customers have contracts."),
]
WithholdingOption = Annotated[
    bool, typer.Option("--withholding", help="Also measure answers when data is withheld.")
]
AuditOption = Annotated[
    str | None,
    typer.Option("--audit", metavar="COLUMN", help="Also compare groups of customers by a column."),
]
MitigateOption = Annotated[
    bool,
    typer.Option(
        "--mitigate", help="With --audit: also weigh the groups in training, and compare."
    ),
]


def churn(
    file: TableArgument,
    horizon: HorizonOption = 90,
    label: LabelOption = None,
    withhold: WithholdingOption = False,
    audit_by: AuditOption = None,
    *,
    mitigate: MitigateOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Judge the churn model beside its peers on the newest horizon of a table of orders, or by five
    folds on labelled customers.
    """
    if (mitigate and audit_by is None) or (audit_by is not None and label):
        raise typer.BadParameter(
            "--mitigate needs --audit, and --audit needs orders, so no --label",
            param_hint="--audit",
        )
    groups = None if audit_by is None else read_public_groups(file, audit_by)
    screen = Screen(as_json=as_json)
    with screen.progress() as progress:
        progress("making features at many moments", 0.0)
        trials = (
            _labelled(file, label) if label else [public_trial(read_public_orders(file), horizon)]
        )
        report = compare(trials, progress)
        if withhold:
            report["withholding"] = withholding(trials[0], progress)
        if audit_by is not None and groups is not None:
            report["audit"] = audit(trials[0], audit_by, groups, progress, mitigate=mitigate)
    _show(screen, report)
    screen.result(report)


def _labelled(file: Path, label: str) -> list[ChurnTrial]:
    task, rows = labelled_rows(read_parquet(file), label)
    return [ChurnTrial(task, known, judged) for known, judged in folds(rows, FOLDS, SEED)]


def _show(screen: Screen, report: Mapping[str, Any]) -> None:
    _show_methods(screen, report)
    if "withholding" in report:
        _show_withholding(screen, report["withholding"])
    if "audit" in report:
        _show_audit(screen, report["audit"])
    if "mitigated" in report.get("audit", {}):
        found = report["audit"]["mitigated"]
        _show_audit(screen, found, "groups weighed in training")
        low, middle, high = found["auc_gained"]
        screen.say(
            f"Groups were weighed ({found['strength']}); AUC moved by {middle:+.4f} ({low:+.4f} to"
            f" {high:+.4f})."
        )


def _show_methods(screen: Screen, report: Mapping[str, Any]) -> None:
    methods = report["methods"]
    fitted = {name: measured for name, measured in methods.items() if "error" not in measured}
    screen.table(
        f"{report['customers']:,} customers, of whom {report['base_rate']:.1%} left",
        ("method", *METRICS),
        [(name, *(f"{measured[m]:.4f}" for m in METRICS)) for name, measured in fitted.items()],
    )
    compared = {name: ends for name, ends in report["differences"].items() if name in fitted}
    rows = [
        (name, *(_between(ends[metric]) for metric in COMPARED)) for name, ends in compared.items()
    ]
    screen.table("Sayso's less the peer's, with 95% intervals", ("method", *COMPARED), rows)
    for name, measured in methods.items():
        if "error" in measured:
            screen.say(f"{name} was not fitted: {measured['error']}")


def _show_withholding(screen: Screen, found: Mapping[str, Mapping[str, float]]) -> None:
    shown = ("auc", "auc_trained_for_it", "ece", "ece_by_chance", "bias")
    rows = [
        (pattern, *(f"{values[name]:.4f}" for name in shown))
        for pattern, values in found.items()
        if pattern != "none"
    ]
    screen.table("When data is withheld", ("", *shown), rows)
    nothing = found["none"]
    screen.say(
        f"Who shares nothing is given {nothing['probability']:.3f};"
        f" {nothing['base_rate']:.3f} left."
    )


def _show_audit(screen: Screen, report: Mapping[str, Any], how: str = "as trained") -> None:
    for attribute, found in report["attributes"].items():
        columns = list(next(iter(found["groups"].values())))
        rows = [
            (name, *(_figure(values[column]) for column in columns))
            for name, values in found["groups"].items()
        ]
        screen.table(
            f"By {attribute}, {how}, with 95% intervals",
            ("group", *(column.replace("_", " ") for column in columns)),
            rows,
        )
        gaps = [(name, _figure(ends)) for name, ends in found["gaps"].items()]
        screen.table(
            "Largest gaps between two groups; the intervals hold for all pairs at once",
            ("measure", "gap"),
            gaps,
        )


def _figure(value: Any) -> str:
    return (
        f"{value:,}"
        if isinstance(value, int)
        else f"{value[1]:.3f} ({value[0]:.3f} to {value[2]:.3f})"
    )


def _between(ends: Sequence[float]) -> str:
    low, middle, high = ends
    return f"{middle:+.4f} ({low:+.4f} to {high:+.4f})"
