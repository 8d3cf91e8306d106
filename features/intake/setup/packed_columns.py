"""Which column of an unknown file holds several items of an order in one cell."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from features.config.sources import PackedSection
from features.intake.setup.column_facts import MOST, ColumnFacts
from features.intake.setup.column_synonyms import SPELLINGS, rank
from features.tables.declared.products import PRODUCT_ID, TITLE
from features.tables.declared.transactions import QUANTITY

LOOKED_AT = 500
"""Distinct cells of a column that are looked at."""
FEWEST_PARTS = 3
PART = re.compile(r"(?:^|(?<!\\)[|;,])\s*([A-Za-z][A-Za-z0-9_ ]{0,40}):")
"""The name of a part, at the begin of a cell or behind what stands between parts."""


def packed_in(facts: Mapping[str, ColumnFacts]) -> PackedSection | None:
    """How a column's cells hold several items: parts with the same names in nearly all cells, among
    them one that counts units and one that names a product. None where no column does.
    """
    for name, its in facts.items():
        cells = its.texts[:LOOKED_AT]
        if sum(":" in cell for cell in cells) < MOST * len(cells) or not cells:
            continue
        found = [list(dict.fromkeys(PART.findall(cell))) for cell in cells]
        count = Counter(part for parts in found for part in parts)
        common = [part for part in found[0] if count[part] >= MOST * len(cells)]
        if len(common) >= FEWEST_PARTS and _is_line(common):
            return PackedSection(column=name, names=tuple(common))
    return None


def _is_line(parts: list[str]) -> bool:
    def has(column: str) -> bool:
        return any(rank(part, SPELLINGS[column]) is not None for part in parts)

    return has(QUANTITY) and (has(PRODUCT_ID) or has(TITLE))
