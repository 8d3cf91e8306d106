"""What cannot be learnt from: one paragraph that says what was found and what to do, and a registry
that stays as it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.benchmarks.labelled_customers import labelled_rows
from experiments.training.registry import task
from experiments.training.train import train
from features.consent.ledger import ConsentEvent
from features.errors import TrainingError
from features.intake.ingest import ingest
from features.intake.setup.new_workspace import create
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.tracking import Tracking
from tests.serving_shop import CHURN, NEXT_PURCHASE
from tests.synthetic_shop import BEGIN, order_lines
from tests.test_models_tracking import run_of

pytest_plugins = ["tests.registry_fixtures"]
pytestmark = pytest.mark.early


def train_small(model: str, shop: Shop, tracking: Tracking) -> None:
    """Train a small model."""
    settings = {"churn": CHURN, "next_purchase": NEXT_PURCHASE}
    train(task(model), shop, tracking, settings=settings[model])


@dataclass(frozen=True)
class Bad:
    """A shop that a model cannot be trained on: its lines, what sayso.toml says instead, what
    customers say but for `silent` ones.
    """

    model: str
    said: str
    lines: Callable[[pd.DataFrame], pd.DataFrame] = lambda lines: lines
    toml: tuple[str, str] = ("", "")
    action: str = "granted"
    silent: tuple[str, ...] = ()


def some(customers: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Only the first customers."""
    return lambda lines: lines[lines["customer_id"] < f"c{customers:03}"]


def before(days: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Only the first days."""
    return lambda lines: lines[
        pd.to_datetime(lines["ordered_at"]) < BEGIN.replace(tzinfo=None) + pd.Timedelta(days=days)
    ]


def horizon(days: int) -> tuple[str, str]:
    """Another horizon in sayso.toml."""
    return "horizon_days = 90", f"horizon_days = {days}"


def all_in_france(lines: pd.DataFrame) -> pd.DataFrame:
    """Everybody lives in one country."""
    return lines.assign(country="France")


def regulars(lines: pd.DataFrame) -> pd.DataFrame:
    """Everybody orders every ten days, to the end."""
    days = pd.date_range(BEGIN.replace(tzinfo=None), periods=24, freq="10D")
    rows = [(f"c{c:03}", f"o{c}-{d:%j}", f"{d:%Y-%m-%d} 10:00:00") for c in range(60) for d in days]
    made = pd.DataFrame(rows, columns=["customer_id", "order_id", "ordered_at"])
    return made.assign(
        product_id="p01", quantity=1, unit_price=1.0 + made.index % 7, title="Mug", country="France"
    )[list(lines)]


def single_pieces(lines: pd.DataFrame) -> pd.DataFrame:
    """Nothing is sold twice."""
    few = some(90)(lines)
    return few.assign(product_id=[f"piece {number}" for number in range(len(few))])


def who_ordered_from(day: int) -> tuple[str, ...]:
    """Whoever ordered on that day of the shop or later."""
    lines = order_lines()
    late = pd.to_datetime(lines["ordered_at"]) >= BEGIN.replace(tzinfo=None) + pd.Timedelta(
        days=day
    )
    return tuple(lines.loc[late, "customer_id"].unique())


BAD = {
    "one class only": Bad(
        "churn", r"no customer left.*choose another horizon", regulars, horizon(30)
    ),
    "too few customers": Bad(
        "churn", r"only \d+ customers.*50 are needed.*Load more history", some(30)
    ),
    "a single moment": Bad(
        "churn", r"1 of the 2 moments.*Load more history.*at most 40 days", before(108), horizon(43)
    ),
    "constant features": Bad(
        "churn",
        r"the same value for all.*home_country.*list more features",
        lambda lines: lines.assign(country="France"),
        ("ONLY", "home_country"),
    ),
    "everything refused": Bad(
        "churn", r"allows order times.*sayso consent import", action="refused"
    ),
    "nobody asked": Bad("churn", r"allows order times.*sayso consent import", action=""),
    "a horizon longer than the data": Bad(
        "churn", r"too short for a horizon of 400 days.*shorten", toml=horizon(400)
    ),
    "ranking, everything refused": Bad(
        "next_purchase", r"no customer with an order allows.*sayso consent import", action="refused"
    ),
    "ranking, a short history": Bad(
        "next_purchase", r"90 days and more are needed.*Load more history", before(50)
    ),
    "ranking, two months and a half": Bad(
        "next_purchase", r"90 days and more are needed.*Load more history", before(75)
    ),
    "nobody of the newest horizon": Bad(
        "churn",
        r"every customer left.*cannot be judged.*Load newer orders",
        toml=horizon(40),
        silent=who_ordered_from(255),
    ),
    "ranking, nobody of the newest month": Bad(
        "next_purchase", r"ordered again since.*Load newer orders", silent=who_ordered_from(265)
    ),
    "ranking, single pieces": Bad(
        "next_purchase", r"nobody had bought it before.*name kinds of pieces", single_pieces
    ),
    "ranking, too few orders": Bad(
        "next_purchase", r"repeat orders.*30 are needed.*Load more history", some(8)
    ),
}


def make(bad: Bad, folder: Path) -> Shop:
    """The shop."""
    bad.lines(order_lines()).to_csv(folder / "orders.csv", index=False)
    create(folder / "shop", [folder / "orders.csv"])
    file = folder / "shop" / "sayso.toml"
    text = file.read_text()
    if bad.toml[0] == "ONLY":
        text = re.sub(r"(?s)(\[models\.churn\].*?features = \[).*?\]", rf'\1"{bad.toml[1]}"]', text)
    file.write_text(text.replace(*bad.toml) if bad.toml[0] not in {"", "ONLY"} else text)
    shop = Shop(Workspace.open(folder / "shop"))
    ingest(shop.workspace, shop.database)
    catalog, notice = shop.config.catalog, "1" if bad.action == "granted" else None
    asked = (
        [
            (purpose, category)
            for purpose in catalog.purposes
            for category in catalog.askable(purpose)
        ]
        if bad.action
        else []
    )
    speaking = set(shop.customers.all().values()) - set(bad.silent)
    said = [
        ConsentEvent(id, *about, bad.action, "form", notice)
        for id in sorted(speaking)
        for about in asked
    ]
    shop.ledger.append_all(said)
    return shop


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_learnt_from_is_told_in_one_paragraph(
    name: str, registry: Tracking, tmp_path: Path
) -> None:
    """The error says what was found and what to do, and no version or alias of the registry
    changes.
    """
    bad = BAD[name]
    shop = make(bad, tmp_path)
    registry.promote(registry.record(run_of(1)), {})
    before_it = registry.versions("churn"), registry.versions("next_purchase")
    with pytest.raises(TrainingError, match=bad.said) as told:
        train_small(bad.model, shop, registry)
    assert "\n" not in str(told.value)
    assert (registry.versions("churn"), registry.versions("next_purchase")) == before_it
    shop.database.close()


def test_duplicate_customers_are_told() -> None:
    """A labelled table in which a customer stands twice would be judged by what it was learnt from;
    that is refused with the count.
    """
    table = pd.DataFrame(
        {
            "customerID": ["a", "b", "b", "c"],
            "months": [1, 2, 2, 3],
            "left": ["yes", "no", "no", "no"],
        }
    )
    with pytest.raises(
        TrainingError, match=r"1 rows repeat a customer \(customerID\).*keep one row"
    ):
        labelled_rows(table, "left")
    task, rows = labelled_rows(table.drop_duplicates(), "left")
    assert (task.features, len(rows.labels)) == (("months",), 3)


def test_a_date_that_is_missing_is_not_known() -> None:
    """Gaps in a column of dates or durations of a labelled table are no values."""
    ends = pd.Series([pd.Timestamp("2024-05-01"), None, pd.Timestamp("2025-01-01"), None])
    table = pd.DataFrame(
        {
            "ends": ends,
            "waited": ends - pd.Timestamp("2024-01-01"),
            "left": ["yes", "no", "no", "no"],
        }
    )
    _, rows = labelled_rows(table, "left")
    np.testing.assert_array_equal(np.isnan(rows.features), [[False, False], [True, True]] * 2)
    assert (np.diff(rows.features[[0, 2]], axis=0) > 0).all()


@pytest.mark.slow
def test_amounts_of_nothing_are_no_obstacle(registry: Tracking, tmp_path: Path) -> None:
    """A shop that gives everything away has a churn model, which expects no value."""
    shop = make(Bad("churn", "", lambda lines: lines.assign(unit_price=0.00001)), tmp_path)
    assert train(task("churn"), shop, registry, settings=CHURN).judged
    shop.database.close()


@pytest.mark.slow
def test_one_early_order_changes_no_forecast(registry: Tracking, tmp_path: Path) -> None:
    """A test order of years before the shop opened is one customer's, and neither a moment to learn
    from nor a heavy one.
    """
    trained = []
    for early in (False, True):
        (folder := tmp_path / str(early)).mkdir()
        first = (
            order_lines()
            .iloc[:1]
            .assign(order_id="test", customer_id="c001", ordered_at="2019-01-01 10:00:00")
        )
        shop = make(
            Bad(
                "churn",
                "",
                lambda lines, first=first, early=early: (
                    pd.concat([first, lines]) if early else lines
                ),
            ),
            folder,
        )
        trained.append(train(task("churn"), shop, registry, settings=CHURN))
        shop.database.close()
    without, with_it = trained
    assert with_it.version.parameters["moments"] == without.version.parameters["moments"]
    assert with_it.comparison["sayso"]["log_loss"] == pytest.approx(
        without.comparison["sayso"]["log_loss"], abs=0.015
    )
