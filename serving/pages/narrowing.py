"""What a why link can change: it stops the use of a category, hides something, and takes back what
it did itself a moment ago.

A why link stands in a shop's pages and messages, so others may come to hold it. It therefore never
allows anything that was not allowed just before: taking back restores the very grant that the link
ended, and only while nobody has said anything since.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import select

from features.consent.event import GRANTED, WITHDRAWN, ConsentEvent
from features.database.tables import consent_state
from features.errors import ConsentError, NotFound
from serving.access.visits import Visit
from serving.pages.changes import Changing, Form, Said, hide, say, show
from serving.pages.confirmation import Done

METHOD = "why_page"
NOT_NOW = "this can no longer be taken back here"


class WhyForm(Form):
    """A form of a why page; `change` is a signed change of this link's that is to be taken back."""

    act: Literal["consent", "hide", "undo", "ask_code", "choices", "download", "erase"] = "consent"
    action: Literal["withdrawn"] | None = None
    change: Annotated[str | None, Field(max_length=2_000)] = None


def narrow(changing: Changing, visit: Visit, form: WhyForm) -> Done:
    """Do what a form of a why page asks.

    Raises `ConsentError` and `TooManyOptOuts` for what cannot be done.
    """
    if form.act == "undo":
        return _undo(changing, visit, form.change or "")
    if form.act == "hide":
        done = hide(changing, form)
        made = done.undo and {"opt_out": done.undo["id"]}
    else:
        done, made = _withdraw(changing, form)
    if not made:
        return Done(done.what, done.about)
    change = changing.sayso.links.change(json.dumps({"link": visit.link.id, **made}))
    return Done(done.what, done.about, {"act": "undo", "change": change})


def _withdraw(changing: Changing, form: WhyForm) -> tuple[Done, Mapping[str, Any] | None]:
    if form.purpose is None or form.category is None or form.action is None:
        raise ConsentError(
            "to stop something needs its purpose, its category and the action `withdrawn`",
            field="action",
        )
    said = say(changing, [(form.purpose, form.category)], WITHDRAWN)
    if not said:
        return Done("unchanged"), None
    about = {"category": form.category, "purpose": form.purpose}
    return Done(WITHDRAWN, about), {**about, **_ended(said[0])}


def _ended(said: Said) -> dict[str, Any]:
    """The grant that a withdrawal ended."""
    kept = {name: said.before[name] for name in ("notice_version", "valid_until")}
    return {"seq": said.receipt.seq, **kept}


def _undo(changing: Changing, visit: Visit, signed: str) -> Done:
    stated = changing.sayso.links.changed(signed)
    change: dict[str, Any] = {} if stated is None else json.loads(stated)
    if change.get("link") != visit.link.id:
        raise ConsentError(NOT_NOW, field="change")
    if "opt_out" in change:
        done = show(changing, change["opt_out"])
        return Done(done.what, done.about)
    return _restore(changing, change, signed)


def _restore(changing: Changing, change: Mapping[str, Any], signed: str) -> Done:
    """Allow again what the link stopped, where that is still the last thing that was said."""
    shop = changing.sayso.shop
    whose = shop.customers.external_ids([changing.customer])
    if not whose:
        raise NotFound("There is no such customer.")
    event = ConsentEvent(
        whose[changing.customer],
        change["purpose"],
        change["category"],
        GRANTED,
        changing.method,
        notice_version=change["notice_version"],
        valid_until=change["valid_until"],
        actor=changing.actor,
        idempotency_key="undo-" + hashlib.sha256(signed.encode()).hexdigest(),
    )
    shop.ledger.check(event)
    column = consent_state.c
    newest = select(column.seq).where(
        column.customer == changing.customer,
        column.purpose == event.purpose,
        column.category == event.category,
    )
    with shop.database.write() as connection:
        if connection.execute(newest).scalar_one_or_none() != change["seq"]:
            return Done("unchanged")
        shop.ledger.write(connection, [event])
    return Done(GRANTED, {"category": event.category, "purpose": event.purpose})
