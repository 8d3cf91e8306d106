"""Examples of requests and their answers, a file in `examples/` for each route under `/v1`, called
as the route's operation is.

They are true: a test sends each and compares what comes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Example:
    """A request to a route and its answer: `parameters` by name, the body of the `request` where it
    has one, and the `status` of the answer, which is a text, lines of JSON (`lines`) or none.
    """

    status: int
    parameters: Mapping[str, str] = field(default_factory=dict)
    request: Any = None
    answer: Any = None
    lines: list[Any] | None = None

    @property
    def said(self) -> Any:
        """The answer as the document shows it."""
        if self.lines is None:
            return self.answer
        return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in self.lines)


def examples() -> dict[str, Example]:
    """All examples, by the name of their operation."""
    stored = sorted(files(__package__).joinpath("examples").iterdir(), key=lambda file: file.name)
    return {
        file.name.removesuffix(".json"): Example(**json.loads(file.read_text("utf-8")))
        for file in stored
    }
