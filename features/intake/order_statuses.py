"""What shops' words for the state of an order mean: whether it was a purchase."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from unicodedata import combining, normalize

from features.config.sources import StatusesSection

BOUGHT, PENDING, FAILED, CANCELLED, REFUNDED, RETURNED, TEST = StatusesSection.model_fields
MEANINGS = (TEST, CANCELLED, REFUNDED, RETURNED, FAILED, PENDING, BOUGHT)
"""Of several words of an order the first of these decides."""
JOINED = " / "
"""Stands between the words of several columns."""
_SAID: Mapping[str, str] = {
    BOUGHT: """
        paid completed complete processing fulfilled unfulfilled partial partially_fulfilled
        partially_refunded partiallyrefunded partial_refund shipped delivered done sale sales_order
        sent closed succeeded success successful approved accepted captured settled active
        invoiced partially_invoiced fully_invoiced billed to_bill to_deliver to_deliver_and_bill
        partially_delivered partially_shipped partially_paid ready ready_for_pickup picked_up
        collected dispatched in_transit awaiting_shipment awaiting_fulfillment awaiting_pickup
        preparation_in_progress payment_accepted payment_received in_progress open confirmed
        restocked received purchase purchased order ordered transaction checkout_completed
        shipped_delivered_to_buyer shipped_picked_up shipping unshipped partiallyshipped
        manual_payment trialing sold finished true yes normal ok
        abgeschlossen bezahlt versendet versandt geliefert zugestellt in_bearbeitung bearbeitet
        erledigt fertig teilweise_erstattet teilerstattet verschickt in_zustellung
        paye payee payé payée termine terminee terminé terminée expedie expédié expédiée livre
        livré livrée en_cours en_cours_de_traitement en_preparation acceptee validee validée
        paiement_accepte paiement_accepté
        pagado pagada completado completada enviado enviada entregado entregada procesando
        en_proceso en_preparacion
        zaplacone opłacone oplacone zrealizowane wyslane wysłane dostarczone zakonczone
        zakończone w_trakcie_realizacji w_realizacji
    """,
    PENDING: """
        pending pending_payment pendingpayment on_hold onhold hold awaiting_payment draft
        checkout_draft quotation quotation_sent new incomplete unpaid authorized authorised
        created abandoned in_cart requires_payment_method requires_action payment_review
        awaiting_check_payment awaiting_bank_wire_payment awaiting_bank_wire awaiting_cheque
        manual_verification_required waiting expected
        ausstehend offen wartend in_wartestellung zahlung_ausstehend unbezahlt entwurf
        en_attente attente en_attente_de_paiement brouillon impaye
        pendiente pendiente_de_pago en_espera borrador
        oczekujace oczekujące oczekuje_na_platnosc wstrzymane nieoplacone nieopłacone szkic
    """,
    FAILED: """
        failed failure declined denied error payment_error fraud suspected_fraud expired rejected
        uncaptured blocked disputed chargeback charged_back
        fehlgeschlagen abgelehnt fehler zahlungsfehler
        echoue échoué echouee échouée erreur erreur_de_paiement refuse refusé
        fallido fallida error_de_pago rechazado nieudane odrzucone blad_platnosci
    """,
    CANCELLED: """
        cancelled canceled cancel void voided annulled cancelled_order storno storniert annulliert
        abgebrochen annule annulé annulee annulée cancelado cancelada anulado anulada anulowane
        anulowany cancelled_by_buyer cancelled_by_seller trash trashed deleted
    """,
    REFUNDED: """
        refunded fully_refunded full_refund refund credited credit_note reversed
        erstattet rueckerstattet rückerstattet zurueckerstattet gutgeschrieben
        rembourse remboursé remboursee remboursée reembolsado reembolsada zwrocone zwrócone
        zwrocono_srodki
    """,
    RETURNED: """
        returned return returned_to_seller exchanged exchange replaced
        zurueckgesendet zurückgesendet retourniert retoure umgetauscht
        retourne retourné retournee retournée echange échangé devuelto devuelta cambiado zwrot
        zwrocony wymienione
    """,
    TEST: "test test_order testorder testbestellung demo sandbox bogus bogus_gateway commande_test",
}


def bare(word: str) -> str:
    """A status in lower case without accents, with `_` for all that stands between its words."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", word.strip())
    lower = re.sub(r"^(wc|sylius|order|status)[-_:]", "", spaced.casefold()).replace("ł", "l")
    lower = "".join(each for each in normalize("NFKD", lower) if not combining(each))
    return re.sub(r"[\W_]+", "_", lower).strip("_")


KNOWN: Mapping[str, str] = {
    bare(word): meaning for meaning, words in _SAID.items() for word in words.split()
}
"""The meaning of each known word, as `bare` writes it."""
_PURCHASES = """
    purchase purchased order ordered transaction bought buy sale checkout order_completed
    order_placed placed_order completed_order checkout_completed achat kauf compra
"""
PURCHASES = frozenset(_PURCHASES.split())
"""Kinds of events that are purchases; all others are not."""
YES = frozenset(("true", "yes", "y", "1", "x", "test", "ja", "oui", "si", "sí", "tak"))


def meaning_of(words: str, stated: StatusesSection) -> str | None:
    """What the status words of an order mean together; None where one of them is not known.

    Words that `stated` has mean what it says. No words at all are a purchase.
    """
    said = _stated(stated)
    found = [
        said.get(bare(word)) or KNOWN.get(bare(word))
        for word in words.split(JOINED)
        if word.strip()
    ]
    if None in found:
        return None
    return next((meaning for meaning in MEANINGS if meaning in found), BOUGHT)


def sorted_words(
    statuses: Iterable[str], stated: StatusesSection
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """The words of a column by what `stated` or else most shops mean by them, and those that are
    not known.
    """
    means = {**KNOWN, **_stated(stated)}
    words = sorted({w.strip() for said in statuses for w in said.split(JOINED) if w.strip()})
    by_meaning = {
        meaning: tuple(word for word in words if means.get(bare(word)) == meaning)
        for meaning in StatusesSection.model_fields
    }
    known = {meaning: found for meaning, found in by_meaning.items() if found}
    return known, tuple(word for word in words if bare(word) not in means)


def _stated(stated: StatusesSection) -> dict[str, str]:
    return {
        bare(word): meaning
        for meaning in StatusesSection.model_fields
        for word in getattr(stated, meaning)
    }
