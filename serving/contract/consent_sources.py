"""What consent tools send, and which visitor became a customer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from features.config.consent_tools import CONSENT_MODE_STATES
from serving.contract.requests import CustomerId, Id, Moment, Request

State = Literal["granted", "denied"]
SaidAt = Annotated[Moment | None, Field(description="When the customer said it; now for none.")]
Once = Annotated[
    Id | None, Field(description="Names the message, so that a second delivery adds nothing.")
]


class ConsentModeMessage(Request):
    """The states of Google's Consent Mode as a customer left them."""

    customer_id: CustomerId
    states: Annotated[
        dict[str, State],
        Field(description=f"By name: {', '.join(CONSENT_MODE_STATES)}; one left out says nothing."),
    ]
    occurred_at: SaidAt = None
    tool_version: Annotated[
        Id | None,
        Field(description="Of the tool, or of the text that it showed; kept as evidence."),
    ] = None
    idempotency_key: Once = None


class TCStringMessage(Request):
    """A TC string of the Transparency and Consent Framework of IAB Europe."""

    customer_id: CustomerId
    tc_string: Annotated[str, Field(min_length=1)]
    occurred_at: Annotated[
        Moment | None,
        Field(description="When the customer said it; what the string states for none."),
    ] = None
    idempotency_key: Once = None


MESSAGES = (ConsentModeMessage, TCStringMessage)
"""Messages of forms of our own; what c15t and other tools send is theirs."""


class VisitorRequest(Request):
    """Which visitor became the customer."""

    visitor_id: Annotated[
        CustomerId, Field(description="The id under which consents and rows of the visitor came.")
    ]
