"""What a why page says of the review that its customer asked for."""

from __future__ import annotations

from dataclasses import dataclass

from features.clock import from_text
from serving.pages.reader import Reader
from serving.reviews.queue import Reviews


@dataclass(frozen=True)
class Contested:
    """How a contested decision stands: until when a person answers, and once they have, the
    `outcome` (None before) and why.
    """

    due: str
    outcome: str | None = None
    reason: str | None = None


def contested(reviews: Reviews, decision_id: str, reader: Reader) -> Contested | None:
    """The newest review of a decision in the reader's language; None where nobody contested it."""
    review = reviews.review_of(decision_id)
    if review is None:
        return None
    due = reader.wording.day(from_text(review.due_at))
    return Contested(due) if review.open else Contested(due, review.status, review.reason)
