"""One customer's opt-outs stay few enough to be read for every answer, and what ended is not
kept.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from features import clock
from features.database.tables import opt_outs
from features.shop.shop import Shop
from serving.delivery.contact_policy import cap_of
from serving.delivery.opt_outs import MOST_IN_FORCE, OptOuts, TooManyOptOuts
from serving.rights.upkeep import upkeep

pytest_plugins = ["tests.serving_fixtures"]


def fill(
    shop: Shop, customer: int, scope: str, count: int = MOST_IN_FORCE, until: str | None = None
) -> None:
    """Write so many opt-outs by themselves."""
    now = clock.to_text(shop.clock())
    told = {"customer": customer, "scope": scope, "until": until, "created_at": now}
    with shop.database.write() as connection:
        connection.execute(
            insert(opt_outs),
            [
                {**told, "id": f"{scope}{until}{customer}-{n}", "value": f"v{n}"}
                for n in range(count)
            ],
        )


@pytest.fixture
def own(fresh_shop) -> OptOuts:
    """The opt-outs of a shop of the test's own."""
    return OptOuts(fresh_shop.database, fresh_shop.clock)


def test_no_more_than_so_many_hide_something(fresh_shop, own):
    """One more is refused and not written, until one is taken back; the same once more is no more,
    and others have room of their own.
    """
    ann, ben = (fresh_shop.customers.pseudonym(name) for name in ("c000", "c001"))
    fill(fresh_shop, ann, "product", MOST_IN_FORCE - 1)
    last = own.add(ann, "brand", "b", None)
    for scope, value in (("product", "one more"), ("product_category", "d"), ("brand", "c")):
        with pytest.raises(TooManyOptOuts, match="1,000"):
            own.add(ann, scope, value, None)
    assert own.add(ann, "brand", "b", None) == last
    assert len(own.of(ann)) == MOST_IN_FORCE
    own.add(ben, "product", "one more", None)
    own.remove(last.id)
    own.add(ann, "product", "one more", None)


def test_silence_has_room_of_its_own(fresh_shop, own):
    """Whoever hides as much as can be may still leave a channel, limit it and pause; of these there
    may be no more either.
    """
    ann = fresh_shop.customers.pseudonym("c000")
    fill(fresh_shop, ann, "product")
    own.add(ann, "all", None, None)
    own.limit(ann, cap_of("web:1/7"))
    fill(fresh_shop, ann, "channel", MOST_IN_FORCE - 2)
    own.limit(ann, cap_of("web:2/7"))
    with pytest.raises(TooManyOptOuts):
        own.add(ann, "channel", "one more", None)
    with pytest.raises(TooManyOptOuts):
        own.limit(ann, cap_of("sms:1/7"))
    assert len(own.of(ann)) == 2 * MOST_IN_FORCE


def test_what_ended_takes_no_room_and_goes_with_upkeep(fresh_shop, own):
    """Opt-outs that ended do not count, and upkeep deletes and reports these alone."""
    ann, now = fresh_shop.customers.pseudonym("c000"), fresh_shop.clock()
    fill(fresh_shop, ann, "product", 3, clock.to_text(now))
    fill(fresh_shop, ann, "product", MOST_IN_FORCE + 1, clock.to_text(now - timedelta(days=1)))
    kept = [
        own.add(ann, "brand", "b", None),
        own.add(ann, "all", None, clock.to_text(now + timedelta(days=1))),
    ]
    assert set(own.of(ann)) == set(kept)
    assert upkeep(fresh_shop).deleted == {"opt_outs": MOST_IN_FORCE + 4}
    with fresh_shop.database.read() as connection:
        assert set(connection.execute(select(opt_outs.c.id)).scalars()) == {
            opt_out.id for opt_out in kept
        }
    assert upkeep(fresh_shop).deleted == {}


def test_one_too_many_is_told(service, served, pool):
    """The API answers with a problem document and the page with a friendly one; a pause is still
    written.
    """
    customer = pool.one()
    page = service.recommend(customer)["preferences_url"]
    fill(served, served.customers.pseudonym(customer), "product")
    refused = service.http.post(
        "/v1/opt-outs", json={"customer_id": customer, "scope": "product", "value": "one more"}
    )
    assert (refused.status_code, refused.headers["content-type"]) == (
        422,
        "application/problem+json",
    )
    assert "1,000 opt-outs" in refused.json()["detail"]
    pressed = service.press(page, act="hide", what="product:one more")
    assert pressed.status_code == 422
    assert "Nothing was changed." in pressed.text
    assert len(OptOuts(served.database).of(served.customers.pseudonym(customer))) == MOST_IN_FORCE
    assert service.press(page, act="pause").status_code == 303
    assert service.recommend(customer)["items"] == []
