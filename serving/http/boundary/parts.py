"""The parts of the running service: a route names those that it uses and is handed nothing else."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request

from features.catalog import Catalog
from features.consent.ledger import Ledger
from features.customers.pseudonyms import Customers
from features.intake.over_http.door import Door
from serving.access.api_keys import Key
from serving.access.audit_log import AuditLog
from serving.access.caller import Caller
from serving.access.one_time_codes import OneTimeCodes
from serving.access.signed_links import Links
from serving.bootstrap import Sayso
from serving.churn.estimator import ChurnEstimator
from serving.decisions.log import DecisionLog
from serving.delivery.opt_outs import OptOuts
from serving.recommending.recommender import Recommender
from serving.rights.rights import Rights


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


async def _caller(request: Request) -> Caller:
    return key_of(request).caller(request_id_of(request))


async def _key(request: Request) -> Key:
    return key_of(request)


def _part(take: Callable[[Sayso], Any]) -> Any:
    """A dependency on one part; a coroutine, so that no thread is needed to look it up."""

    async def found(request: Request) -> Any:
        return take(sayso_of(request))

    handed: Callable[[Request], Awaitable[Any]] = found
    return Depends(handed)


async def _request_id(request: Request) -> str:
    return request_id_of(request)


RequestId = Annotated[str, Depends(_request_id)]
Service = Annotated[Sayso, _part(lambda sayso: sayso)]
Recommending = Annotated[Recommender, _part(lambda sayso: sayso.recommender)]
Estimating = Annotated[ChurnEstimator, _part(lambda sayso: sayso.churn)]
Decisions = Annotated[DecisionLog, _part(lambda sayso: sayso.decisions)]
DataUntil = Annotated[str | None, _part(lambda sayso: sayso.assortment.for_names.data_until)]
"""The newest moment on record."""
Linking = Annotated[Links, _part(lambda sayso: sayso.links)]
ConsentLedger = Annotated[Ledger, _part(lambda sayso: sayso.shop.ledger)]
KnownCustomers = Annotated[Customers, _part(lambda sayso: sayso.shop.customers)]
DeclaredCatalog = Annotated[Catalog, _part(lambda sayso: sayso.shop.config.catalog)]
OptingOut = Annotated[OptOuts, _part(lambda sayso: sayso.opt_outs)]
RowsDoor = Annotated[Door, _part(lambda sayso: sayso.door)]
Codes = Annotated[OneTimeCodes, _part(lambda sayso: sayso.codes)]
Auditing = Annotated[AuditLog, _part(lambda sayso: sayso.audit_log)]
CallingKey = Annotated[Key, Depends(_key)]
Calling = Annotated[Caller, Depends(_caller)]
"""The key that asks, as records name it."""
CustomerRights = Annotated[Rights, _part(lambda sayso: sayso.rights)]
