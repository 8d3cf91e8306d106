"""The privacy signal of a browser (Global Privacy Control, `Sec-GPC: 1`): it withholds, and never
grants.
"""

from __future__ import annotations

from features.consent.event import PRIVACY_SIGNAL, ConsentEvent
from features.consent.ledger import Ledger
from features.customers.pseudonyms import Customers

METHOD = "Sec-GPC"


def record_signal(ledger: Ledger, customers: Customers, customer_id: str, purpose: str) -> None:
    """Write the signal into the ledger for all that the customer grants for `purpose`, which is
    withheld from then on.

    What the customer granted after an earlier signal stands, as they chose it knowingly; the answer
    to this request is not personal all the same.
    """
    customer = customers.find(customer_id)
    if customer is None:
        return
    standing = [
        entry["category"]
        for entry in ledger.state(customer)
        if entry["purpose"] == purpose and entry["allowed"]
    ]
    if not standing:
        return
    signalled = {
        event["category"]
        for event in ledger.history(customer)
        if (event["action"], event["purpose"]) == (PRIVACY_SIGNAL, purpose)
    }
    events = [
        ConsentEvent(customer_id, purpose, category, PRIVACY_SIGNAL, METHOD, actor="browser")
        for category in standing
        if category not in signalled
    ]
    if events:
        ledger.append_all(events)
