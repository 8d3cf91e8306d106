"""Keys of every kind at every route about every customer: who may not, learns nothing."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle, islice
from typing import Any

import httpx

from serving.proofs.doors.house import ID, SCOPES, House

MISSING = "nobody-0"
NO_SUCH_NAME = "no-such-name"
"""Of a list, an audience, a consent tool: of whatever else a route's address names."""
BODIES: dict[str, Any] = {
    "/v1/recommendations": {"customer_id": "{id}", "k": 1, "explain": "none"},
    "/v1/churn": {"customer_id": "{id}"},
    "/v1/opt-outs": {"customer_id": "{id}", "scope": "channel", "value": "selftest"},
    "/v1/links/revocations": {"customer_id": "{id}"},
}
LISTS = {"/v1/reviews", "/v1/codes/wanted"}
"""Routes whose scope is for seeing what waits for anybody."""
SEED = 11


@dataclass(frozen=True)
class Combination:
    """One request: with which key (and its scopes, None for one that is not in force), where, and
    about whom.
    """

    scopes: tuple[str, ...] | None
    needs: str
    customer_id: str
    call: dict[str, Any]


def combine(house: House, count: int) -> None:
    """Send so many requests and judge what came back."""
    tries = _combinations(house)
    while count > 0:
        chunk = list(islice(tries, min(count, 400)))
        count -= len(chunk)
        responses = house.at_once([one.call for one in chunk])
        for one, response in zip(chunk, responses, strict=True):
            house.counts["combinations of key, route and customer"] += 1
            _judge(house, one, response)


def _judge(house: House, one: Combination, response: httpx.Response) -> None:
    status, where = response.status_code, f"{one.call['method']} {one.needs}"
    house.expect(status < 500, f"{where}: {status}")
    if one.scopes is None:
        # who comes with wrong keys again and again is told to wait before the key is looked at
        house.expect(status in {401, 429}, f"{where} without a key in force: {status}")
    elif one.needs not in one.scopes:
        house.expect(status == 403, f"{where} with {one.scopes}: {status}")
    else:
        house.expect(status not in {401, 403}, f"{where} with {one.scopes}: {status}")
    if one.call["url"] in LISTS:
        return
    others = {found for found in ID.findall(response.text) if found != one.customer_id}
    house.counts["leaks"] += bool(others)
    house.expect(not others, f"{where} told of another customer")


def _combinations(house: House) -> Iterator[Combination]:
    draw = random.Random(SEED)  # noqa: S311 - drawn from a seed, so that a fault is found again
    keys = _keys(house)
    routes = cycle(list(_routes(house)))
    whom = [*house.customers, MISSING]
    while True:
        method, path, needs = next(routes)
        scopes, headers = draw.choice(keys)
        id = MISSING if method == "DELETE" else draw.choice(whom)
        call: dict[str, Any] = {
            "method": method,
            "url": path.format_map(defaultdict(lambda: NO_SUCH_NAME, id=id)),
            "headers": headers,
        }
        if method == "POST":
            body = BODIES.get(path, {})
            call["json"] = {name: id if value == "{id}" else value for name, value in body.items()}
        yield Combination(scopes, needs, id, call)


def _routes(house: House) -> Iterator[tuple[str, str, str]]:
    """Every route that asks for a key, by method, path and scope; a signed body needs none."""
    document = house.http.get("/docs.json").raise_for_status().json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if path.startswith("/v1/") and "security" in operation:
                house.expect("x-scope" in operation, f"{path} names no scope")
                yield method.upper(), path, operation.get("x-scope", "")


def _keys(house: House) -> list[tuple[tuple[str, ...] | None, dict[str, str]]]:
    """A key of each scope, of all but one, of all; and what is no key in force."""
    sets: list[tuple[str, ...]] = [(scope,) for scope in SCOPES]
    sets += [tuple(scope for scope in SCOPES if scope != left_out) for left_out in SCOPES]
    in_force = [(scopes, house.key(*scopes)[1]) for scopes in (*sets, SCOPES)]
    revoked, of_revoked = house.key()
    house.keys.revoke(revoked.id)
    _, ended = type(house.keys)(
        house.shop.database, lambda: house.shop.clock() - timedelta(days=2)
    ).create(["all"], expires_at=house.shop.clock() - timedelta(days=1))
    none: list[dict[str, str]] = [
        {},
        of_revoked,
        {"Authorization": f"Bearer {ended}"},
        {"Authorization": "Bearer sayso_made-up"},
        {"Authorization": "Basic Og=="},
    ]
    return [*in_force, *((None, headers) for headers in none)]
