"""Cleaning: which lines are purchases, and under which rule the others are set aside."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.config.sources import Cleaning, Source
from features.intake.cleaning import RULES, Cleaned, clean
from features.tables.declared import transactions
from features.tables.table import Kind

CLEANING = Cleaning(
    cancellation_prefix="C",
    non_products=("POST", "BANK CHARGES", "gift_*", "a.b"),
    wholesale_units=1000,
)


def cleaned_of(
    lines: pd.DataFrame,
    cleaning: Cleaning = CLEANING,
    called: dict[str, str] | None = None,
    **said: Any,
) -> Cleaned:
    """The lines of a source with these rules, cleaned in euros."""
    columns: Any = called or {}
    source = Source(
        name="orders",
        file="orders.csv",
        table="transactions",
        columns=columns,
        cleaning=cleaning,
        **said,
    )
    for column in transactions.TABLE.only_read:
        if column.name not in lines:
            kind = "float64" if column.kind in (Kind.PRICE, Kind.QUANTITY) else "str"
            lines = lines.assign(**{column.name: pd.Series(None, index=lines.index, dtype=kind)})
    return clean(lines, source, "EUR")


def lines(*changes: dict[str, Any]) -> pd.DataFrame:
    """One good line for each of `changes`, so changed."""
    good = {
        "file": "orders.csv",
        "line": 0,
        "customer_id": "7",
        "order_id": "1",
        "product_id": "mug",
        "quantity": 2,
        "unit_price": 1.5,
        "ordered_at": pd.Timestamp(2026, 1, 1),
    }
    frame = pd.DataFrame(
        [{**good, "line": line, **change} for line, change in enumerate(changes, start=2)]
    )
    frame["amount"] = frame["quantity"] * frame["unit_price"]
    return frame.astype(dict.fromkeys(("customer_id", "order_id", "product_id"), "str"))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"order_id": "C1"}, "cancellation"),
        ({"quantity": -1}, "return"),
        ({"product_id": "POST"}, "non_product"),
        ({"product_id": "post"}, "non_product"),
        ({"product_id": "GIFT_0001_20"}, "non_product"),
        ({"customer_id": None}, "no_customer"),
        ({"unit_price": 0.0}, "free_of_charge"),
        ({"unit_price": -0.0}, "free_of_charge"),
        ({"quantity": 1001}, "wholesale"),
        (
            {"order_id": "C1", "quantity": -1, "product_id": "POST", "customer_id": None},
            "cancellation",
        ),
        ({"quantity": -1, "product_id": "POST"}, "return"),
        ({"product_id": "POST", "customer_id": None}, "non_product"),
        ({"customer_id": None, "unit_price": 0.0}, "no_customer"),
        ({"quantity": 5000, "unit_price": 0.0}, "free_of_charge"),
        ({"product_id": "POST", "unit_price": -11062.06}, "non_product"),
        ({"customer_id": None, "quantity": 0}, "no_customer"),
    ],
)
def test_the_first_rule_that_fits_has_the_line(change: dict[str, Any], rule: str) -> None:
    """A line is set aside under exactly one rule, the first in the documented order."""
    cleaned = cleaned_of(lines(change))
    assert cleaned.set_aside["rule"].tolist() == [rule]
    assert cleaned.counts == {**dict.fromkeys(RULES, 0), rule: 1}
    assert cleaned.kept.empty
    assert cleaned.rejected.empty


@pytest.mark.parametrize(
    "change",
    [{}, {"product_id": "POSTER"}, {"product_id": "axb"}, {"order_id": "c1"}, {"quantity": 1000}],
)
def test_a_purchase_is_kept(change: dict[str, Any]) -> None:
    """What no rule names is kept: a code in a longer code, a dot that is no wildcard, another case
    of the prefix.
    """
    assert len(cleaned_of(lines(change)).kept) == 1


def test_without_rules_only_what_is_never_a_purchase_is_set_aside() -> None:
    """A shop that states no rule keeps its odd codes and its large lines."""
    cleaned = cleaned_of(
        lines(
            {"order_id": "C1"}, {"product_id": "POST"}, {"quantity": 90_000}, {"customer_id": None}
        ),
        Cleaning(),
        {},
    )
    assert len(cleaned.kept) == 3
    assert cleaned.counts["no_customer"] == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"unit_price": -2.5}, "UnitPrice is -2.5, which is negative"),
        ({"quantity": 0}, "quantity is 0, which is no purchase"),
    ],
)
def test_what_no_rule_takes_must_be_a_purchase(change: dict[str, Any], reason: str) -> None:
    """A negative price or no unit at all is an error where no rule explains it, named as the shop
    names the column.
    """
    cleaned = cleaned_of(lines({}, change), CLEANING, {"unit_price": "UnitPrice"})
    assert cleaned.rejected.to_dict("records") == [
        {"file": "orders.csv", "line": 3, "reason": reason}
    ]
    assert cleaned.kept["line"].tolist() == [2]


def test_no_lines_are_cleaned_to_no_lines() -> None:
    """An empty source has nothing to keep, set aside or reject."""
    cleaned = cleaned_of(lines({}).iloc[:0])
    assert cleaned.kept.empty
    assert cleaned.set_aside.empty
    assert cleaned.rejected.empty


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "order_id": st.sampled_from(["1", "C1"]),
                "quantity": st.integers(-3, 2000),
                "product_id": st.sampled_from(["mug", "POST"]),
                "customer_id": st.sampled_from([None, "7"]),
                "unit_price": st.sampled_from([-1.0, 0.0, 2.5]),
            }
        ),
        min_size=1,
    )
)
def test_every_line_is_kept_set_aside_or_rejected_once(changes: list[dict[str, Any]]) -> None:
    """Cleaning neither loses nor doubles a line."""
    frame = lines(*changes)
    cleaned = cleaned_of(frame)
    assert (
        sorted([*cleaned.kept["line"], *cleaned.set_aside["line"], *cleaned.rejected["line"]])
        == frame["line"].tolist()
    )
    assert sum(cleaned.counts.values()) == len(cleaned.set_aside)
