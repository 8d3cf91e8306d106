"""Whether a product can be bought, as a shop's own words and stock say."""

from __future__ import annotations

import re

_WORDS = """
    discontinued out_of_stock outofstock oos sold_out soldout unavailable not_available archived
    draft hidden private trash inactive disabled deleted false no 0 n
    ausverkauft nicht_verfuegbar nicht_verfügbar nicht_lieferbar eingestellt
    epuise épuisé indisponible rupture rupture_de_stock agotado no_disponible descatalogado
    niedostepny niedostępny wyprzedany wycofany
"""
NOT_AVAILABLE = frozenset(_WORDS.split())
"""Words for a product that is not sold now, with `_` between their parts."""


def is_available(availability: str | None, stock: str | None) -> bool:
    """Whether a product can be bought; it can where neither its state nor its stock says that it
    cannot.
    """
    if availability is not None:
        word = re.sub(r"[\W_]+", "_", availability.strip().casefold()).strip("_")
        if word in NOT_AVAILABLE:
            return False
    if stock is not None:
        try:
            return float(stock.replace(",", ".")) > 0
        except ValueError:
            return True
    return True
