"""`GET /v1/decisions/{id}`."""

from __future__ import annotations

from typing import Any

from fastapi.responses import JSONResponse

from serving.http.api.addressed import addressed
from serving.http.boundary.scoped_routes import Service, scope, scoped_router

router = scoped_router()


@router.get("/decisions/{id}", response_model=dict[str, Any], **scope("explain"))
def decision(id: str, sayso: Service, *, replay: bool = False) -> JSONResponse:
    """A decision as it was recorded; `replay=true` makes it again and tells whether it comes out
    the same.
    """
    found, customer_id = sayso.decisions.find(id)
    answer = {
        **addressed(sayso, found.document(), customer_id),
        "kind": found.kind,
        "digest": found.hash,
        "intact": found.intact,
    }
    if replay:
        answer["replay"] = {"identical": sayso.decisions.identical(found)}
    return JSONResponse(answer)
