"""What a panel on a shop's own site says of a decision: the same sentences as the why page, in
short, and where to read on.
"""

from __future__ import annotations

from typing import Any

from serving.access.signed_links import Page
from serving.bootstrap import Sayso
from serving.decisions.record import Decision
from serving.pages.reader import Reader
from serving.pages.why import WhyPage

SHOWN = 10


def panel(sayso: Sayso, decision: Decision, token: str, reader: Reader) -> dict[str, Any]:
    """The panel as plain data; texts are ready to be shown as text.

    Nothing that is not on the why page of the same link is in it.
    """
    page = WhyPage(sayso, decision, reader, live=False)
    wording = reader.wording
    return {
        "language": wording.language,
        "direction": wording.direction,
        "title": wording.say("Why am I seeing this?"),
        "lead": page.lead,
        "why_not": page.why_not,
        "privacy_signal": None
        if reader.signal is None
        else wording.say("Your browser asks not to be profiled. We noted that."),
        "items": [
            {"title": item.title, "reasons": list(item.reasons)} for item in page.items[:SHOWN]
        ],
        "used": [{"label": part.label, "said": list(part.said)} for part in page.used],
        "used_title": wording.say("What was used"),
        "withheld": page.withheld,
        "withheld_title": wording.say("What was not used"),
        "more": wording.say("More, with your switches"),
        "close": wording.say("Close"),
        "url": sayso.links.at(reader.address(f"/{Page.WHY}/{token}")),
    }
