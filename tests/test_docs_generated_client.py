"""A client that is generated from the OpenAPI document works: nothing of the document is passed
over, and answers and refusals come as what the document says they are.

The generator has an environment of its own, which `.ci/run` makes and names in `OPENAPI_GENERATOR`.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import httpx
import pytest

pytest_plugins = ["tests.serving_fixtures"]

GENERATOR = os.environ.get("OPENAPI_GENERATOR")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        GENERATOR is None,
        reason="OPENAPI_GENERATOR names no environment with openapi-python-client",
    ),
]
CONFIG = """\
post_hooks: []
content_type_overrides:
  application/x-ndjson: text/plain
  image/gif: application/octet-stream
"""
"""Types of content that the generator does not know of itself."""
VALIDATING = """
import json, sys
from jsonschema import Draft202012Validator

document = json.load(open(sys.argv[1]))
many = 0
for path, methods in document["paths"].items():
    for operation in methods.values():
        contents = [operation.get("requestBody", {}).get("content", {})]
        contents += [answer.get("content", {}) for answer in operation["responses"].values()]
        for media in (media for content in contents for media in content.values()):
            if "example" in media:
                schema = {**media["schema"], "components": document["components"]}
                Draft202012Validator(schema).validate(media["example"])
                many += 1
print(many)
"""
ASKING = """
import json, sys
from generated import AuthenticatedClient
from generated.api.consent import notices
from generated.api.recommend import recommend, recommend_to_many
from generated.models import Problem, Recommendation, RecommendationBatch, RecommendationRequest

url, key, customer = sys.argv[1:]
with AuthenticatedClient(base_url=url, token=key) as client:
    answer = recommend.sync(client=client, body=RecommendationRequest(customer_id=customer, k=2))
    assert isinstance(answer, Recommendation), answer
    refused = recommend.sync(client=client, body=RecommendationRequest(customer_id=customer, k=0))
    assert isinstance(refused, Problem), refused
    lines = recommend_to_many.sync(client=client, body=RecommendationBatch(customer_ids=[customer]))
with AuthenticatedClient(base_url=url, token="wrong") as client:
    unknown = notices.sync(client=client)
    assert isinstance(unknown, Problem), unknown
print(json.dumps({
    "items": len(answer.items),
    "refused": [refused.status, refused.type_, refused.errors[0].field],
    "unknown": [unknown.status, unknown.type_],
    "line": json.loads(lines)["customer_id"],
}))
"""


def run(*arguments: object, folder: Path) -> str:
    """What a program of the generator's environment prints; fails where the program does."""
    program, *others = map(str, arguments)
    command = [str(Path(GENERATOR or "") / "bin" / program), *others]
    done = subprocess.run(  # noqa: S603 - our own commands
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(service, tmp_path_factory) -> Path:
    """A folder with the document of the running service."""
    made = tmp_path_factory.mktemp("generated")
    found = httpx.get(f"{service.url}/docs.json").raise_for_status()
    (made / "docs.json").write_bytes(found.content)
    (made / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return made


def test_the_document_is_valid_and_so_are_its_examples(folder) -> None:
    """A validator of OpenAPI finds nothing wrong, and each example fits its schema."""
    assert "OK" in run("python", "-m", "openapi_spec_validator", "docs.json", folder=folder)
    assert int(run("python", "-c", VALIDATING, "docs.json", folder=folder)) > 40


def test_a_generated_client_asks_the_service(folder, service, pool) -> None:
    """The generator warns of nothing, and its client gets a list, lines, and problems for 401 and
    422.
    """
    generate = ("generate", "--path", "docs.json", "--config", "config.yaml", "--meta", "none")
    said = run("openapi-python-client", *generate, "--output-path", "generated", folder=folder)
    warned = [line for line in said.splitlines() if line.startswith(("WARNING", "ERROR"))]
    # a list may be sent as lines too, which this generator sends nowhere
    assert [line for line in warned if "PUT /v1/lists/{name}" not in line] == []
    customer = pool.one()
    told = json.loads(
        run("python", "-c", ASKING, service.url, service.key, customer, folder=folder)
    )
    assert told == {
        "items": 2,
        "refused": [422, "/problems/invalid", "k"],
        "unknown": [401, "/problems/key-refused"],
        "line": customer,
    }
