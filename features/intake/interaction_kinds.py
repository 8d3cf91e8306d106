"""What systems' words for an event mean: which kind of interaction it was, if it was one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from features.intake.order_statuses import bare
from features.tables.declared.interactions import (
    BOOKED_AT,
    BOOKING,
    BROWSED,
    CART,
    CART_REMOVED,
    EMAIL,
    EMAIL_CLICKED,
    EMAIL_OPENED,
    EMAIL_SENT,
    EMAIL_UNSUBSCRIBED,
    EMAILS,
    RETURN,
    RETURNED_AT,
    SEARCH,
    SUPPORT,
    TICKET_CLOSED,
    TICKET_OPENED,
    VIEW,
    WISHLIST,
)

_SAID: Mapping[str, str] = {
    VIEW: """
        view viewed views pageview page_view product_view product_viewed viewed_product view_item
        item_view detail_view view_product view_content detail pv screen_view vue ansicht visita
    """,
    SEARCH: "search searched site_search search_products view_search_results suche recherche",
    CART: """
        cart carted add_to_cart added_to_cart addtocart cart_add add_cart product_added atc
        basket add_to_basket added_to_basket addtobasket warenkorb panier carrito koszyk
    """,
    CART_REMOVED: """
        cart_removed remove_from_cart removed_from_cart removefromcart cart_remove remove_cart
        product_removed remove_from_basket removed_from_basket
    """,
    WISHLIST: "wishlist add_to_wishlist added_to_wishlist wish fav favorite favourite merkzettel",
    EMAIL_SENT: """
        email_sent sent send delivered delivery received_email email_delivered email_received
        received e_mail_sent mail_sent
    """,
    EMAIL_OPENED: "email_opened email_open opened_email open opened opens mail_opened",
    EMAIL_CLICKED: "email_clicked email_click clicked_email link_clicked mail_clicked",
    EMAIL_UNSUBSCRIBED: """
        email_unsubscribed unsubscribed unsubscribe unsub unsubscribed_from_list opt_out opted_out
        unsubscribed_from_email_marketing abgemeldet
    """,
    TICKET_OPENED: "ticket_opened ticket_created ticket_open case_opened case_created",
    TICKET_CLOSED: "ticket_closed ticket_solved ticket_resolved case_closed case_resolved",
    RETURN: "return returned product_returned item_returned retoure retour devolucion zwrot",
    BOOKING: "booking booked appointment appointment_booked invitee_created reservation termin",
}
KNOWN: Mapping[str, str] = {
    bare(word): kind for kind, words in _SAID.items() for word in words.split()
}
"""The kind of each known word, as `bare` writes it."""
KIND_COLUMNS = (BROWSED, EMAIL, SUPPORT, RETURNED_AT, BOOKED_AT)
"""The columns of the warehouse by which the kind of an interaction is known again."""
CLICKS = ("click", "clicked", "clicks")
"""Words for a look at a product, or at what an e-mail links to where others are about e-mails."""


def kinds_of(words: Iterable[str], stated: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """The kind of each of the words of a column that means one; what `stated` lists by kind, or
    where that is empty what most systems mean.
    """
    found = {word: bare(word) for word in words}
    if stated:
        said = {bare(word): kind for kind, listed in stated.items() for word in listed}
        return {word: said[name] for word, name in found.items() if name in said}
    known = {KNOWN[name] for name in found.values() if name in KNOWN}
    click = EMAIL_CLICKED if EMAILS & known else VIEW
    means = {**KNOWN, **dict.fromkeys(CLICKS, click)}
    return {word: means[name] for word, name in found.items() if name in means}


def stored_kinds(rows: pd.DataFrame) -> list[str]:
    """The kinds of interactions as the warehouse keeps them, by the columns that they fill."""
    kinds = pd.Series(None, rows.index, dtype="object")
    for column in (BROWSED, EMAIL, SUPPORT):
        kinds = kinds.where(kinds.notna(), rows[column].astype("object"))
    for column, kind in ((RETURNED_AT, RETURN), (BOOKED_AT, BOOKING)):
        kinds[kinds.isna() & rows[column].notna()] = kind
    return [str(kind) for kind in kinds.dropna()]
