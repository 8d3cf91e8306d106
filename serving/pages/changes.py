"""What customers change on their pages: consents, opt-outs, and all of it at once.

A form sent twice acts once: what stands already is not written again, and each rendering of a form
has a token of its own (`once`) for two presses that arrive together. A withdrawal is written
whenever something is still allowed, token or not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Literal, cast, get_args

from pydantic import BaseModel, ConfigDict, Field

from features import clock
from features.consent.event import GRANTED, OWN_PAGE, WITHDRAWN, ConsentEvent
from features.errors import ConsentError
from serving.bootstrap import Sayso
from serving.delivery.contact_policy import Cap, cap_of, on_channel
from serving.delivery.opt_outs import Scope, own_caps
from serving.pages.confirmation import Done
from serving.pages.frequency import NONE

CHANGES = (GRANTED, WITHDRAWN)
PAUSE = timedelta(days=30)
Hidden = Literal["product", "product_category", "brand", "channel"]
HIDDEN: tuple[str, ...] = get_args(Hidden)
"""What a customer can hide on a page."""
Name = Annotated[str, Field(min_length=1, max_length=128)]


class PreferenceForm(BaseModel):
    """A form of a customer's page.

    `act` says what is asked; `back` is the why page to return to.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    act: Literal[
        "consent", "stop_all", "allow_all", "pause", "hide", "show", "limit", "download", "erase"
    ] = "consent"
    purpose: Name | None = None
    category: Name | None = None
    action: Name | None = None
    what: Annotated[str | None, Field(max_length=160, pattern=r"^[^:]{1,64}:.+$")] = None
    id: Name | None = None
    once: Annotated[str | None, Field(pattern=r"^[\w-]{8,64}$")] = None
    back: Annotated[str | None, Field(max_length=2_000)] = None
    confirmed: Literal["yes"] | None = None


def change(sayso: Sayso, customer: int, form: PreferenceForm, language: str) -> Done:
    """Do what a form asks, for a customer who reads in `language`.

    Raises `ConsentError` and `TooManyOptOuts` for what cannot be done.
    """
    return CHANGE[form.act](sayso, customer, form, language)


def _consent(sayso: Sayso, customer: int, form: PreferenceForm, language: str) -> Done:
    if form.purpose is None or form.category is None or form.action not in CHANGES:
        raise ConsentError(
            f"a choice needs a purpose, a category and one of {', '.join(CHANGES)}", field="action"
        )
    standing = {
        (entry["purpose"], entry["category"]): entry["allowed"]
        for entry in sayso.shop.ledger.state(customer)
    }
    wanted = form.action == GRANTED
    if standing.get((form.purpose, form.category)) is wanted or not _say(
        sayso, customer, [(form.purpose, form.category)], form, language
    ):
        return Done("unchanged")
    about = {"category": form.category, "purpose": form.purpose}
    return Done(
        form.action, about, {"act": "consent", **about, "action": WITHDRAWN if wanted else GRANTED}
    )


def _stop_all(sayso: Sayso, customer: int, form: PreferenceForm, language: str) -> Done:
    allowed = [
        (entry["purpose"], entry["category"])
        for entry in sayso.shop.ledger.state(customer)
        if entry["allowed"]
    ]
    stop = form.model_copy(update={"action": WITHDRAWN})
    return (
        Done("stopped_all")
        if allowed and _say(sayso, customer, allowed, stop, language)
        else Done("unchanged")
    )


def _allow_all(sayso: Sayso, customer: int, form: PreferenceForm, language: str) -> Done:
    refused = [
        (entry["purpose"], entry["category"])
        for entry in sayso.shop.ledger.state(customer)
        if not entry["allowed"]
    ]
    allow = form.model_copy(update={"action": GRANTED})
    said = bool(refused) and _say(sayso, customer, refused, allow, language)
    return Done("allowed_all", {}, {"act": "stop_all"}) if said else Done("unchanged")


def _pause(sayso: Sayso, customer: int, form: PreferenceForm, _language: str) -> Done:
    if any(opt_out.scope == "all" for opt_out in sayso.opt_outs.of(customer)):
        return Done("unchanged")
    until = clock.to_text(sayso.shop.clock() + PAUSE)
    made = sayso.opt_outs.add(customer, "all", None, until, once=form.once)
    return Done("paused", {"until": until}, {"act": "show", "id": made.id})


def _hide(sayso: Sayso, customer: int, form: PreferenceForm, _language: str) -> Done:
    scope, _, value = (form.what or "").partition(":")
    if scope not in HIDDEN:
        raise ConsentError(f"what can be hidden is one of {', '.join(HIDDEN)}", field="what")
    if any(
        (opt_out.scope, opt_out.value) == (scope, value) for opt_out in sayso.opt_outs.of(customer)
    ):
        return Done("unchanged")
    made = sayso.opt_outs.add(customer, cast("Scope", scope), value, None, once=form.once)
    return Done(f"hidden_{scope}", {"value": f"{scope}:{value}"}, {"act": "show", "id": made.id})


def _show(sayso: Sayso, customer: int, form: PreferenceForm, _language: str) -> Done:
    found = next(
        (opt_out for opt_out in sayso.opt_outs.of(customer) if opt_out.id == form.id), None
    )
    if found is None:
        return Done("unchanged")
    sayso.opt_outs.remove(found.id)
    if found.scope == "all":
        return Done("resumed", {}, {"act": "pause"})
    what = f"{found.scope}:{found.value}"
    return Done(
        "shown", {"value": what}, {"act": "hide", "what": what} if found.scope in HIDDEN else None
    )


def _limit(sayso: Sayso, customer: int, form: PreferenceForm, _language: str) -> Done:
    channel, _, asked = (form.what or "").rpartition(":")
    before = [cap.text for cap in on_channel(channel, own_caps(sayso.opt_outs.of(customer)))]
    back = {"act": "limit", "what": before[-1] if before else f"{channel}:{NONE}"}
    about = {"value": f"channel:{channel}"}
    if asked == NONE:
        sayso.opt_outs.lift(customer, channel)
        return Done("unlimited", about, back) if before else Done("unchanged")
    cap = _asked_cap(form.what or "")
    if before == [cap.text]:
        return Done("unchanged")
    sayso.opt_outs.limit(customer, cap)
    return Done("limited", {**about, "most": str(cap.most), "wait": str(cap.days)}, back)


def _asked_cap(what: str) -> Cap:
    try:
        return cap_of(what)
    except ValueError as error:
        raise ConsentError(str(error), field="what") from error


Change = Callable[[Sayso, int, PreferenceForm, str], Done]
CHANGE: Mapping[str, Change] = {
    "consent": _consent,
    "stop_all": _stop_all,
    "allow_all": _allow_all,
    "pause": _pause,
    "hide": _hide,
    "show": _show,
    "limit": _limit,
}


def _say(
    sayso: Sayso,
    customer: int,
    about: Sequence[tuple[str, str]],
    form: PreferenceForm,
    language: str,
) -> bool:
    """Write what the customer says of each purpose and category; whether anything was new."""
    (customer_id,) = sayso.shop.customers.external_ids([customer]).values()
    events = [
        _event(sayso, customer_id, purpose, category, form, language) for purpose, category in about
    ]
    receipts = sayso.shop.ledger.append_all(events)
    repeated = [event for event, receipt in zip(events, receipts, strict=True) if receipt.repeated]
    # Said before by this very form, and allowed again since: a wish to stop is obeyed.
    if form.action == WITHDRAWN and repeated:
        sayso.shop.ledger.append_all(
            [ConsentEvent(**{**vars(event), "idempotency_key": None}) for event in repeated]
        )
        return True
    return any(receipt.takes_effect and not receipt.repeated for receipt in receipts)


def _event(
    sayso: Sayso, customer_id: str, purpose: str, category: str, form: PreferenceForm, language: str
) -> ConsentEvent:
    catalog = sayso.shop.config.catalog
    key = (
        None
        if form.once is None
        else _told_once(form.once, customer_id, purpose, category, form.action or "")
    )
    event = ConsentEvent(
        customer_id,
        purpose,
        category,
        form.action or "",
        OWN_PAGE,
        idempotency_key=key,
        own_page=True,
    )
    if purpose not in catalog.purposes:
        return event
    version = catalog.current_notice(purpose).version
    shown = catalog.notice(purpose, version, language) or catalog.current_notice(purpose)
    return ConsentEvent(
        **{**vars(event), "notice_version": shown.version, "notice_language": shown.language}
    )


def _told_once(once: str, *about: str) -> str:
    """The ledger's key of one event of one form: the form's random token is in it, so that nothing
    can be told from it.
    """
    return "page-" + hashlib.sha256("\n".join([once, *about]).encode()).hexdigest()
