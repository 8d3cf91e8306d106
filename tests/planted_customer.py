"""Something of a customer in every store there is."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd
from sqlalchemy import Connection, insert

from features.consent.contact_permissions import contact_columns, import_contact_permissions
from features.consent.ledger import ConsentEvent
from features.consent.training_sets import remember
from features.database.tables import (
    audit_log,
    exposures,
    kept_answers,
    merged_customers,
    preferred_channels,
)
from features.events.event import DecisionEvent
from features.events.store import Kept, keep
from features.intake.over_http.door import Door
from features.intake.over_http.statements import Statement
from features.shop.corrections import Correction, correct
from features.shop.online import online_stores
from features.shop.shop import Shop
from serving.access.caller import Caller
from serving.access.one_time_codes import GoodFor, OneTimeCodes
from serving.decisions.audience_members import keep_members
from serving.decisions.deciding import Made
from serving.decisions.set_bands import SetBand, set_band
from serving.delivery.opt_outs import OptOuts
from serving.reviews.queue import Reviews
from serving.webhooks.event import Event, EventKind
from serving.webhooks.outbox import Outbox
from tests.decided import Said, decide
from tests.synthetic_shop import END

RUN = "run-of-a-test"
TRAINED_AT = datetime(2024, 2, 3, 4, 5, 6, tzinfo=END.tzinfo)
PLANTED = {
    "warehouse": "planted-country",
    "files_of_the_workspace": "service.log",
    "consents": "planted-evidence",
    "decisions": "planted-answer",
    "opt_outs": "planted-product",
    "corrections": "planted-country",
    "rows_sent_over_HTTP": "planted-purchase",
    "contact_permissions": "Newsletter",
    "preferred_channels": "Preferred channel",
    "audiences": "planted-audience",
    "calls_to_the_shop's_programs": "planted-call",
    "training_sets": "2024-02-03T04:05:06",
    "reviews": "planted-contest",
    "bands_set_by_a_person": "planted-review",
    "recommendations_shown": "planted-channel",
    "events": "planted-bought",
    "answers_kept_for_a_day": "planted-kept",
    "who_read_your_data": "planted-look",
    "wanted_codes": "data",
}
"""By section of an export what it holds of everybody for whom `plant` was called."""


def _put_beside(connection: Connection, shop: Shop, customer: int) -> None:
    """How they would rather be written to, an audience, and a call that is still to be made."""
    row = {"channel": "sms", "stated_in": "Preferred channel", "recorded_at": "2024-01-01"}
    connection.execute(insert(preferred_channels).values(customer=customer, **row))
    audience = {"audience": "planted-audience"}
    keep_members(connection, shop.vault, "dec_1", {customer: audience}, "2024-01-01")
    moment, about = "2024-01-01T00:00:00.000000Z", {"review_id": "planted-call"}
    told = Event(EventKind.REVIEW_RESOLVED, moment, about, customer)
    Outbox.of(shop).put(connection, [(told, "whk_1")], moment)


def _send_row(shop: Shop, id: str) -> None:
    cells = {"customer_id": id, "product_id": "planted-purchase", "amount": 1}
    row = {**cells, "order_id": f"of {id}", "ordered_at": "2024-01-01"}
    door = Door(shop.config, shop.workspace.tables, shop.database, shop.vault, shop.clock)
    door.take("transactions", [Statement(f"row of {id}", [row])], None)


def plant(shop: Shop, *ids: str) -> None:
    """Put something of each customer into every store there is."""
    for id in ids:
        customer = shop.customers.find(id)
        assert customer is not None
        proved = ConsentEvent(
            id, "recommendations", "location", "renewed", "web_form", "1", None, f"form of {id}"
        )
        shop.ledger.append(replace(proved, evidence="planted-evidence"))
        made = Made({"k": 1}, Said({}, ("planted-answer",)), None)
        decided = decide(shop, "recommendation", id, "recommendations", lambda _, made=made: made)
        Reviews(shop).ask(decided.decision_id, "planted-contest")
        OptOuts(shop.database, shop.clock).add(customer, "product", "planted-product", None)
        correct(shop, customer, Correction("customers.country", "planted-country"))
        permissions = pd.DataFrame({"customer_id": [id], "Newsletter": ["yes"]})
        columns = contact_columns(list(permissions.columns))
        assert columns is not None
        import_contact_permissions(
            permissions, columns, Path("permissions.csv"), shop.database, shop.customers, shop.clock
        )
        _send_row(shop, id)
        codes = OneTimeCodes(shop.database, "secret", shop.clock)
        codes.make(customer, None, Caller("test"))
        codes.ask(customer, GoodFor.DATA)
        for store in online_stores(shop):
            store.make(customer)
    with shop.database.write() as connection:
        for customer in (pseudonym(shop, id) for id in ids):
            set_band(
                connection, customer, SetBand("low", "2030-01-01", "planted-review"), "2024-01-01"
            )
            told = {
                "channel": "planted-channel",
                "shown_at": "2024-01-01",
                "places": 1,
                "explored": 0,
            }
            connection.execute(
                insert(exposures).values(decision_id=f"dec_{customer}", customer=customer, **told)
            )
            event = DecisionEvent(
                f"evt_{customer}", "dec_1", "bought", "2024-01-01", "planted-bought"
            )
            _put_beside(connection, shop, customer)
            keep(connection, shop.vault, [Kept(event, customer, "-")], "2024-01-01", "test")
            kept = {"fingerprint": "-", "kept_at": "2024-01-01", "decision_id": "planted-kept"}
            connection.execute(
                insert(kept_answers).values(digest=f"{customer}", customer=customer, **kept)
            )
            before = {"customer": customer ^ 1, "kept": customer, "merged_at": "2024-01-01"}
            connection.execute(insert(merged_customers).values(**before))
            look = {"key_id": "key_1", "kind": "planted-look", "at": "2024-01-01"}
            connection.execute(
                insert(audit_log).values(id=f"acc_{customer}", customer=customer, **look)
            )
        remember(
            connection,
            RUN,
            "recommendations",
            1,
            [pseudonym(shop, id) for id in ids] + [7],
            TRAINED_AT,
        )
    root = shop.workspace.root
    (root / "service.log").write_text(
        "".join(f"a request of {id} failed\n" for id in ids) + "somebody else's line\n"
    )
    (root / "rejected").mkdir(exist_ok=True)
    (root / "rejected" / "orders.csv").write_text(
        "file,line,reason,raw\n" + "".join(f'orders.csv,7,odd,"{id},x"\n' for id in ids)
    )


def pseudonym(shop: Shop, id: str) -> int:
    """Pseudonym of one of the shop's customers."""
    found = shop.customers.find(id)
    assert found is not None
    return found
