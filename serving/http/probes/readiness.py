"""`GET /readyz`: 503 with the reasons while the service cannot answer as it should, and
`GET /livez`, which waits for nothing.
"""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse

from serving.http.boundary.parts import sayso_of

ANSWERED_WITHIN_SECONDS = 1.0
LOOKS = ["GET", "HEAD"]

router = APIRouter(include_in_schema=False)


@router.api_route("/readyz", methods=LOOKS)
async def readyz(request: Request) -> JSONResponse:
    """Whether requests may be sent here; `reasons` and `warnings` by part."""
    health = sayso_of(request).health
    look = asyncio.wrap_future(health.look())
    done, _ = await asyncio.wait([look], timeout=ANSWERED_WITHIN_SECONDS)
    found = look.result() if done else health.unanswered()
    content = {
        "status": "ready" if found.ready else "unavailable",
        "reasons": dict(found.faults),
        "warnings": dict(found.warnings),
    }
    headers = {"Cache-Control": "no-store"} | ({} if found.ready else {"Retry-After": "2"})
    return JSONResponse(content, 200 if found.ready else 503, headers=headers)


@router.api_route("/livez", methods=LOOKS)
@router.api_route("/healthz", methods=LOOKS)
async def livez() -> PlainTextResponse:
    """That the process answers."""
    return PlainTextResponse("\n")
