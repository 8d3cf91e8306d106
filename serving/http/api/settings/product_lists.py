"""`PUT`, `GET` and `DELETE /v1/lists/{name}`, `GET /v1/lists`."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Path, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from serving.contract.lists import ProductListRequest
from serving.contract.problems import SCHEMAS
from serving.contract.responses import ListAnswer, ListsAnswer, WholeList
from serving.delivery.product_lists import NAMED
from serving.http.api.addressed import AnswerResponse
from serving.http.boundary.idempotency import BODY
from serving.http.boundary.lines import NDJSON
from serving.http.boundary.parts import Calling, KeepingLists
from serving.http.boundary.problems import Refused
from serving.http.boundary.scoped_routes import SCOPE, scope, scoped_router

router = scoped_router()
Name = Annotated[str, Path(pattern=NAMED, description="Letters a to z, digits, `_` and `-`.")]
TAKEN: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {"schema": {"$ref": SCHEMAS + ProductListRequest.__name__}},
        NDJSON: {
            "schema": {
                "type": "string",
                "description": 'A product a line: its id as JSON, or {"product_id": "..."}.',
            }
        },
    },
}


@router.put(
    "/lists/{name}",
    responses={200: {"model": ListAnswer}},
    response_model=None,
    openapi_extra={SCOPE: "ingest", "requestBody": TAKEN},
    tags=["ingest"],
)
def keep_list(name: Name, request: Request, lists: KeepingLists, caller: Calling) -> AnswerResponse:
    """Keep a list of products, in place of one of that name; a recommendation names it as its
    `exclude_list`, and the next one obeys it.
    """
    ids = _product_ids(request.headers.get("content-type", ""), request.scope[BODY])
    return AnswerResponse(ListAnswer(**vars(lists.put(name, ids, caller.actor))))


@router.get(
    "/lists", responses={200: {"model": ListsAnswer}}, response_model=None, **scope("recommend")
)
def all_lists(lists: KeepingLists) -> AnswerResponse:
    """All lists of products, without what is in them."""
    return AnswerResponse(ListsAnswer(lists=[ListAnswer(**vars(one)) for one in lists.all()]))


@router.get(
    "/lists/{name}",
    responses={200: {"model": WholeList}},
    response_model=None,
    **scope("recommend"),
)
def one_list(name: Name, lists: KeepingLists) -> AnswerResponse:
    """A list of products, with what is in it."""
    head, found = lists.head(name), lists.named(name)
    about = {**vars(head), "digest": found.digest, "products": len(found.product_ids)}
    return AnswerResponse(WholeList(**about, product_ids=found.product_ids))


@router.delete("/lists/{name}", status_code=204, response_model=None, **scope("ingest"))
def delete_list(name: Name, lists: KeepingLists) -> Response:
    """Delete a list; a recommendation that names it afterwards is refused."""
    lists.remove(name)
    return Response(status_code=204)


def _product_ids(content_type: str, body: bytes) -> tuple[str, ...]:
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in {"application/json", NDJSON}:
        raise Refused(415, f"Send the list as application/json or as {NDJSON}.")
    try:
        stated = _lines(body) if kind == NDJSON else json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"The body is not valid {kind}.", [("body", str(error))]) from None
    try:
        return ProductListRequest.model_validate(stated).product_ids
    except ValidationError as error:
        faults = error.errors(include_context=False, include_url=False, include_input=False)
        raise RequestValidationError(
            [{**fault, "loc": ("body", *fault["loc"])} for fault in faults]
        ) from None


def _lines(body: bytes) -> dict[str, list[Any]]:
    """The products of NDJSON, as the other form states them; an empty line is passed over."""
    said = [json.loads(line) for line in body.decode().split("\n") if line.strip()]
    ids = [
        one["product_id"] if isinstance(one, dict) and [*one] == ["product_id"] else one
        for one in said
    ]
    return {"product_ids": ids}
