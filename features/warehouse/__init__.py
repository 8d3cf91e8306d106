"""The tables as Parquet files, what a field of them is, and the gate that alone opens them."""
