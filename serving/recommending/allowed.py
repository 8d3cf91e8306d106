"""Whether an answer may be personal, and why not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from difflib import get_close_matches

from sqlalchemy import Connection

from features import clock
from features.config.schema import ContactPolicySection, channel_name
from features.errors import SaysoError
from serving.contract.answers import NotPersonalized
from serving.contract.requests import RecommendationRequest
from serving.decisions.permissions import Permissions
from serving.delivery.contact_policy import not_now, on_channel, shop_caps, window
from serving.delivery.exposures import exposures_since
from serving.delivery.opt_outs import own_caps
from serving.live.assortment import Assortment

MOST_NAMED = 5


class UnknownName(SaysoError):
    """A request names a channel or a product category that there is not; `field` is where."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


def refuse_unknown(
    request: RecommendationRequest, policy: ContactPolicySection, assortment: Assortment | None
) -> None:
    """Raises `UnknownName`: what is misspelt would pass by an opt-out, or give an empty list."""
    refuse_unknown_channel(request.channel, policy, "channel")
    if assortment is None:  # nothing is listed then, whatever is asked for
        return
    known = assortment.product_categories
    for said in request.product_categories or ():
        if said not in known:
            message = f"there is no product category {said!r}; {_like(said, known)}"
            raise UnknownName(message, field="product_categories")


def refuse_unknown_channel(channel: str, policy: ContactPolicySection, field: str) -> None:
    """Raises `UnknownName` for a channel that the shop does not have."""
    if channel not in policy.known_channels:
        raise UnknownName(
            f"there is no channel {channel!r}; known are {', '.join(sorted(policy.known_channels))}"
            " (`channels` under [contact_policy] in sayso.toml names them)",
            field=field,
        )


def _like(said: str, known: Collection[str]) -> str:
    """Which of the names that there are may have been meant."""
    if not known:
        return "no product of this shop has one"
    meant = get_close_matches(said, known, n=3) or sorted(known)[:MOST_NAMED]
    return f"did you mean {' or '.join(map(repr, meant))}?"


def at_this_moment(
    policy: ContactPolicySection,
    request: RecommendationRequest,
    connection: Connection,
    permissions: Sequence[Permissions],
    moment: str,
) -> list[Permissions]:
    """Where customers stand, with whether the moment at which they are to be shown anything (this
    one, where the request says no later one) is one to do so.
    """
    here, channel, shops = clock.from_text(moment), request.channel, shop_caps(policy)
    now = here if request.send_at is None else max(here, request.send_at)
    caps = [on_channel(channel, (*shops, *own_caps(one.opt_outs))) for one in permissions]
    capped = {
        one.customer: of_one
        for one, of_one in zip(permissions, caps, strict=True)
        if of_one and one.customer is not None
    }
    since = now - max(map(window, capped.values()), default=timedelta())
    before = exposures_since(connection, list(capped), channel, since, here) if capped else {}
    return [
        replace(one, not_now=not_now(policy, channel, request.time_zone, of_one, shown, now))
        for one, of_one in zip(permissions, caps, strict=True)
        for shown in [() if one.customer is None else before.get(one.customer, ())]
    ]


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
