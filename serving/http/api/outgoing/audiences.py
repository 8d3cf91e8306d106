"""`GET /v1/audiences/{name}`: who may be written to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import Header, Query

from serving.access.privacy_signal import HONOURED, SAID
from serving.audiences.audience import Asked, Member
from serving.audiences.lines import csv_head, csv_lines, json_lines
from serving.contract.requests import Language, Moment
from serving.http.boundary.parts import Calling, CallingKey, GivingAudiences
from serving.http.boundary.scoped_routes import scope, scoped_router
from serving.http.boundary.stream import PartsResponse

router = scoped_router()
Format = Annotated[
    Literal["jsonl", "csv"] | None,
    Query(description="`jsonl` (one JSON object a line) or `csv`; as `Accept` says otherwise."),
]
MEDIA = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8; header=present"}


@router.get(
    "/audiences/{name}",
    responses={
        200: {
            "model": Member,
            "description": "One customer a line, with the fields of this schema; as CSV these are"
            " its columns.",
            "content": {"text/csv": {"schema": {"type": "string"}}},
        }
    },
    response_class=PartsResponse,
    status_code=200,
    **scope("audience"),
)
def give_audience(
    name: str,
    audiences: GivingAudiences,
    key: CallingKey,
    caller: Calling,
    format: Format = None,
    language: Annotated[
        Language | None, Query(description="Language of the reasons; the shop's own for none.")
    ] = None,
    send_at: Annotated[
        Moment | None,
        Query(description="When they are written to; the contact policy is that of then."),
    ] = None,
    accept: Annotated[str, Header()] = "",
    sec_gpc: Annotated[
        str | None, Header(description="`1` asks not to be profiled: nobody is given.")
    ] = None,
) -> Any:
    """The customers of an audience of sayso.toml who may be written to, each with the reasons why
    they are in it.

    They stand under a pseudonym that cannot be turned back unless the key has the scope `privacy`.
    Each is recorded, for them to see, before their line leaves.
    """
    signal = sec_gpc == SAID
    asked = Asked(name, language, send_at, not key.allows("privacy"), signal)
    audiences.find(name)
    as_csv = format == "csv" or (format is None and "text/csv" in accept)
    parts = _csv(audiences.give(asked, caller)) if as_csv else _json(audiences.give(asked, caller))
    return PartsResponse(parts, MEDIA["csv" if as_csv else "jsonl"], HONOURED if signal else None)


def _json(members: Iterator[list[Member]]) -> Iterator[bytes]:
    return (json_lines(some) for some in members)


def _csv(members: Iterator[list[Member]]) -> Iterator[bytes]:
    """The head goes with the first customers, so that nothing is sent before they are there."""
    head = csv_head()
    for some in members:
        yield (head if some else b"") + csv_lines(some)
        head = b"" if some else head
    yield head
