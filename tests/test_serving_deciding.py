"""An answer is recorded only under the consent that it was made with."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from features.consent.ledger import ConsentEvent, Ledger
from features.customers.master_keys import MasterKeys
from features.customers.vault import Vault
from features.database import tables
from features.database.engine import Database
from features.errors import NotFound
from features.shop.shop import Shop
from serving.decisions import record as decisions
from serving.decisions.deciding import MOST_TRIES, Made, TooBusy
from serving.decisions.log import DecisionLog
from serving.decisions.permissions import Permissions
from serving.delivery.opt_outs import OptOuts
from tests.decided import Said, decide

PURPOSE = "recommendations"


class Asked(Shop):
    """The made-up shop with another database."""

    def __init__(self, shop: Shop, database: Database, masters: MasterKeys) -> None:
        super().__init__(shop.workspace, shop.clock)
        self.database = database
        self.vault = Vault(database, masters)


@pytest.fixture
def asked(database, masters, shop) -> Shop:
    """A shop whose database is empty but for one customer who grants one category."""
    made = Asked(shop, database, masters)
    said(made.ledger, "granted")
    return made


@pytest.fixture
def ledger(asked) -> Ledger:
    """The ledger of that shop."""
    return asked.ledger


def said(ledger: Ledger, action: str, customer: str = "ann", category: str = "purchases") -> None:
    """Write an event."""
    ledger.append(ConsentEvent(customer, PURPOSE, category, action, "test", "1"))


def answer_of(permissions: Permissions) -> Made:
    """An answer that states what it was made under."""
    return Made(
        {"granted": sorted(permissions.granted)},
        Said(
            {
                "ledger_seq": permissions.ledger_seq,
                "used": sorted(permissions.granted),
                "withheld": [],
            }
        ),
        None,
    )


def count(database: Database) -> int:
    """How many decisions are recorded."""
    with database.read() as connection:
        return len(connection.execute(select(tables.decisions)).all())


@pytest.mark.parametrize("changes", range(MOST_TRIES))
def test_a_change_while_an_answer_is_made_makes_it_anew(asked, database, ledger, changes):
    """An answer made under a consent that changed meanwhile is thrown away; the one given and
    recorded is made under what stands.
    """
    seen = []

    def make(permissions: Permissions) -> Made:
        seen.append(permissions.granted)
        if len(seen) <= changes:
            said(ledger, "withdrawn" if permissions.granted else "granted")
        return answer_of(permissions)

    answer = decide(asked, "test", "ann", PURPOSE, make)
    assert len(seen) == changes + 1
    assert answer.answer.consent["used"] == ([] if changes % 2 else ["purchases"])
    assert answer.answer.consent["ledger_seq"] == 1 + changes
    assert count(database) == 1


def test_an_opt_out_while_an_answer_is_made_makes_it_anew(asked, database, clock):
    """What a customer opts out of meanwhile counts as a change."""
    seen = []

    def make(permissions: Permissions) -> Made:
        seen.append(permissions.opted_out("all"))
        if len(seen) == 1 and permissions.customer is not None:
            OptOuts(database, clock).add(permissions.customer, "all", None, None)
        return answer_of(permissions)

    decide(asked, "test", "ann", PURPOSE, make)
    assert seen == [False, True]


def test_somebody_who_becomes_known_meanwhile_is_asked_for_again(asked, ledger):
    """A first consent that arrives while the answer for an unknown customer is made counts as a
    change.
    """
    seen = []

    def make(permissions: Permissions) -> Made:
        seen.append(permissions.customer)
        if len(seen) == 1:
            said(ledger, "granted", "newcomer")
        return answer_of(permissions)

    decide(asked, "test", "newcomer", PURPOSE, make)
    assert seen[0] is None
    assert seen[1] is not None


@pytest.mark.parametrize(("customer", "category"), [("bob", "purchases"), ("ann", "spending")])
def test_what_others_say_changes_nothing(asked, ledger, customer, category):
    """Another customer's consent, or a refusal of what was not granted, does not make an answer
    anew.
    """
    seen = []

    def make(permissions: Permissions) -> Made:
        seen.append(permissions)
        said(ledger, "refused", customer, category)
        return answer_of(permissions)

    decide(asked, "test", "ann", PURPOSE, make)
    assert len(seen) == 1


def test_a_consent_that_never_holds_still_is_refused(asked, database, ledger):
    """After a few tries the caller is told to come back, and nothing is recorded."""

    def make(permissions: Permissions) -> Made:
        said(ledger, "withdrawn" if permissions.granted else "granted")
        return answer_of(permissions)

    with pytest.raises(TooBusy):
        decide(asked, "test", "ann", PURPOSE, make)
    assert count(database) == 0


def test_an_answer_that_cannot_be_made_is_not_recorded(asked, database):
    """A fault while the answer is made leaves no decision behind."""

    def make(_permissions: Permissions) -> Made:
        raise OSError("a fault")

    with pytest.raises(OSError, match="a fault"):
        decide(asked, "test", "ann", PURPOSE, make)
    assert count(database) == 0


def test_the_log_finds_what_was_decided_and_for_whom(asked, database):
    """A decision is found with the shop's id of its customer, none for an unknown one; an unknown
    id is not found.
    """
    log = DecisionLog(database, asked.vault, {})
    known = decide(asked, "test", "ann", PURPOSE, answer_of)
    unknown = decide(asked, "test", "nobody", PURPOSE, answer_of)
    assert log.find(known.decision_id)[1] == "ann"
    assert log.find(unknown.decision_id)[1] is None
    with pytest.raises(NotFound):
        log.find("dec_0")


def test_the_log_tells_an_answer_that_comes_out_otherwise(asked, database):
    """A replay is identical when the answer comes out the same, and not when anything differs."""
    id = decide(asked, "test", "ann", PURPOSE, answer_of).decision_id
    consent = {"ledger_seq": 1, "used": ["purchases"], "withheld": []}
    for again, identical in (
        (Said(consent), True),
        (Said(consent, ("more",)), False),
        (Said(consent | {"used": []}), False),
    ):
        log = DecisionLog(database, asked.vault, {"test": lambda _decision, again=again: again})
        assert log.identical(log.find(id)[0]) is identical


def test_ids_of_decisions_sort_by_time_and_never_repeat():
    """A later id is the greater one, across milliseconds, and ten thousand differ."""
    made = [decisions.new_id() for _ in range(10_000)]
    assert len(set(made)) == len(made)
    assert [id[:14] for id in made] == sorted(id[:14] for id in made)
