"""The parts of the running service: a route names those that it uses and is handed nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request

from features.catalog import Catalog
from features.consent.ledger import Ledger
from features.customers.pseudonyms import Customers
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


def _part(take: Callable[[Sayso], Any]) -> Any:
    """A dependency on one part; a coroutine, so that no thread is needed to look it up."""

    async def found(request: Request) -> Any:
        return take(sayso_of(request))

    handed: Callable[[Request], Awaitable[Any]] = found
    return Depends(handed)


Service = Annotated[Sayso, _part(lambda sayso: sayso)]
Recommending = Annotated[Recommender, _part(lambda sayso: sayso.recommender)]
Estimating = Annotated[ChurnEstimator, _part(lambda sayso: sayso.churn)]
Decisions = Annotated[DecisionLog, _part(lambda sayso: sayso.decisions)]
Linking = Annotated[Links, _part(lambda sayso: sayso.links)]
ConsentLedger = Annotated[Ledger, _part(lambda sayso: sayso.shop.ledger)]
KnownCustomers = Annotated[Customers, _part(lambda sayso: sayso.shop.customers)]
DeclaredCatalog = Annotated[Catalog, _part(lambda sayso: sayso.shop.config.catalog)]
OptingOut = Annotated[OptOuts, _part(lambda sayso: sayso.opt_outs)]
CustomerRights = Annotated[Rights, _part(lambda sayso: sayso.rights)]
