"""Reading a request's body: its size, time, encoding and shape are bounded before anybody looks at
what it says.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Receive, Scope

from serving.http.boundary.problems import Refused

WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
DEEPEST = 16
CLOSE = {"Connection": "close"}
FIRST_LOOK = 16_000
LOOK_AGAIN = 4
"""The shape of a body is looked at after so many bytes, and again at so many times as many."""
FREE_BYTES = 64_000
PIECE_SECONDS = 0.01
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{},:]', re.DOTALL)
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
"""A string of a body that has not arrived as a whole may have no end yet."""
_BRACKETS = re.compile(rb"[\[\]{}]")


@dataclass(frozen=True)
class Room:
    """What a body may take: bytes, and as JSON, values (commas and brackets) and names."""

    bytes: int
    values: int = 100
    names: int = 64


FORM = Room(64_000)
LOGIN = Room(2_000)
PLAIN = Room(1_000_000)
ROWS = Room(2_000_000, values=40_000, names=40_000)
LISTS = Room(1_000_000, values=2_000)
BATCHES = Room(1_000_000, values=4_000)
CHOICES = Room(1_000_000, values=4_000, names=4_000)
PRODUCTS = Room(4_000_000, values=101_000, names=101_000)
EVENTS = Room(1_000_000, values=11_000, names=10_000)
ROOMS: Mapping[str, Room] = {
    "/console/login": LOGIN,
    "/console": FORM,
    "/why": FORM,
    "/preferences": FORM,
    "/v1/recommendations": LISTS,
    "/v1/recommendations/batch": BATCHES,
    "/v1/churn/batch": BATCHES,
    "/v1/consents": CHOICES,
    "/v1/transactions": ROWS,
    "/v1/products": ROWS,
    "/v1/interactions": ROWS,
    "/v1/events": EVENTS,
    "/v1/lists": PRODUCTS,
}
"""By the beginning of the path; the longest that fits counts."""


class Pace:
    """Takes large bodies a piece at a time, those of all callers together, so that whoever sends
    little does not wait behind them.
    """

    def __init__(self) -> None:
        self._next = 0.0

    async def turn(self) -> None:
        """Wait until the next piece may be taken."""
        now = time.monotonic()
        begins = max(now, self._next)
        self._next = begins + PIECE_SECONDS
        await asyncio.sleep(begins - now)


class Disconnected(Exception):
    """The caller went away before the request was there as a whole."""


def room_for(path: str) -> Room:
    """What a body may take that is sent to `path`."""
    fitting = [start for start in ROOMS if path.startswith(start)]
    return ROOMS[max(fitting, key=len)] if fitting else PLAIN


async def read(scope: Scope, receive: Receive, seconds: float) -> bytes:
    """The body of a request, which has so many `seconds` to arrive.

    Raises `Refused` for one that is too large, too slow, compressed or too deep, and `Disconnected`
    where its sender went away.
    """
    headers = {name.lower(): value for name, value in scope["headers"]}
    room = room_for(scope["path"])
    _check_headers(headers, room)
    shaped = b"form" not in headers.get(b"content-type", b"").lower()
    try:
        async with asyncio.timeout(seconds):
            return await _whole(receive, room, scope["app"].state.pace, shaped=shaped)
    except TimeoutError:
        raise Refused(
            408, f"The body did not arrive within {seconds:g} seconds.", headers=CLOSE
        ) from None


def _check_headers(headers: Mapping[bytes, bytes], room: Room) -> None:
    if b"transfer-encoding" in headers and b"content-length" in headers:
        raise Refused(
            400, "A request has either a Content-Length or a Transfer-Encoding.", headers=CLOSE
        )
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding not in {b"", b"identity"}:
        raise Refused(415, "Send the body as it is, without a Content-Encoding.", headers=CLOSE)
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length[:20]) > room.bytes:
        raise _too_large(room)


async def _whole(receive: Receive, room: Room, pace: Pace, *, shaped: bool) -> bytes:
    """All of it; of a body whose shape is refused nothing is kept, but it is taken to its end, so
    that its sender gets the answer.
    """
    body, size, look_at = bytearray(), 0, FIRST_LOOK
    refusal: Refused | None = None
    more = True
    while more:
        if size > FREE_BYTES:
            await pace.turn()
        message = await receive()
        if message["type"] != "http.request":
            raise Disconnected
        piece, more = message.get("body", b""), message.get("more_body", False)
        size += len(piece)
        if size > room.bytes:
            raise _too_large(room)
        if refusal is None:
            body += piece
            if shaped and (size >= look_at or not more):
                look_at = LOOK_AGAIN * size
                refusal = _refusal_of_shape(bytes(body), room)
    if refusal is not None:
        raise refusal
    return bytes(body)


def _refusal_of_shape(body: bytes, room: Room) -> Refused | None:
    try:
        check_shape(body, room)
    except Refused as error:
        return error
    return None


def _too_large(room: Room) -> Refused:
    return Refused(413, f"The body is larger than {room.bytes:,} bytes.", headers=CLOSE)


def check_shape(body: bytes, room: Room) -> None:
    """Refuse JSON, or the beginning of it, of more values or names than `room` has, or nested
    deeper than `DEEPEST`.

    Counted on the bytes and only as far as is allowed, so that it costs little whatever comes.
    """
    opened = body.count(b"[") + body.count(b"{")
    few = opened + body.count(b",") <= room.values and body.count(b":") <= room.names
    if few and opened <= DEEPEST:
        return
    values = names = depth = 0
    marks = _BRACKETS.finditer(_STRINGS.sub(b"", body)) if few else _TOKENS.finditer(body)
    for token in marks:
        mark = token.group()
        if mark in {b"[", b"{"}:
            depth, values = depth + 1, values + 1
        elif mark in {b"]", b"}"}:
            depth -= 1
        elif mark == b",":
            values += 1
        elif mark == b":":
            names += 1
        if depth > DEEPEST:
            raise Refused(400, f"The body is nested deeper than {DEEPEST} levels.")
        if values > room.values or names > room.names:
            raise Refused(
                422,
                f"The body holds more than this route takes: {room.values:,} values and"
                f" {room.names:,} names at most.",
            )
