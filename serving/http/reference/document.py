"""The OpenAPI document, as FastAPI makes it of the routes, with what FastAPI does not know: the one
schema of problems, the pages' refusals, and a true example of each route under `/v1`.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from serving.contract.problems import SCHEMAS, Problem
from serving.http.boundary.bodies import WITHOUT_BODY
from serving.http.boundary.lines import NDJSON
from serving.http.reference.examples import Example, examples

OF_BODIES = ("400", "408", "413", "415")
"""Refusals of a body, which some methods do not have."""
OF_FASTAPI = ("HTTPValidationError", "ValidationError")
"""How FastAPI would refuse, and this service does not."""
OF_PAGES = {
    "404": "The link does not work.",
    "410": "The link has expired.",
    "422": "The form or the address breaks a rule.",
    "429": "The link is used more often than it may be.",
    "503": "Not available at the moment.",
}


class DescribedApp(FastAPI):
    """An application whose OpenAPI document is complete."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            _complete(super().openapi())
        return super().openapi()


def operation_id(route: APIRoute) -> str:
    """What a generated client calls a route: the name of its function."""
    return route.name


def _complete(document: dict[str, Any]) -> None:
    """Add to the document, in place, what FastAPI left out."""
    schemas = document["components"]["schemas"]
    for name in OF_FASTAPI:
        schemas.pop(name, None)
    schemas.update(_schemas_of_problems())
    shown = examples()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if not path.startswith("/v1/"):
                _describe_page(operation)
                continue
            if method.upper() in WITHOUT_BODY:
                for status in OF_BODIES:
                    operation["responses"].pop(status, None)
            _describe_lines(operation)
            if example := shown.get(operation["operationId"]):
                _show(operation, example)


def _schemas_of_problems() -> dict[str, Any]:
    _, stated = models_json_schema([(Problem, "serialization")], ref_template=SCHEMAS + "{model}")
    found: dict[str, Any] = stated["$defs"]
    return found


def _describe_page(operation: dict[str, Any]) -> None:
    html = {"text/html": {"schema": {"type": "string"}}}
    for status, said in OF_PAGES.items():
        operation["responses"][status] = {"description": said, "content": html}


def _describe_lines(operation: dict[str, Any]) -> None:
    """Say that an answer of many lines is text, each line of it as the route's class says."""
    for answer in operation["responses"].values():
        if lines := answer.get("content", {}).get(NDJSON):
            line = lines["schema"]
            lines["schema"] = {"type": "string", "contentMediaType": NDJSON, "contentSchema": line}


def _show(operation: dict[str, Any], example: Example) -> None:
    """Put an example where the document has what it is an example of."""
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in example.parameters:
            parameter["example"] = example.parameters[parameter["name"]]
    if example.request is not None:
        operation["requestBody"]["content"]["application/json"]["example"] = example.request
    for media in operation["responses"][str(example.status)].get("content", {}).values():
        media["example"] = example.said
