"""The routes under `/v1/webhooks`: who is called, and what was not taken."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Response

from serving.contract.webhooks import (
    FailedCall,
    FailedCalls,
    WebhookAnswer,
    WebhookList,
    WebhookRequest,
)
from serving.http.api.addressed import AnswerResponse
from serving.http.boundary.lanes import in_thread
from serving.http.boundary.parts import Calling, CallQueue, CallTargets
from serving.http.boundary.scoped_routes import scope, scoped_router
from serving.webhooks.targets import Target

router = scoped_router()


async def _checked(request: WebhookRequest, targets: CallTargets) -> WebhookRequest:
    """What is asked, its host looked up before the transaction of a request with a key begins."""
    await in_thread(targets.check, request.url)
    return request


@router.post(
    "/webhooks",
    status_code=201,
    responses={201: {"model": WebhookAnswer}},
    response_model=None,
    **scope("admin"),
)
def add_webhook(
    request: Annotated[WebhookRequest, Depends(_checked)], targets: CallTargets, caller: Calling
) -> AnswerResponse:
    """Have an address called when something happens: from now on, at least once for each event,
    signed.
    """
    return AnswerResponse(_told(targets.take(request.url, request.events, caller.actor)), 201)


@router.get(
    "/webhooks", responses={200: {"model": WebhookList}}, response_model=None, **scope("admin")
)
def list_webhooks(targets: CallTargets) -> AnswerResponse:
    """The addresses that are called, oldest first."""
    return AnswerResponse(WebhookList(webhooks=[_told(one) for one in targets.all()]))


@router.get(
    "/webhooks/failed",
    responses={200: {"model": FailedCalls}},
    response_model=None,
    **scope("admin"),
)
def list_failed_calls(queue: CallQueue) -> AnswerResponse:
    """The newest calls that were not taken, newest first: those that are made again, and those that
    were given up, which are listed for a month. None names a customer.
    """
    return AnswerResponse(FailedCalls(failed=[FailedCall(**vars(one)) for one in queue.failures()]))


@router.delete("/webhooks/{id}", status_code=204, response_model=None, **scope("admin"))
def remove_webhook(id: str, targets: CallTargets) -> Response:
    """Call an address no more; what was still to be told to it is forgotten."""
    targets.remove(id)
    return Response(status_code=204)


def _told(target: Target) -> WebhookAnswer:
    return WebhookAnswer(
        id=target.id,
        url=target.url,
        events=list(target.events),
        created_at=target.created_at,
        created_by=target.actor,
    )
