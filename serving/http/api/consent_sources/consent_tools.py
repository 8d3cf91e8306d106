"""`POST /v1/consents/{source}`: what a consent tool tells, let in by a key, or by its signature
where it signs what it sends.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from features.config.consent_tools import ConsentTool, Signature
from features.config.environment import filled
from features.consent.ledger import Receipt
from features.consent.tools.choices import Meant, meant_by
from features.consent.tools.message import read_message
from serving.contract.consent_sources import MESSAGES
from serving.contract.problems import SCHEMAS
from serving.contract.responses import ToolAnswer, ToolConsent, ToolUnchanged
from serving.http.api.addressed import AnswerResponse
from serving.http.boundary.lane_route import Handler
from serving.http.boundary.limits import limits_of
from serving.http.boundary.parts import ConsentLedger, key_of, request_id_of, sayso_of
from serving.http.boundary.problems import Refused
from serving.http.boundary.scoped_routes import ScopedRoute, scope, scoped_router

SOURCE = "source"


class ToolRoute(ScopedRoute):
    """A route that a signed tool comes in by without a key, and everybody else with one."""

    def guarded(self, handle: Handler) -> Handler:
        """The handler, behind the check of the signature or the key."""
        keyed = super().guarded(handle)

        async def checked(request: Request) -> Response:
            name = request.path_params[SOURCE]
            tool = sayso_of(request).shop.config.consent_tools.get(name)
            if tool is None or tool.signature is None:
                return await keyed(request)
            _check_signature(request, tool.signature, await request.body())
            response = await handle(request)
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return checked


async def _tool_of(request: Request, source: str) -> ConsentTool:
    """The tool of that name. Raises `Refused`."""
    tools = sayso_of(request).shop.config.consent_tools
    if source not in tools:
        known = ", ".join(f"`{name}`" for name in sorted(tools)) or "none"
        told = "There is no such consent tool; [consent_tools] in sayso.toml declares"
        raise Refused(404, f"{told} {known}.")
    return tools[source]


async def _body_of(request: Request) -> bytes:
    return await request.body()


router: APIRouter = scoped_router(ToolRoute)
_SCOPE = scope("consent")
_SCOPE["openapi_extra"]["requestBody"] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "anyOf": [
                    *({"$ref": SCHEMAS + message.__name__} for message in MESSAGES),
                    {"type": "object", "title": "What c15t or another tool sends"},
                ]
            }
        }
    },
}


@router.post(
    "/consents/{source}",
    status_code=201,
    responses={200: {"model": ToolAnswer}, 201: {"model": ToolAnswer}},
    response_model=None,
    **_SCOPE,
)
def consent_from_tool(
    source: str,
    request: Request,
    tool: Annotated[ConsentTool, Depends(_tool_of)],
    body: Annotated[bytes, Depends(_body_of)],
    ledger: ConsentLedger,
) -> AnswerResponse:
    """Record what a consent tool of `[consent_tools]` tells of a customer or a visitor: all that
    its states mean there, or nothing.

    The answer (201) comes once it is durable; 200 says that nothing was to be recorded. A tool with
    a signature needs no key.
    """
    message = read_message(tool, _document(body))
    if tool.signature is not None and message.said_at is None:
        told = "A signed message has to state when it was said, as an old one could be sent again."
        raise Refused(422, told, [(str(tool.paths.moment or "occurred_at"), "this is missing")])
    meant = meant_by(source, tool, message, body.decode(), _actor(request, source, tool))
    receipts = ledger.append_all(meant.events) if meant.events else []
    answer = _answer(source, message.customer_id, meant, receipts)
    return AnswerResponse(answer, 201 if receipts else 200)


def _answer(source: str, customer_id: str, meant: Meant, receipts: list[Receipt]) -> ToolAnswer:
    return ToolAnswer(
        tool=source,
        customer_id=customer_id,
        recorded=[
            ToolConsent(
                **vars(receipt),
                takes_effect=receipt.takes_effect,
                explanation=receipt.explanation,
                purpose=event.purpose,
                category=event.category,
                action=event.action,
            )
            for event, receipt in zip(meant.events, receipts, strict=True)
        ],
        unchanged=[
            ToolUnchanged(purpose=one.purpose, category=one.category, missing=[*one.missing])
            for one in meant.unchanged
        ],
    )


def _document(body: bytes) -> Any:
    """What a body says; a name that stands twice in an object could say two things."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise Refused(400, "A name stands twice in an object of the body.")
        return found

    try:
        return json.loads(body.decode(), object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise Refused(400, "The body is not valid JSON in UTF-8.") from None


def _actor(request: Request, source: str, tool: ConsentTool) -> str:
    if tool.signature is not None:
        return f"tool:{source}"
    return key_of(request).caller(request_id_of(request)).actor


def _check_signature(request: Request, signature: Signature, body: bytes) -> None:
    """Raises `Refused`: 404 where the secret is not set, 401 for a signature that does not fit."""
    try:
        secret = filled(signature.secret).encode()
    except KeyError:
        secret = b""
    if not secret:
        told = f"Set {signature.variable} to the secret that the tool signs with"
        raise Refused(404, f"This tool is not taken here yet. {told}, and start the service anew.")
    stated = request.headers.get(signature.timestamp_header or "", "")
    if signature.timestamp_header is not None:
        body = stated.encode() + b"." + body
    if not _is_signed(body, request.headers.get(signature.header, ""), secret, signature):
        delay = limits_of(request).failures.count(request, "signatures of consent tools")
        told = f"The signature in `{signature.header}` is missing or does not fit the body."
        raise Refused(401, told, delay=delay)
    now = sayso_of(request).shop.clock().timestamp()
    if signature.timestamp_header is not None and not _is_fresh(stated, now, signature):
        told = f"`{signature.timestamp_header}` is older than {signature.within_seconds} seconds"
        raise Refused(401, f"{told}, or ahead of them; sign the message anew.")


def _is_signed(body: bytes, said: str, secret: bytes, signature: Signature) -> bool:
    right = hmac.digest(secret, body, hashlib.sha256)
    if not said.startswith(signature.prefix):
        return False
    text = said[len(signature.prefix) :]
    try:
        given = (
            bytes.fromhex(text)
            if signature.encoding == "hex"
            else base64.b64decode(text, validate=True)
        )
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(right, given)


def _is_fresh(stated: str, now: float, signature: Signature) -> bool:
    if not (stated.isascii() and stated.isdigit() and len(stated) < 12):
        return False
    return abs(now - int(stated)) <= signature.within_seconds
