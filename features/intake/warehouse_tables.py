"""The warehouse's tables, made of the lines that cleaning kept."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

TRANSACTIONS = pa.schema(
    [
        ("customer", pa.int64()),
        ("order_id", pa.string()),
        ("product_id", pa.string()),
        ("quantity", pa.int64()),
        ("unit_price", pa.float64()),
        ("amount", pa.float64()),
        ("ordered_at", pa.timestamp("us")),
        ("recorded_at", pa.timestamp("us")),
        ("source", pa.string()),
    ]
)
PRODUCTS = pa.schema(
    [
        ("product_id", pa.string()),
        ("title", pa.string()),
        ("product_category", pa.string()),
        ("brand", pa.string()),
    ]
)
CUSTOMERS = pa.schema(
    [
        ("customer", pa.int64()),
        ("country", pa.string()),
        ("recorded_at", pa.timestamp("us")),
        ("source", pa.string()),
    ]
)


def transactions_table(lines: pd.DataFrame) -> pa.Table:
    """Order lines, sorted by the time of recording.

    `lines` has what `features.intake.reading.sources` reads, `customer` (int64) and `source` (str).
    A line without an order number belongs to the order of its customer at its moment.
    """
    derived = (
        lines["customer"].astype("str") + "-" + lines["ordered_at"].astype("int64").astype("str")
    )
    named = lines.assign(order_id=lines["order_id"].where(lines["order_id"].notna(), derived))
    return _table(named.sort_values("recorded_at", kind="stable"), TRANSACTIONS)


def customers_table(lines: pd.DataFrame) -> pa.Table:
    """One row for each change of a customer's country, with the time at which the shop recorded
    it.
    """
    stated = lines.loc[lines["country"].notna(), ["customer", "country", "recorded_at", "source"]]
    stated = stated.sort_values(["customer", "recorded_at"], kind="stable").drop_duplicates(
        ["customer", "recorded_at"], keep="last"
    )
    moved = (stated["customer"] != stated["customer"].shift()) | (
        stated["country"] != stated["country"].shift()
    )
    return _table(stated[moved], CUSTOMERS)


def products_table(lines: pd.DataFrame, stated: pd.DataFrame) -> pa.Table:
    """One row per product that was sold or stated.

    Title, category and brand are those of `stated` (rows of a products source, each product once),
    else the most frequent of the product's lines; of two sources that state a product the first has
    it. A product without a title is called by its id.
    """
    columns = ["title", "product_category", "brand"]
    sold = pd.DataFrame(
        {column: _most_frequent(lines, column) for column in columns},
        index=lines["product_id"].unique(),
    )
    first_stated = stated.drop_duplicates("product_id").set_index("product_id")
    products = first_stated[columns].combine_first(sold).rename_axis("product_id").reset_index()
    products["title"] = products["title"].where(products["title"].notna(), products["product_id"])
    return _table(products.sort_values("product_id"), PRODUCTS)


def _most_frequent(lines: pd.DataFrame, column: str) -> pd.Series:
    """The most frequent value of each product; of equally frequent ones the first in the
    alphabet.
    """
    counts = lines.groupby(["product_id", column]).size().rename("lines").reset_index()
    best = counts.sort_values(
        ["product_id", "lines", column], ascending=[True, False, True]
    ).drop_duplicates("product_id")
    return best.set_index("product_id")[column]


def _table(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pandas(
        frame[schema.names], schema=schema, preserve_index=False
    ).replace_schema_metadata(None)
