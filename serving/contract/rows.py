"""Rows of the warehouse's tables, as the API takes them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema, create_model

from features.tables.tables import STANDARD as TABLES
from serving.contract.requests import Request

MOST_ROWS = 1_000
MOST_OF_ID = 200
Row = dict[str, Any]
"""A row of a table: its `id`, and its columns by name. What a column may hold is said row by row in
the answer, so that one bad row does not keep the others out.
"""


def rows_request(table: str) -> type[Request]:
    """The body that carries rows of a table, which its declaration says the columns of."""
    declared = TABLES.stated_in(table)
    needed = [name for name, column in declared.items() if column.required]
    cells = {name: {"type": ["string", "number", "boolean", "null"]} for name in declared}
    schema = {
        "type": "object",
        "properties": {"id": {"type": "string", "maxLength": MOST_OF_ID}, **cells},
        "required": ["id", *needed],
        "additionalProperties": False,
    }
    rows = Annotated[
        tuple[Annotated[Row, WithJsonSchema(schema)], ...],
        Field(min_length=1, max_length=MOST_ROWS, description="Each with an `id` of its own."),
    ]
    fields: Any = {table: (rows, ...)}
    name = f"{table.title().replace('_', '')}Request"
    return create_model(name, __base__=Request, __doc__=f"Rows of the table `{table}`.", **fields)
