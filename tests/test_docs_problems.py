"""Every type of problem is written down, and the address that it is leads to a page about it."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from serving.contract.problems import KINDS, PAGES, ProblemKind
from serving.http.boundary import problems

pytest_plugins = ["tests.serving_fixtures"]

DOCUMENT = Path(__file__).parent.parent / "docs/problems.md"


def row(kind: ProblemKind) -> str:
    """A kind's row of the table in the document."""
    return f"| {kind.status} | `{kind.uri}` | {kind.title} | {kind.meaning} | {kind.remedy} |"


def test_the_document_lists_every_kind() -> None:
    """The table of `docs/problems.md` has a row for each kind, in their order, and no others."""
    rows = re.findall(r"^\| \d{3} \|.*$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [row(kind) for kind in KINDS]


def test_kinds_are_told_apart() -> None:
    """No two kinds share a name or a title, and they stand in the order of their statuses."""
    assert len({kind.name for kind in KINDS}) == len({kind.title for kind in KINDS}) == len(KINDS)
    assert [kind.status for kind in KINDS] == sorted(kind.status for kind in KINDS)


def test_every_error_by_the_rules_has_a_kind_that_is_listed() -> None:
    """What refusals by the rules are is among the kinds."""
    assert set(problems.KIND_OF.values()) <= set(KINDS)


def test_each_type_leads_to_its_page(service) -> None:
    """The `type` of a refusal is an address of the service whose page says what it means."""
    refusal = service.http.post("/v1/churn", json={}).json()
    found = next(kind for kind in KINDS if kind.uri == refusal["type"])
    page = httpx.get(service.url + refusal["type"])
    assert page.status_code == 200
    assert found.title in page.text


def test_one_page_lists_them_all(service) -> None:
    """The page of all problems names each of them."""
    listed = httpx.get(service.url + PAGES).text
    assert [kind.uri for kind in KINDS if kind.uri not in listed] == []


def test_an_unknown_type_has_no_page(service) -> None:
    """The page of a type that is not there is not found."""
    assert httpx.get(f"{service.url}{PAGES}/unheard-of").status_code == 404
