"""What the states of a consent tool mean for the shop's purposes, as consent events."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from features.config.consent_tools import ConsentTool, ToolChoice
from features.consent.event import GRANTED, WITHDRAWN, ConsentEvent
from features.consent.tools.message import Message


@dataclass(frozen=True)
class Unchanged:
    """A category that a message says nothing about: states of the tool are `missing`."""

    purpose: str
    category: str
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Meant:
    """What a message means: the events to record, and what it leaves as it is."""

    events: Sequence[ConsentEvent]
    unchanged: Sequence[Unchanged]


def meant_by(name: str, tool: ConsentTool, message: Message, receipt: str, actor: str) -> Meant:
    """What a message of the tool `name` means, by the `choices` in sayso.toml; `receipt` is the
    message as it was sent, which every event keeps as its evidence.

    A category is granted where all the states that it needs are, and withdrawn where one of them
    was denied. Where one is missing and none was denied nothing is said.
    """
    events, unchanged = list[ConsentEvent](), list[Unchanged]()
    kept = _evidence(name, tool, message, receipt)
    for choice in tool.choices:
        denied = any(message.states.get(need) is False for need in choice.needs)
        missing = tuple(str(need) for need in choice.needs if need not in message.states)
        for category in choice.categories:
            if missing and not denied:
                unchanged.append(Unchanged(choice.purpose, category, missing))
                continue
            action = WITHDRAWN if denied else GRANTED
            events.append(
                ConsentEvent(
                    message.customer_id,
                    choice.purpose,
                    category,
                    action,
                    tool.method or name,
                    choice.notice_version,
                    occurred_at=message.withheld_at if denied else message.said_at,
                    idempotency_key=_key(name, choice, category, action, message, receipt),
                    actor=actor,
                    evidence=kept,
                    receipt=True,
                )
            )
    return Meant(events, unchanged)


def _evidence(name: str, tool: ConsentTool, message: Message, receipt: str) -> str:
    return json.dumps(
        {
            "tool": name,
            "form": tool.form,
            "version": message.version,
            "said_at": message.said_at,
            "receipt": receipt,
        }
    )


def _key(
    name: str, choice: ToolChoice, category: str, action: str, message: Message, receipt: str
) -> str | None:
    """What makes a second delivery of a message add nothing: its id, or else its text where that
    states a moment. Without either, nobody can tell a repeated message from one said anew.
    """
    about = [name, choice.purpose, category]
    if message.receipt_id is not None:
        about += ["id", message.receipt_id]
    elif message.said_at is not None:
        about += ["text", receipt, message.said_at, action, choice.notice_version]
    else:
        return None
    return "tool:" + hashlib.sha256(json.dumps(about).encode()).hexdigest()
