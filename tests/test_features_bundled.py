"""The bundled data set is what its README says."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from features.intake.bundled import bundled_file


def test_the_bundled_file_holds_the_original_lines() -> None:
    """541,909 lines, 4,372 customers and 135,080 lines without one, in the original columns and
    plain types.
    """
    table = pq.read_table(bundled_file())
    assert table.num_rows == 541_909
    assert table.schema.names == [
        "InvoiceNo",
        "StockCode",
        "Description",
        "Quantity",
        "InvoiceDate",
        "UnitPrice",
        "CustomerID",
        "Country",
    ]
    assert table.schema.field("InvoiceDate").type == pa.timestamp("us")
    assert table.schema.field("CustomerID").type == pa.string()
    assert table["CustomerID"].null_count == 135_080
    assert len(table["CustomerID"].unique().drop_null()) == 4_372


def test_the_bundled_file_is_small_and_attributed() -> None:
    """It takes less than 3 MB, and the README beside it names author, licence and origin."""
    assert bundled_file().stat().st_size < 3_000_000
    readme = bundled_file().with_name("README.md").read_text(encoding="utf-8")
    assert all(
        words in readme
        for words in ("Daqing Chen", "10.24432/C5BW33", "Creative Commons Attribution 4.0")
    )
