"""Interactions: what customers did beside ordering, and what the shop sent them.

A source states a kind, a moment and, where there are any, a product, a session, a campaign, a
ticket and how satisfied the customer was. A row fills the columns of its kind alone, so that each
belongs to one category: what somebody looked at is none of who may only know which e-mails they
opened. What was searched for is never read, since people type names and illnesses.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.tables.declared import products
from features.tables.table import (
    CatalogEntry,
    Column,
    Derivation,
    Events,
    Kind,
    StandardCategory,
)

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

NAME = "interactions"
KIND = "kind"
OCCURRED_AT = "occurred_at"
PRODUCT_ID = products.PRODUCT_ID
SESSION_ID, CAMPAIGN_ID, TICKET_ID = "session", "campaign", "ticket"
RATING = "rating"
CANCELLED = "cancelled"

VIEW, SEARCH, CART, CART_REMOVED, WISHLIST = "view", "search", "cart", "cart_removed", "wishlist"
EMAIL_SENT, EMAIL_OPENED, EMAIL_CLICKED = "email_sent", "email_opened", "email_clicked"
EMAIL_UNSUBSCRIBED = "email_unsubscribed"
TICKET_OPENED, TICKET_CLOSED = "ticket_opened", "ticket_closed"
RETURN, BOOKING = "return", "booking"
BROWSING = frozenset((VIEW, SEARCH, CART, CART_REMOVED, WISHLIST))
EMAILS = frozenset((EMAIL_SENT, EMAIL_OPENED, EMAIL_CLICKED, EMAIL_UNSUBSCRIBED))
TICKETS = frozenset((TICKET_OPENED, TICKET_CLOSED))
KINDS = (
    *(VIEW, SEARCH, CART, CART_REMOVED, WISHLIST),
    *(EMAIL_SENT, EMAIL_OPENED, EMAIL_CLICKED, EMAIL_UNSUBSCRIBED),
    *(TICKET_OPENED, TICKET_CLOSED, RETURN, BOOKING),
)
"""All kinds there are, in the order in which they are listed."""

BROWSED, BROWSED_AT = "browsed", "browsed_at"
BROWSED_PRODUCT_ID, BROWSED_SESSION = "browsed_product_id", "browsed_session"
EMAIL, EMAIL_AT, EMAIL_CAMPAIGN = "email", "email_at", "email_campaign"
SUPPORT, SUPPORT_AT, SUPPORT_TICKET = "support", "support_at", "support_ticket"
SATISFACTION = "satisfaction"
RETURNED_AT, RETURNED_PRODUCT_ID = "returned_at", "returned_product_id"
BOOKED_AT, BOOKED_PRODUCT_ID = "booked_at", "booked_product_id"

CHURN = ("churn_prediction",)
LOWEST, HIGHEST = 1.0, 5.0
"""How satisfied a customer can be."""
SCALES = (5.0, 10.0, 100.0)
"""The highest marks that shops ask for; the smallest that holds all of a file is its scale."""
WORDS = {
    **dict.fromkeys(("good", "satisfied", "happy", "extremely happy", "very happy"), HIGHEST),
    **dict.fromkeys(("neutral", "ok", "average"), (LOWEST + HIGHEST) / 2),
    **dict.fromkeys(("bad", "unhappy", "extremely unhappy", "very unhappy"), LOWEST),
    **dict.fromkeys(("dissatisfied", "unsatisfied"), LOWEST),
}
"""What words of satisfaction are worth."""
MARK = re.compile(r"-?[0-9]+([.,][0-9]+)?")


def _of(stated: str, kinds: AbstractSet[str], rows: pd.DataFrame) -> pd.Series:
    """What rows of `kinds` state in a column; missing elsewhere."""
    found: pd.Series = rows[stated] if stated in rows else pd.Series(None, rows.index, dtype="str")
    return found.where(_is_of(rows, kinds))


def _marks(kinds: AbstractSet[str], rows: pd.DataFrame) -> pd.Series:
    """How satisfied customers were, from 1 to 5, by marks of any usual scale or by words."""
    said = _of(RATING, kinds, rows).astype("object")
    words = {text: _mark(text) for text in said.dropna().unique()}
    numbers = said.map(words).astype("float64")
    numerals = [text for text in words if MARK.fullmatch(text)]
    most = max((words[text] for text in numerals), default=HIGHEST)
    scale = next((each for each in SCALES if most <= each), most)
    stretched = said.isin(numerals) & (scale > HIGHEST)
    return numbers.where(~stretched, numbers * HIGHEST / scale).clip(LOWEST, HIGHEST)


def _mark(text: str) -> float:
    if MARK.fullmatch(text):
        return float(text.replace(",", "."))
    return WORDS.get(" ".join(text.casefold().split()), np.nan)


def _is_of(rows: pd.DataFrame, kinds: AbstractSet[str]) -> pd.Series:
    return rows[KIND].isin(list(kinds)) if KIND in rows else pd.Series(data=False, index=rows.index)


def _column(
    name: str,
    kind: Kind,
    of_kinds: frozenset[str],
    told_by: str,
    entry: CatalogEntry,
    derived: Derivation | None = None,
) -> Column:
    """A column that rows of some kinds fill from what a source states."""
    return Column(
        name,
        kind,
        may_be_empty=True,
        of_kinds=of_kinds,
        told_by=told_by,
        entry=entry,
        derived=derived or partial(_of, told_by, of_kinds),
    )


def _browsing(label: str) -> CatalogEntry:
    return CatalogEntry("browsing", label)


def _email(label: str) -> CatalogEntry:
    return CatalogEntry("email_engagement", label, CHURN)


def _support(label: str) -> CatalogEntry:
    return CatalogEntry("support", label, CHURN)


TABLE = Events(
    name=NAME,
    happened_at=OCCURRED_AT,
    kind=KIND,
    columns=(
        Column(OCCURRED_AT, Kind.MOMENT, required=True),
        _column(BROWSED, Kind.TEXT, BROWSING, KIND, _browsing("What you did on our pages")),
        _column(BROWSED_AT, Kind.MOMENT, BROWSING, OCCURRED_AT, _browsing("When you did it")),
        _column(BROWSED_PRODUCT_ID, Kind.ID, BROWSING, PRODUCT_ID, _browsing("With what product")),
        _column(BROWSED_SESSION, Kind.ID, BROWSING, SESSION_ID, _browsing("In which visit")),
        _column(EMAIL, Kind.TEXT, EMAILS, KIND, _email("E-mails you received and opened")),
        _column(EMAIL_AT, Kind.MOMENT, EMAILS, OCCURRED_AT, _email("When you did")),
        _column(EMAIL_CAMPAIGN, Kind.ID, EMAILS, CAMPAIGN_ID, _email("Which e-mails")),
        _column(SUPPORT, Kind.TEXT, TICKETS, KIND, _support("Your questions to us")),
        _column(SUPPORT_AT, Kind.MOMENT, TICKETS, OCCURRED_AT, _support("When you asked")),
        _column(SUPPORT_TICKET, Kind.ID, TICKETS, TICKET_ID, _support("Numbers of your questions")),
        _column(
            SATISFACTION,
            Kind.PRICE,
            frozenset((TICKET_CLOSED,)),
            RATING,
            _support("How satisfied you were with our help"),
            partial(_marks, frozenset((TICKET_CLOSED,))),
        ),
        _column(
            RETURNED_AT,
            Kind.MOMENT,
            frozenset((RETURN,)),
            OCCURRED_AT,
            CatalogEntry("purchases", "When you sent something back", CHURN),
        ),
        _column(
            RETURNED_PRODUCT_ID,
            Kind.ID,
            frozenset((RETURN,)),
            PRODUCT_ID,
            CatalogEntry("purchases", "What you sent back", CHURN),
        ),
        _column(
            BOOKED_AT,
            Kind.MOMENT,
            frozenset((BOOKING,)),
            OCCURRED_AT,
            CatalogEntry("order_times", "When you booked", CHURN),
        ),
        _column(
            BOOKED_PRODUCT_ID,
            Kind.ID,
            frozenset((BOOKING,)),
            PRODUCT_ID,
            CatalogEntry("purchases", "What you booked", CHURN),
        ),
    ),
    only_read=(
        Column(KIND, Kind.TEXT, required=True),
        Column(PRODUCT_ID, Kind.ID, may_be_empty=True),
        Column(SESSION_ID, Kind.ID, may_be_empty=True),
        Column(CAMPAIGN_ID, Kind.ID, may_be_empty=True),
        Column(TICKET_ID, Kind.ID, may_be_empty=True),
        Column(RATING, Kind.TEXT),
        Column(CANCELLED, Kind.TEXT),
    ),
    categories=(
        StandardCategory(
            "browsing",
            "What you looked at",
            "The products that you looked at and put into your basket on our pages, and when.",
            spoken="what you looked at",
        ),
        StandardCategory(
            "email_engagement",
            "Which of our e-mails you read",
            "The e-mails that we sent you, and which of them you opened and clicked.",
            spoken="which of our e-mails you read",
        ),
        StandardCategory(
            "support",
            "Your questions to us",
            "When you asked us for help, whether it is settled, and how satisfied you were.",
            spoken="your questions to us",
        ),
    ),
)
