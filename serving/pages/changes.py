"""What customers change on their pages: consents, opt-outs, and all of it at once.

A form sent twice acts once, also when both arrive together: what stands already is not written
again, which is seen to in the transaction that writes. Each rendering of a form has a token of its
own (`once`), so that a grant that was sent twice does not undo what was said in between. A
withdrawal is written whenever something is still allowed, token or not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import BaseModel, ConfigDict, Field

from features import clock
from features.consent.event import GRANTED, OWN_PAGE, WITHDRAWN, ConsentEvent
from features.consent.ledger import Receipt
from features.errors import ConsentError, NotFound
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
Pair = tuple[str, str]
"""A purpose and a category."""


class Form(BaseModel):
    """What forms of all customers' pages have; `code` is a one-time code, `wanted` what one is
    asked for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    purpose: Name | None = None
    category: Name | None = None
    what: Annotated[str | None, Field(max_length=160, pattern=r"^[^:]{1,64}:.+$")] = None
    once: Annotated[str | None, Field(pattern=r"^[\w-]{8,64}$")] = None
    code: Annotated[str | None, Field(max_length=32)] = None
    wanted: Literal["choices", "download", "erase"] | None = None


class PreferenceForm(Form):
    """A form of the page with all choices; `act` says what is asked."""

    act: Literal[
        "consent",
        "stop_all",
        "allow_all",
        "pause",
        "hide",
        "show",
        "limit",
        "ask_code",
        "download",
        "erase",
    ] = "consent"
    action: Name | None = None
    id: Name | None = None


@dataclass(frozen=True)
class Changing:
    """Who changes something on a page: the customer (pseudonym), the `language` that they read, and
    how records name them (`actor`) and the page (`method`).
    """

    sayso: Sayso
    customer: int
    language: str
    actor: str
    method: str = OWN_PAGE


@dataclass(frozen=True)
class Said:
    """What was written of a purpose and category, and how these stood before (as
    `Ledger.state` tells it).
    """

    before: Mapping[str, Any]
    receipt: Receipt


def change(changing: Changing, form: PreferenceForm) -> Done:
    """Do what a form asks.

    Raises `ConsentError` and `TooManyOptOuts` for what cannot be done.
    """
    return CHANGE[form.act](changing, form)


def _consent(changing: Changing, form: PreferenceForm) -> Done:
    if form.purpose is None or form.category is None or form.action not in CHANGES:
        raise ConsentError(
            f"a choice needs a purpose, a category and one of {', '.join(CHANGES)}", field="action"
        )
    if not say(changing, [(form.purpose, form.category)], form.action, form.once):
        return Done("unchanged")
    about = {"category": form.category, "purpose": form.purpose}
    back = WITHDRAWN if form.action == GRANTED else GRANTED
    return Done(form.action, about, {"act": "consent", **about, "action": back})


def _stop_all(changing: Changing, form: PreferenceForm) -> Done:
    said = say(changing, _everything(changing), WITHDRAWN, form.once)
    return Done("stopped_all") if said else Done("unchanged")


def _allow_all(changing: Changing, form: PreferenceForm) -> Done:
    said = say(changing, _everything(changing), GRANTED, form.once)
    return Done("allowed_all", {}, {"act": "stop_all"}) if said else Done("unchanged")


def _everything(changing: Changing) -> list[Pair]:
    catalog = changing.sayso.shop.config.catalog
    return [(name, category) for name in catalog.purposes for category in catalog.askable(name)]


def _pause(changing: Changing, form: PreferenceForm) -> Done:
    sayso, customer = changing.sayso, changing.customer
    if any(opt_out.scope == "all" for opt_out in sayso.opt_outs.of(customer)):
        return Done("unchanged")
    until = clock.to_text(sayso.shop.clock() + PAUSE)
    made = sayso.opt_outs.add(customer, "all", None, until, once=form.once, actor=changing.actor)
    return Done("paused", {"until": until}, {"act": "show", "id": made.id})


def hide(changing: Changing, form: Form) -> Done:
    """Keep a product, a department, a brand or a channel from being shown.

    Raises `ConsentError` for anything else, and `TooManyOptOuts`.
    """
    sayso, customer = changing.sayso, changing.customer
    scope, _, value = (form.what or "").partition(":")
    if scope not in HIDDEN:
        raise ConsentError(f"what can be hidden is one of {', '.join(HIDDEN)}", field="what")
    if any(
        (opt_out.scope, opt_out.value) == (scope, value) for opt_out in sayso.opt_outs.of(customer)
    ):
        return Done("unchanged")
    made = sayso.opt_outs.add(
        customer, cast("Scope", scope), value, None, once=form.once, actor=changing.actor
    )
    return Done(f"hidden_{scope}", {"value": f"{scope}:{value}"}, {"act": "show", "id": made.id})


def show(changing: Changing, id: str | None) -> Done:
    """Take an opt-out of the customer's back."""
    sayso = changing.sayso
    standing = sayso.opt_outs.of(changing.customer)
    found = next((opt_out for opt_out in standing if opt_out.id == id), None)
    if found is None:
        return Done("unchanged")
    sayso.opt_outs.remove(found.id)
    if found.scope == "all":
        return Done("resumed", {}, {"act": "pause"})
    what = f"{found.scope}:{found.value}"
    return Done(
        "shown", {"value": what}, {"act": "hide", "what": what} if found.scope in HIDDEN else None
    )


def _limit(changing: Changing, form: PreferenceForm) -> Done:
    sayso, customer = changing.sayso, changing.customer
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
    sayso.opt_outs.limit(customer, cap, changing.actor)
    return Done("limited", {**about, "most": str(cap.most), "wait": str(cap.days)}, back)


def _asked_cap(what: str) -> Cap:
    try:
        return cap_of(what)
    except ValueError as error:
        raise ConsentError(str(error), field="what") from error


Change = Callable[[Changing, PreferenceForm], Done]
CHANGE: Mapping[str, Change] = {
    "consent": _consent,
    "stop_all": _stop_all,
    "allow_all": _allow_all,
    "pause": _pause,
    "hide": hide,
    "show": lambda changing, form: show(changing, form.id),
    "limit": _limit,
}


def say(
    changing: Changing, about: Sequence[Pair], action: str, once: str | None = None
) -> list[Said]:
    """Write that the customer says `action` of each purpose and category of which it does not hold
    yet; what was written.

    Raises `ConsentError` for a purpose or category that is not asked for, and `NotFound` for a
    customer who was erased.
    """
    ledger, database = changing.sayso.shop.ledger, changing.sayso.shop.database
    whose = changing.sayso.shop.customers.external_ids([changing.customer])
    if not whose:
        raise NotFound("There is no such customer.")
    events = {
        pair: _event(changing, whose[changing.customer], pair, action, once) for pair in about
    }
    for event in events.values():
        ledger.check(event)
    with database.write() as connection:
        standing = {
            (entry["purpose"], entry["category"]): entry
            for entry in ledger.state_within(connection, changing.customer)
        }
        due = [pair for pair in about if standing[pair]["allowed"] is not (action == GRANTED)]
        receipts = ledger.write(connection, [events[pair] for pair in due])
    return [
        Said(standing[pair], receipt)
        for pair, receipt in zip(due, receipts, strict=True)
        if receipt.takes_effect and not receipt.repeated
    ]


def _event(
    changing: Changing, customer_id: str, pair: Pair, action: str, once: str | None
) -> ConsentEvent:
    purpose, category = pair
    catalog = changing.sayso.shop.config.catalog
    key = (
        _told_once(once, customer_id, purpose, category, action)
        if once is not None and action == GRANTED
        else None
    )
    event = ConsentEvent(
        customer_id,
        purpose,
        category,
        action,
        changing.method,
        idempotency_key=key,
        actor=changing.actor,
        own_page=changing.method == OWN_PAGE,
    )
    if purpose not in catalog.purposes:
        return event
    version = catalog.current_notice(purpose).version
    shown = catalog.notice(purpose, version, changing.language) or catalog.current_notice(purpose)
    return replace(event, notice_version=shown.version, notice_language=shown.language)


def _told_once(once: str, *about: str) -> str:
    """The ledger's key of one event of one form: the form's random token is in it, so that nothing
    can be told from it.
    """
    return "page-" + hashlib.sha256("\n".join([once, *about]).encode()).hexdigest()
