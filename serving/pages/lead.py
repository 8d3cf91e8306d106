"""What a page begins with: what was done, when, by whom, and that no person did it; and where the
orders that the shop knows of ended, if that was long ago by then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from explain.wording import Wording
from features.clock import from_text
from serving.decisions.record import Decision


def lead_of(
    decision: Decision, answer: Mapping[str, Any], chance: str | None, shop: str, wording: Wording
) -> str:
    """The first sentences about a decision of the `shop`; `chance` is that of an estimate."""
    said = {"when": wording.moment(from_text(decision.created_at)), "shop": shop}
    if decision.kind == "churn":
        done = _estimated(answer, chance, said, wording)
    elif answer["consent"]["used"]:
        done = wording.say(
            "{shop} chose these products automatically on {when}, from what you agreed to share.",
            **said,
        )
    else:
        done = wording.say(
            "{shop} chose these products automatically on {when}, without any personal data.",
            **said,
        )
    return " ".join([done, *_old_record(decision, shop, wording)])


def _old_record(decision: Decision, shop: str, wording: Wording) -> list[str]:
    inputs = decision.inputs
    until = json.loads(inputs).get("wording", {}).get("until") if inputs else None
    if until is None:
        return []
    last = wording.day(from_text(until) - timedelta(microseconds=1))
    return [wording.say("The orders that {shop} knows of end on {day}.", shop=shop, day=last)]


def _estimated(
    answer: Mapping[str, Any], chance: str | None, said: Mapping[str, str], wording: Wording
) -> str:
    if chance is None:
        return wording.say("{shop} made no estimate about you on {when}.", **said)
    days = answer["horizon_days"]
    one = (
        "{shop} made this estimate automatically on {when}. The chance that you order nothing"
        " within {count} day is {chance}."
    )
    many = (
        "{shop} made this estimate automatically on {when}. The chance that you order nothing"
        " within {count} days is {chance}."
    )
    return wording.say(one, many, days, count=wording.number(days), chance=chance, **said)
