"""`sayso benchmark refresh`: how long one customer's features take, and that they are right."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
from typer.testing import CliRunner

from features.shop.online import Layout
from features.shop.shop import Shop
from serving.analysis.refresh_timing import differing
from serving.cli import command_line

MODELS = {"churn", "next_purchase"}
FIGURES = {"p50", "p99", "cpu_p50", "different"}


def test_the_command_shows_milliseconds_and_that_nothing_differs(fresh_shop: Shop) -> None:
    """Each model has its figures, and no customer has other features alone than among all."""
    root: Path = fresh_shop.workspace.root
    asked = ["benchmark", "refresh", "--customers", "4", "--workspace", str(root), "--json"]
    result = CliRunner().invoke(command_line(), asked)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert set(found) == MODELS
    for figures in found.values():
        assert set(figures) == FIGURES
        assert 0 < figures["p50"] <= figures["p99"]
        assert figures["different"] == 0


def test_a_feature_that_differs_is_found(shop: Shop) -> None:
    """A customer whose features differ in one number is counted."""
    gate = shop.gate("recommendations")
    spine = gate.spine(shop.loaded_until())[:3]
    layout = Layout(("orders", "usual_price"), ("times_bought",))
    assert differing(gate, layout, spine, shop.facts) == 0
    later = spine.assign(as_of=spine["as_of"] - pd.Timedelta(days=400))
    assert differing(_Late(gate, later), layout, spine, shop.facts) > 0


class _Late:
    """A gate that tells all customers' features of an earlier moment than it is asked for."""

    def __init__(self, gate, spine) -> None:
        self._gate = gate
        self._spine = spine

    def __getattr__(self, name: str) -> object:
        return getattr(self._gate, name)

    def over(self, spine: pd.DataFrame) -> object:
        """The rows at the earlier moment, said to be of the later."""
        return _AsIf(self._gate.over(self._spine), spine["as_of"].iloc[0])


class _AsIf:
    def __init__(self, view, moment) -> None:
        self._view = view
        self._moment = moment

    def collect(self, fields, made) -> pd.DataFrame:
        frame: pd.DataFrame = self._view.collect(fields, made)
        return frame.assign(as_of=self._moment)
