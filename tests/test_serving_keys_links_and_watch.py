"""Keys, links, opt-outs and the watch, each alone."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from features.database.tables import api_keys
from features.errors import NotFound
from models.churn.bands import band
from serving.access.api_keys import SCOPES, Keys, UnknownScope
from serving.access.signed_links import LinkRefused, Links, Page
from serving.churn.actions import Kind, suggested
from serving.live.assortment import Assortment
from serving.live.refresher import Watch

SECRETS = 50


def test_a_key_is_found_by_its_secret_alone(database, clock):
    """The secret finds the key with its scopes; neither its id, its digest nor another case
    does.
    """
    keys = Keys(database, clock)
    key, secret = keys.create(["recommend", "score"])
    assert keys.find(secret) == key
    assert key.allows("score")
    assert not key.allows("consent")
    for wrong in (
        key.id,
        hashlib.sha256(secret.encode()).hexdigest(),
        secret.swapcase(),
        secret + " ",
        secret[:-1],
        "",
        "\x00",
        "ü",
    ):
        assert keys.find(wrong) is None


def test_a_secret_is_not_stored(database, clock):
    """No column of the table holds the secret or a part of it."""
    secrets = [Keys(database, clock).create(["all"])[1] for _ in range(SECRETS)]
    with database.read() as connection:
        stored = "\n".join(
            str(cell) for row in connection.execute(select(api_keys)) for cell in row
        )
    assert len(set(secrets)) == SECRETS
    assert all(
        len(secret) >= 40 and secret[6:] not in stored and secret[:20] not in stored
        for secret in secrets
    )


def test_all_scopes_come_by_one_word(database, clock):
    """`all` gives every scope there is."""
    assert Keys(database, clock).create(["all"])[0].scopes == set(SCOPES)


@pytest.mark.parametrize("scopes", [["root"], ["recommend", "Score"], [""], []])
def test_an_unknown_scope_makes_no_key(database, clock, scopes):
    """A scope that no route asks for, or none at all, is refused with the scopes that exist, and no
    key is made.
    """
    with pytest.raises(UnknownScope, match="recommend"):
        Keys(database, clock).create(scopes)
    assert Keys(database, clock).list() == []


def test_keys_are_listed_oldest_first_and_revoked_once(database, ticking_clock):
    """The list shows all keys with what became of them; a key in force can be revoked once."""
    keys = Keys(database, ticking_clock)
    made = [keys.create(["score"])[0] for _ in range(3)]
    keys.revoke(made[1].id)
    assert [(key.id, key.revoked_at is None) for key in keys.list()] == [
        (made[0].id, True),
        (made[1].id, False),
        (made[2].id, True),
    ]
    for id in (made[1].id, "key_0"):
        with pytest.raises(NotFound):
            keys.revoke(id)


def test_a_link_opens_its_own_page_for_its_own_subject():
    """What was signed for a page comes back from it and from no other page or secret."""
    links = Links("secret", "https://shop.example/")
    address = links.url(Page.WHY, "dec_1")
    assert address.startswith("https://shop.example/why/")
    assert "?" not in address
    token = address.rsplit("/", 1)[1]
    assert links.read(Page.WHY, token).subject == "dec_1"
    for other, page in (
        (links, Page.PREFERENCES),
        (Links("other", ""), Page.WHY),
        (Links("", ""), Page.WHY),
    ):
        with pytest.raises(LinkRefused) as refused:
            other.read(page, token)
        assert not refused.value.expired


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b.c", "x" * 10_000, "\u00fc", "\x00", "ImRlYyI.AAAAAA.", "ImRlYyI.////.x"],
)
def test_a_made_up_token_is_refused(token):
    """Whatever a token looks like, it is refused in one way."""
    with pytest.raises(LinkRefused):
        Links("secret", "").read(Page.WHY, token)


def test_a_watch_survives_looks_that_fail(caplog):
    """A look that raises does not keep the others from being called, now or later."""
    seen = []

    def fails() -> None:
        seen.append("fails")
        raise RuntimeError("a fault")

    watch = Watch([fails, lambda: seen.append("works")])
    watch.look()
    watch.look()
    assert seen == ["fails", "works"] * 2
    assert "a look for changes failed" in caplog.text


def test_a_watch_looks_at_once_and_again_until_it_is_stopped(monkeypatch):
    """Starting looks before it returns; afterwards it looks every few moments, and no more once
    stopped.
    """
    monkeypatch.setattr("serving.live.refresher.LOOK_EVERY_SECONDS", 0.01)
    seen = []
    watch = Watch([lambda: seen.append(datetime.now(UTC))])
    watch.start()
    assert len(seen) == 1
    ends = time.monotonic() + 5
    while len(seen) < 5 and time.monotonic() < ends:
        time.sleep(0.01)
    watch.stop()
    time.sleep(0.1)
    stopped_at = len(seen)
    time.sleep(0.1)
    assert len(seen) == stopped_at >= 5


def test_a_shelf_knows_what_is_hidden_and_what_is_outside():
    """Hiding is by product category and brand; outside is what belongs to none of the categories
    asked for.
    """
    assortment = Assortment(
        titles={"a": "A", "b": "B", "c": "C"},
        product_categories={"x": ["a", "b"]},
        brands={"y": ["b"]},
    )
    assert assortment.hidden_by(["x"], []) == {"a", "b"}
    assert assortment.hidden_by([], ["y"]) == {"b"}
    assert assortment.hidden_by(["no"], ["no"]) == set()
    assert assortment.outside(["x"]) == {"c"}
    assert assortment.outside([]) == {"a", "b", "c"}
    assert (assortment.title("a"), assortment.title("z")) == ("A", "z")


@pytest.mark.parametrize(
    ("probability", "name"),
    [
        (0.0, "low"),
        (1 / 3, "low"),
        (0.34, "medium"),
        (0.66, "medium"),
        (0.67, "high"),
        (1.0, "high"),
    ],
)
def test_every_probability_has_a_band_and_an_action_that_helps(probability, name):
    """Each probability falls into one band, and what is suggested for it is help or nothing."""
    assert band(probability) == name
    for orders in (None, 1.0, 7.0):
        actions = suggested(name, orders)
        assert actions
        assert {action.action for action in actions} <= set(Kind)
        assert (Kind.NONE in {action.action for action in actions}) == (name == "low")
        assert (Kind.ONBOARDING in {action.action for action in actions}) == (
            orders == 1 and name != "low"
        )
