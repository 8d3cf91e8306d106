"""`GET /v1/customers/{id}/export`, `DELETE /v1/customers/{id}`, `POST
/v1/customers/{id}/corrections`.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse

from features.shop.corrections import Correction, correct
from serving.contract.requests import CorrectionRequest, document
from serving.contract.responses import Corrected, ErasureReceipt
from serving.http.api.addressed import AnswerResponse
from serving.http.boundary.parts import (
    Auditing,
    Calling,
    CallingKey,
    CustomerRights,
    KnownCustomers,
    Service,
)
from serving.http.boundary.scoped_routes import changes_files, scope, scoped_router

router = scoped_router()


@router.get("/customers/{id:path}/export", response_model=dict[str, Any], **scope("privacy"))
def export(
    id: str, rights: CustomerRights, customers: KnownCustomers, audit_log: Auditing, caller: Calling
) -> Response:
    """Everything held of a customer, readable by people and programs."""
    audit_log.read(caller, "export", customers.pseudonym(id))
    held = rights.export(id)
    return Response(
        json.dumps(held, ensure_ascii=False, default=str), media_type="application/json"
    )


@router.delete(
    "/customers/{id:path}",
    responses={200: {"model": ErasureReceipt}},
    response_model=None,
    **scope("privacy"),
)
def erase(id: str, rights: CustomerRights, caller: Calling) -> JSONResponse:
    """Erase a customer from every store; the receipt says what each held before and after."""
    return JSONResponse(rights.erase(id, caller))


@router.post(
    "/customers/{id:path}/corrections",
    status_code=201,
    responses={201: {"model": Corrected}},
    response_model=None,
    **scope("correct"),
)
@changes_files
def put_right(
    id: str, request: CorrectionRequest, sayso: Service, key: CallingKey, caller: Calling
) -> AnswerResponse:
    """Put a customer's data right; the next answer is made from it.

    More than one line at a time needs the scope `correct-bulk` too.
    """
    rows = correct(
        sayso.shop,
        sayso.shop.customers.pseudonym(id),
        Correction(**document(request)),
        caller.actor,
        one_line=not key.allows("correct-bulk"),
    )
    return AnswerResponse(Corrected(customer_id=id, field=request.field, rows=rows), 201)
