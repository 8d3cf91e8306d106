"""`GET /v1/models`."""

from __future__ import annotations

from typing import Any

from fastapi.responses import JSONResponse

from features import clock
from models.registry import CHALLENGER, CHAMPION, GATE, Version, override_of
from serving.contract.responses import ModelList
from serving.http.boundary.scoped_routes import Service, scope, scoped_router

router = scoped_router()
NAMES = ("churn", "next_purchase")


@router.get(
    "/models", responses={200: {"model": ModelList}}, response_model=None, **scope("explain")
)
def models(sayso: Service) -> JSONResponse:
    """Champions and challengers with their owner, their figures and what the gates said."""
    found = [
        (role, sayso.registry.by_alias(name, role))
        for name in NAMES
        for role in (CHAMPION, CHALLENGER)
    ]
    return JSONResponse(
        {"models": [_told(role, version) for role, version in found if version is not None]}
    )


def _told(role: str, version: Version) -> dict[str, Any]:
    return {
        "name": version.model,
        "role": role,
        "version": version.version,
        "owner": version.tags.get("owner", ""),
        "trained_at": clock.to_text(version.trained_at),
        "ledger_seq": int(version.tags.get("ledger_seq", 0)),
        "metrics": dict(version.metrics),
        "override": override_of(version),
        "gates": {
            name.removeprefix(GATE): said
            for name, said in version.tags.items()
            if name.startswith(GATE)
        },
    }
