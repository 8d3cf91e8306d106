"""How often: a customer's own limit, chosen on the preference page, holds at once, beside the
shop's, and can be taken back.
"""

from __future__ import annotations

import html
import re

import pytest

from explain.wording import Wording
from serving.delivery.contact_policy import Cap
from serving.delivery.opt_outs import OptOuts
from serving.pages.frequency import OFFERED, frequency
from tests.test_serving_pages import assert_safe

pytest_plugins = ["tests.serving_fixtures"]


def status(page: str) -> str:
    """What a page says was changed."""
    return html.unescape(re.findall(r'role="status">\s*<p>([^<]*)<', page)[0])


def undo(page: str) -> dict[str, str]:
    """The fields of the form that takes the change back."""
    form = re.search(r'role="status">.*?<form[^>]*>(.*?)</form>', page, re.DOTALL)
    return {
        name: html.unescape(value)
        for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form[1])
    }


def test_a_limit_holds_at_once_and_is_taken_back(service, pool):
    """Once a week: the second list within it is not given; taken back, it is again.

    The page says each time what was changed.
    """
    customer = pool.one()
    address = service.recommend(customer)["preferences_url"]
    path = address.removeprefix(service.url)
    pressed = service.press(path, act="limit", what="web:1/7")
    assert pressed.status_code == 303
    page = service.page(service.url + pressed.headers["location"])
    assert_safe(page)
    assert status(page.text).startswith("Your own limit for “On our website” is now 1 (7 days).")
    assert '<option value="web:1/7" selected>At most 1 time a week</option>' in page.text
    held = service.recommend(customer)
    assert (held["items"], held["not_now_because"]) == ([], "frequency")
    back = undo(page.text)
    assert (back["act"], back["what"]) == ("limit", "web:none")
    pressed = service.press(path, **back)
    assert status(service.page(service.url + pressed.headers["location"]).text).startswith(
        "You have no limit of your own any more"
    )
    assert service.recommend(customer)["items"]


def test_a_new_limit_replaces_the_old_one_and_undo_brings_it_back(service, pool, served):
    """There is one limit for each channel; the same one once more changes nothing, and undo knows
    the one before.
    """
    customer = pool.one()
    path = service.recommend(customer)["preferences_url"].removeprefix(service.url)
    own = OptOuts(served.database)

    def limits() -> list[str]:
        return [
            opt_out.value
            for opt_out in own.of(served.customers.pseudonym(customer))
            if opt_out.scope == "frequency"
        ]

    service.press(path, act="limit", what="email:2/7")
    service.press(path, act="limit", what="web:10/7")
    second = service.press(path, act="limit", what="email:1/7")
    assert limits() == ["web:10/7", "email:1/7"]
    again = service.press(path, act="limit", what="email:1/7")
    assert (
        status(service.page(service.url + again.headers["location"]).text)
        == "It was so already, so nothing was changed."
    )
    service.press(path, **undo(service.page(service.url + second.headers["location"]).text))
    assert limits() == ["web:10/7", "email:2/7"]
    none = service.press(path, act="limit", what="sms:none")
    assert (
        status(service.page(service.url + none.headers["location"]).text)
        == "It was so already, so nothing was changed."
    )


@pytest.mark.parametrize(
    "what", [None, "web", "web:often", "web:1/0", "web:-1/7", ":1/7", "web:<script>"]
)
def test_what_is_no_limit_changes_nothing(service, pool, what):
    """A form that states no limit is refused on a page of our own."""
    customer = pool.one()
    path = service.recommend(customer)["preferences_url"].removeprefix(service.url)
    pressed = service.press(path, act="limit", **({} if what is None else {"what": what}))
    assert pressed.status_code == 422
    assert "<script" not in pressed.text
    assert service.recommend(customer)["items"]


def test_only_what_is_stricter_than_the_shop_is_offered():
    """Beside the limit that there is, whatever it is; and none where nothing could be stricter but
    to leave the channel.
    """

    def shown(
        own: tuple[Cap, ...], of_shop: tuple[Cap, ...]
    ) -> tuple[str | None, str, list[str], list[str]]:
        made = frequency("email", "By e-mail", own, of_shop, Wording())
        return (
            made.own,
            made.of_shop,
            [limit.value for limit in made.limits],
            [limit.label for limit in made.limits if limit.chosen],
        )

    week = [f"email:{most}/7" for most in OFFERED]
    assert shown((), ()) == (
        None,
        "The shop has set no limit here.",
        ["email:none", *week],
        ["No limit of my own"],
    )
    shop = (Cap("email", 3, 7), Cap("sms", 1, 7))
    assert shown((Cap("web", 1, 7),), shop) == (
        None,
        "Limit of the shop: 3 (7 days).",
        ["email:none", *week[:2]],
        ["No limit of my own"],
    )
    own = (Cap("email", 2, 30),)
    label = "At most: 2 (30 days)"
    assert shown(own, shop) == (
        label,
        "Limit of the shop: 3 (7 days).",
        ["email:none", "email:2/30", *week[:2]],
        [label],
    )
    assert shown((), (Cap("email", 1, 7),)) == (None, "Limit of the shop: 1 (7 days).", [], [])


def test_of_several_limits_the_strictest_is_shown():
    """Several can be set over HTTP; all hold, and the page shows the one that counts."""
    own = (Cap("email", 1, 7), Cap("email", 9, 7))
    assert frequency("email", "By e-mail", own, (), Wording()).own == "At most 1 time a week"
