"""Which requests are turned away before anything of them is read, while a lane has no room."""

from __future__ import annotations

from serving.http.boundary.bodies import WITHOUT_BODY
from serving.http.boundary.lanes import Lane, Lanes
from serving.http.boundary.problems import Refused

CHOICES = ("/v1/consents", "/v1/opt-outs", "/why/", "/preferences/")
WITHOUT_WAITING = ("/livez", "/healthz", "/readyz", "/metrics", "/pages/", "/console/console.css")
"""Paths that are answered however many answers wait."""


def turned_away(lanes: Lanes, method: str, path: str) -> Refused | None:
    """What a request is told that finds no room; None where it may go on."""
    lane = _lane_of(lanes, method, path)
    return lane.refusal() if lane is not None and lane.is_full else None


def _lane_of(lanes: Lanes, method: str, path: str) -> Lane | None:
    if path.startswith(WITHOUT_WAITING):
        return None
    return lanes.choices if is_choice(method, path) else lanes.answers


def is_choice(method: str, path: str) -> bool:
    """Whether a request says what a customer wants or does not want."""
    writes = method == "DELETE" or method not in WITHOUT_BODY
    return writes and path.startswith(CHOICES)
