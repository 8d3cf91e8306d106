"""Which fields each column of a model reads, and so the category that it is shown under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from features.catalog import Catalog
from features.definitions.frames import reads_of
from models.next_purchase.candidate_features import CANDIDATE_READS
from models.next_purchase.candidates import CandidateMaker
from models.next_purchase.product_statistics import PRODUCT_FEATURES


@dataclass(frozen=True)
class Lineage:
    """For each feature of a model the fields that it reads."""

    catalog: Catalog
    reads: Mapping[str, tuple[str, ...]]

    @property
    def category_of(self) -> dict[str, str]:
        """The category that each feature is shown under."""
        return {name: self.catalog.category_of(fields) for name, fields in self.reads.items()}

    def document(self) -> dict[str, dict[str, list[str]]]:
        """The fields, and the categories that have to be granted for them, by feature."""
        return {
            name: {"reads": list(fields), "categories": sorted(self.catalog.categories_of(fields))}
            for name, fields in self.reads.items()
        }


def reads_by(maker: CandidateMaker) -> dict[str, tuple[str, ...]]:
    """The fields that each of the ranker's columns reads; a product's own facts read none of a
    customer's.
    """
    defined = {name: reads_of(name) for name in (*maker.history, *maker.customer)}
    learned = {name: CANDIDATE_READS[name] for name in maker.candidate}
    return {**defined, **learned, **dict.fromkeys(PRODUCT_FEATURES, ())}
