"""What `POST /v1/events` takes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SkipValidation

from features.events.event import Kind
from serving.contract.requests import CustomerId, Id, Moment, Request

MOST_EVENTS = 1_000


class EventRequest(Request):
    """What came of a decision."""

    event_id: Annotated[
        Id, Field(description="The shop's own name of the event; told twice, it counts once.")
    ]
    decision_id: Annotated[Id, Field(description="The decision that it came of.")]
    kind: Kind
    occurred_at: Moment
    product_id: Annotated[
        Id | None,
        Field(description="A product of the decision; `added`, `bought` and `dismissed` need one."),
    ] = None
    value: Annotated[float | None, Field(ge=0, le=1e12, strict=True, allow_inf_nan=False)] = None
    currency: Annotated[
        Id | None, Field(description="Of the value; the shop's own for none.", examples=["EUR"])
    ] = None
    order_id: Annotated[
        Id | None,
        Field(description="Of a purchase, as the shop's file of orders will name the order."),
    ] = None
    customer_id: Annotated[
        CustomerId | None,
        Field(description="Whose it is; one of another customer than the decision's is rejected."),
    ] = None


class EventsRequest(Request):
    """What came of decisions; each event is taken or rejected by itself."""

    events: Annotated[
        list[SkipValidation[EventRequest]], Field(min_length=1, max_length=MOST_EVENTS)
    ]
