"""`GET /v1/decisions/{id}`."""

from __future__ import annotations

from typing import Any

from fastapi.responses import JSONResponse

from serving.http.api.addressed import links_to
from serving.http.boundary.parts import (
    Auditing,
    Calling,
    CallingKey,
    Decisions,
    DecisionsStanding,
    Linking,
)
from serving.http.boundary.scoped_routes import scope, scoped_router

router = scoped_router()


@router.get("/decisions/{id}", response_model=dict[str, Any], **scope("explain"))
def decision(
    id: str,
    decisions: Decisions,
    standing: DecisionsStanding,
    links: Linking,
    audit_log: Auditing,
    key: CallingKey,
    caller: Calling,
    *,
    replay: bool = False,
) -> JSONResponse:
    """A decision as it was recorded; `replay=true` makes it again and tells whether it comes out
    the same.

    `stands` is whether its customer still allows what it used, and has opted out of nothing since.
    """
    found, customer_id = decisions.find(id)
    audit_log.read(caller, "decision", found.customer)
    stated = decisions.told(found)
    known = None if customer_id is None else found.customer
    answer = {
        "decision_id": stated["decision_id"],
        "customer_id": customer_id,
        **stated,
        **links_to(links, key, found.id, known),
        "kind": found.kind,
        "digest": found.hash,
        "intact": found.intact,
        "delivered": decisions.delivered(found.id),
        "stands": standing.stands(found),
    }
    if replay:
        answer["replay"] = {"identical": decisions.identical(found)}
    return JSONResponse(answer)
