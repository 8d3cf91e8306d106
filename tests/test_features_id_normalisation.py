"""The shape of ids, which may be told where the ids may not."""

from __future__ import annotations

import pandas as pd
import pytest

from features.customers.id_normalisation import id_shape


@pytest.mark.parametrize(
    ("ids", "shape"),
    [
        (["000001", "000020"], "6 digits"),
        (["1", "20", "4711"], "1 to 4 digits"),
        (["Zoë"], "3 letters"),
        (["c01", "12345", "d02"], "3 letters and digits"),
        (["ann@example.com", "jo@example.com"], "14 to 15 characters of an e-mail address"),
        (["DE/1", "O'Neil 2"], "4 to 8 characters"),
        (["two\nlines"], "9 characters"),
        ([], "none"),
    ],
)
def test_the_shape_of_most_ids_is_told(ids: list[str], shape: str) -> None:
    """How long they are and of what they are made; what is rarer does not count."""
    assert id_shape(pd.Series(ids, dtype="str")) == shape
