"""Whether an answer may be personal, and why not."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from features import clock
from features.config.schema import ContactPolicySection, channel_name
from serving.contract.answers import NotPersonalized
from serving.contract.requests import RecommendationRequest
from serving.decisions.permissions import Permissions
from serving.delivery.contact_policy import not_now, on_channel, shop_caps, window
from serving.delivery.exposures import exposures_since
from serving.delivery.opt_outs import own_caps


def at_this_moment(
    policy: ContactPolicySection,
    request: RecommendationRequest,
    connection: Connection,
    permissions: Permissions,
    moment: str,
) -> Permissions:
    """Where a customer stands, with whether this is a moment to show them anything."""
    now, own = clock.from_text(moment), own_caps(permissions.opt_outs)
    caps = on_channel(request.channel, (*shop_caps(policy), *own))
    known = permissions.customer if caps else None
    before = (
        ()
        if known is None
        else exposures_since(connection, known, request.channel, now - window(caps))
    )
    why_not = not_now(policy, request.channel, request.time_zone, caps, before, now)
    return replace(permissions, not_now=why_not)


def silenced(request: RecommendationRequest, permissions: Permissions) -> bool:
    """Whether the customer wants nothing shown at all, here or anywhere."""
    return permissions.opted_out("all") or request.channel in set(
        map(channel_name, permissions.values("channel"))
    )


def not_personalized(
    request: RecommendationRequest,
    permissions: Permissions,
    purpose: str,
    *,
    privacy_signal: bool,
    champion: bool,
) -> NotPersonalized | None:
    """Why nothing personal may be used for `purpose`, or can be where there is no `champion`; None
    where the answer may be personal.
    """
    quiet = silenced(request, permissions)
    if permissions.not_now is not None and not quiet:
        return "not_now"
    if permissions.customer is None:
        return "anonymous" if request.customer_id is None else "unknown_customer"
    if quiet or permissions.opted_out("purpose", purpose):
        return "opted_out"
    if privacy_signal:
        return "privacy_signal"
    if not permissions.granted:
        return "too_young" if permissions.too_young else "no_consent"
    return None if champion else "model_unavailable"
