"""Whether a product can be bought, as a shop's own words and stock say."""

from __future__ import annotations

from features.intake.order_statuses import bare

_WORDS = """
    discontinued out_of_stock outofstock oos sold_out soldout unavailable not_available archived
    draft hidden private trash inactive disabled deleted false no 0 n
    ausverkauft nicht_verfuegbar nicht_verfügbar nicht_lieferbar eingestellt
    epuise indisponible rupture rupture_de_stock agotado no_disponible descatalogado
    niedostepny wyprzedany wycofany
"""
NOT_AVAILABLE = frozenset(map(bare, _WORDS.split()))
"""Words for a product that is not sold now, as `bare` writes them."""


def is_available(availability: str | None, stock: str | None) -> bool:
    """Whether a product can be bought; it can where neither its state nor its stock says that it
    cannot.
    """
    if availability is not None and bare(availability) in NOT_AVAILABLE:
        return False
    if stock is not None:
        try:
            return float(stock.replace(",", ".")) > 0
        except ValueError:
            return True
    return True
