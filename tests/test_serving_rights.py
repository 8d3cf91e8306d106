"""A customer's rights: what an export holds, and what is left after an erasure."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from features.consent.ledger import ConsentEvent
from features.consent.training_sets import read_all
from features.consent.verification import verify_ledger
from features.customers.vault import PayloadGone
from features.database.tables import decisions, evidence, metadata, online_features, suppressed
from features.errors import ConsentError, NotFound
from features.intake.ingest import ingest
from features.intake.setup.new_workspace import create
from features.shop.consent_import import import_consents
from features.shop.corrections import Correction, correct, read_corrections
from features.shop.online import online_stores
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.bootstrap import assemble
from serving.contract.requests import RecommendationRequest
from serving.decisions.record import verify_decisions
from serving.live.statistics import read_statistics
from serving.rights.database_stores import DecisionContents, Rows, TrainingSets
from serving.rights.file_stores import TextFiles, WarehouseRows
from serving.rights.rights import Rights
from tests.conftest import stopped_clock
from tests.planted_customer import PLANTED, plant, pseudonym
from tests.serving_shop import CANARY, customer_id, said, write_lines

pytestmark = pytest.mark.both_databases

ANN, BEN, STRANGER = customer_id(0), customer_id(1), CANARY + "stranger"
KINDS = (WarehouseRows, TextFiles, Rows, DecisionContents, TrainingSets)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of customers whose ids occur nowhere by chance, its source within it, something
    of Ann and Ben in every store.
    """
    folder = tmp_path_factory.mktemp("rights")
    root, file = folder / "shop", write_lines(folder / "orders.csv")
    create(root, [file], stopped_clock)
    shutil.copy(file, root / "orders.csv")
    stated = (root / "sayso.toml").read_text()
    (root / "sayso.toml").write_text(stated.replace(str(file), "orders.csv"))
    shop = Shop(Workspace.open(root), stopped_clock)
    ingest(shop.workspace, shop.database, clock=stopped_clock)
    shop.ledger.append_all(said(shop))
    plant(shop, ANN, BEN)
    shop.database.close()
    return root


@pytest.fixture
def mine(original: Path, shop_copied: Callable[[Path], Shop]) -> Shop:
    """That workspace for one test to change."""
    return shop_copied(original)


def rows_of(shop: Shop, customer: int, *, others: bool = False) -> dict[str, list[dict[str, Any]]]:
    """Database rows that carry a customer's number, or those that carry another's, by table."""
    found = {}
    with shop.database.read() as connection:
        for table in metadata.sorted_tables:
            if "customer" in table.c:
                rows = [dict(row) for row in connection.execute(select(table)).mappings()]
                whose = "kept" if "kept" in table.c else "customer"
                found[table.name] = [row for row in rows if (row[whose] == customer) != others]
    return found


def warehouse_of_others(shop: Shop, customer: int) -> dict[str, Any]:
    """Rows of the warehouse, of all but one customer."""
    tables = {file.stem: pq.read_table(file) for file in shop.warehouse.folder.glob("*/*.parquet")}
    keep = {
        name: table["customer"].to_numpy() != customer
        for name, table in tables.items()
        if "customer" in table.column_names
    }
    return {
        name: table.filter(keep[name]) if name in keep else table for name, table in tables.items()
    }


def counting(monkeypatch: pytest.MonkeyPatch, at: Callable[[int], None]) -> None:
    """Call `at` with 0, 1, 2, ... before each erasure of a store."""
    done = iter(range(1_000))
    for kind in KINDS:

        def erase(store: Any, *others: Any, real: Callable[..., None] = kind.erase) -> None:
            at(next(done))
            real(store, *others)

        monkeypatch.setattr(kind, "erase", erase)


def test_an_export_holds_what_lies_in_every_store(mine):
    """What was planted in each store is found in the export's section of that store, and nothing of
    it is another's.
    """
    export = Rights(mine).export(ANN)
    for section, canary in PLANTED.items():
        assert canary in json.dumps(export[section], default=str), section
    assert {"features", "products", "as_of"} <= set(export["online_features"]["recommendations"])
    assert export["online_features"]["churn_prediction"]["features"]["orders"] > 0
    assert export["customer_id"] == ANN
    assert BEN not in json.dumps(export, default=str)
    assert str(pseudonym(mine, BEN)) not in json.dumps(export, default=str)


def test_an_export_holds_every_row_of_the_warehouse(mine):
    """The customer's order lines are all there, each with the columns that the warehouse has."""
    customer, export = pseudonym(mine, ANN), Rights(mine).export(ANN)
    held = mine.warehouse.rows_of(customer)
    for name, table in held.items():
        assert export["warehouse"][name] == table.drop_columns(["customer"]).to_pylist()
    lines = pd.read_csv(mine.workspace.root / "orders.csv")
    assert len(export["warehouse"]["transactions"]) == (lines["customer_id"] == ANN).sum() > 0


def test_an_export_holds_the_figures_of_each_product(mine):
    """What is kept ready of the customer's history with each product is in the export by name, not
    the products' ids alone.
    """
    _, store = online_stores(mine)
    with mine.database.read() as connection:
        row = store.read(connection, pseudonym(mine, ANN))
    assert row is not None
    told = json.dumps(Rights(mine).export(ANN)["online_features"]["recommendations"])
    assert all(name in told for name in store.layout.history)


def test_an_export_is_json_and_explains_itself(mine):
    """It can be written as standard JSON, says what each field is, and tells in plain words what
    each section holds.
    """
    export = Rights(mine).export(ANN)
    assert json.loads(json.dumps(export, default=str, allow_nan=False))
    documented = {field["field"] for field in export["fields"]}
    for table, rows in export["warehouse"].items():
        declared = {
            name.partition(".")[2]
            for name in mine.config.catalog.fields
            if name.startswith(f"{table}.")
        }
        assert {f"{table}.{column}" for column in rows[0] if column in declared} <= documented
    assert all(field["what"] and field["kept_days"] > 0 for field in export["fields"])
    cover = "\n".join(export["about"])
    assert not [
        section
        for section in (*PLANTED, "online_features", "consent_receipt", "fields")
        if section not in cover
    ]
    assert mine.config.shop.human_contact in cover


def test_an_export_holds_no_key(mine):
    """The keys that payloads are sealed with are nobody's to have."""
    assert "payload_keys" not in Rights(mine).export(ANN)


def test_a_stranger_has_no_rights_here(mine):
    """An id that the shop never told of is `NotFound`, and leaves nothing behind."""
    before = rows_of(mine, 0, others=True)
    for right in (Rights(mine).export, Rights(mine).erase):
        with pytest.raises(NotFound):
            right(STRANGER)
    assert rows_of(mine, 0, others=True) == before


def test_a_receipt_lists_every_store_before_and_after(mine):
    """Everything was found before, nothing after; a second erasure is `NotFound`, as it is for a
    stranger.
    """
    rights = Rights(mine)
    receipt = rights.erase(ANN)
    found = {
        store["store"]: (store["found_before"], store["found_after"]) for store in receipt["stores"]
    }
    assert set(found) == {
        *(
            "warehouse",
            "files of the workspace",
            "consents",
            "online features",
            "decisions",
            "opt outs",
            "corrections",
            "rows sent over HTTP",
            "merged numbers",
        ),
        *(
            "contact permissions",
            "training sets",
            "payload keys",
            "customer id",
            "reviews",
            "bands set by a person",
        ),
        *("recommendations shown", "who read your data", "wanted codes", "one time codes"),
        *("events", "answers kept for a day"),
        *("audiences", "preferred channels", "calls to the shop's programs"),
        "events",
    }
    assert all(before > 0 and after == 0 for before, after in found.values()), found
    assert receipt["complete"] is True
    assert ANN not in json.dumps(receipt)
    with pytest.raises(NotFound) as gone:
        rights.erase(ANN)
    with pytest.raises(NotFound) as never:
        rights.erase(STRANGER)
    assert str(gone.value) == str(never.value)
    with pytest.raises(NotFound):
        rights.export(ANN)


def test_nothing_of_an_erased_customer_is_left_in_any_file(mine):
    """No file of the workspace but the shop's own source holds the id, and only the chains keep the
    number.
    """
    customer = pseudonym(mine, ANN)
    exported = mine.workspace.root / "exports" / "of_ann.json"
    exported.parent.mkdir()
    exported.write_text(json.dumps(Rights(mine).export(ANN), default=str, indent=1))
    Rights(mine).erase(ANN)
    files = [
        file
        for file in mine.workspace.root.rglob("*")
        if file.is_file() and file.name != "orders.csv"
    ]
    holding = [file.name for file in files if ANN.encode() in file.read_bytes()]
    assert not holding
    assert not exported.exists()
    left = {name for name, rows in rows_of(mine, customer).items() if rows}
    assert left <= {"consent_events", "consent_state", "decisions", "erasures"}
    assert (
        mine.workspace.root / "service.log"
    ).read_text() == f"a request of {BEN} failed\nsomebody else's line\n"
    assert BEN in (mine.workspace.root / "rejected" / "orders.csv").read_text()


def test_others_are_left_byte_for_byte(mine):
    """All rows of other customers, in database and warehouse, are those that were there before."""
    customer = pseudonym(mine, ANN)
    before = rows_of(mine, customer, others=True), warehouse_of_others(mine, customer)
    Rights(mine).erase(ANN)
    after = rows_of(mine, customer, others=True), warehouse_of_others(mine, customer)
    answers = after[0].pop("kept_answers")
    emptied = [row for row in answers if row["customer"] is None]
    assert [row["content"] or row["decision_id"] for row in emptied] == [None]
    assert [row for row in answers if row not in emptied] == before[0].pop("kept_answers")
    assert after[0] == before[0]
    assert all(after[1][name].equals(table) for name, table in before[1].items())


def test_both_chains_hold_after_an_erasure(mine):
    """Ledger and decisions verify without the payloads, and the withdrawal of all that stood is the
    ledger's last word.
    """
    customer, anchor = pseudonym(mine, ANN), mine.anchors.take()
    with mine.database.read() as connection:
        decided = verify_decisions(connection)
    Rights(mine).erase(ANN)
    assert verify_ledger(mine.database, mine.config.catalog, [anchor]) > anchor.seq
    with mine.database.read() as connection:
        assert verify_decisions(connection) == decided
    assert not [entry for entry in mine.ledger.state(customer) if entry["allowed"]]
    assert mine.ledger.history(customer)[-1]["action"] == "withdrawn"


def test_copies_of_payloads_cannot_be_opened_once_the_key_is_gone(mine):
    """Ciphertext that somebody copied before an erasure opens before it and never after."""
    customer = pseudonym(mine, ANN)
    with mine.database.read() as connection:
        proof = connection.execute(select(evidence).where(evidence.c.customer == customer)).one()
        ready = connection.execute(
            select(online_features).where(online_features.c.customer == customer)
        ).first()
        decided = connection.execute(
            select(decisions).where(decisions.c.customer == customer)
        ).first()
    assert ready is not None
    assert decided is not None
    copies = {
        f"evidence:{proof.seq}": proof.content,
        f"online:{ready.purpose}:{customer}": ready.content,
    }
    copies[f"decision:{decided.id}"] = decided.content
    with mine.database.read() as connection:
        assert all(
            mine.vault.opened(connection, customer, content, about)
            for about, content in copies.items()
        )
    Rights(mine).erase(ANN)
    for about, content in copies.items():
        assert b"planted" not in content
        with mine.database.read() as connection, pytest.raises(PayloadGone):
            mine.vault.opened(connection, customer, content, about)


def test_training_sets_remember_that_somebody_left(mine):
    """The customer is taken out of each training set, which stays marked since then; the others
    stay in.
    """
    customer, other = pseudonym(mine, ANN), pseudonym(mine, BEN)
    Rights(mine).erase(ANN)
    with mine.database.read() as connection:
        (trained,) = read_all(connection)
    assert set(trained.customers.tolist()) == {other, 7}
    assert customer not in trained.customers
    assert trained.tainted_since is not None


def test_kept_statistics_go_with_an_erasure(mine):
    """They name every product, also one that this customer alone bought."""
    kept = mine.workspace.product_statistics
    read_statistics(mine)
    assert kept.exists()
    Rights(mine).erase(ANN)
    assert not kept.exists()


def test_an_erased_customer_stays_out(mine, tmp_path):
    """A later load, consent or file of consents takes them in again under no number, and counts
    what it left out.
    """
    lines = pd.read_csv(mine.workspace.root / "orders.csv")
    Rights(mine).erase(ANN)
    report = ingest(mine.workspace, mine.database, clock=stopped_clock)
    assert report.set_aside["erased_customers"] == (lines["customer_id"] == ANN).sum()
    said_again = ConsentEvent(ANN, "recommendations", "purchases", "granted", "web_form", "1")
    with pytest.raises(ConsentError, match="erased"):
        mine.ledger.append(said_again)
    file = tmp_path / "consents.csv"
    row = "recommendations,purchases,granted,1,web_form,2024-05-01T10:00:00Z"
    header = "customer_id,purpose,category,action,notice_version,method,occurred_at"
    file.write_text(f"{header}\n{ANN},{row}\n{BEN},{row}\n")
    imported = import_consents(file, mine)
    assert (imported.added, imported.erased) == (1, 1)
    assert mine.customers.find(ANN) is None
    assert ANN not in mine.customers.all().values()
    with mine.database.read() as connection:
        assert len(connection.execute(select(suppressed)).all()) == 1


def test_an_erased_customer_is_unknown_to_answers(mine):
    """Recommendations say so in the words that they have for everybody whom the shop never told
    of.
    """
    Rights(mine).erase(ANN)
    sayso = assemble(mine.workspace, "http://shop.example")
    answer, stranger = (
        sayso.recommender.answer(RecommendationRequest(customer_id=id)).answer
        for id in (ANN, STRANGER)
    )
    assert (
        answer.not_personalized_because == stranger.not_personalized_because == "unknown_customer"
    )
    assert sayso.churn.answer(ANN).answer.unavailable_because == "unknown_customer"
    assert mine.customers.find(ANN) is None
    sayso.close()


@pytest.mark.slow
def test_a_correction_outlives_the_next_load_and_goes_with_the_customer(mine):
    """A corrected value stands after the source was loaded again; an erased customer's corrections
    change nothing any more.
    """
    ingest(mine.workspace, mine.database, clock=stopped_clock)
    assert set(
        mine.warehouse.rows_of(pseudonym(mine, ANN))["customers"]["country"].to_pylist()
    ) == {"planted-country"}
    Rights(mine).erase(ANN)
    ingest(mine.workspace, mine.database, clock=stopped_clock)
    assert set(
        mine.warehouse.rows_of(pseudonym(mine, BEN))["customers"]["country"].to_pylist()
    ) == {"planted-country"}


@pytest.mark.slow
def test_an_erasure_beside_loads_and_corrections(mine):
    """While the sources are loaded and others put right, an erasure is whole, nobody comes back,
    and no correction is lost.
    """
    ann, ben = pseudonym(mine, ANN), pseudonym(mine, BEN)

    def put_right(country: int) -> None:
        correct(mine, ben, Correction("customers.country", f"country {country}"))

    with ThreadPoolExecutor(6) as others:
        loads = [
            others.submit(ingest, mine.workspace, mine.database, clock=stopped_clock)
            for _ in range(3)
        ]
        changes = [others.submit(put_right, country) for country in range(6)]
        receipt = Rights(mine).erase(ANN)
        for done in (*loads, *changes):
            done.result()
    assert receipt["complete"] is True
    assert mine.warehouse.count(ann) == 0
    with mine.database.read() as connection:
        assert len(read_corrections(connection, mine.vault, ben)) == 7
    assert all(
        country.startswith("country ")
        for country in mine.warehouse.rows_of(ben)["customers"]["country"].to_pylist()
    )


def cut_off(mine: Shop, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Let an erasure of Ann fail before its `step`-th store, and mend the fault."""

    def fail(number: int) -> None:
        if number == step:
            raise OSError("the disk is full")

    with monkeypatch.context() as broken:
        counting(broken, fail)
        with pytest.raises(OSError, match="full"):
            Rights(mine).erase(ANN)


@pytest.mark.parametrize("step", range(11))
def test_an_erasure_that_was_cut_off_can_be_called_again(mine, monkeypatch, step):
    """Wherever a store fails, nothing of the customer is used from then on, and the second call
    ends with a complete receipt.
    """
    customer = pseudonym(mine, ANN)
    cut_off(mine, monkeypatch, step)
    assert not [entry for entry in mine.ledger.state(customer) if entry["allowed"]]
    receipt = Rights(mine).erase(ANN)
    assert receipt["complete"] is True
    assert {store["found_after"] for store in receipt["stores"]} == {0}
    assert verify_ledger(mine.database, mine.config.catalog) > 0


@pytest.mark.parametrize("what", ["_stop_use", "_receipt"])
def test_an_erasure_cut_off_between_its_stores_can_be_called_again(mine, monkeypatch, what):
    """The same holds before the first store and after the last one."""

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(Rights, what, fail)
        with pytest.raises(OSError, match="full"):
            Rights(mine).erase(ANN)
    assert Rights(mine).erase(ANN)["complete"] is True


def test_sources_outside_of_the_workspace_hinder_no_right(mine):
    """With the shop's own file elsewhere and something in the log, a customer can be exported and
    erased all the same.
    """
    stated, elsewhere = (
        mine.workspace.root / "sayso.toml",
        mine.workspace.root.parent / "elsewhere.csv",
    )
    shutil.move(mine.workspace.root / "orders.csv", elsewhere)
    stated.write_text(stated.read_text().replace('file = "orders.csv"', f'file = "{elsewhere}"'))
    shop = Shop(Workspace.open(mine.workspace.root), stopped_clock)
    assert "service.log" in Rights(shop).export(ANN)["files_of_the_workspace"]
    assert Rights(shop).erase(ANN)["complete"] is True
    assert ANN in elsewhere.read_text()
    shop.database.close()
