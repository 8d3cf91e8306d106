"""`POST /v1/customers/{id}/codes`, `GET /v1/codes/wanted`, `POST /v1/links/revocations`."""

from __future__ import annotations

from itertools import pairwise

from fastapi import Response

from serving.access.revocations import Revoked
from serving.access.signed_links import LinkRefused, Page
from serving.bootstrap import Sayso
from serving.contract.requests import CodeRequest, RevocationRequest
from serving.contract.responses import CodeAnswer, WantedCode, WantedCodes
from serving.http.api.addressed import AnswerResponse
from serving.http.boundary.parts import Auditing, Calling, Codes, KnownCustomers, Service
from serving.http.boundary.problems import Refused
from serving.http.boundary.scoped_routes import scope, scoped_router

router = scoped_router()


@router.post(
    "/customers/{id:path}/codes",
    status_code=201,
    responses={201: {"model": CodeAnswer}},
    response_model=None,
    **scope("privacy"),
)
def make_code(
    id: str,
    codes: Codes,
    customers: KnownCustomers,
    caller: Calling,
    request: CodeRequest | None = None,
) -> AnswerResponse:
    """A one-time code for the shop to deliver by a channel that it knows to be the customer's.

    With it and a link of theirs they download or erase their data, or open all their choices. It
    takes the place of the one before, and is good for a quarter of an hour and five tries.
    """
    made = codes.make(customers.pseudonym(id), (request or CodeRequest()).good_for, caller)
    return AnswerResponse(CodeAnswer(customer_id=id, **vars(made)), 201)


@router.get(
    "/codes/wanted",
    responses={200: {"model": WantedCodes}},
    response_model=None,
    **scope("privacy"),
)
def wanted(
    codes: Codes, audit_log: Auditing, customers: KnownCustomers, caller: Calling
) -> AnswerResponse:
    """The codes that customers asked for on their pages in the last hour, oldest first; making one
    takes it off this list.
    """
    waiting = codes.wanted()
    if waiting:
        audit_log.read(
            caller, "codes wanted", *(customers.find(one.customer_id) for one in waiting)
        )
    return AnswerResponse(WantedCodes(wanted=[WantedCode(**vars(one)) for one in waiting]))


@router.post("/links/revocations", status_code=204, response_model=None, **scope("privacy"))
def revoke(request: RevocationRequest, sayso: Service) -> Response:
    """Revoke one link, or all links of a customer so far; from the next request on they open
    nothing.
    """
    if request.customer_id is not None:
        customer = sayso.shop.customers.pseudonym(request.customer_id)
        sayso.revocations.revoke(Revoked.CUSTOMER, str(customer))
    else:
        sayso.revocations.revoke(Revoked.LINK, _link_id(sayso, request.link or ""))
    return Response(status_code=204)


def _link_id(sayso: Sayso, url: str) -> str:
    """The id of a link, as a whole address or as its path."""
    parts = url.partition("?")[0].rstrip("/").split("/")
    for page, token in pairwise(parts):
        if page in set(Page):
            try:
                return sayso.links.read(Page(page), token).id
            except LinkRefused as refused:
                raise Refused(422, "This link is none of ours, or has expired.") from refused
    raise Refused(
        422,
        f"This is no link to a page of a customer; it has one of {', '.join(Page)} in its path.",
    )
