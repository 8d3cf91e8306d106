"""Every address in every answer, page and widget is followed with nothing but itself, and every
form that is found there is sent, as it is and asking for more.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from serving.access.signed_links import LIFE, LinkRefused, Page
from serving.proofs.doors.house import SCOPES, House

MOST_PAGES = 12
OWN_TO_A_PAGE = {"once", "change", "id"}
"""Fields that differ between two renderings of the same form."""
WIDER = (
    {"act": "consent", "action": "granted"},
    {"act": "allow_all"},
    {"act": "download"},
    {"act": "download", "code": "AAAA-AAAA"},
    {"act": "erase", "confirmed": "yes"},
    {"act": "erase", "code": "AAAA-AAAA"},
    {"act": "choices"},
    {"act": "undo", "change": "x.y"},
    {"act": "ask_code", "wanted": "erase"},
)
"""What forms are sent to ask for more than they offer."""
ADDRESS = re.compile(r"""(?:href|action)="([^"]+)"|"url":\s*"([^"]+)\"""")
FORM = re.compile(r'<form method="post" action="([^"]+)"[^>]*>(.*?)</form>', re.DOTALL)
FIELD = re.compile(r'name="(\w+)" value="([^"]*)"')


@dataclass
class Walk:
    """A walk that began at one address: where it came, and what it was given."""

    house: House
    begun_at: Page
    customer_id: str

    def from_(self, address: str) -> None:
        """Follow everything that is reached from an address of ours."""
        waiting, seen, sent_before = [address], set[str](), set[str]()
        while waiting and len(seen) < MOST_PAGES:
            path = _path(waiting.pop(0))
            if path is None or path in seen:
                continue
            seen.add(path)
            page = self.house.http.get(path)
            self._judge(page)
            waiting += _addresses(page)
            for action, asked in _to_send(_forms(page)):
                kind = f"{urlsplit(action).path} {_without_own(asked)}"
                if kind in sent_before:
                    continue
                sent_before.add(kind)
                sent = self.house.http.post(action, data=dict(asked))
                self._judge(sent)
                waiting += _addresses(sent)

    def _judge(self, response: httpx.Response) -> None:
        house, counts = self.house, self.house.counts
        counts["addresses followed and forms sent"] += 1
        where = f"from a {self.begun_at} link"
        house.expect(response.status_code < 500, f"{where}: {response.status_code}")
        held = "attachment" in response.headers.get("content-disposition", "")
        house.expect(not held, f"{where}: data was downloaded without a code")
        for address in _addresses(response):
            self._judge_link(urlsplit(address).path)

    def _judge_link(self, path: str) -> None:
        page, _, token = path.strip("/").partition("/")
        if page not in set(Page):
            return
        try:
            link = self.house.links.read(Page(page), token.partition("/")[0])
        except LinkRefused:
            return
        left = link.expires_at - self.house.shop.clock()
        more = link.page is not self.begun_at or left > LIFE[self.begun_at]
        self.house.expect(not more, f"from a {self.begun_at} link: it gave out a {page} link")


def follow_all(house: House, customers: list[str]) -> None:
    """Ask with a key of each scope, and with one for everything, and follow what the answers
    hold.
    """
    keys = [(scope,) for scope in SCOPES] + [("recommend", "score", "explain"), SCOPES]
    for number, scopes in enumerate(keys):
        customer_id = customers[number % len(customers)]
        _, headers = house.key(*scopes)
        before = house.allowed(customer_id)
        _withdraw_one(house, customer_id)
        standing = house.allowed(customer_id)
        granted = False
        for field, address in _answered(house, headers, customer_id, scopes):
            house.counts["links in answers"] += 1
            page = Page(urlsplit(address).path.split("/")[1])
            granted |= page is Page.PREFERENCES
            house.expect(
                page is not Page.PREFERENCES or "consent" in scopes,
                f"a key of {', '.join(scopes)} got a {field}",
            )
            Walk(house, page, customer_id).from_(address)
        more = house.allowed(customer_id) - standing
        house.expect(granted or not more, f"links of {', '.join(scopes)} granted {more}")
        house.expect(house.allowed(customer_id) <= before, "more was granted than was asked for")
        house.expect(customer_id in house.customers, f"links of {', '.join(scopes)} erased")


def _withdraw_one(house: House, customer_id: str) -> None:
    """Something that no link may allow again."""
    purpose, category = min(house.allowed(customer_id))
    _, headers = house.key("consent")
    said = {"customer_id": customer_id, "purpose": purpose, "category": category}
    house.ask(headers, "/v1/consents", {**said, "action": "withdrawn", "method": "selftest"})


def _answered(
    house: House, headers: Mapping[str, str], customer_id: str, scopes: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """Every address in every answer that a key gets of a customer, with the field it stands in."""
    everything = house.key()[1]
    decided = house.ask(everything, "/v1/recommendations", {"customer_id": customer_id})
    sent = dict(headers)
    for scope, path, body in (
        ("recommend", "/v1/recommendations", {"customer_id": customer_id}),
        ("score", "/v1/churn", {"customer_id": customer_id}),
        ("explain", f"/v1/decisions/{decided['decision_id']}", None),
        ("consent", f"/v1/customers/{customer_id}/consents", None),
        ("privacy", f"/v1/customers/{customer_id}/export", None),
        ("review", "/v1/reviews", {"decision_id": decided["decision_id"], "text": "No."}),
    ):
        if scope in scopes:
            answer = house.ask(sent, path, body)
            yield from (
                (field, str(value))
                for field, value in answer.items()
                if isinstance(value, str) and value.startswith(house.url)
            )


def _addresses(response: httpx.Response) -> list[str]:
    found = [first or second for first, second in ADDRESS.findall(response.text)]
    moved = response.headers.get("location")
    return [html.unescape(one) for one in found] + ([moved] if moved else [])


def _forms(response: httpx.Response) -> list[tuple[str, dict[str, str]]]:
    return [
        (
            html.unescape(action),
            {name: html.unescape(value) for name, value in FIELD.findall(inner)},
        )
        for action, inner in FORM.findall(response.text)
    ]


def _to_send(forms: list[tuple[str, dict[str, str]]]) -> Iterator[tuple[str, dict[str, str]]]:
    """The forms of a page, then each address of theirs asked for more."""
    yield from forms
    for action, fields in {
        action: fields for action, fields in forms if "category" in fields
    }.items():
        yield from ((action, {**fields, **wider}) for wider in WIDER)


def _without_own(fields: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in fields.items() if name not in OWN_TO_A_PAGE)


def _path(address: str) -> str | None:
    """The path and query of an address of a customer's page."""
    parts = urlsplit(address)
    if parts.path.strip("/").partition("/")[0] not in set(Page):
        return None
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
