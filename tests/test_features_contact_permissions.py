"""Contact permissions: who may be written to.

They come in as what they are, and no use of anybody's data follows from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import select

from features.consent.contact_permissions import contact_columns
from features.database.tables import consent_events, consent_state, contact_permissions, customers
from features.errors import SourceError
from features.shop.consent_import import ImportReport, import_consents
from features.shop.shop import Shop
from serving.rights.rights import Rights
from tests.test_cli_commands import failed, sayso, told

SHOPIFY = [
    "Customer ID",
    "First Name",
    "Last Name",
    "Email",
    "Accepts Email Marketing",
    "Total Spent",
    "Accepts SMS Marketing",
    "Tags",
]


def export(folder: Path, *rows: Sequence[str], header: Sequence[str] = SHOPIFY) -> Path:
    """A shop's export of its customers as CSV."""
    file = folder / "customers_export.csv"
    file.write_text("\n".join(",".join(row) for row in (header, *rows)) + "\n", encoding="utf-8")
    return file


def person(id: str, email: str = "yes", sms: str = "no") -> list[str]:
    """A row of such an export."""
    return [id, "Ann", "Ash", f"{id}@example.com", email, "12.50", sms, ""]


def kept(shop: Shop) -> dict[tuple[str, str], bool]:
    """All permissions by the shop's id and channel."""
    query = select(customers.c.external_id, contact_permissions).join(
        customers, customers.c.customer == contact_permissions.c.customer
    )
    with shop.database.read() as connection:
        return {(row.external_id, row.channel): row.allowed for row in connection.execute(query)}


def consent_tables(shop: Shop) -> list[object]:
    """All of the ledger and of the state that answers obey."""
    with shop.database.read() as connection:
        return [
            connection.execute(select(table)).all() for table in (consent_events, consent_state)
        ]


def test_a_shopify_export_is_kept_as_contact_permissions(fresh_shop, tmp_path):
    """Each channel of each customer is kept with the column that said so, under the pseudonym that
    the customer has already.
    """
    report = import_consents(
        export(
            tmp_path, person("c000"), person("c001", "no", "yes"), person("newcomer", "YES", "")
        ),
        fresh_shop,
    )
    assert report == ImportReport(contact_permissions=6)
    assert kept(fresh_shop) == {
        ("c000", "email"): True,
        ("c000", "sms"): False,
        ("c001", "email"): False,
        ("c001", "sms"): True,
        ("newcomer", "email"): True,
        ("newcomer", "sms"): False,
    }
    with fresh_shop.database.read() as connection:
        rows = connection.execute(select(contact_permissions)).all()
    assert {row.stated_in for row in rows} == {"Accepts Email Marketing", "Accepts SMS Marketing"}
    assert {row.customer for row in rows} >= {
        fresh_shop.customers.find("c000"),
        fresh_shop.customers.find("c001"),
    }


def test_nothing_reaches_the_ledger(fresh_shop, tmp_path):
    """However many say yes, no event is written, nobody's state changes, and who refused everything
    is granted nothing.
    """
    before, granted = consent_tables(fresh_shop), fresh_shop.ledger.granted("recommendations")
    import_consents(
        export(tmp_path, *(person(f"c{number:03}", "yes", "yes") for number in range(40))),
        fresh_shop,
    )
    assert consent_tables(fresh_shop) == before
    pd.testing.assert_frame_equal(fresh_shop.ledger.granted("recommendations"), granted)
    refuser = fresh_shop.customers.find("c018")
    assert refuser is not None
    assert not [entry for entry in fresh_shop.ledger.state(refuser) if entry["allowed"]]


@pytest.mark.parametrize(
    ("header", "channel"),
    [
        (["customer_id", "subscribed"], "email"),
        (["Customer ID", "Accepts Marketing"], "email"),
        (["customer-id", "NEWSLETTER"], "email"),
        (["id", "email_marketing_consent"], "email"),
        (["Email", "Marketing Opt In"], "email"),
        (["customer_id", "SMS opt-in"], "sms"),
    ],
    ids=str,
)
def test_a_bare_permission_is_recognised_by_its_column(fresh_shop, tmp_path, header, channel):
    """`subscribed = true` and its like are permission for a channel, however the column is
    spelled.
    """
    assert (
        import_consents(
            export(tmp_path, ["c000", "true"], header=header), fresh_shop
        ).contact_permissions
        == 1
    )
    assert kept(fresh_shop) == {("c000", channel): True}


@pytest.mark.parametrize(
    ("said", "allowed"),
    [
        ("yes", True),
        ("TRUE", True),
        ("1", True),
        (" Subscribed ", True),
        ("no", False),
        ("False", False),
        ("0", False),
        ("", False),
    ],
)
def test_yes_and_no_are_understood_in_their_usual_spellings(fresh_shop, tmp_path, said, allowed):
    """Every usual spelling counts as what it says, and an empty cell as no."""
    import_consents(
        export(tmp_path, ["c000", said], header=["customer_id", "subscribed"]), fresh_shop
    )
    assert kept(fresh_shop) == {("c000", "email"): allowed}


@pytest.mark.parametrize("odd", ["maybe", "2", "pending", "yes please", "nan", "-"])
def test_an_odd_value_is_refused_with_its_line(fresh_shop, tmp_path, odd):
    """The error names file, line, column and value; nothing of the file is kept, no new customer
    either.
    """
    with fresh_shop.database.read() as connection:
        before = set(connection.execute(select(customers)).all())
    file = export(tmp_path, person("c000"), person("newcomer"), person("c001", odd), person("c002"))
    with pytest.raises(
        SourceError,
        match=r"customers_export\.csv, line 4: `Accepts Email Marketing`.*neither yes nor no",
    ) as refused:
        import_consents(file, fresh_shop)
    assert refused.value.line == 4
    assert repr(odd) in str(refused.value)
    assert kept(fresh_shop) == {}
    with fresh_shop.database.read() as connection:
        assert set(connection.execute(select(customers)).all()) == before


def test_the_newest_word_counts(fresh_shop, tmp_path):
    """A later file takes an earlier one's place, and of two rows of one customer the last one;
    others stay.
    """
    header = ["customer_id", "subscribed"]
    import_consents(export(tmp_path, ["c000", "yes"], ["c001", "yes"], header=header), fresh_shop)
    import_consents(export(tmp_path, ["c000", "yes"], ["c000", "no"], header=header), fresh_shop)
    assert kept(fresh_shop) == {("c000", "email"): False, ("c001", "email"): True}


def test_rows_that_name_nobody_are_left_out(fresh_shop, tmp_path):
    """A row without a customer is nobody's permission, whatever it says."""
    file = export(
        tmp_path,
        ["", "yes"],
        ["  ", "perhaps"],
        ["c000", "yes"],
        header=["customer_id", "subscribed"],
    )
    assert import_consents(file, fresh_shop).contact_permissions == 1
    assert kept(fresh_shop) == {("c000", "email"): True}


def test_parquet_says_the_same(fresh_shop, tmp_path):
    """Booleans of a Parquet file are yes and no; a missing value is no, and a missing customer
    nobody.
    """
    file = tmp_path / "customers.parquet"
    said = pd.array([True, False, None, True], dtype="boolean")
    pd.DataFrame({"customer_id": ["c000", "c001", "c002", None], "subscribed": said}).to_parquet(
        file
    )
    assert import_consents(file, fresh_shop).contact_permissions == 3
    assert kept(fresh_shop) == {
        ("c000", "email"): True,
        ("c001", "email"): False,
        ("c002", "email"): False,
    }


def test_a_missing_word_in_parquet_is_no(fresh_shop, tmp_path):
    """A text column with gaps is read as a CSV with empty cells is."""
    file = tmp_path / "customers.parquet"
    pd.DataFrame({"customer_id": ["c000", "c001"], "subscribed": ["yes", None]}).to_parquet(file)
    import_consents(file, fresh_shop)
    assert kept(fresh_shop) == {("c000", "email"): True, ("c001", "email"): False}


def test_an_erased_customer_is_left_out(fresh_shop, tmp_path):
    """Their rows are passed over, and no permission of theirs is kept."""
    Rights(fresh_shop).erase("c000")
    report = import_consents(export(tmp_path, person("c000"), person("c001")), fresh_shop)
    assert report.contact_permissions == 2
    assert {id for id, _ in kept(fresh_shop)} == {"c001"}


@pytest.mark.parametrize(
    "columns",
    [
        ["customer_id", "country"],
        ["subscribed", "country"],
        ["customer_id", "purpose", "category"],
        [],
    ],
)
def test_other_files_are_no_contact_permissions(columns):
    """Without a customer or without a permission there is nothing of the kind."""
    assert contact_columns(columns) is None


def test_a_file_of_real_consents_stays_one(fresh_shop, tmp_path):
    """Purpose and category make a file one of consents, even with a column called `subscribed`
    beside them.
    """
    header = [
        "customer_id",
        "purpose",
        "category",
        "action",
        "notice_version",
        "method",
        "occurred_at",
        "subscribed",
    ]
    row = [
        "c018",
        "recommendations",
        "purchases",
        "granted",
        "1",
        "web_form",
        "2024-05-01T10:00:00Z",
        "yes",
    ]
    report = import_consents(export(tmp_path, row, header=header), fresh_shop)
    assert (report.added, report.contact_permissions) == (1, 0)
    assert kept(fresh_shop) == {}


def test_the_command_says_what_it_was(fresh_shop, tmp_path):
    """People read that no use of data follows; programs get the counts and a ledger that stands
    where it stood.
    """
    root, before = fresh_shop.workspace.root, fresh_shop.ledger.position()
    file = export(tmp_path, person("c000"), person("newcomer"))
    done = told(sayso("consent", "import", file, "--json", workspace=root))
    assert (done["contact_permissions"], done["added"], done["repeated"], done["ledger_seq"]) == (
        4,
        0,
        0,
        before,
    )
    people = sayso("consent", "import", file, workspace=root)
    assert people.returncode == 0
    said = " ".join(people.stdout.split())
    assert "4 contact permissions" in said
    assert "no use of data" in said
    assert "nothing was added to the ledger" in said


def test_the_command_refuses_in_one_paragraph(fresh_shop, tmp_path):
    """An odd value is told with its line; a file with nothing but a permission and no customer is
    told what consents need.
    """
    root = fresh_shop.workspace.root
    failed(
        sayso("consent", "import", export(tmp_path, person("c000", "maybe")), workspace=root),
        "line 2",
        "maybe",
    )
    nobody = export(tmp_path, ["yes"], header=["Accepts Marketing"])
    failed(sayso("consent", "import", nobody, workspace=root), "purpose", "notice", "allows no use")
