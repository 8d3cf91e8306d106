"""The parts of the running service: a route names those that it uses and is handed nothing else."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request

from features.catalog import Catalog
from features.config.schema import ContactPolicySection
from features.consent.ledger import Ledger
from features.customers.pseudonyms import Customers
from features.intake.over_http.door import Door
from serving.access.api_keys import Key
from serving.access.audit_log import AuditLog
from serving.access.caller import Caller
from serving.access.one_time_codes import OneTimeCodes
from serving.access.signed_links import Links
from serving.audiences.exporting import Audiences
from serving.bootstrap import Sayso
from serving.churn.estimator import ChurnEstimator
from serving.decisions.kept_answers import Asking
from serving.decisions.log import DecisionLog
from serving.decisions.standing import Standing
from serving.delivery.opt_outs import OptOuts
from serving.delivery.product_lists import ProductLists
from serving.events.intake import EventIntake
from serving.events.links import EventLinks
from serving.http.boundary.idempotency import BODY, NAME, stated_key
from serving.recommending.recommender import Recommender
from serving.rights.rights import Rights
from serving.webhooks.queue import Queue
from serving.webhooks.targets import Targets


def sayso_of(request: Request) -> Sayso:
    """The service behind a request."""
    sayso: Sayso = request.app.state.sayso
    return sayso


def request_id_of(request: Request) -> str:
    """The id of a request, which its answer and its line in the audit log share; made where nothing
    before gave it one.
    """
    state: dict[str, Any] = request.scope.setdefault("state", {})
    return str(state.setdefault("request_id", "req_" + secrets.token_hex(12)))


def key_of(request: Request) -> Key:
    """The key that asks; a `ScopedRoute` has let it in."""
    key: Key = request.state.key
    return key


def asking_of(request: Request) -> Asking | None:
    """A request that its caller named with a key; None where it stated none.

    Raises `Refused` (400) for what can be no key.
    """
    if NAME not in request.headers:
        return None
    scope = request.scope
    asked = (
        *(scope["method"].encode(), scope["path"].encode(), scope.get("query_string", b"")),
        *(request.headers.get("sec-gpc", "").encode(), scope[BODY]),
    )
    return sayso_of(request).asking(key_of(request).id, stated_key(request), asked)


def _of_request(part: Callable[[Request], Any]) -> Any:
    """A dependency on what a request tells; a coroutine, so that no thread is needed for it."""

    async def found(request: Request) -> Any:
        return part(request)

    found.part = part  # type: ignore[attr-defined]  # for whoever needs no coroutine
    handed: Callable[[Request], Awaitable[Any]] = found
    return Depends(handed)


def _part(take: Callable[[Sayso], Any]) -> Any:
    """A dependency on one part of the service."""
    return _of_request(lambda request: take(sayso_of(request)))


RequestId = Annotated[str, _of_request(request_id_of)]
Service = Annotated[Sayso, _part(lambda sayso: sayso)]
Recommending = Annotated[Recommender, _part(lambda sayso: sayso.recommender)]
Estimating = Annotated[ChurnEstimator, _part(lambda sayso: sayso.churn)]
Decisions = Annotated[DecisionLog, _part(lambda sayso: sayso.decisions)]
DecisionsStanding = Annotated[Standing, _part(lambda sayso: sayso.standing)]
DataUntil = Annotated[str | None, _part(lambda sayso: sayso.assortment.for_names.data_until)]
"""The newest moment on record."""
Linking = Annotated[Links, _part(lambda sayso: sayso.links)]
TakingEvents = Annotated[EventIntake, _part(lambda sayso: sayso.events)]
LinkingEvents = Annotated[EventLinks, _part(lambda sayso: sayso.event_links)]
ConsentLedger = Annotated[Ledger, _part(lambda sayso: sayso.shop.ledger)]
KnownCustomers = Annotated[Customers, _part(lambda sayso: sayso.shop.customers)]
DeclaredCatalog = Annotated[Catalog, _part(lambda sayso: sayso.shop.config.catalog)]
DeclaredContactPolicy = Annotated[
    ContactPolicySection, _part(lambda sayso: sayso.shop.config.contact_policy)
]
OptingOut = Annotated[OptOuts, _part(lambda sayso: sayso.opt_outs)]
RowsDoor = Annotated[Door, _part(lambda sayso: sayso.door)]
Codes = Annotated[OneTimeCodes, _part(lambda sayso: sayso.codes)]
Auditing = Annotated[AuditLog, _part(lambda sayso: sayso.audit_log)]
GivingAudiences = Annotated[Audiences, _part(lambda sayso: sayso.audiences)]
CallTargets = Annotated[Targets, _part(lambda sayso: sayso.targets)]
CallQueue = Annotated[Queue, _part(lambda sayso: sayso.queue)]
CallingKey = Annotated[Key, _of_request(key_of)]
Calling = Annotated[
    Caller, _of_request(lambda request: key_of(request).caller(request_id_of(request)))
]
"""The key that asks, as records name it."""
KeepingLists = Annotated[ProductLists, _part(lambda sayso: sayso.product_lists)]
AskedOnce = Annotated[Asking | None, _of_request(asking_of)]
CustomerRights = Annotated[Rights, _part(lambda sayso: sayso.rights)]
