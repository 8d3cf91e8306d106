"""The queue of reviews: asking for one, seeing who waits, and giving each its outcome."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import Connection, case, func, select, update

from features import clock
from features.customers.pseudonyms import external_id_of, kept, numbers_of
from features.database.engine import insert_missing
from features.database.tables import reviews
from features.errors import NotFound
from features.shop.corrections import correct
from features.shop.shop import Shop
from serving.decisions import record as decisions
from serving.decisions.record import Decision
from serving.decisions.set_bands import SetBand, set_band
from serving.delivery import opt_outs
from serving.reviews.review import (
    MOST_CHARACTERS,
    AlreadyResolved,
    Effects,
    Review,
    ReviewRefused,
    Status,
    Verdict,
    opened,
    plain,
    sealed_outcome,
    sealed_text,
)
from serving.webhooks.event import Event, EventKind
from serving.webhooks.outbox import Outbox

CHURN, RECOMMENDATION = "churn", "recommendation"


@dataclass(frozen=True)
class Waiting:
    """How many reviews wait, and how many of them for too long."""

    open: int
    overdue: int


class Reviews:
    """The reviews of one shop."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._outbox = Outbox.of(shop)

    def ask(self, decision_id: str, text: str, actor: str | None = None) -> tuple[Review, bool]:
        """Contest a decision, as said by `actor`, and whether that is new: while one review of a
        decision is open, asking again gives that one.

        Raises `NotFound` for a decision that is not there, and `ReviewRefused` for one that is
        about no known customer, or for a text that says nothing or is too long.
        """
        said = plain(text)
        if not said or len(said) > MOST_CHARACTERS:
            raise ReviewRefused(
                f"Say in 1 to {MOST_CHARACTERS:,} characters what is wrong; these are"
                f" {len(said):,}.",
                field="text",
            )
        now = self._shop.clock()
        with self._shop.database.write() as connection:
            customer = self._whose(connection, decision_id)
            id = "rev_" + secrets.token_hex(12)
            row = {
                "id": id,
                "customer": customer,
                "decision_id": decision_id,
                "open_for": decision_id,
                "status": Status.OPEN,
                "owner": self.owner,
                "created_at": clock.to_text(now),
                "due_at": clock.to_text(
                    now + timedelta(days=self._shop.config.reviews.answer_within_days)
                ),
                "content": sealed_text(connection, self._shop.vault, customer, id, said),
                "actor": actor,
            }
            insert_missing(connection, reviews, ["open_for"], [row])
            standing = (
                connection.execute(select(reviews).where(reviews.c.open_for == decision_id))
                .mappings()
                .one()
            )
            return opened(connection, self._shop.vault, dict(standing)), standing["id"] == id

    @property
    def owner(self) -> str:
        """Who sees to it that reviews are answered."""
        return self._shop.config.reviews.owner or self._shop.config.shop.owner

    def queue(self, status: Status | None = Status.OPEN, most: int = 50) -> list[Review]:
        """Reviews of that status (all: None), those that are due first at the head; what has its
        outcome, newest first.
        """
        column = reviews.c
        order = (
            (column.due_at, column.id)
            if status is Status.OPEN
            else (column.resolved_at.is_not(None), column.resolved_at.desc(), column.due_at)
        )
        query = select(reviews).order_by(*order).limit(most)
        with self._shop.database.read() as connection:
            rows = (
                connection.execute(
                    query if status is None else query.where(column.status == status)
                )
                .mappings()
                .all()
            )
            return [opened(connection, self._shop.vault, dict(row)) for row in rows]

    def find(self, id: str) -> Review:
        """A review by its id. Raises `NotFound`."""
        with self._shop.database.read() as connection:
            return self._find(connection, id)

    def review_of(self, decision_id: str) -> Review | None:
        """The newest review of a decision; None where nobody contested it."""
        query = (
            select(reviews)
            .where(reviews.c.decision_id == decision_id)
            .order_by(reviews.c.created_at.desc(), reviews.c.id.desc())
        )
        with self._shop.database.read() as connection:
            row = connection.execute(query.limit(1)).mappings().one_or_none()
            return None if row is None else opened(connection, self._shop.vault, dict(row))

    def of(self, customer: int) -> Sequence[Review]:
        """All reviews of a customer, oldest first."""
        with self._shop.database.read() as connection:
            query = (
                select(reviews)
                .where(reviews.c.customer.in_(numbers_of(connection, customer)))
                .order_by(reviews.c.created_at, reviews.c.id)
            )
            return [
                opened(connection, self._shop.vault, dict(row))
                for row in connection.execute(query).mappings().all()
            ]

    def waiting(self) -> Waiting:
        """How many wait at this moment."""
        late = func.coalesce(
            func.sum(case((reviews.c.due_at < clock.to_text(self._shop.clock()), 1), else_=0)), 0
        )
        with self._shop.database.read() as connection:
            found = connection.execute(
                select(func.count(), late).where(reviews.c.status == Status.OPEN)
            ).one()
        return Waiting(int(found[0]), int(found[1]))

    def resolve(self, id: str, verdict: Verdict, *, one_line: bool = False) -> Review:
        """Give a review its outcome and, where it overrides the decision, let that take effect.

        Raises `NotFound`, `AlreadyResolved`, `ReviewRefused` for a verdict that does not fit the
        decision, and `CorrectionRefused`, which a correction of more than one line is where
        `one_line` is all there may be.
        """
        now = clock.to_text(self._shop.clock())
        verdict = replace(verdict, reason=plain(verdict.reason), reviewer=plain(verdict.reviewer))
        with self._shop.database.read() as connection:
            review = self._find(connection, id)
            _require_open(review)
            _check(verdict, decisions.read(connection, self._shop.vault, review.decision_id), now)
        if verdict.effects.correction is not None:
            # Before the outcome is written, as it can be refused, and a customer must not read of
            # what was not done.
            correct(
                self._shop,
                self._shop.customers.kept(review.customer),
                verdict.effects.correction,
                verdict.actor,
                one_line=one_line,
            )
        with self._shop.database.write() as connection:
            self._close(connection, review, verdict, now)
            _take_effect(connection, review, verdict, now)
            self._tell(connection, review, verdict, now)
            return self._find(connection, id)

    def _tell(self, connection: Connection, review: Review, verdict: Verdict, now: str) -> None:
        """Have the shop's programs told; of somebody who was erased meanwhile nothing is."""
        customer = kept(connection, review.customer)
        if (customer_id := external_id_of(connection, customer)) is None:
            return
        about = {
            "customer_id": customer_id,
            "review_id": review.id,
            "decision_id": review.decision_id,
            "outcome": verdict.status.value,
        }
        self._outbox.note(connection, Event(EventKind.REVIEW_RESOLVED, now, about, customer))

    def _close(self, connection: Connection, review: Review, verdict: Verdict, now: str) -> None:
        outcome = sealed_outcome(connection, self._shop.vault, review.customer, review.id, verdict)
        closing = update(reviews).where(reviews.c.id == review.id, reviews.c.open_for.is_not(None))
        values = {
            "status": verdict.status,
            "reviewer": verdict.reviewer,
            "outcome": outcome,
            "resolved_at": now,
            "open_for": None,
        }
        if not connection.execute(closing.values(**values)).rowcount:
            _require_open(self._find(connection, review.id))

    def _find(self, connection: Connection, id: str) -> Review:
        row = connection.execute(select(reviews).where(reviews.c.id == id)).mappings().one_or_none()
        if row is None:
            raise NotFound("There is no such review.")
        return opened(connection, self._shop.vault, dict(row))

    def _whose(self, connection: Connection, decision_id: str) -> int:
        """Whom a decision is about.

        Raises `NotFound` also where they were erased: nothing more is written of them then.
        """
        customer = decisions.read(connection, self._shop.vault, decision_id).customer
        if customer is None:
            raise ReviewRefused(
                "This answer was made for nobody whom the shop knows, so there is nothing in it to"
                " review.",
                field="decision_id",
            )
        if external_id_of(connection, kept(connection, customer)) is None:
            raise NotFound("There is no such decision.")
        return kept(connection, customer)


def _require_open(review: Review) -> None:
    if not review.open:
        raise AlreadyResolved(
            f"This review was resolved on {(review.resolved_at or '')[:10]} by {review.reviewer};"
            " ask for a new one."
        )


def _check(verdict: Verdict, decision: Decision, now: str) -> None:
    """Raises `ReviewRefused` where a verdict is incomplete or does not fit the decision."""
    effects = verdict.effects
    for name in ("reason", "reviewer"):
        if not 0 < len(getattr(verdict, name)) <= MOST_CHARACTERS:
            raise ReviewRefused(
                f"A verdict needs a {name} of at most {MOST_CHARACTERS:,} characters.", field=name
            )
    if effects.any != (verdict.status is Status.OVERRIDDEN):
        wanted = (
            "says what is done: `suppress`, `correction` or `band`"
            if verdict.status is Status.OVERRIDDEN
            else "does nothing"
        )
        raise ReviewRefused(f"A verdict of `{verdict.status}` {wanted}.", field="outcome")
    if effects.suppress is not None:
        _check_suppressed(effects.suppress, decision)
    _check_band(effects, decision, now)


def _check_suppressed(product: str, decision: Decision) -> None:
    shown = [item["product_id"] for item in decision.document().get("items", [])]
    if product not in shown:
        raise ReviewRefused(
            f"{product!r} is no product of this decision; there are {', '.join(shown) or 'none'}.",
            field="suppress",
        )


def _check_band(effects: Effects, decision: Decision, now: str) -> None:
    if (effects.band is None) != (effects.band_until is None):
        raise ReviewRefused(
            "A band and the moment until which it holds go together.", field="band_until"
        )
    if effects.band is not None and decision.kind != CHURN:
        raise ReviewRefused(
            f"A band belongs to a churn estimate, and this decision is a {decision.kind}.",
            field="band",
        )
    if effects.band_until is not None and effects.band_until <= now:
        raise ReviewRefused(
            f"{effects.band_until} is past; the band would never hold.", field="band_until"
        )


def _take_effect(connection: Connection, review: Review, verdict: Verdict, now: str) -> None:
    effects, actor = verdict.effects, verdict.actor
    customer = kept(connection, review.customer)
    if effects.suppress is not None:
        opt_outs.write(connection, customer, "product", effects.suppress, None, now, actor=actor)
    if effects.band is not None and effects.band_until is not None:
        band = SetBand(effects.band, effects.band_until, review.id)
        set_band(connection, customer, band, now)
