"""An answer as it leaves: with the shop's own id of the customer and the links to their pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi.responses import JSONResponse
from starlette.responses import Response

from serving.access.api_keys import Key
from serving.access.signed_links import Links, Page
from serving.decisions.deciding import Decided
from serving.decisions.document import document, encoded
from serving.events.links import IN_MESSAGES, EventLinks
from serving.http.boundary.idempotency import AGAIN
from serving.http.sight.request_ids import current_request_id


class AnswerResponse(JSONResponse):
    """Writes an answer of typed parts as JSON."""

    def render(self, content: Any) -> bytes:
        """The answer's bytes."""
        return encoded(document(content))


class DecidedResponse(Response):
    """A decision as it leaves: it was written when it was recorded, and is joined here to what
    tells whose it is; one that is given again is so to the last byte.
    """

    media_type = "application/json"

    def __init__(
        self,
        decided: Decided[Any],
        head: Mapping[str, Any],
        links: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(joined(decided, head, links), headers=headers)
        if decided.again:
            self.headers.update(AGAIN)


def joined(decided: Decided[Any], head: Mapping[str, Any], links: Mapping[str, Any]) -> bytes:
    """A decision with what tells whose it is, as JSON."""
    parts = (encoded(head)[1:-1], decided.body[1:-1], encoded(links)[1:-1])
    return b"{" + b",".join(parts) + b"}"


def head(decided: Decided[Any], customer_id: str | None, data_until: str | None) -> dict[str, Any]:
    """The fields of `serving.contract.answers.DecisionHead`."""
    return {
        "decision_id": decided.decision_id,
        "request_id": current_request_id(),
        "customer_id": customer_id,
        "generated_at": decided.generated_at,
        "data_until": data_until,
    }


def links_to(links: Links, key: Key, decision_id: str, customer: int | None) -> dict[str, Any]:
    """The fields of `serving.contract.answers.DecisionLinks`.

    Whoever holds the link to a customer's preferences can grant consent, so a key without that
    scope gets none; who is not known (None) has no preferences.
    """
    preferences = (
        links.url(Page.PREFERENCES, str(customer), key.id)
        if customer is not None and key.allows("consent")
        else None
    )
    return {
        "why_url": links.url(Page.WHY, decision_id, key.id),
        "preferences_url": preferences,
    }


def links_of_list(
    links: Links, event_links: EventLinks, key: Key, decided: Decided[Any], channel: str
) -> dict[str, Any]:
    """The fields of `serving.contract.answers.RecommendationLinks`, for a list on `channel`."""
    tells = channel in IN_MESSAGES
    return {
        **links_to(links, key, decided.decision_id, decided.customer),
        "event_url": event_links.url(decided.decision_id) if tells else None,
    }
