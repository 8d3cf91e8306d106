"""A shop whose customers were written in several ways is opened: who was apart is one person, of
what they said the most restrictive counts, and nothing that was written is rewritten.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert, select, update

from features.config.environment import Settings
from features.consent.event import WITHDRAWN, ConsentEvent
from features.consent.training_sets import read_all, remember
from features.consent.verification import verify_ledger
from features.customers import pseudonyms
from features.database.metadata import metadata
from features.database.tables import (
    consent_events,
    consent_state,
    contact_permissions,
    customer_id_rule,
    customers,
    merged_customers,
    opt_outs,
)
from features.errors import NotFound
from features.intake.ingest import ingest
from features.intake.setup.new_workspace import EXAMPLE, create
from features.shop.consent_import import import_consents
from features.shop.corrections import Correction, correct, read_corrections
from features.shop.one_person import MADE_ANEW, RENUMBERED
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.decisions.deciding import Made
from serving.decisions.log import DecisionLog
from serving.delivery.opt_outs import OptOuts
from serving.proofs.person.trial import write_orders
from serving.proofs.stage.empty_shop import make_empty_shop
from serving.reviews.queue import Reviews
from serving.rights.rights import Rights
from serving.rights.upkeep import upkeep
from tests.decided import Said, decide
from tests.first_revision import ANN, BOB, SPOKEN, database_of_first_revision, old_ledger

PURPOSE = "recommendations"
ONE, OTHER = "plain one", "plain other"
"""How two ids are called while they stand apart, before they are written as they are."""
AS_WRITTEN = {ONE: "anna@example.com", OTHER: "Anna@Example.com"}
WRITTEN, ALSO = AS_WRITTEN.values()


@pytest.fixture
def shop(tmp_path: Path, database_url: str) -> Iterator[Shop]:
    """A shop that recorded nothing, once on each kind of database."""
    root = make_empty_shop(tmp_path / "shop", database_url)
    opened = Shop(Workspace.open(root, Settings(database_url=database_url)))
    yield opened
    opened.database.close()


def said(customer_id: str, action: str, category: str = "purchases", **more: str) -> ConsentEvent:
    """One thing said about a category."""
    version = "1" if action == "granted" else None
    return ConsentEvent(customer_id, PURPOSE, category, action, "web_form", version, **more)


def written(shop: Shop, names: Mapping[str, str] = AS_WRITTEN, rule: str = "none") -> None:
    """Write ids as an earlier version did, which had no rule for them."""
    with shop.database.write() as connection:
        for name, id in names.items():
            statement = update(customers).where(customers.c.external_id == name)
            connection.execute(statement.values(external_id=id))
        connection.execute(update(customer_id_rule).values(rule=rule))


def reopened(shop: Shop) -> Shop:
    """The shop, opened anew by this version."""
    shop.database.close()
    again = Shop(shop.workspace, shop.clock)
    shop.database = again.database
    return again


def stands(shop: Shop, customer_id: str, category: str = "purchases") -> str:
    """What stands of a customer's category."""
    state = shop.ledger.state(shop.customers.pseudonym(customer_id))
    return next(
        entry["action"]
        for entry in state
        if (entry["purpose"], entry["category"]) == (PURPOSE, category)
    )


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        ("granted", "withdrawn", "withdrawn"),
        ("withdrawn", "granted", "withdrawn"),
        ("granted", "refused", "refused"),
        ("granted", "granted", "granted"),
        ("granted", None, "granted"),
        (None, "granted", "granted"),
    ],
)
def test_the_most_restrictive_counts(
    shop: Shop, first: str | None, second: str | None, wanted: str
) -> None:
    """What either id said counts for the person, and what withholds before what allows; the chain
    holds, with every event that was in it.
    """
    for name in (ONE, OTHER):
        shop.ledger.append(said(name, "refused", "location"))
    for name, action in ((ONE, first), (OTHER, second)):
        if action is not None:
            shop.ledger.append(said(name, action))
    with shop.database.read() as connection:
        before = connection.execute(select(consent_events)).all()
    written(shop)
    again = reopened(shop)
    assert stands(again, WRITTEN) == stands(again, ALSO) == wanted
    with again.database.read() as connection:
        after = connection.execute(select(consent_events).order_by(consent_events.c.seq)).all()
    assert set(before) == set(after[: len(before)])
    assert verify_ledger(again.database, again.config.catalog) == len(after)
    assert {event.method for event in after[len(before) :]} == {"merged_ids"}


def test_a_grant_ends_as_early_and_reaches_as_little_back_as_either(shop: Shop) -> None:
    """Of two grants the one that ends first is in force, and no longer after that."""
    shop.ledger.append(said(ONE, "granted", valid_until="2030-01-01T00:00:00Z"))
    shop.ledger.append(said(OTHER, "granted"))
    written(shop)
    again = reopened(shop)
    state = again.ledger.state(again.customers.pseudonym(ALSO))
    ends = {
        e["valid_until"] for e in state if (e["purpose"], e["category"]) == (PURPOSE, "purchases")
    }
    assert ends == {"2030-01-01T00:00:00.000000Z"}


def test_it_is_done_once_and_said_in_numbers(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """The log says how many were merged and names nobody; opened again, nothing is done."""
    for name in (ONE, OTHER):
        shop.ledger.append(said(name, "granted"))
    written(shop)
    with caplog.at_level(logging.WARNING, "sayso.customers"):
        again = reopened(shop)
        events = again.ledger.position()
        once_more = reopened(again)
        assert once_more.ledger.position() == events
        once_more.database.close()
    (line,) = [record.getMessage() for record in caplog.records if record.name == "sayso.customers"]
    assert "1 that were apart were merged" in line
    assert "example" not in line.casefold()


def test_everything_of_the_person_goes_along(shop: Shop) -> None:
    """Opt-outs, contact permissions, corrections, evidence, history, orders and training sets of
    both ids are the person's, in exports, and gone after one erasure.
    """
    day = (shop.clock() - timedelta(days=10)).date().isoformat()
    write_orders(shop.workspace.root / EXAMPLE.file, [(ONE, OTHER)], day)
    ingest(shop.workspace, shop.database)
    numbers = {name: shop.customers.pseudonym(name) for name in (ONE, OTHER)}
    shop.ledger.append(said(ONE, "granted", evidence="form of one"))
    shop.ledger.append(said(OTHER, "granted", evidence="form of other"))
    OptOuts(shop.database).add(numbers[OTHER], "product", "mug", None)
    correct(shop, numbers[OTHER], Correction("customers.country", "France"))
    with shop.database.write() as connection:
        for name, yes in ((ONE, True), (OTHER, False)):
            row = {"channel": "email", "allowed": yes, "stated_in": "x", "recorded_at": "2026"}
            connection.execute(insert(contact_permissions).values(customer=numbers[name], **row))
        remember(connection, "run", PURPOSE, 0, numbers.values(), shop.clock())
    written(shop)
    again = reopened(shop)
    kept = again.customers.pseudonym(WRITTEN)
    assert {again.customers.kept(number) for number in numbers.values()} == {kept}
    with again.database.read() as connection:
        assert connection.execute(select(opt_outs.c.customer)).scalars().all() == [kept]
        (permission,) = connection.execute(select(contact_permissions)).all()
        assert (permission.customer, permission.allowed) == (kept, False)
        (trained,) = read_all(connection)
        assert np.array_equal(trained.customers, [kept])
        ((whose, correction),) = read_corrections(connection, again.vault, kept)
        assert (whose, correction.value) == (kept, "France")
    export = Rights(again).export(ALSO)
    assert {row["order_id"] for row in export["warehouse"]["transactions"]} == {
        "first-0",
        "second-0",
    }
    proofs = {event["evidence"] for event in export["consents"]["events"]}
    assert {"form of one", "form of other"} <= proofs
    receipt = Rights(again).erase(ALSO)
    assert receipt["complete"]
    for id in (WRITTEN, ALSO):
        with pytest.raises(NotFound):
            Rights(again).export(id)
    with again.database.read() as connection:
        assert connection.execute(select(merged_customers)).all() == []
    assert all(again.warehouse.count(number) == 0 for number in numbers.values())


def test_every_table_of_customers_has_its_place_in_a_merge() -> None:
    """A table with a customer's number is renumbered, emptied, brought together by a rule of its
    own, or left as it is because a chain or a seal binds its rows to the number of before.
    """
    brought_together = {
        *("consent_state", "contact_permissions", "customers", "merged_customers"),
        *("preferred_channels", "set_bands"),
    }
    bound = {
        *("consent_events", "decisions", "erasures", "evidence", "payload_keys"),
        *("arrivals", "audience_members", "corrections", "decision_events", "kept_answers"),
        *("reviews", "webhook_calls"),
    }
    moved = {table.name for table in (*RENUMBERED, *MADE_ANEW)}
    of_customers = {table.name for table in metadata.sorted_tables if "customer" in table.c}
    assert of_customers == brought_together | bound | moved


def test_decisions_of_before_are_the_person_s(shop: Shop) -> None:
    """A decision that was recorded under the other number is found as the person's, can be
    contested by them, and stands in their export.
    """
    shop.ledger.append_all([said(ONE, "granted"), said(OTHER, "granted")])
    made = Made({}, Said({}, ("a mug",)), None)
    id = decide(shop, "recommendation", OTHER, PURPOSE, lambda _: made).decision_id
    written(shop)
    again = reopened(shop)
    kept = again.customers.pseudonym(ALSO)
    found, customer_id = DecisionLog(again.database, again.vault, {}).find(id)
    assert (found.customer, customer_id) == (kept, WRITTEN)
    review, new = Reviews(again).ask(id, "It is wrong.")
    assert new
    assert [one.id for one in Reviews(again).of(kept)] == [review.id]
    assert len(Rights(again).export(WRITTEN)["decisions"]) == 1


def test_an_import_of_before_adds_nothing(shop: Shop, tmp_path: Path) -> None:
    """A file that was imported while the ids were apart is known when it comes again."""
    file = tmp_path / "consents.csv"
    head = "customer_id,purpose,category,action,notice_version,method,occurred_at"
    rows = [
        f"{name},{PURPOSE},purchases,granted,1,form,2026-01-01T00:00:00Z" for name in AS_WRITTEN
    ]
    file.write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    assert import_consents(file, shop).added == 2
    written(shop)
    again = reopened(shop)
    for name, id in AS_WRITTEN.items():
        file.write_text(file.read_text(encoding="utf-8").replace(name, id), encoding="utf-8")
    report = import_consents(file, again)
    assert (report.added, report.repeated) == (0, 2)


def test_who_was_erased_under_another_form_is_erased(shop: Shop) -> None:
    """Nothing of theirs is used once the shop is opened, and upkeep finishes the erasure."""
    shop.ledger.append(said(OTHER, "granted"))
    with shop.database.write() as connection:
        pseudonyms.suppress(connection, shop.vault, WRITTEN, "2026-01-01")
    written(shop)
    again = reopened(shop)
    assert stands(again, ALSO) == WITHDRAWN
    assert upkeep(again).erased == 1
    assert again.customers.find(ALSO) is None
    assert upkeep(again).erased == 0


def test_a_tag_of_before_keeps_every_form_out(shop: Shop) -> None:
    """An id that was erased as it was written then is known by that, and from then on however it is
    written.
    """
    with shop.database.write() as connection:
        (tag,) = shop.vault.tags(connection, pseudonyms.SUPPRESSION, [ALSO]).values()
        connection.execute(insert(pseudonyms.suppressed).values(tag=tag, erased_at="2026-01-01"))
    assert shop.customers.erased([ALSO, "bob"]) == {ALSO}
    assert shop.customers.erased([WRITTEN, "bob"]) == {WRITTEN}


def test_ids_of_nobody_are_closed(shop: Shop) -> None:
    """What was taken for a customer and is nobody is none any more, and nothing is used of it."""
    shop.ledger.append(said(ONE, "granted"))
    number = shop.customers.pseudonym(ONE)
    written(shop, {ONE: "NaN"})
    again = reopened(shop)
    assert again.customers.find("NaN") is None
    assert again.customers.external_ids([number]) == {}
    assert not any(entry["allowed"] for entry in again.ledger.state(number))
    verify_ledger(again.database, again.config.catalog)


def test_a_rule_of_the_shop_merges_too(shop: Shop) -> None:
    """Once `sayso.toml` says that case does not count, `A1` and `a1` are one; before they are
    two.
    """
    shop.ledger.append_all([said("A1", "granted"), said("a1", "withdrawn")])
    assert shop.customers.find("A1") != shop.customers.find("a1")
    file = shop.workspace.root / "sayso.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(f'{text}\n[customers]\nids = "casefold"\n', encoding="utf-8")
    shop.database.close()
    again = Shop(Workspace.open(shop.workspace.root, shop.workspace.settings), shop.clock)
    shop.database = again.database
    assert again.customers.find("A1") == again.customers.find("a1") is not None
    assert stands(again, "A1") == "withdrawn"


def test_a_database_of_the_first_revision_is_brought_together(
    tmp_path: Path, database_url: str
) -> None:
    """What the very first version wrote of two spellings is one person's after the upgrade, under
    a chain that holds from its first event.
    """
    old = database_of_first_revision(database_url)
    old_ledger(old, *SPOKEN)
    with old.write() as connection:
        bob = update(customers).where(customers.c.customer == BOB)
        connection.execute(bob.values(external_id=" ann"))
    old.close()
    create(tmp_path / "shop")
    settings = Settings(database_url=database_url)
    opened = Shop(Workspace.open(tmp_path / "shop", settings))
    assert opened.customers.find("ann") == opened.customers.find("ann  ") == ANN
    with opened.database.read() as connection:
        query = select(consent_state.c.action).where(
            consent_state.c.customer == ANN, consent_state.c.category == "purchases"
        )
        assert connection.execute(query).scalar_one() == "withdrawn"
    assert verify_ledger(opened.database, opened.config.catalog) > len(SPOKEN)
    opened.database.close()
