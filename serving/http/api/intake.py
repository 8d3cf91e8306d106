"""`POST /v1/transactions`, `/v1/products`, `/v1/interactions`: rows of the warehouse's tables.

A route is there for each of these tables that is declared (`features.tables.declared`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from features.intake.over_http.door import Received
from features.intake.over_http.statements import Statement
from features.tables.tables import STANDARD as TABLES
from serving.contract.responses import RejectedRow, RowsAnswer
from serving.contract.rows import MOST_OF_ID, Row, rows_request
from serving.http.api.addressed import AnswerResponse
from serving.http.boundary.parts import Calling, RowsDoor
from serving.http.boundary.scoped_routes import scope, scoped_router

router = scoped_router()
SENT_AS_ROWS = ("transactions", "products", "interactions")
ID = "id"


def _route(table: str) -> Callable[..., AnswerResponse]:
    """The route that takes rows of a table."""
    body: Any = rows_request(table)

    def take(request: body, door: RowsDoor, caller: Calling) -> AnswerResponse:
        rows: tuple[Row, ...] = getattr(request, table)
        faults = {at: fault for at, row in enumerate(rows) if (fault := _fault(row))}
        places = [at for at in range(len(rows)) if at not in faults]
        statements = [_statement(rows[at]) for at in places]
        received = door.take(table, statements, caller.actor)
        refused = {places[at]: why for at, why in received.rejected.items()}
        return AnswerResponse(answer(received, {**faults, **refused}), 202)

    take.__doc__ = (
        f"Take rows of the table `{table}` in, each once however often it is sent.\n\n"
        "The answer comes once they are durable; the next answers are made with them."
    )
    take.__name__ = f"take_{table}"
    take.__annotations__ = {
        "request": body,
        "door": RowsDoor,
        "caller": Calling,
        "return": AnswerResponse,
    }
    return take


def answer(received: Received, rejected: dict[int, str]) -> RowsAnswer:
    """What became of the rows, as the caller is told."""
    return RowsAnswer(
        accepted=received.accepted,
        duplicate=received.duplicate,
        dropped_unconsented=received.dropped_unconsented,
        rejected=[RejectedRow(index=at, detail=rejected[at]) for at in sorted(rejected)],
    )


def _statement(row: Row) -> Statement:
    return Statement(row[ID], [{name: value for name, value in row.items() if name != ID}])


def _fault(row: Row) -> str | None:
    """What is wrong with the `id` of a row."""
    id = row.get(ID)
    if not isinstance(id, str) or not id.strip() or len(id) > MOST_OF_ID:
        return f"`id` has to be a text of 1 to {MOST_OF_ID} characters that no other row has"
    return None


for _table in SENT_AS_ROWS:
    if _table in TABLES:
        router.add_api_route(
            f"/{_table}",
            _route(_table),
            methods=["POST"],
            status_code=202,
            responses={202: {"model": RowsAnswer}},
            response_model=None,
            **scope("ingest"),
        )
