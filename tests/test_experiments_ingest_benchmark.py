"""`sayso benchmark ingest`: what loads take, beside pandas."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from serving.cli import command_line


@pytest.mark.slow
def test_the_benchmark_tells_what_each_step_took() -> None:
    """Every step has its seconds and memory, the bad lines are named, and the day adds its own."""
    ran = CliRunner().invoke(command_line(), ["benchmark", "ingest", "--rows", "10000", "--json"])
    report = json.loads(ran.stdout)
    for step in ("init", "whole", "day", "pandas"):
        assert report[step]["seconds"] > 0
        assert report[step]["peak_rss_mb"] > 50
    assert report["whole"]["lines"] + report["whole"]["rejected"] == 10_000
    assert report["day"]["rejected"] == report["whole"]["rejected"] > 50
    assert 980 <= report["day"]["lines"] - report["whole"]["lines"] <= 1_000
