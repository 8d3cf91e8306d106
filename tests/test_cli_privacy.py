"""The command line of consent that can be proved and of a customer's rights: what each command
prints, and how it ends.
"""

from __future__ import annotations

import json
import os
from base64 import b64encode
from pathlib import Path

import pytest
from sqlalchemy import select

from features.consent.anchors import make_anchor_key
from features.consent.ledger import ConsentEvent
from features.consent.training_sets import read_all
from features.database.tables import payload_keys
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from tests.made_up_consents import tampered
from tests.serving_shop import CATEGORIES, FOR_CHURN, FOR_ITEMS, copied, customer_id
from tests.synthetic_shop import ABROAD
from tests.test_cli_commands import GRANT, consent_file, failed, sayso, told

pytest_plugins = ["tests.serving_fixtures"]

ANN, BEN, NOBODY = customer_id(0), customer_id(1), "nobody-we-know"
COMMANDS = [
    *(
        ["consent", "anchor"],
        ["consent", "verify"],
        ["consent", "receipts"],
        ["customer"],
        ["customer", "export"],
        ["customer", "erase"],
    ),
    *(
        ["customer", "correct"],
        ["upkeep"],
        ["vault"],
        ["vault", "rotate"],
        ["models"],
        ["models", "status"],
    ),
]


@pytest.fixture(scope="module")
def root(untrained_root, tmp_path_factory) -> Path:
    """A workspace with orders, consents and no model, for the commands that leave it as it is."""
    return copied(untrained_root, tmp_path_factory.mktemp("cli") / "mugs")


@pytest.fixture
def mine(untrained_root, tmp_path) -> Path:
    """Such a workspace for one test to change."""
    return copied(untrained_root, tmp_path / "mugs")


def say(root: Path, *events: ConsentEvent) -> None:
    """Write events into the ledger of a workspace."""
    shop = Shop(Workspace.open(root))
    shop.ledger.append_all(events)
    shop.database.close()


def withdrawal(customer: str = ANN) -> ConsentEvent:
    """A customer takes one category back."""
    return ConsentEvent(customer, FOR_ITEMS, "spending", "withdrawn", "test")


def anchored(root: Path, folder: Path, name: str = "anchor.json") -> Path:
    """An anchor of a workspace's ledger as it is now."""
    file = folder / name
    told(sayso("consent", "anchor", "--out", file, "--json", workspace=root))
    return file


def test_every_new_command_explains_itself():
    """`--help` of each command ends well and says how it is used."""
    for command in COMMANDS:
        done = sayso(*command, "--help")
        assert done.returncode == 0, command
        assert "Usage:" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["consent", "anchor"],
        ["consent", "receipts"],
        ["consent", "receipts", "x"],
        ["customer", "forget", "x"],
        ["customer", "export", "x"],
        ["customer", "export", "--out", "x"],
        ["customer", "erase"],
        ["customer", "correct", "x", "--field", "customers.country"],
        ["customer", "correct", "x", "--value", "France"],
        ["upkeep", "--fast"],
        ["vault", "rotate", "x"],
        ["vault", "open"],
        ["models", "status", "churn"],
        ["models", "retire"],
    ],
    ids=" ".join,
)
def test_wrong_use_ends_with_two(words):
    """An unknown command, option or argument, or a missing one, ends with 2 and says how it is
    used.
    """
    done = sayso(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Usage:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["consent", "anchor", "--out", "a.json"],
        ["consent", "receipts", "x", "--out", "r.json"],
        ["customer", "export", "x", "--out", "e.json"],
        ["customer", "erase", "x"],
        ["customer", "correct", "x", "--field", "customers.country", "--value", "France"],
        ["upkeep"],
        ["vault", "rotate"],
        ["models", "status"],
    ],
    ids=" ".join,
)
def test_a_missing_workspace_is_told(words, tmp_path, monkeypatch):
    """Each command says that the folder is no workspace and what to do, and makes nothing."""
    monkeypatch.chdir(tmp_path)
    failed(sayso(*words, workspace=tmp_path / "nowhere"), "nowhere", "sayso init")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [["consent", "anchor"], ["consent", "receipts", ANN], ["customer", "export", ANN]],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_file_that_cannot_be_written_is_told(root, tmp_path, words):
    """An output in a folder that does not exist fails in one paragraph."""
    failed(sayso(*words, "--out", tmp_path / "no" / "file.json", workspace=root), "no")


@pytest.mark.parametrize(
    "words",
    [
        ["consent", "receipts", NOBODY, "--out", "r.json"],
        ["customer", "export", NOBODY, "--out", "e.json"],
        ["customer", "erase", NOBODY],
        ["customer", "correct", NOBODY, "--field", "customers.country", "--value", "France"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_an_unknown_customer_is_told(root, tmp_path, monkeypatch, words):
    """Each command about a customer fails for an id that the shop never told of, and writes no
    file.
    """
    monkeypatch.chdir(tmp_path)
    failed(sayso(*words, workspace=root), "no")
    assert list(tmp_path.iterdir()) == []


def test_an_anchor_is_taken_and_holds_as_the_ledger_grows(mine, tmp_path):
    """The file says how far the ledger had come, and the ledger contains it then and after more
    events.
    """
    first = anchored(mine, tmp_path)
    stated = json.loads(first.read_text())
    assert set(stated) == {"seq", "hash", "taken_at", "public_key", "signature"}
    say(mine, withdrawal())
    second = tmp_path / "second.json"
    done = told(sayso("consent", "anchor", "--out", second, "--json", workspace=mine))
    assert done == {"file": str(second), **json.loads(second.read_text())}
    assert done["seq"] == stated["seq"] + 1
    for anchors in ([], [first], [first, second]):
        options = [word for anchor in anchors for word in ("--anchor", anchor)]
        verified = told(sayso("consent", "verify", *options, "--json", workspace=mine))
        assert verified == {
            "events": done["seq"],
            "decisions": 0,
            "anchors": len(anchors),
            "holds": True,
        }
    people = sayso("consent", "verify", "--anchor", first, workspace=mine)
    assert (people.returncode, people.stderr) == (0, "")
    assert "anchor" in people.stdout
    assert (mine / "anchor.key").stat().st_mode & 0o777 == 0o600


def test_an_older_ledger_in_place_of_the_newer_one_is_found_out(mine, tmp_path):
    """A ledger that was put back to an earlier state holds in itself, but not against an anchor."""
    anchored(mine, tmp_path)
    older = copied(mine, tmp_path / "older")
    say(mine, withdrawal())
    newest = anchored(mine, tmp_path, "newest.json")
    assert told(sayso("consent", "verify", "--json", workspace=older))["holds"] is True
    failed(sayso("consent", "verify", "--anchor", newest, workspace=older), "anchor")
    say(older, withdrawal(BEN))
    failed(sayso("consent", "verify", "--anchor", newest, workspace=older), "anchor")


def test_an_altered_event_is_found_out(mine):
    """A ledger in which somebody changed an event fails with the number of the event."""
    shop = Shop(Workspace.open(mine))
    tampered(
        shop.database,
        "UPDATE consent_events SET action = 'granted' WHERE seq = 7 AND action <> 'granted'",
    )
    tampered(shop.database, "UPDATE consent_events SET method = 'phone' WHERE seq = 7")
    shop.database.close()
    failed(sayso("consent", "verify", workspace=mine), "event 7")


def test_a_file_that_is_no_anchor_of_this_shop_is_refused(root, untrained_root, tmp_path):
    """An altered anchor, another shop's, a text and a missing file are each told in one
    paragraph.
    """
    good = anchored(root, tmp_path)
    altered = tmp_path / "altered.json"
    altered.write_text(json.dumps({**json.loads(good.read_text()), "seq": 1}))
    theirs = copied(untrained_root, tmp_path / "other")
    (theirs / "anchor.key").unlink()
    make_anchor_key(theirs / "anchor.key")
    other = anchored(theirs, tmp_path, "other.json")
    prose = tmp_path / "prose.json"
    prose.write_text("an anchor, honestly")
    listed = tmp_path / "list.json"
    listed.write_text("[]")
    failed(sayso("consent", "verify", "--anchor", altered, workspace=root), "altered")
    failed(sayso("consent", "verify", "--anchor", other, workspace=root), "another key")
    for file in (prose, listed, tmp_path / "missing.json"):
        failed(sayso("consent", "verify", "--anchor", file, workspace=root), file.name)


def test_receipts_state_what_a_customer_agreed_to(mine, tmp_path):
    """The file has an entry for each purpose with the text that was shown and what is in force, and
    every event.
    """
    say(mine, withdrawal())
    file = tmp_path / "receipts.json"
    done = told(sayso("consent", "receipts", ANN, "--out", file, "--json", workspace=mine))
    receipt = json.loads(file.read_text())
    assert done == {"file": str(file), "purposes": len(receipt["processing"])}
    assert receipt["pii_principal_id"] == ANN
    assert {entry["purpose"] for entry in receipt["processing"]} >= {FOR_ITEMS, FOR_CHURN}
    (items,) = [entry for entry in receipt["processing"] if entry["purpose"] == FOR_ITEMS]
    assert items["privacy_notice"]["text"]
    in_force = {part["pii_type"]: part["in_force"] for part in items["pii_information"]}
    assert in_force == {name: name != "spending" for name in CATEGORIES}
    assert receipt["events"][-1]["event_type"] == "withdrawn"
    assert BEN not in file.read_text()


def test_an_export_goes_to_one_file(mine, tmp_path):
    """The file is JSON of everything, for people and programs; the command tells its sections and
    no content.
    """
    file = tmp_path / "export.json"
    done = sayso("customer", "export", ANN, "--out", file, "--json", workspace=mine)
    document = json.loads(file.read_text())
    assert told(done) == {"file": str(file), "sections": list(document)}
    assert document["customer_id"] == ANN
    assert document["warehouse"]["transactions"]
    assert ANN not in done.stdout.replace(str(file), "")
    people = sayso("customer", "export", ANN, "--out", file, workspace=mine)
    assert "personal data" in " ".join(people.stdout.split())


def test_an_erasure_prints_its_receipt(mine, tmp_path):
    """Programs get the receipt as one object, people as a table; the same customer again is
    unknown.
    """
    receipt = told(sayso("customer", "erase", ANN, "--json", workspace=mine))
    assert receipt["complete"] is True
    assert {store["found_after"] for store in receipt["stores"]} == {0}
    failed(sayso("customer", "erase", ANN, "--yes", workspace=mine), "no such customer")
    failed(
        sayso("customer", "export", ANN, "--out", tmp_path / "x.json", workspace=mine),
        "no such customer",
    )
    people = sayso("customer", "erase", BEN, "--yes", workspace=mine)
    assert people.returncode == 0
    assert all(store["store"] in people.stdout for store in receipt["stores"])
    assert told(sayso("consent", "verify", "--json", workspace=mine))["holds"] is True


def test_a_correction_is_told_and_stands(mine, tmp_path):
    """The command says how many rows changed, and the export has the right value."""
    done = told(
        sayso(
            "customer",
            "correct",
            ANN,
            "--field",
            "customers.country",
            "--value",
            ABROAD,
            "--json",
            workspace=mine,
        )
    )
    assert done["field"] == "customers.country"
    assert done["rows"] > 0
    told(
        sayso(
            "customer", "export", ANN, "--out", tmp_path / "export.json", "--json", workspace=mine
        )
    )
    held = json.loads((tmp_path / "export.json").read_text())["warehouse"]
    assert {row["country"] for row in held["customers"]} == {ABROAD}
    order = held["transactions"][0]
    words = [
        "--field",
        "transactions.quantity",
        "--value",
        "77",
        "--order",
        order["order_id"],
        "--product",
        order["product_id"],
    ]
    assert told(sayso("customer", "correct", ANN, *words, "--json", workspace=mine))["rows"] == 1


@pytest.mark.parametrize(
    ("words", "told_of"),
    [
        (["--field", "customers.shoe_size", "--value", "44"], ["shoe_size", "customers.country"]),
        (["--field", "transactions.quantity", "--value", "many"], ["many", "quantity"]),
        (
            ["--field", "transactions.quantity", "--value", "2", "--order", "no-such-order"],
            ["nothing to correct"],
        ),
        (["--field", "customers.country", "--value", ABROAD, "--order", "o1"], ["order"]),
    ],
    ids=" ".join,
)
def test_a_bad_correction_is_refused(root, words, told_of):
    """A field, value or order that is not there fails with what there is."""
    failed(sayso("customer", "correct", ANN, *words, workspace=root), *told_of)


def test_upkeep_tells_what_it_did_and_finds_nothing_twice(mine):
    """One grant that ran out is told; the second run finds nothing, and the table for people says
    so.
    """
    over = ConsentEvent(
        ANN,
        FOR_ITEMS,
        "spending",
        "granted",
        "test",
        "1",
        "2024-05-01T00:00:00Z",
        valid_until="2024-06-01T00:00:00Z",
    )
    say(mine, over)
    first, second = (told(sayso("upkeep", "--json", workspace=mine)) for _ in range(2))
    assert set(first) == {"expired", "deleted", "decisions_emptied", "not_read", "erased"}
    assert first["expired"] == 1
    nothing = {"expired": 0, "deleted": {}, "decisions_emptied": 0, "not_read": {}, "erased": 0}
    assert second == nothing
    people = sayso("upkeep", workspace=mine)
    assert people.returncode == 0
    assert "0 consents ran out" in people.stdout


def test_upkeep_names_a_source_that_lapsed(mine):
    """A third party's data without evidence is named to people and programs."""
    file = mine / "sayso.toml"
    file.write_text(
        file.read_text().replace('name = "orders"\n', 'name = "orders"\nthird_party = true\n', 1)
    )
    assert "evidence" in told(sayso("upkeep", "--json", workspace=mine))["not_read"]["orders"]
    assert "Not read" in sayso("upkeep", workspace=mine).stdout


def test_a_rotation_wraps_every_key_and_forgets_the_old_master(mine, tmp_path, monkeypatch):
    """All keys are told and wrapped anew, what was sealed still opens, and a second rotation does
    the same again.
    """
    told(
        sayso(
            "customer",
            "correct",
            ANN,
            "--field",
            "customers.country",
            "--value",
            ABROAD,
            "--json",
            workspace=mine,
        )
    )
    before = (mine / "master.keys").read_text()
    with Shop(Workspace.open(mine)).database.read() as connection:
        count = len(connection.execute(select(payload_keys)).all())
    for _ in range(2):
        assert told(sayso("vault", "rotate", "--json", workspace=mine)) == {"rewrapped": count}
    assert len((mine / "master.keys").read_text().split()) == 1
    assert (mine / "master.keys").read_text() != before
    assert (mine / "master.keys").stat().st_mode & 0o777 == 0o600
    told(
        sayso(
            "customer", "export", ANN, "--out", tmp_path / "export.json", "--json", workspace=mine
        )
    )
    assert json.loads((tmp_path / "export.json").read_text())["corrections"][0]["value"] == ABROAD
    monkeypatch.setenv("SAYSO_MASTER_KEY", b64encode(os.urandom(32)).decode())
    failed(
        sayso("customer", "export", ANN, "--out", tmp_path / "export.json", workspace=mine),
        "master key",
        "missing",
    )
    monkeypatch.setenv("SAYSO_MASTER_KEY", "letmein")
    failed(sayso("vault", "rotate", workspace=mine), "SAYSO_MASTER_KEY", "32 bytes")


def test_without_models_their_status_is_empty(root):
    """Before any training the list is empty, and people read how models come about."""
    status = told(sayso("models", "status", "--json", workspace=root))
    assert status.pop("data_until")
    assert status.pop("data_is_old")
    assert status == {
        "versions": [],
        "discoveries": {"places": 0, "explored": 0, "share": 0.0},
    }
    assert "sayso train churn" in sayso("models", "status", workspace=root).stdout


def test_the_status_of_models_follows_withdrawals(served, served_root, pool):
    """Each version is told with its set; a withdrawal shows as one more customer and a date to
    train again by.
    """
    before = {
        one["model"]: one
        for one in told(sayso("models", "status", "--json", workspace=served_root))["versions"]
    }
    assert set(before) == {"churn", "next_purchase"}
    assert all(
        one["customers"] > 100 and one["ledger_seq"] > 0 and "champion" in one["aliases"]
        for one in before.values()
    )
    with served.database.read() as connection:
        members = next(
            set(one.customers.tolist()) for one in read_all(connection) if one.purpose == FOR_ITEMS
        )
    served.ledger.append(
        withdrawal(next(one for one in pool.take(5) if served.customers.find(one) in members))
    )
    after = {
        one["model"]: one
        for one in told(sayso("models", "status", "--json", workspace=served_root))["versions"]
    }
    assert (
        after["next_purchase"]["withdrawn_since"] == before["next_purchase"]["withdrawn_since"] + 1
    )
    assert after["next_purchase"]["retrain_by"] is not None
    assert after["churn"] == before["churn"]
    people = sayso("models", "status", workspace=served_root)
    assert people.returncode == 0
    assert after["next_purchase"]["retrain_by"][:10] in people.stdout
    refused = sayso("promote", "next_purchase", "--yes", workspace=served_root)
    assert refused.returncode == 1
    assert "customers withdrew since" in refused.stdout


def test_ids_that_fit_no_order_are_told_in_shape(mine, tmp_path):
    """Where most of a file's customers have no orders, their count and what ids look like here and
    there are said, and no id.
    """
    strangers = [[str(number), *GRANT[1:]] for number in (7, 42, 311)]
    known = [[id, *GRANT[1:]] for id in (ANN, BEN)]
    file = consent_file(tmp_path, *known, *strangers)
    people = sayso("consent", "import", file, workspace=mine)
    assert people.returncode == 0
    said = " ".join(people.stdout.split())
    assert "no orders of 3 of the file's 5 customers" in said
    assert "is 15 characters in the orders; the file has 1 to 3 digits for these" in said
    assert not any(id in said for id in ("zqx", "42", "311"))
    report = told(sayso("consent", "import", file, "--json", workspace=mine))
    assert (report["customers"], report["without_orders"], report["ids_in_file"]) == (
        5,
        3,
        "1 to 3 digits",
    )


def test_few_customers_without_orders_are_only_counted(mine, tmp_path):
    """Some consent before they order; that says nothing about ids."""
    file = consent_file(tmp_path, GRANT, *([id, *GRANT[1:]] for id in (ANN, BEN)))
    people = sayso("consent", "import", file, workspace=mine)
    assert "no orders of 1 of the file's 3 customers" in " ".join(people.stdout.split())
    assert "in the orders" not in people.stdout


def test_consents_may_come_before_the_first_orders(tmp_path):
    """A workspace without orders takes consents in and says that ids could not be held against
    any.
    """
    root = tmp_path / "new"
    told(sayso("init", root, "--json"))
    people = sayso("consent", "import", consent_file(tmp_path, GRANT), workspace=root)
    assert people.returncode == 0
    assert "No orders are loaded yet" in people.stdout
    assert "zeros" not in people.stdout
