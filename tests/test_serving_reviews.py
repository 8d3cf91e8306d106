"""Reviews as they are kept: one open for each decision, sealed, with a deadline, and an outcome
that takes effect.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from features import clock as times
from features.consent.ledger import ConsentEvent
from features.consent.verification import verify_ledger
from features.customers.master_keys import MasterKeys
from features.customers.vault import Vault
from features.database.engine import Database
from features.database.tables import metadata, opt_outs, reviews, set_bands
from features.errors import NotFound
from features.shop.corrections import Correction, CorrectionRefused
from features.shop.shop import Shop
from serving.decisions.deciding import Made
from serving.decisions.record import verify_decisions
from serving.decisions.set_bands import SetBand, bands_of, set_band
from serving.reviews.queue import Reviews
from serving.reviews.review import (
    MOST_CHARACTERS,
    AlreadyResolved,
    Effects,
    Review,
    ReviewRefused,
    Status,
    Verdict,
    plain,
)
from serving.rights.upkeep import upkeep
from tests.decided import Said, decide
from tests.first_revision import (
    ANN,
    MARCH,
    SPOKEN,
    database_of_first_revision,
    fill,
    old_decision,
    old_ledger,
)
from tests.synthetic_shop import END

pytestmark = pytest.mark.both_databases

PURPOSE = "recommendations"
TEXT = "I never bought this: it was a gift zqx-secret"
UPHELD = Verdict(Status.UPHELD, "It is right.", "Mia")
IN_A_WEEK = times.to_text(END + timedelta(days=7))


class Asked(Shop):
    """The made-up shop with another database and a clock that can be set."""

    def __init__(self, shop: Shop, database: Database, masters: MasterKeys) -> None:
        self.now = END
        super().__init__(shop.workspace, lambda: self.now)
        self.database = database
        self.vault = Vault(database, masters)


@pytest.fixture
def asked(database, masters, shop) -> Asked:
    """A shop with one customer, once on each kind of database."""
    made = Asked(shop, database, masters)
    made.ledger.append(ConsentEvent("ann", PURPOSE, "purchases", "granted", "test", "1"))
    return made


@pytest.fixture
def queue(asked) -> Reviews:
    """The queue of that shop."""
    return Reviews(asked)


def decided(shop: Shop, kind: str = "recommendation", customer: str = "ann") -> str:
    """The id of a new decision about a customer, with one product."""
    made = Made({}, Said({}, ({"product_id": "mug"},)), None)
    return str(decide(shop, kind, customer, PURPOSE, lambda _: made).decision_id)


def overriding(**effects: object) -> Verdict:
    """A verdict with an effect."""
    return Verdict(Status.OVERRIDDEN, "You are right.", "Mia", Effects(**effects))  # type: ignore[arg-type]


def rows(shop: Shop, table) -> list[dict]:
    """All rows of a table."""
    with shop.database.read() as connection:
        return [dict(row) for row in connection.execute(select(table)).mappings()]


def test_a_review_waits_with_its_text_an_owner_and_a_deadline(asked, queue):
    """Asking puts the customer's words into the queue, due in thirty days, under the shop's
    owner.
    """
    id = decided(asked)
    review, new = queue.ask(id, f"  {TEXT}\r\nReally.\x00 ")
    assert new
    assert (review.status, review.decision_id, review.owner) == (
        Status.OPEN,
        id,
        asked.config.shop.owner,
    )
    assert review.text == f"{TEXT}\nReally."
    assert review.due_at == times.to_text(END + timedelta(days=30))
    assert queue.queue() == [review] == queue.of(review.customer)
    assert queue.review_of(id) == queue.find(review.id) == review
    assert queue.review_of("dec_0") is None


def test_asking_twice_gives_the_review_that_is_open(asked, queue):
    """A second contest of a decision changes nothing while the first is open, and is a new review
    afterwards.
    """
    id = decided(asked)
    first, _ = queue.ask(id, TEXT)
    assert queue.ask(id, "something else") == (first, False)
    asked.now = END + timedelta(days=1)
    queue.resolve(first.id, UPHELD)
    second, new = queue.ask(id, "I do not agree")
    assert new
    assert second.id != first.id
    assert queue.review_of(id) == second
    assert queue.queue(None) == [second, queue.find(first.id)]


def test_a_hundred_contests_at_once_are_one_review(asked, queue):
    """However many threads contest a decision at the same time, one review is written and all are
    given it.
    """
    id = decided(asked)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda number: queue.ask(id, f"text {number}"), range(100)))
    assert len({review.id for review, _ in found}) == len(rows(asked, reviews)) == 1
    assert sum(new for _, new in found) == 1


@pytest.mark.parametrize("text", ["", "  \n ", "\x00\x07", "x" * (MOST_CHARACTERS + 1)])
def test_a_text_that_says_nothing_or_too_much_is_refused(asked, queue, text):
    """An empty text, and one of more than 2,000 characters, is refused with its field and writes
    nothing.
    """
    with pytest.raises(ReviewRefused) as refused:
        queue.ask(decided(asked), text)
    assert refused.value.field == "text"
    assert rows(asked, reviews) == []


def test_a_text_of_the_greatest_length_is_taken(asked, queue):
    """2,000 characters fit, and a line end counts as one as it does in a browser."""
    longest = "é" * (MOST_CHARACTERS - 2) + "\r\n."
    assert queue.ask(decided(asked), longest)[0].text == plain(longest)


def test_a_decision_about_nobody_cannot_be_contested(asked, queue):
    """An answer for an unknown customer holds nothing personal; one that does not exist is not
    found.
    """
    with pytest.raises(ReviewRefused, match="nobody"):
        queue.ask(decided(asked, customer="stranger"), TEXT)
    with pytest.raises(NotFound):
        queue.ask("dec_0", TEXT)


def test_what_a_customer_wrote_is_sealed(asked, queue):
    """Neither the text nor the reason of the outcome stands readable in any table."""
    review, _ = queue.ask(decided(asked), TEXT)
    queue.resolve(review.id, Verdict(Status.UPHELD, "zqx-secret reason", "Mia"))
    stored = "\n".join(
        str(cell)
        for table in metadata.sorted_tables
        for row in rows(asked, table)
        for cell in row.values()
    )
    assert "zqx-secret" not in stored
    assert queue.find(review.id).reason == "zqx-secret reason"


def test_a_review_whose_key_is_gone_does_not_hide_the_others(asked, queue):
    """Where a text cannot be read any more the review says so, and the queue goes on."""
    lost, _ = queue.ask(decided(asked), TEXT)
    with asked.database.write() as connection:
        asked.vault.destroy(connection, lost.customer)
    kept, _ = queue.ask(decided(asked), TEXT)
    assert [review.text for review in queue.queue()] in ([None, TEXT], [TEXT, None])
    assert queue.resolve(kept.id, UPHELD).status is Status.UPHELD


def test_the_queue_begins_with_what_is_due_first_and_tells_what_is_late(asked, queue):
    """Reviews stand by deadline; one that waits past it is overdue and counted, until it is
    resolved.
    """
    asked.now = END + timedelta(days=10)
    later, _ = queue.ask(decided(asked), TEXT)
    asked.now = END
    sooner, _ = queue.ask(decided(asked), TEXT)
    asked.now = END + timedelta(days=30, seconds=1)
    now = times.to_text(asked.now)
    assert [review.id for review in queue.queue()] == [sooner.id, later.id]
    assert [review.overdue(now) for review in queue.queue()] == [True, False]
    assert (queue.waiting().open, queue.waiting().overdue) == (2, 1)
    queue.resolve(sooner.id, UPHELD)
    assert (queue.waiting().open, queue.waiting().overdue) == (1, 0)


def test_upholding_does_nothing_but_say_so(asked, queue):
    """An upheld review has its reviewer, reason and moment, and no effect."""
    review, _ = queue.ask(decided(asked), TEXT)
    resolved = queue.resolve(review.id, UPHELD)
    assert (resolved.status, resolved.reason, resolved.reviewer, resolved.effects) == (
        Status.UPHELD,
        "It is right.",
        "Mia",
        {},
    )
    assert resolved.resolved_at == times.to_text(END)
    assert queue.queue() == []
    assert rows(asked, opt_outs) == rows(asked, set_bands) == []


def test_overriding_hides_the_product(asked, queue):
    """The suppressed product is opted out of, for this customer and in the transaction of the
    outcome.
    """
    review, _ = queue.ask(decided(asked), TEXT)
    assert queue.resolve(review.id, overriding(suppress="mug")).effects == {"suppress": "mug"}
    (opt_out,) = rows(asked, opt_outs)
    assert (opt_out["customer"], opt_out["scope"], opt_out["value"], opt_out["until"]) == (
        review.customer,
        "product",
        "mug",
        None,
    )


def test_overriding_sets_the_band_until_its_moment(asked, queue):
    """The set band holds for this customer until the moment stated, and a later one takes its
    place.
    """
    review, _ = queue.ask(decided(asked, "churn"), TEXT)
    queue.resolve(review.id, overriding(band="low", band_until=IN_A_WEEK))
    just_before = times.to_text(END + timedelta(days=7) - timedelta(microseconds=1))
    with asked.database.read() as connection:
        assert bands_of(connection, [review.customer], just_before).get(review.customer) == SetBand(
            "low", IN_A_WEEK, review.id
        )
        assert bands_of(connection, [review.customer], IN_A_WEEK).get(review.customer) is None
        assert (
            bands_of(connection, [review.customer + 1], just_before).get(review.customer + 1)
            is None
        )
    with asked.database.write() as connection:
        set_band(connection, review.customer, SetBand("high", IN_A_WEEK, "rev_2"), IN_A_WEEK)
        assert bands_of(connection, [review.customer], just_before).get(review.customer) == SetBand(
            "high", IN_A_WEEK, "rev_2"
        )


def test_overriding_corrects_the_field(fresh_shop):
    """The correction is made for good before the outcome is written, and one that cannot be made
    leaves the review open.
    """
    queue = Reviews(fresh_shop)
    customer_id, customer = next(
        (id, number)
        for number, id in fresh_shop.customers.all().items()
        if fresh_shop.warehouse.count(number)
    )
    review, _ = queue.ask(decided(fresh_shop, customer=customer_id), TEXT)
    with pytest.raises(CorrectionRefused):
        queue.resolve(review.id, overriding(correction=Correction("customers.shoe_size", "44")))
    assert queue.find(review.id).open
    resolved = queue.resolve(
        review.id, overriding(correction=Correction("customers.country", "Norway"))
    )
    assert resolved.effects["correction"]["value"] == "Norway"
    assert set(fresh_shop.warehouse.rows_of(customer)["customers"]["country"].to_pylist()) == {
        "Norway"
    }


@pytest.mark.parametrize(
    ("verdict", "field"),
    [
        (Verdict(Status.UPHELD, "Right.", "   "), "reviewer"),
        (Verdict(Status.UPHELD, " \x00", "Mia"), "reason"),
        (Verdict(Status.UPHELD, "x" * (MOST_CHARACTERS + 1), "Mia"), "reason"),
        (Verdict(Status.UPHELD, "Right.", "Mia", Effects(suppress="mug")), "outcome"),
        (overriding(), "outcome"),
        (overriding(suppress="never shown"), "suppress"),
        (overriding(band="low", band_until=IN_A_WEEK), "band"),
        (overriding(suppress="mug", band="low"), "band_until"),
        (overriding(suppress="mug", band_until=IN_A_WEEK), "band_until"),
    ],
)
def test_a_verdict_that_does_not_fit_is_refused(asked, queue, verdict, field):
    """A verdict without name or reason, without the effect it needs, or with one that the decision
    cannot have, resolves nothing.
    """
    review, _ = queue.ask(decided(asked), TEXT)
    with pytest.raises(ReviewRefused) as refused:
        queue.resolve(review.id, verdict)
    assert refused.value.field == field
    assert queue.find(review.id).open
    assert rows(asked, opt_outs) == rows(asked, set_bands) == []


def test_a_band_that_never_holds_is_refused(asked, queue):
    """A band whose moment is past resolves nothing."""
    review, _ = queue.ask(decided(asked, "churn"), TEXT)
    with pytest.raises(ReviewRefused, match="past"):
        queue.resolve(review.id, overriding(band="low", band_until=times.to_text(END)))
    assert queue.find(review.id).open


def test_a_review_is_resolved_once(asked, queue):
    """A second verdict is refused and changes neither the outcome nor anything else; an unknown
    review is not found.
    """
    review, _ = queue.ask(decided(asked), TEXT)
    resolved = queue.resolve(review.id, UPHELD)
    with pytest.raises(AlreadyResolved, match="Mia"):
        queue.resolve(review.id, overriding(suppress="mug"))
    assert queue.find(review.id) == resolved
    assert rows(asked, opt_outs) == []
    with pytest.raises(NotFound):
        queue.resolve("rev_0", UPHELD)


def test_of_many_reviewers_at_once_one_resolves(asked, queue):
    """Of verdicts that arrive together one is written, and only its effect is there."""
    review, _ = queue.ask(decided(asked, "churn"), TEXT)

    def attempt(number: int) -> Review | None:
        effects = Effects(band=("low", "medium", "high")[number % 3], band_until=IN_A_WEEK)
        try:
            return queue.resolve(
                review.id,
                Verdict(Status.OVERRIDDEN, f"Reason {number}", f"Reviewer {number}", effects),
            )
        except AlreadyResolved:
            return None

    with ThreadPoolExecutor(8) as threads:
        (won,) = [found for found in threads.map(attempt, range(24)) if found is not None]
    assert queue.find(review.id) == won
    assert [row["band"] for row in rows(asked, set_bands)] == [won.effects["band"]]


@pytest.mark.parametrize(("days", "left"), [(1, 2), (1_200, 1)])
def test_reviews_go_when_the_content_of_decisions_goes(fresh_shop, days, left):
    """Upkeep deletes resolved reviews past their retention and bands that have ended, and never a
    review that still waits.
    """
    shop = Asked(fresh_shop, fresh_shop.database, fresh_shop.workspace.master_keys)
    queue = Reviews(shop)
    customer_id = next(iter(shop.customers.all().values()))
    for _ in range(2):
        review, _ = queue.ask(decided(shop, "churn", customer_id), TEXT)
    queue.resolve(review.id, overriding(band="low", band_until=IN_A_WEEK))
    shop.now = END + timedelta(days=days)
    report = upkeep(shop)
    assert len(queue.queue(None)) == left
    assert ("reviews" in report.deleted, "set_bands" in report.deleted) == (days > 7, days > 7)


def test_decisions_from_before_there_were_reviews_can_be_contested(database_url, masters, shop):
    """A filled database of the second revision is brought to the third with its ledger and
    decisions whole, and takes reviews.
    """
    database = database_of_first_revision(database_url)
    old_ledger(database, *SPOKEN)
    fill(database, "decisions", old_decision("dec_1", ANN, MARCH))
    database.migrate("0002")
    database.migrate()
    with database.read() as connection:
        assert verify_decisions(connection) == 1
    assert verify_ledger(database, shop.config.catalog) == len(SPOKEN)
    assert Reviews(Asked(shop, database, masters)).ask("dec_1", TEXT)[1]
    database.close()


def test_nothing_more_is_written_of_who_was_erased(fresh_shop):
    """A decision whose customer was erased cannot be contested, so no key is made for them anew."""
    from serving.rights.rights import Rights  # noqa: PLC0415 - slow to import for the one test that needs it

    customer_id = next(iter(fresh_shop.customers.all().values()))
    id = decided(fresh_shop, customer=customer_id)
    Reviews(fresh_shop).ask(id, TEXT)
    receipt = Rights(fresh_shop).erase(customer_id)
    assert receipt["complete"]
    assert {"store": "reviews", "found_before": 1, "found_after": 0, "remains": None} in receipt[
        "stores"
    ]
    with pytest.raises(NotFound):
        Reviews(fresh_shop).ask(id, TEXT)
