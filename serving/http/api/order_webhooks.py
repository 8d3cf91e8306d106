"""`POST /v1/transactions/shopify` and `/v1/transactions/woocommerce`: orders as the shop system
announces them, let in by its signature in place of a key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError

from features.config.environment import Settings
from features.intake.over_http.door import Received
from features.intake.over_http.order_webhooks import SYSTEMS, Announcing
from features.tables.declared import transactions
from serving.contract.problems import SIGNATURE_REFUSED, refusals
from serving.contract.responses import RowsAnswer
from serving.http.api.addressed import AnswerResponse
from serving.http.api.intake import answer
from serving.http.boundary.lane_route import LaneRoute
from serving.http.boundary.limits import limits_of
from serving.http.boundary.parts import RowsDoor
from serving.http.boundary.problems import Refused

router = APIRouter(prefix="/v1", route_class=LaneRoute)
REFUSALS = (400, 401, 404, 408, 413, 415, 422, 429, 500, 503)
PING = re.compile(rb"webhook_id=[0-9]{1,20}")
"""What WooCommerce sends, unsigned, to see whether anybody is there when a webhook is saved."""


def _signed_body(system: Announcing) -> Callable[[Request], Awaitable[bytes]]:
    """The body of a request, once its signature was found to be right.

    Raises `Refused`: 404 where no secret is set, 401 for any other signature.
    """

    async def checked(request: Request) -> bytes:
        secret, body = _secret(request, system), await request.body()
        if _is_ping(system, body) or _is_signed(
            body, request.headers.get(system.signature, ""), secret
        ):
            return body
        delay = limits_of(request).failures.count(request, "signatures of webhooks")
        told = f"The signature in `{system.signature}` is missing or does not fit the body."
        raise Refused(401, told, delay=delay, kind=SIGNATURE_REFUSED)

    return checked


def _route(system: Announcing) -> Callable[..., Response]:
    """The route of a shop system."""
    signed: Any = Annotated[bytes, Depends(_signed_body(system))]

    def take(request: Request, body: signed, door: RowsDoor) -> Response:
        if _is_ping(system, body):
            return Response(status_code=200)
        if not request.headers.get(system.topic, "").startswith(system.orders):
            return AnswerResponse(answer(Received(), {}), 202)
        statements = [_statement(system, body)]
        received = door.take(transactions.NAME, statements, f"webhook:{system.system}")
        return AnswerResponse(answer(received, received.rejected), 202)

    take.__doc__ = (
        f"Take an order in as {system.named} announces it; the newest version counts.\n\n"
        f"The body is signed with the secret in `{_variable(system)}`."
    )
    take.__name__ = f"take_orders_of_{system.system}"
    take.__annotations__ = {
        "request": Request,
        "body": signed,
        "door": RowsDoor,
        "return": Response,
    }
    return take


def _is_ping(system: Announcing, body: bytes) -> bool:
    return system.system == "woocommerce" and PING.fullmatch(body) is not None


def _variable(system: Announcing) -> str:
    return f"SAYSO_{system.system.upper()}_SECRET"


def _secret(request: Request, system: Announcing) -> bytes:
    settings: Settings = request.app.state.settings
    secret = settings.shopify_secret if system.system == "shopify" else settings.woocommerce_secret
    if secret is None:
        raise Refused(
            404,
            f"Orders of {system.named} are not taken here; set {_variable(system)} to the secret"
            " that it signs its webhooks with, and start the service anew.",
        )
    return secret.get_secret_value().encode()


def _is_signed(body: bytes, said: str, secret: bytes) -> bool:
    try:
        signature = base64.b64decode(said, validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.digest(secret, body, hashlib.sha256), signature)


def _statement(system: Announcing, body: bytes) -> Any:
    try:
        return system.read(json.loads(body))
    except ValidationError as error:
        faults = [
            (".".join(map(str, e["loc"])), e["msg"]) for e in error.errors(include_input=False)
        ]
        raise Refused(422, f"This is no order of {system.named}.", faults[:5]) from None
    except (ValueError, RecursionError):
        raise Refused(400, "The body is no JSON, or holds what is no number or no time.") from None


def _signed_request(system: Announcing) -> dict[str, Any]:
    """How the OpenAPI document describes what the shop system sends."""
    order = {"type": "object", "description": f"An order, as {system.named} states it."}
    headers = {
        system.topic: "What happened; only orders are taken.",
        system.signature: "HMAC-SHA256 of the body with the shared secret, in Base64.",
    }
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": order}}},
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": said,
                "schema": {"type": "string"},
            }
            for name, said in headers.items()
        ],
    }


def _ping(system: Announcing) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": "A ping."}} if system.system == "woocommerce" else {}


for _system in SYSTEMS.values():
    router.add_api_route(
        f"/transactions/{_system.system}",
        _route(_system),
        methods=["POST"],
        status_code=202,
        responses={202: {"model": RowsAnswer}, **_ping(_system), **refusals(*REFUSALS)},
        openapi_extra=_signed_request(_system),
        response_model=None,
        tags=["ingest"],
    )
