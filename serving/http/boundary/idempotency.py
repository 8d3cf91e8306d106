"""`Idempotency-Key`: what a caller names with a key is carried out once, however often it is sent.

A route that gives decisions has the key recorded with them (`serving.decisions.once`). Any other
`POST` is carried out in one transaction with its answer, sealed, so that neither is there without
the other.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from fastapi import Request
from sqlalchemy import Connection
from starlette.responses import Response

from features import clock
from features.customers.pseudonyms import find_all
from features.customers.vault import PayloadGone
from serving.bootstrap import Sayso
from serving.contract.problems import BEING_ANSWERED
from serving.decisions.kept_answers import (
    ERASED,
    AnswerOutdated,
    Asking,
    Kept,
    find_same,
    keep,
)
from serving.http.boundary.problems import Refused

HEADER = b"idempotency-key"
NAME = HEADER.decode()
LONGEST = 255
AGAIN = {"Idempotent-Replayed": "true"}
"""Header of an answer that was given before."""
PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST},
    "description": (
        "Names this request: sent again within 24 hours with the same key it is not carried out"
        " again, and the same answer comes, marked `Idempotent-Replayed: true`. 409 for another"
        " request with this key, while the first is being answered, and where its answer may not"
        " be given any more."
    ),
}
BODY = "sayso.body"
"""Where a request's scope holds its body."""
_WELL_FORMED = re.compile(rf"[\x20-\x7e]{{1,{LONGEST}}}")
_OF_CUSTOMER = re.compile(r"/v1/customers/(.+)/[a-z]+")


def stated_key(request: Request) -> str:
    """The key that a request states; one in quotation marks is the one within.

    Raises `Refused` (400) for what can be none.
    """
    stated = request.headers.getlist(NAME)
    said = stated[0].strip() if stated else ""
    if len(said) > 1 and said[0] == said[-1] == '"':
        said = said[1:-1]
    if len(stated) != 1 or not _WELL_FORMED.fullmatch(said):
        raise Refused(
            400,
            f"`Idempotency-Key` has to be there once, of 1 to {LONGEST} printable ASCII"
            " characters; a UUID will do.",
        )
    return said


class Running:
    """The requests with a key that one worker is answering."""

    def __init__(self) -> None:
        self._names: set[tuple[bytes, ...]] = set()

    @contextmanager
    def alone(self, headers: Iterable[tuple[bytes, bytes]]) -> Iterator[None]:
        """While one is answered. Raises `Refused` (409) for the same key of the same caller."""
        name = tuple(value for name, value in headers if name in {HEADER, b"authorization"})
        if name in self._names:
            raise Refused(
                409,
                "The request of this `Idempotency-Key` is being answered. Ask again in a moment.",
                headers={"Retry-After": "1"},
                kind=BEING_ANSWERED,
            )
        self._names.add(name)
        try:
            yield
        finally:
            self._names.discard(name)


def carried_out_once(
    sayso: Sayso, asking: Asking, request: Request, work: Callable[[], Response], *, joined: bool
) -> Response:
    """What `work` answers, or answered before.

    It is one transaction with what is kept of it where it is `joined`; else its answer is kept
    afterwards. Raises `KeyReused` and `AnswerOutdated`.
    """
    database, now = sayso.shop.database, clock.to_text(sayso.shop.clock())
    if joined:
        with database.joined() as connection:
            before = find_same(connection, asking, now)
            if before is not None:
                return _again(sayso, connection, before)
            answer = work()
            _keep(sayso, connection, asking, request, answer, now)
        return answer
    with database.read() as connection:
        before = find_same(connection, asking, now)
        if before is not None:
            return _again(sayso, connection, before)
    answer = work()
    with database.write() as connection:
        _keep(sayso, connection, asking, request, answer, now)
    return answer


def was_answered(sayso: Sayso, asking: Asking | None) -> bool:
    """Whether a request of several questions was begun before. Raises `KeyReused`."""
    if asking is None:
        return False
    with sayso.shop.database.read() as connection:
        return find_same(connection, asking, clock.to_text(sayso.shop.clock())) is not None


def _again(sayso: Sayso, connection: Connection, kept: Kept) -> Response:
    if kept.content is None:
        raise AnswerOutdated(ERASED)
    try:
        text = sayso.shop.vault.opened(connection, kept.customer, kept.content, _about(kept.digest))
    except PayloadGone:
        raise AnswerOutdated(ERASED) from None
    status, media_type, body = json.loads(zlib.decompress(text))
    return Response(body, status, AGAIN, media_type)


def _keep(
    sayso: Sayso,
    connection: Connection,
    asking: Asking,
    request: Request,
    answer: Response,
    now: str,
) -> None:
    stated = [answer.status_code, answer.headers.get("content-type"), bytes(answer.body).decode()]
    customer = _whose(sayso, connection, request, answer)
    key = sayso.shop.vault.key(connection, customer)
    content = key.seal(zlib.compress(json.dumps(stated).encode()), _about(asking.digest))
    kept = Kept(asking.digest, asking.fingerprint, now, customer, content=content)
    keep(connection, [kept])


def _whose(sayso: Sayso, connection: Connection, request: Request, answer: Response) -> int | None:
    """The customer that an answer is about; None where that may be several, or nobody."""
    in_path = _OF_CUSTOMER.fullmatch(request.scope["path"])
    stated = [_customer_id(bytes(answer.body)), _customer_id(request.scope[BODY])]
    ids = [in_path[1] if in_path else None, *stated]
    found = find_all(connection, ids, sayso.shop.config.catalog.ids)
    return next((customer for customer in found if customer is not None), None)


def _customer_id(body: bytes) -> str | None:
    try:
        said = json.loads(body)
    except ValueError:
        return None
    id = said.get("customer_id") if isinstance(said, dict) else None
    return id if isinstance(id, str) else None


def _about(digest: str) -> str:
    return f"answer:{digest}"
