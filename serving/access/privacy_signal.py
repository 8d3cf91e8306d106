"""The privacy signal of a browser (Global Privacy Control, `Sec-GPC: 1`): it withholds, and never
grants.
"""

from __future__ import annotations

from collections.abc import Collection

from features.consent.event import PRIVACY_SIGNAL, ConsentEvent
from features.consent.ledger import Ledger
from features.customers.pseudonyms import Customers

METHOD = "Sec-GPC"
SAID = "1"
"""The header's only value that says something."""
HONOURED = {"Privacy-Signal": "honoured"}
"""The header of an answer to who sent the signal: it was noted, and nothing about them was used."""


def record_signal(
    ledger: Ledger,
    customers: Customers,
    customer_id: str,
    purposes: Collection[str],
    *,
    before_a_choice: bool = False,
) -> bool:
    """Write the signal into the ledger for all that the customer grants for `purposes`, which is
    withheld from then on; whether anything was new.

    What the customer granted after an earlier signal stands, as they chose it knowingly; the answer
    to this request is not personal all the same. `before_a_choice` tells that the customer is about
    to choose on their own page: the signal then is written for what they do not grant as well, so
    that what they choose now comes after it.
    """
    customer = customers.find(customer_id)
    if customer is None:
        return False
    standing = [
        (entry["purpose"], entry["category"])
        for entry in ledger.state(customer)
        if entry["purpose"] in purposes and (entry["allowed"] or before_a_choice)
    ]
    if not standing:
        return False
    signalled = {
        (event["purpose"], event["category"])
        for event in ledger.history(customer)
        if event["action"] == PRIVACY_SIGNAL
    }
    events = [
        ConsentEvent(customer_id, purpose, category, PRIVACY_SIGNAL, METHOD, actor="browser")
        for purpose, category in standing
        if (purpose, category) not in signalled
    ]
    if events:
        ledger.append_all(events)
    return bool(events)
