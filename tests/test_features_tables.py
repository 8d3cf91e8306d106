"""The declared tables: one file adds one, and everything that works on tables follows from it."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from features.clock import Clock
from features.config.reading import ConfigError, read_config
from features.config.sources import Source
from features.consent.event import GRANTED, ConsentEvent
from features.errors import FeatureError
from features.intake.ingest import ingest
from features.intake.setup.new_workspace import render
from features.intake.warehouse_tables import states_table
from features.shop.corrections import Correction, CorrectionRefused, correct
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from features.tables import declared
from features.tables.table import (
    PLUMBING,
    CatalogEntry,
    Column,
    Events,
    Facts,
    Kind,
    StandardCategory,
    States,
    Table,
    TableError,
)
from features.tables.tables import STANDARD, Tables
from features.warehouse.arrow import schema_of
from tests.synthetic_shop import END

VISITS = '''
"""Visits: which page of the shop somebody looked at."""

from features.tables.table import CatalogEntry, Column, Events, Kind, StandardCategory

TABLE = Events(
    name="visits",
    happened_at="visited_at",
    columns=(
        Column("page_id", Kind.ID, required=True, entry=CatalogEntry("visiting", "Pages you saw")),
        Column("visited_at", Kind.MOMENT, required=True, entry=CatalogEntry("visiting", "When")),
        Column("words", Kind.TEXT, entry=CatalogEntry("visiting", "What you searched for")),
        Column("seconds", Kind.QUANTITY, entry=CatalogEntry("visiting", "How long you stayed")),
    ),
    categories=(
        StandardCategory(
            "visiting", "What you looked at", "The pages that you saw.", spoken="what you looked at"
        ),
    ),
)
'''
PAGE, MOMENT, WORDS = "visits.page_id", "visits.visited_at", "visits.words"
PURPOSE = "recommendations"
ANN, BOB, CAT = "ann", "bob", "cat"
ORDERS = Source(
    name="orders",
    file="orders.csv",
    table="transactions",
    columns={
        "customer_id": "customer_id",
        "product_id": "product_id",
        "ordered_at": "ordered_at",
        "amount": "amount",
    },
)
VISITED = """\
who,page,moment,searched
ann,tea,2024-05-01T10:00:00,green  tea
ann,cups,2024-05-02,
bob,tea,2024-05-03,milk
,tea,2024-05-03,nobody
ann,tea,yesterday,bad
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The standard tables' folder in another place, with one file more."""
    there = tmp_path / "declared_with_visits"
    shutil.copytree(Path(declared.__file__).parent, there)
    (there / "visits.py").write_text(VISITS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module(there.name)
    for name in [name for name in sys.modules if name.partition(".")[0] == there.name]:
        del sys.modules[name]


@pytest.fixture
def tables(package: ModuleType) -> Tables:
    """What that folder declares."""
    return Tables.declared_in(package)


def write_shop(root: Path, tables: Tables, columns: dict[str, str]) -> Path:
    """A workspace with a source of orders and one of visits that maps `columns`."""
    root.mkdir()
    orders = [f"{who},p,2024-04-0{day},1.5\n" for who in (ANN, BOB, CAT) for day in (1, 2)]
    text = "".join(["customer_id,product_id,ordered_at,amount\n", *orders])
    (root / "orders.csv").write_text(text, encoding="utf-8")
    (root / "visits.csv").write_text(VISITED, encoding="utf-8")
    visits = ORDERS.model_copy(
        update={"name": "web", "file": "visits.csv", "table": "visits", "columns": columns}
    )
    file = root / "sayso.toml"
    file.write_text(render("A shop", [ORDERS, visits], None, tables=tables), encoding="utf-8")
    return file


@pytest.fixture
def shop(tmp_path: Path, tables: Tables, clock: Clock) -> Shop:
    """A shop with visits, loaded; Ann grants her browsing, Bob only what he bought."""
    root = tmp_path / "shop"
    columns = {"customer_id": "who", "page_id": "page", "visited_at": "moment", "words": "searched"}
    write_shop(root, tables, columns)
    opened = Shop(Workspace.open(root, tables=tables), clock)
    ingest(opened.workspace, opened.database, clock=clock)
    version = opened.config.catalog.current_notice(PURPOSE).version
    opened.ledger.append_all(
        [
            ConsentEvent(who, PURPOSE, category, GRANTED, "web_form", version)
            for who, category in ((ANN, "visiting"), (BOB, "purchases"))
        ]
    )
    return opened


def pseudonym(shop: Shop, name: str) -> int:
    """The pseudonym of one of the shop's customers."""
    found = shop.customers.find(name)
    assert found is not None
    return found


def visits_of(shop: Shop, name: str) -> pd.DataFrame:
    """A customer's visits in the warehouse."""
    frame: pd.DataFrame = shop.warehouse.rows_of(pseudonym(shop, name))["visits"].to_pandas()
    return frame


def test_a_new_table_is_filled_by_ingest(shop: Shop) -> None:
    """Its cells are read by their kinds, its rows stand under pseudonyms, what cannot be read is
    rejected with the reason, and a row of nobody is set aside.
    """
    loaded = shop.warehouse.table("visits").to_pandas()
    assert loaded.columns.tolist() == schema_of(shop.workspace.tables["visits"]).names
    ann = visits_of(shop, ANN)
    assert ann["words"].where(ann["words"].notna(), "").tolist() == ["green tea", ""]
    assert ann["visited_at"].equals(ann["recorded_at"])
    assert len(visits_of(shop, BOB)) == 1
    assert len(loaded) == 3
    rejected = (shop.workspace.rejected / "web.csv").read_text(encoding="utf-8")
    assert "moment is 'yesterday', which is no date" in rejected
    report = ingest(shop.workspace, shop.database, clock=shop.clock)
    assert (report.read, report.kept, report.rejected) == (11, 9, 1)
    assert report.set_aside["no_customer"] == 1


def test_the_gate_opens_a_new_table_for_who_consents_to_its_category(shop: Shop) -> None:
    """Only Ann's visits are seen, before the moment asked for; of who granted something else, or
    nothing, there are none, and for another purpose there are none at all.
    """
    spine = pd.DataFrame(
        {
            "customer": [pseudonym(shop, who) for who in (ANN, BOB, CAT)],
            "as_of": END.replace(tzinfo=None),
        }
    )
    gate = shop.gate(PURPOSE)
    seen = gate.collect(gate.rows((PAGE, WORDS), spine))
    assert set(seen["customer"]) == {pseudonym(shop, ANN)}
    assert sorted(seen["page_id"]) == ["cups", "tea"]
    early = spine.assign(as_of=pd.Timestamp("2024-05-02"))
    assert gate.collect(gate.rows((PAGE,), early))["page_id"].tolist() == ["tea"]
    other = shop.gate("churn_prediction")
    assert other.collect(other.rows((PAGE,), spine)).empty
    with pytest.raises(FeatureError, match="not declared for the purpose"):
        shop.gate("fairness_audit").rows((PAGE,), spine)


def test_a_correction_knows_the_kinds_of_a_new_table(shop: Shop) -> None:
    """A text and a moment are put right and outlive the next load; what is no moment, or lies in
    the future, is refused.
    """
    bob = pseudonym(shop, BOB)
    assert correct(shop, bob, Correction(WORDS, "oat milk")) == 1
    assert correct(shop, bob, Correction(MOMENT, "2024-05-04T08:00:00")) == 1
    ingest(shop.workspace, shop.database, clock=shop.clock)
    right = visits_of(shop, BOB)
    assert right["words"].tolist() == ["oat milk"]
    assert right["visited_at"].tolist() == [pd.Timestamp("2024-05-04T08:00:00")]
    later = (END + timedelta(days=1)).replace(tzinfo=None).isoformat()
    for value, words in (("soon", "cannot be"), (later, "lies in the future")):
        with pytest.raises(CorrectionRefused, match=words):
            correct(shop, bob, Correction(MOMENT, value))


def test_the_catalog_template_lists_a_new_table(shop: Shop) -> None:
    """A new sayso.toml has its category, and a field for each of its columns that a source fills,
    and names it in the sentence that customers agree to.
    """
    catalog = shop.config.catalog
    assert "visiting" in catalog.categories
    assert {PAGE, MOMENT, WORDS} <= catalog.fields.keys()
    assert "visits.seconds" not in catalog.fields
    assert {catalog.fields[name].source for name in (PAGE, MOMENT, WORDS)} == {"web"}
    assert "what you looked at" in catalog.current_notice(PURPOSE).text
    assert "visiting" in catalog.askable(PURPOSE)


def test_a_table_that_nobody_declares_is_refused(tmp_path: Path, tables: Tables) -> None:
    """Without its file the same sayso.toml is refused at the line of the source, with the tables
    that there are.
    """
    file = write_shop(tmp_path / "shop", tables, {"customer_id": "who"})
    with pytest.raises(ConfigError) as caught:
        read_config(file)
    assert "`sources.1.table` is 'visits': there is no such table; there are" in str(caught.value)
    assert "`transactions`" in str(caught.value)
    lines = file.read_text(encoding="utf-8").splitlines()
    assert caught.value.line == lines.index('table = "visits"') + 1


def test_every_standard_table_says_what_holds_of_it() -> None:
    """Events come first and facts last; the warehouse keeps what is declared and the plumbing, and
    a source of order lines may tell of products and customers.
    """
    assert list(STANDARD) == ["interactions", "transactions", "customers", "products"]
    assert STANDARD.personal == ("interactions", "transactions", "customers")
    assert STANDARD.is_state("customers")
    assert not STANDARD.is_state("transactions")
    assert not STANDARD.is_state("nothing")
    for name, table in STANDARD.items():
        plumbing = PLUMBING if table.personal else set()
        assert {*schema_of(table).names} == {*table.by_name} | plumbing
        told = [STANDARD.stated_in(other) for other in table.stated_in]
        assert all(table.by_name.keys() <= columns.keys() for columns in told), name


def test_a_file_without_a_table_does_not_load(package: ModuleType) -> None:
    """A module in the tables' folder that declares none is named."""
    assert "visits" in Tables.declared_in(package)
    (Path(package.__path__[0]) / "nothing.py").write_text("", encoding="utf-8")
    importlib.invalidate_caches()
    with pytest.raises(TableError, match=r"declared_with_visits\.nothing declares no `TABLE`"):
        Tables.declared_in(package)


A_MOMENT = Column("at", Kind.MOMENT, required=True)
A_FACT = Facts(
    name="shops",
    columns=(Column("shop_id", Kind.ID),),
    key="shop_id",
    called="shop_id",
    noun="shop",
)


def in_category(name: str) -> States:
    """A table with a field of a category."""
    entry = CatalogEntry(name, "Field")
    return States(name="odd", columns=(Column("one", Kind.TEXT, entry=entry),))


def events(**changes: object) -> Events:
    """A table of events that is right but for `changes`."""
    return Events(**{"name": "odd", "columns": (A_MOMENT,), "happened_at": "at", **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (lambda: [events(columns=(A_MOMENT, A_MOMENT))], "`at` is declared twice"),
        (lambda: [events(columns=(A_MOMENT, Column("source", Kind.TEXT)))], "`source` is a name"),
        (lambda: [events(columns=(A_MOMENT, Column("line", Kind.ID)))], "`line` is a name"),
        (lambda: [events(happened_at="then")], "`then` has to be a moment"),
        (lambda: [events(one_of=(("price", "at"),))], "`price` is needed, and no column"),
        (lambda: [replace(A_FACT, key="name")], "`name` is no column"),
        (lambda: [events(stated_in=("nowhere",))], "stated in `nowhere`"),
        (lambda: [in_category("mystery")], "the category `mystery`, which no table declares"),
        (lambda: [events(), events()], "it is declared twice"),
        (
            lambda: [events(categories=(StandardCategory("same", "S", "S"),) * 2)],
            "the category `same` is declared twice",
        ),
    ],
)
def test_a_declaration_that_contradicts_itself_does_not_load(
    declare: Callable[[], list[Table]], words: str
) -> None:
    """A column, category or table that is not there, or there twice, is named with its table."""
    with pytest.raises(TableError, match=words) as caught:
        Tables(declare())
    assert f"the table `{caught.value.table}`: " in str(caught.value)


def test_a_state_of_several_columns_keeps_what_a_later_row_does_not_say() -> None:
    """There is a row for each change, in which what was not said anew stands as it was, and of two
    rows of a moment the last has the word.
    """
    table = States(name="odd", columns=(Column("town", Kind.TEXT), Column("street", Kind.TEXT)))
    said = [
        (1, "Rome", None, "2024-01-01"),
        (1, None, "Corso", "2024-02-01"),
        (1, "Rome", None, "2024-03-01"),
        (1, "Pisa", None, "2024-04-01"),
        (1, "Bari", None, "2024-04-01"),
        (2, None, None, "2024-01-01"),
        (2, None, "Corso", "2024-01-02"),
    ]
    rows = pd.DataFrame(said, columns=["customer", "town", "street", "recorded_at"])
    rows = rows.assign(recorded_at=pd.to_datetime(rows["recorded_at"]), source="crm")
    made = states_table(rows, table).to_pylist()
    assert [(row["customer"], row["town"], row["street"]) for row in made] == [
        (1, "Rome", None),
        (1, "Rome", "Corso"),
        (1, "Bari", "Corso"),
        (2, None, "Corso"),
    ]
