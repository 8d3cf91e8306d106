"""`POST /v1/events`."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import ValidationError

from features import clock
from features.events.event import DecisionEvent
from serving.contract.events import EventRequest, EventsRequest
from serving.contract.responses import RowsAnswer
from serving.events.intake import Fate, Told
from serving.http.boundary.parts import Calling, TakingEvents
from serving.http.boundary.problems import MOST_CHARACTERS
from serving.http.boundary.scoped_routes import scope, scoped_router
from serving.http.sight.counts import count_event

router = scoped_router()
MISSHAPEN = "misshapen"
"""What is counted in place of the kind of an event that cannot be read."""


@router.post(
    "/events",
    status_code=202,
    responses={202: {"model": RowsAnswer}},
    response_model=None,
    **scope("ingest"),
)
def take_events(request: EventsRequest, intake: TakingEvents, caller: Calling) -> JSONResponse:
    """Take in what came of decisions: each event is accepted, known already, dropped as its
    customer allows none of it to be collected, or rejected with the reason, and the others are
    done.

    The answer comes once what was accepted is durable.
    """
    read = [_read(one) for one in request.events]
    there = [one for one in read if isinstance(one, Told)]
    taken = iter(intake.take(there, caller.actor) if there else [])
    fates = [next(taken) if isinstance(one, Told) else one for one in read]
    for one, fate in zip(read, fates, strict=True):
        count_event(one.event.kind if isinstance(one, Told) else MISSHAPEN, fate.became)
    return JSONResponse(_document(fates), 202)


def _document(fates: list[Fate]) -> dict[str, Any]:
    many = Counter(fate.became for fate in fates)
    return {
        **{name: many[name] for name in ("accepted", "duplicate", "dropped_unconsented")},
        "rejected": [
            {"index": index, "detail": fate.detail}
            for index, fate in enumerate(fates)
            if fate.became == "rejected"
        ],
    }


def _read(stated: Any) -> Told | Fate:
    """An event as it was sent, or its rejection where it is none."""
    try:
        event = EventRequest.model_validate(stated)
    except ValidationError as error:
        return Fate("rejected", _faults(error))
    said = {name: value for name, value in vars(event).items() if name != "customer_id"}
    said["occurred_at"] = clock.to_text(event.occurred_at)
    return Told(DecisionEvent(**said), event.customer_id)


def _faults(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    told = (
        f"`{'.'.join(map(str, fault['loc']))}`: {fault['msg']}" if fault["loc"] else fault["msg"]
        for fault in found
    )
    return "; ".join(told)[:MOST_CHARACTERS]
