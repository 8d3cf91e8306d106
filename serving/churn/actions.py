"""What may be done about a churn estimate: help, and nothing else.

The catalogue is closed: an action that raises a price, worsens service or stands in the way of
leaving cannot be expressed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Everything that an estimate may lead to."""

    NONE = "none"
    CHECK_IN = "check_in"
    HELP = "help"
    ONBOARDING = "onboarding"


@dataclass(frozen=True)
class Action:
    """Something to do for a customer."""

    action: Kind
    text: str


SUGGESTED = {
    "low": (Action(Kind.NONE, "No action needed."),),
    "medium": (Action(Kind.CHECK_IN, "Ask whether everything was as expected."),),
    "high": (
        Action(Kind.HELP, "Offer help from a person, without any condition."),
        Action(Kind.CHECK_IN, "Ask what was missing; accept it if they want to leave."),
    ),
}


ONBOARDING = Action(Kind.ONBOARDING, "Show how ordering, delivery and returns work.")
TEXTS = tuple(
    dict.fromkeys(
        action.text for actions in (*SUGGESTED.values(), (ONBOARDING,)) for action in actions
    )
)
"""What all actions say, in English."""


def suggested(band: str, orders: float | None) -> tuple[Action, ...]:
    """Actions for a customer in a band; who ordered once so far is helped to find their way."""
    actions = SUGGESTED[band]
    if band != "low" and orders == 1:
        return (*actions, ONBOARDING)
    return actions
