"""A made-up shop in which every store holds canaries of every customer."""

from __future__ import annotations

import csv
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from functools import partial
from pathlib import Path

import pandas as pd
from sqlalchemy import insert

from experiments.training.registry import task
from experiments.training.train import train
from features import clock
from features.catalog import Catalog
from features.consent.event import GRANTED, ConsentEvent
from features.database.tables import kept_answers, merged_customers
from features.events.event import DecisionEvent
from features.events.store import Kept, keep
from features.intake.ingest import ingest
from features.intake.over_http.statements import Statement
from features.intake.setup.new_workspace import create
from features.progress import Progress, part_of
from features.shop.consent_import import REQUIRED, import_consents
from features.shop.corrections import Correction, correct
from features.shop.online import refresh_online
from features.shop.workspace import Workspace
from features.synthetic.baskets import EachOnce
from features.synthetic.presets import TESTED
from models.churn.settings import ChurnSettings
from models.next_purchase.ranker import NextPurchaseSettings
from models.tracking import Tracking
from serving.access.caller import AT_COMMAND_LINE, Caller
from serving.access.one_time_codes import GoodFor
from serving.bootstrap import Sayso, assemble
from serving.contract.requests import RecommendationRequest
from serving.decisions.audience_members import keep_members
from serving.proofs.erasure.canaries import canary, customer_id
from serving.reviews.review import Effects, Status, Verdict
from serving.webhooks.event import Event, EventKind
from serving.webhooks.outbox import Outbox

HOME = "France"
"""Where half of them live, so that sayso.toml has no canary as the home country.

The others each have a country of their own.
"""
CUSTOMERS = 240
SHOP = replace(
    TESTED, customers=CUSTOMERS, customer_ids="{}", baskets=EachOnce(products=40, popularity=0.0)
)
CHURN = ChurnSettings(most_trees=50, rows_per_leaf=20, outlook_trees=40, threads=1)
NEXT_PURCHASE = NextPurchaseSettings(trees=40, rows_per_leaf=20, threads=1)
OCCURRED_AT = "2024-11-20T10:00:00Z"
BEFORE_THE_NEWEST_HORIZON = timedelta(days=200)
"""So that some still order nothing within it, and churn can be learnt."""


def make_shop(folder: Path, chosen: Sequence[int], progress: Progress) -> Sayso:
    """The shop in `folder`, running; only the customers `chosen` have corrections and exports, as
    these take time to make.
    """
    progress("making a shop", 0.0)
    root = folder / "shop"
    create(root, [_write_orders(folder / "orders.csv")])
    sayso = assemble(Workspace.open(root), "http://127.0.0.1")
    shop = sayso.shop
    ingest(shop.workspace, shop.database)
    shop.ledger.append_all(list(_consents(shop.config.catalog)))
    _correct(sayso, chosen, part_of(progress, 0.1, 0.4))
    _send_rows(sayso)
    ingest(shop.workspace, shop.database)  # the generation before stays in the warehouse
    _train(sayso, part_of(progress, 0.4, 0.6))
    _use(sayso, part_of(progress, 0.6, 0.8))
    import_consents(_write_contacts(folder / "contacts.csv"), shop)
    _write_texts(sayso, chosen, part_of(progress, 0.8, 1.0))
    return sayso


def write_consents(file: Path, catalog: Catalog) -> Path:
    """The shop's own file of what all customers said."""
    with file.open("w", encoding="utf-8", newline="") as handle:
        lines = csv.writer(handle)
        lines.writerow(REQUIRED)
        for event in _consents(catalog):
            lines.writerow(
                [
                    OCCURRED_AT if name == "occurred_at" else getattr(event, name)
                    for name in REQUIRED
                ]
            )
    return file


def _write_orders(file: Path) -> Path:
    """The shop's export; the last line of each customer is one to be rejected."""
    lines = SHOP.draw(CUSTOMERS).lines.drop(columns="amount")
    number = lines["customer_id"].astype(int)
    orders = number.map(partial(canary, "order")) + lines["order_id"].str[-4:]
    countries = number.map(lambda one: HOME if one >= CUSTOMERS // 2 else canary("country", one))
    lines = lines.assign(
        customer_id=number.map(customer_id), order_id=orders, country=countries
    ).astype({"quantity": "object"})
    rejected = lines.groupby("customer_id", sort=False).head(1)
    whose = number[rejected.index]
    rejected = rejected.assign(
        order_id=whose.map(partial(canary, "order")),
        quantity=whose.map(partial(canary, "rejected")),
    )
    pd.concat([lines, rejected]).to_csv(file, index=False)
    return file


def _consents(catalog: Catalog) -> Iterator[ConsentEvent]:
    """What the customers said, with canaries as evidence and as keys; a fifth of them refuses
    everything.
    """
    for number in range(CUSTOMERS):
        said = ConsentEvent(
            customer_id(number), "", "", "refused" if number % 5 == 4 else GRANTED, "form"
        )
        for purpose in catalog.purposes:
            for category in catalog.askable(purpose):
                yield replace(
                    said,
                    purpose=purpose,
                    category=category,
                    notice_version=catalog.current_notice(purpose).version,
                    evidence=canary("evidence", number),
                    idempotency_key=f"{canary('key', number)} {purpose} {category}",
                )


def _correct(sayso: Sayso, chosen: Sequence[int], progress: Progress) -> None:
    for done, number in enumerate(chosen):
        progress("correcting data", done / len(chosen))
        customer = sayso.shop.customers.find(customer_id(number))
        if customer is not None:
            correct(
                sayso.shop, customer, Correction("customers.country", canary("corrected", number))
            )


def _send_rows(sayso: Sayso) -> None:
    """An order line of each customer comes over HTTP, with canaries in all that it says."""
    once = sayso.shop.loaded_until().replace(tzinfo=UTC) - BEFORE_THE_NEWEST_HORIZON
    sent = [
        Statement(
            canary("row", number),
            [
                {
                    "customer_id": customer_id(number),
                    "order_id": canary("sent", number),
                    "product_id": canary("bought", number),
                    "amount": 1,
                    "ordered_at": clock.to_text(once),
                }
            ],
        )
        for number in range(CUSTOMERS)
    ]
    sayso.door.take("transactions", sent, "key:shop")


def _train(sayso: Sayso, progress: Progress) -> None:
    progress("training models", 0.0)
    tracking = Tracking.of(sayso.shop.workspace, sayso.shop.database)
    for run in (
        train(task("churn"), sayso.shop, tracking, settings=CHURN),
        train(task("next_purchase"), sayso.shop, tracking, settings=NEXT_PURCHASE),
    ):
        tracking.promote(
            run.version, {"selftest": "a shop this small proves nothing of a model's quality"}
        )


def _use(sayso: Sayso, progress: Progress) -> None:
    """Answer everybody, look again at what they contest, and take their opt-outs."""
    refresh_online(sayso.shop)
    sayso.watch.look()
    for number, (customer, who) in enumerate(sayso.shop.customers.all().items()):
        progress("answering", number / CUSTOMERS)
        decided = sayso.recommender.answer(
            RecommendationRequest(customer_id=who, basket=(who.replace("customer", "basket"),))
        )
        _come_back(sayso, customer, who, decided.decision_id)
        _go_out(sayso, customer, who, decided.decision_id)
        _contest(sayso, customer, who, sayso.churn.answer(who).decision_id)
        sayso.opt_outs.add(customer, "product", who.replace("customer", "optout"), None)
        sayso.codes.make(customer, None, AT_COMMAND_LINE)
        sayso.codes.ask(customer, GoodFor.ERASURE)
        _merge(sayso, customer)
    refresh_online(sayso.shop)


def _come_back(sayso: Sayso, customer: int, who: str, decision_id: str) -> None:
    """Note that the customer bought something that was recommended."""
    shop, now = sayso.shop, clock.to_text(sayso.shop.clock())
    id, order = who.replace("customer", "event"), who.replace("customer", "bought-order")
    event = DecisionEvent(id, decision_id, "bought", now, order_id=order)
    with shop.database.write() as connection:
        keep(connection, shop.vault, [Kept(event, customer, "-")], now, "key:shop")


def _go_out(sayso: Sayso, customer: int, who: str, decision_id: str) -> None:
    """Have the customer on a list of an audience, the shop's program be still told of them, and an
    answer to them be kept under the key of its request.
    """
    shop, now = sayso.shop, clock.to_text(sayso.shop.clock())
    told = Event(
        EventKind.REVIEW_RESOLVED, now, {"review_id": who.replace("customer", "call")}, customer
    )
    row = {"digest": decision_id, "fingerprint": "-", "kept_at": now, "decision_id": decision_id}
    with shop.database.write() as connection:
        reason = {"audience": who.replace("customer", "audience")}
        keep_members(connection, shop.vault, decision_id, {customer: reason}, now)
        Outbox.of(shop).put(connection, [(told, "whk_0")], now)
        connection.execute(insert(kept_answers).values(customer=customer, **row))


def _merge(sayso: Sayso, customer: int) -> None:
    """Have the customer a number of before, as one has whose id was written in two ways."""
    row = {"customer": secrets.randbits(62), "kept": customer, "merged_at": "2024-01-01"}
    with sayso.shop.database.write() as connection:
        connection.execute(insert(merged_customers).values(**row))


def _contest(sayso: Sayso, customer: int, who: str, decision_id: str) -> None:
    """The customer contests an estimate; somebody of the staff looks at it, sets another band, and
    says why.
    """
    review, _ = sayso.reviews.ask(decision_id, who.replace("customer", "contest"))
    sayso.audit_log.read(Caller("selftest"), "review", customer)
    until = clock.to_text(sayso.shop.clock() + timedelta(days=30))
    effects = Effects(band="low", band_until=until)
    sayso.reviews.resolve(
        review.id,
        Verdict(Status.OVERRIDDEN, who.replace("customer", "verdict"), "selftest", effects),
    )


def _write_contacts(file: Path) -> Path:
    """The shop's own file of whom it may write to."""
    lines = [
        f"{customer_id(number)},{'yes' if number % 2 else 'no'},sms" for number in range(CUSTOMERS)
    ]
    header = "customer_id,accepts_marketing,preferred_channel"
    file.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return file


def _write_texts(sayso: Sayso, chosen: Sequence[int], progress: Progress) -> None:
    """A log that names everybody, and exports, within the workspace."""
    root = sayso.shop.workspace.root
    log = [
        f"2024-11-20 10:00:00 INFO asked for customer {customer_id(number)}\n"
        for number in range(CUSTOMERS)
    ]
    (root / "service.log").write_text("".join(["started\n", *log]), encoding="utf-8")
    (root / "exports").mkdir()
    for done, number in enumerate(chosen):
        progress("exporting", done / len(chosen))
        document = json.dumps(sayso.rights.export(customer_id(number)), default=str)
        (root / "exports" / f"{done}.json").write_text(document, encoding="utf-8")
