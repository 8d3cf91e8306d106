"""The examples of the OpenAPI document and of the README are true: each is sent to the service, and
what comes is what the example shows.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from serving.audiences import audience
from serving.contract import answers, problems, responses, webhooks
from serving.http.app import make_app
from serving.http.boundary.lines import NDJSON
from serving.http.reference.examples import Example, examples
from tests.serving_shop import Client
from tests.test_docs_openapi import SIGNED, fits, operations

pytest_plugins = ["tests.serving_fixtures"]

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
CRM = README.partition("### From a CRM")[2].partition("\nWhat holds")[0]
EXAMPLES = examples()
DOCUMENT = make_app().openapi()
ROUTES = {
    operation["operationId"]: (method, path)
    for (method, path), operation in operations(DOCUMENT).items()
    if path.startswith("/v1/")
}
IN_TURN = (
    *("recommend", "estimate", "recommend_to_many", "estimate_many", "decision", "take_events"),
    *("consent", "opt_out", "list_opt_outs", "take_back", "ask", "queue", "resolve"),
    *("keep_list", "all_lists", "one_list", "delete_list"),
    *("consent_from_tool", "visitor_becomes_customer"),
    *("add_webhook", "list_webhooks", "list_failed_calls", "remove_webhook"),
)
"""Those that name what another answered come after it; the others are sent in any order."""
LAST = "erase"
UNTYPED = {"decision", "export", "take_back", "revoke", "delete_list", "remove_webhook"}
"""What a decision or an export holds depends on whose it is; the others answer with no content."""
FREE = {"gates", "metrics", "values"}
"""What holds other names for each version of a model, or for each reason."""
CLASSES = (answers, responses, problems, webhooks, audience)
NAMED = re.compile(r"(dec|opt|rev|whk)_\w+")
MOMENT = re.compile(r"20\d\d-\d\d-\d\dT[\d:.]+Z")
CUSTOMERS, PRODUCT = ("17850", "13047"), "22423"


class Meant:
    """What the names of the examples stand for in the served shop."""

    def __init__(self, customers: list[str]) -> None:
        self._names = dict(zip(CUSTOMERS, customers, strict=True))
        self._now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"

    def put(self, part: Any) -> Any:
        """A part of a request, with the shop's own names and the present moment."""
        if isinstance(part, dict):
            return {name: self.put(value) for name, value in part.items()}
        if isinstance(part, list):
            return [self.put(value) for value in part]
        if not isinstance(part, str):
            return part
        return self._now if MOMENT.fullmatch(part) else self._names.get(part, part)

    def learn(self, shown: Any, came: Any) -> None:
        """Take over what the service calls what the example has a name for."""
        for one, other in pairs(shown, came):
            if isinstance(one, str) and (NAMED.fullmatch(one) or one == PRODUCT):
                self._names.setdefault(one, other)


def pairs(shown: Any, came: Any) -> Iterator[tuple[Any, Any]]:
    """The values of an example and of an answer that stand in the same places."""
    if isinstance(shown, dict) and isinstance(came, dict):
        for name in set(shown) - FREE:
            assert name in came, f"the service does not answer `{name}`"
            yield from pairs(shown[name], came[name])
    elif isinstance(shown, list) and isinstance(came, list):
        for value, other in zip(shown, came, strict=False):
            yield from pairs(value, other)
    else:
        yield shown, came


def documented(operation: str, status: int) -> list[type]:
    """The classes that the document says an answer may be of; none where it does not say."""
    said = operations(DOCUMENT)[ROUTES[operation]]["responses"][str(status)].get("content", {})
    names = re.findall(r"schemas/(\w+)", json.dumps([media["schema"] for media in said.values()]))
    return [vars(module)[name] for name in names for module in CLASSES if name in vars(module)]


def is_of(kind: type, answer: Any) -> bool:
    """Whether an answer has all fields of a class and no others."""
    try:
        fits(kind, answer)
    except (AssertionError, ValidationError):
        return False
    return True


@pytest.mark.parametrize("operation", ROUTES)
def test_every_route_has_an_example(operation: str) -> None:
    """Each `/v1` route has an example in the document: of its answer, and of its request and its
    parameters where it has any.
    """
    example = EXAMPLES[operation]
    stated = operations(DOCUMENT)[ROUTES[operation]]
    assert ("requestBody" in stated) == (example.request is not None)
    for parameter in stated.get("parameters", ()):
        assert "example" in parameter or not parameter["required"]
    for media in stated["responses"][str(example.status)].get("content", {}).values():
        assert media["example"]


def test_no_example_is_of_nothing() -> None:
    """Each example belongs to a route."""
    assert set(EXAMPLES) == set(ROUTES)


@pytest.mark.parametrize("operation", ROUTES)
def test_an_example_fits_its_schema(operation: str) -> None:
    """The answer of each example has the documented fields and no others."""
    example = EXAMPLES[operation]
    kinds = documented(operation, example.status)
    assert kinds or operation in UNTYPED
    for answer in [example.answer] if example.lines is None else example.lines:
        assert not kinds or any(is_of(kind, answer) for kind in kinds)


@pytest.mark.parametrize("operation", ["recommend", "estimate", "estimate_many", "decision"])
def test_an_example_adds_up(operation: str) -> None:
    """Every explanation of an example goes from its base value to its output value."""
    shown = [one for one in explanations(EXAMPLES[operation]) if "output_value" in one]
    assert shown
    for one in shown:
        added = sum(part["contribution"] for part in one["contributions"])
        assert one["base_value"] + added == pytest.approx(one["output_value"], abs=1e-5)


def explanations(example: Example) -> list[dict[str, Any]]:
    """Every part of an example that states contributions."""
    found, left = [], [example.answer, *(example.lines or ())]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            found += [part] if "contributions" in part else []
            left += part.values()
        elif isinstance(part, list):
            left += part
    return found


def test_the_examples_are_true(service, pool) -> None:
    """Sent to the service, each example is answered with the status that it shows and with all that
    it shows, of the same kinds.
    """
    meant = Meant(pool.take(len(CUSTOMERS)))
    signed = {name for name, route in ROUTES.items() if route in SIGNED}
    others = set(EXAMPLES) - {*IN_TURN, LAST} - signed
    for operation in (*IN_TURN, *sorted(others), LAST):
        example = EXAMPLES[operation]
        answer = sent(service.http, ROUTES[operation], example, meant)
        assert answer.status_code == example.status, (operation, answer.text)
        came = read(answer)
        shown = example.answer if example.lines is None else example.lines
        meant.learn(shown, came)
        for one, other in pairs(shown, came):
            assert same_kind(one, other), (operation, one, other)


def sent(
    http: httpx.Client, route: tuple[str, str], example: Example, meant: Meant
) -> httpx.Response:
    """The answer to an example's request."""
    method, path = route
    stated: Mapping[str, str] = meant.put(dict(example.parameters))
    asked = {name: value for name, value in stated.items() if f"{{{name}}}" not in path}
    body = None if example.request is None else meant.put(example.request)
    return http.request(method, path.format(**stated), params=asked, json=body)


def read(answer: httpx.Response) -> Any:
    """What an answer holds."""
    if answer.headers.get("content-type") == NDJSON:
        return [json.loads(line) for line in answer.text.splitlines()]
    return answer.json() if answer.content else None


def same_kind(one: Any, other: Any) -> bool:
    """Whether two values are of one kind; whatever may be null is so for some."""
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    return one is None or other is None or numbers or type(one) is type(other)


def block(language: str, service: Client, customers: list[str]) -> str:
    """The code of the README's section for CRMs, for the running service and its customers."""
    [code] = re.findall(rf"^```{language}\n(.*?)^```$", CRM, re.DOTALL | re.MULTILINE)
    for name, customer in zip(CUSTOMERS, customers, strict=True):
        code = code.replace(name, customer)
    return str(code).replace("http://localhost:3000", service.url)


def test_the_python_of_the_readme_runs(service, pool, capsys, monkeypatch) -> None:
    """What a CRM would write in Python gets a list, tells an event, and is told of a fault."""
    monkeypatch.setenv("KEY", service.key)
    customers = pool.take(2)
    exec(block("python", service, customers), {})  # noqa: S102 - the README's own code
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 3 + 1 + 2 + 1
    assert (printed[3], printed[-1]) == ("1", "/problems/invalid k")
    assert [line.split()[0] for line in printed[4:6]] == customers


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not there")
def test_the_curl_of_the_readme_runs(service, pool, tmp_path) -> None:
    """What a CRM would send with curl is taken: an event, two lines, and a withdrawal."""
    customers = pool.take(2)
    shell = ["bash", "-euo", "pipefail", "-c", block("sh", service, customers)]
    done = subprocess.run(  # noqa: S603 - the README's own code
        shell,
        cwd=tmp_path,
        env={**os.environ, "KEY": service.key},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = [json.loads(found) for found in done.stdout.replace("}{", "}\n{").splitlines()]
    assert told[0]["accepted"] == 1
    assert [one["customer_id"] for one in told[1:3]] == customers
    assert told[3]["takes_effect"] is True
    assert json.loads((tmp_path / "answer.json").read_text())["customer_id"] == customers[0]
