"""Expressions on arrays: the same to the last bit as DuckDB, or left to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ibis import _

from features.engines.arrays import Program
from features.engines.columns import NotOnArrays, Rows, rows_of

SCHEMA = pa.schema(
    [
        ("who", pa.int64()),
        ("units", pa.int64()),
        ("paid", pa.float64()),
        ("what", pa.string()),
        ("at", pa.timestamp("us")),
    ]
)
DUCKDB = ibis.duckdb.connect(threads=1).con
Made = Callable[[ibis.Table], ibis.Table]
BY_WHO = ibis.window(group_by="who", order_by=[ibis.desc("at"), "what"])
EXPRESSIONS: dict[str, Made] = {
    "sums": lambda t: t.group_by("who").aggregate(
        n=t.count(),
        known=t.units.count(),
        total=t.units.sum().cast("float64"),
        mean=t.units.mean(),
        cents=(t.paid * 100).round().cast("int64").sum() / 100,
        some=t.units.sum(where=t.paid > 1).cast("float64"),
    ),
    "extremes": lambda t: t.group_by("who", "what").aggregate(
        low=t.paid.min(), high=t.paid.max(), first=t["at"].min(), word=t.what.max()
    ),
    "kinds": lambda t: t.group_by("who").aggregate(
        whats=t.what.nunique(),
        days=t["at"].date().nunique(),
        some=t.what.nunique(where=t.units > 2),
        prices=t.paid.nunique(),
    ),
    "rows": lambda t: t.select(
        "who",
        quotient=t.paid / t.units,
        power=ibis.literal(0.9) ** t.units,
        fading=(-t.paid.abs() / 7).exp(),
        root=(t.paid.abs() + 1).sqrt(),
        log=(t.paid.abs() + 1).ln(),
        seconds=t["at"].epoch_seconds(),
        rounded=t.paid.round(),
        product=t.units * 3 - 1,
        truth=((t.units > 2) & (t.paid < 5)).cast("int64"),
        either=((t.units > 2) | (t.paid < 5)).cast("float64"),
        not_it=(~(t.units > 2)).cast("float64"),
        is_tea=(t.what == "tea").cast("float64"),
        is_one=t.what.isin(["tea", "jam"]).cast("float64"),
        within=t.units.between(1, 3).cast("float64"),
        gone=t.units.isnull().cast("int64"),  # noqa: PD003 - Ibis has no other
        there=t.what.notnull().cast("int64"),  # noqa: PD004 - Ibis has no other
        no_zero=t.units.nullif(0),
        filled=t.units.coalesce(7),
        chosen=(t.units > 2).ifelse(t.paid, 0.0),
        cases=ibis.cases((t.units > 3, 1.5), (t.units > 1, 2.5), else_=0.1),
    ),
    "ranks": lambda t: (
        t.distinct()
        .mutate(dense=ibis.dense_rank().over(BY_WHO), rank=ibis.rank().over(BY_WHO))
        .group_by("who")
        .aggregate(dense=_.dense.max(), rank=_["rank"].max(), ranks=_["rank"].nunique())
    ),
    "whole of a group": lambda t: t.mutate(
        most=t.units.max().over(ibis.window(group_by="who")),
        first=t["at"].min().over(ibis.window(group_by=["who", "what"])),
    ).select("who", "most", "first"),
    "newest": lambda t: t.filter(ibis.row_number().over(BY_WHO) == 0).select("who", "at"),
    "distinct": lambda t: t.select("who", "what").distinct(),
    "joined": lambda t: t.join(
        t.group_by("who").aggregate(last=t["at"].max()).view(), "who"
    ).select("who", "what", "last"),
    "nobody": lambda t: t.filter(t.units > 10**6).group_by("who").aggregate(n=_.count()),
}

whole = st.one_of(st.none(), st.integers(-3, 5))
money = st.one_of(st.none(), st.sampled_from([0.0, 0.5, 1.5, 2.5, -0.125, 4.995, 1e-9, 12_345.67]))
words = st.one_of(st.none(), st.sampled_from(["tea", "jam", "Ähre", "mug 🫖", ""]))
moments = st.one_of(
    st.none(),
    st.datetimes(datetime.fromisoformat("1995-01-01"), datetime.fromisoformat("2030-01-01")),
)
rows = st.lists(st.tuples(st.integers(1, 3), whole, money, words, moments), max_size=12)


def by_duckdb(expression: ibis.Table, table: pa.Table) -> pd.DataFrame:
    """What DuckDB makes of the same."""
    DUCKDB.register("t", table)
    found = DUCKDB.execute(str(ibis.to_sql(expression, dialect="duckdb"))).to_arrow_table()
    for at, held in enumerate(found.schema):
        if pa.types.is_decimal(held.type):
            found = found.set_column(at, held.name, found.column(at).cast(pa.float64()))
    return comparable(rows_of(found))


def comparable(rows: Rows) -> pd.DataFrame:
    """Rows in some order that does not depend on who made them, numbers as their bits."""
    found = {
        name: column.texts() if column.words is not None else bits(column.floats())
        for name, column in rows.columns.items()
    }
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in found.items()})
    return frame.sort_values(list(frame.columns), key=lambda v: v.map(repr)).reset_index(drop=True)


def bits(values: np.ndarray) -> list[bytes]:
    """Each number as its bits; all that are none alike."""
    return [b"none" if np.isnan(value) else np.float64(value).tobytes() for value in values]


def unbound() -> ibis.Table:
    """The table of the expressions."""
    return ibis.table(ibis.Schema.from_pyarrow(SCHEMA), name="t")


def on_arrays(made: Made, table: pa.Table) -> Callable[[], Rows]:
    """What arrays make of it, from the columns that the program says it needs, compiled already."""
    program = Program()
    plan = program.plan([program.add(made(unbound()))])
    needed = table.select(sorted(plan.needs["t"]))
    rows = Rows(table.num_rows, rows_of(needed).columns)
    return lambda: plan.run({"t": rows})[0]


@pytest.mark.parametrize("name", EXPRESSIONS)
@settings(max_examples=10, deadline=None)
@given(drawn=rows)
def test_arrays_give_what_duckdb_gives(name: str, drawn: list[tuple[object, ...]]) -> None:
    """Over any rows, with missing values anywhere, each kind of expression gives the same bits."""
    columns = list(zip(*drawn, strict=True)) or [()] * len(SCHEMA)
    table = pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], SCHEMA)
    compute = on_arrays(EXPRESSIONS[name], table)
    try:
        found = comparable(compute())
    except NotOnArrays:
        return  # values for which nothing is promised, and which run in DuckDB
    expected = by_duckdb(EXPRESSIONS[name](unbound()), table)
    if not len(expected):
        assert not len(found)
        return
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


@pytest.mark.parametrize(
    "made",
    [
        lambda t: t.group_by("who").aggregate(paid=t.paid.sum()),
        lambda t: t.group_by("who").aggregate(middle=t.paid.median()),
        lambda t: t.select(upper=t.what.upper()),
        lambda t: t.select(wait=t["at"] - t["at"]),
        lambda t: t.select(text=t.units.cast("string")),
        lambda t: t.select(cents=t.paid.round(2)),
        lambda t: t.left_join(t.view(), "who"),
        lambda t: t.mutate(last=t.units.lag().over(BY_WHO)),
        lambda t: t.mutate(so_far=t.units.sum().over(ibis.cumulative_window(order_by="at"))),
        lambda t: t.limit(1),
        lambda t: t.select(tenths=t.units * 0.1),
        lambda t: t.select(tenths=(t.units > 1).ifelse(0.1, 0) + 1),
    ],
)
def test_what_is_not_promised_is_refused(made: Made) -> None:
    """A sum of fractions, a function of texts, a moving window and the like are refused, and the
    program is as it was.
    """
    program = Program()
    place = program.add(EXPRESSIONS["sums"](unbound()))
    before = len(program.steps)
    with pytest.raises(NotOnArrays):
        program.add(made(unbound()))
    assert len(program.steps) == before
    assert program.add(EXPRESSIONS["sums"](unbound())) == place


@pytest.mark.parametrize(
    ("made", "values"),
    [
        (lambda t: t.group_by("who").aggregate(high=t.paid.max()), {"paid": [float("nan")]}),
        (lambda t: t.select(less=t.paid < 1), {"paid": [float("nan")]}),
        (lambda t: t.select(whole=t.paid.cast("int64")), {"paid": [1e300]}),
        (lambda t: t.select(product=t.units * t.units), {"units": [2**40]}),
        (lambda t: t.group_by("who").aggregate(s=t.units.sum()), {"units": [2**62 + 2**61]}),
        (lambda t: t.select(log=t.paid.ln()), {"paid": [-1.0]}),
        (lambda t: t.select(big=t.paid.exp()), {"paid": [1e4]}),
    ],
)
def test_values_for_which_nothing_is_promised_are_refused(
    made: Made, values: dict[str, list[object]]
) -> None:
    """What is no number, too large or without a result is left to DuckDB, and never guessed."""
    filled = {
        "who": [1],
        "units": [1],
        "paid": [1.0],
        "what": ["tea"],
        "at": [datetime.fromisoformat("2020-01-01")],
    }
    table = pa.table({**filled, **values}, SCHEMA)
    compute = on_arrays(made, table)
    with pytest.raises(NotOnArrays):
        compute()
