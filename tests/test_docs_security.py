"""Every line of the threat model names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs/security.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")
API_RISKS = [f"API{number}" for number in range(1, 11)]
CHAPTERS = [f"V{number}" for number in range(1, 18)]


def lines() -> list[str]:
    """The lines of the two lists."""
    return [line for line in TEXT.splitlines() if re.match(r"\| (API|V)\d", line)]


def names_in(file: str) -> set[str]:
    """Names of the tests of a file."""
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }


def test_every_risk_and_every_chapter_has_its_line() -> None:
    """The ten risks and the seventeen chapters are there, each once and in order."""
    assert [line.split()[1] for line in lines()] == API_RISKS + CHAPTERS


@pytest.mark.parametrize("line", lines(), ids=lambda line: line.split()[1])
def test_every_line_is_held_by_tests_that_exist(line: str) -> None:
    """Each line names a test, and all that it names exist."""
    named = NAMED.findall(line)
    assert named
    assert [f"{file}::{test}" for file, test in named if test not in names_in(file)] == []


def test_it_is_linked() -> None:
    """SECURITY.md and the README lead there."""
    for document in ("SECURITY.md", "README.md"):
        assert "docs/security.md" in (ROOT / document).read_text(encoding="utf-8")
