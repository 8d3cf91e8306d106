"""A message of a consent tool: whose it is, which states it has, and what proves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from features import clock
from features.config.consent_tools import (
    C15T,
    CONSENT_MODE,
    TCF,
    ConsentTool,
    MessagePaths,
    Paths,
)
from features.consent.tools.states import states_at, states_of_string, value_at
from features.consent.tools.tc_string import TCStringError, read_tc_string
from features.errors import ConsentError

State = str | int
STRICT = {
    CONSENT_MODE: MessagePaths(
        customer="customer_id",
        states="states",
        moment="occurred_at",
        version="tool_version",
        receipt_id="idempotency_key",
    ),
    TCF: MessagePaths(customer="customer_id", moment="occurred_at", receipt_id="idempotency_key"),
}
"""Forms of our own, whose fields are these and no others."""
TC_STRING = "tc_string"
FORMS = {
    **STRICT,
    C15T: MessagePaths(
        customer=("externalSubjectId", "subjectId"),
        states=("preferences", "appliedPreferences"),
        moment="givenAt",
        version="policyId",
        receipt_id="consentId",
    ),
}
"""Where each form states what; `paths` of a tool go before these. Those of c15t are of its API for
consents of a subject: https://c15t.com/docs
"""
MILLISECONDS = 1e11
"""A number of this size counts milliseconds since 1970, a smaller one seconds."""


@dataclass(frozen=True)
class Message:
    """What a tool told of one customer.

    `states` has whether each state was granted; one that was not told is missing. `said_at` is when
    grants were said and `withheld_at` when the rest was, as the ledger reads times; None: now.
    `receipt_id` names the message.
    """

    customer_id: str
    states: Mapping[State, bool]
    said_at: str | None
    withheld_at: str | None
    version: str | None
    receipt_id: str | None


def read_message(tool: ConsentTool, body: Any) -> Message:
    """Read what a tool sent.

    Raises `ConsentError`, which names the field that cannot be read.
    """
    if not isinstance(body, dict):
        raise ConsentError("a message is a JSON object", field="body")
    if tool.form in STRICT:
        _check_names(tool, body)
    paths = FORMS.get(tool.form, MessagePaths()).model_copy(
        update={name: getattr(tool.paths, name) for name in tool.paths.model_fields_set}
    )
    said_at = _moment(body, paths.moment)
    withheld_at, version = said_at, _text(body, paths.version)
    needed = frozenset(need for choice in tool.choices for need in choice.needs)
    if tool.form == TCF:
        states, said_at, withheld_at, version = _of_string(tool, body, needed, said_at)
    else:
        states = states_at(tool, body, paths, needed)
    return Message(
        customer_id=_customer(body, paths.customer),
        states=states,
        said_at=said_at,
        withheld_at=withheld_at,
        version=version,
        receipt_id=_text(body, paths.receipt_id),
    )


def _of_string(
    tool: ConsentTool, body: dict[str, Any], needed: frozenset[State], stated: str | None
) -> tuple[dict[State, bool], str | None, str | None, str]:
    """What a TC string says, when, and by which version.

    A tool writes the day alone into its string (midnight UTC). Of such a day a grant is taken for
    the beginning, and what withholds for the end.
    """
    text = body.get(TC_STRING)
    if not isinstance(text, str) or not text:
        raise ConsentError("this must be the TC string", field=TC_STRING)
    try:
        read = read_tc_string(text)
        states = states_of_string(tool, read, needed)
    except TCStringError as error:
        raise ConsentError(str(error), field=TC_STRING) from None
    if stated is not None:
        return states, stated, stated, read.tool
    updated = read.updated
    day = updated.replace(hour=0, minute=0, second=0, microsecond=0)
    end = day + timedelta(days=1, microseconds=-1) if updated == day else updated
    return states, clock.to_text(updated), clock.to_text(end), read.tool


def _check_names(tool: ConsentTool, body: dict[str, Any]) -> None:
    stated = STRICT[tool.form]
    known = {str(getattr(stated, name)) for name in stated.model_fields_set}
    known |= {TC_STRING} if tool.form == TCF else set()
    for name in body:
        if name not in known:
            words = ", ".join(f"`{one}`" for one in sorted(known))
            raise ConsentError(f"this is not known; known are {words}", field=name)


def _customer(body: dict[str, Any], paths: Paths | None) -> str:
    path, found = value_at(body, paths)
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    if not isinstance(found, str) or not found:
        raise ConsentError("this must be the id of a customer or a visitor", field=path)
    return found


def _text(body: dict[str, Any], paths: Paths | None) -> str | None:
    path, found = value_at(body, paths)
    if found is None or isinstance(found, str):
        return found or None
    if isinstance(found, int | float) and not isinstance(found, bool):
        return str(found)
    raise ConsentError("this must be a text", field=path)


def _moment(body: dict[str, Any], paths: Paths | None) -> str | None:
    """When it was said; None where the message does not say. Raises `ConsentError`."""
    path, found = value_at(body, paths)
    if found is None:
        return None
    try:
        if isinstance(found, int | float) and not isinstance(found, bool):
            seconds = found / 1000 if abs(found) >= MILLISECONDS else found
            return clock.to_text(datetime.fromtimestamp(seconds, UTC))
        if isinstance(found, str) and datetime.fromisoformat(found).tzinfo is not None:
            return clock.to_text(clock.from_text(found))
    except (ValueError, OverflowError, OSError):
        pass
    raise ConsentError(
        f"{str(found)[:40]!r} is no moment; write it as 2026-11-21T20:40:00Z, or as milliseconds"
        " since 1970",
        field=path,
    )
