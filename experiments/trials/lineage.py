"""Which fields each column of a model reads, and so the category that it is shown under."""

from __future__ import annotations

from features.definitions.frames import reads_of
from models.next_purchase.candidate_features import CANDIDATE_READS
from models.next_purchase.candidates import CandidateMaker
from models.next_purchase.product_statistics import PRODUCT_FEATURES


def reads_by(maker: CandidateMaker) -> dict[str, tuple[str, ...]]:
    """The fields that each of the ranker's columns reads; a product's own facts read none of a
    customer's.
    """
    defined = {name: reads_of(name) for name in (*maker.history, *maker.customer)}
    learned = {name: CANDIDATE_READS[name] for name in maker.candidate}
    return {**defined, **learned, **dict.fromkeys(PRODUCT_FEATURES, ())}
