"""What customers change on their pages: everything at once, pauses, what is hidden, their data;
each once, told, and taken back.
"""

from __future__ import annotations

import html
import re

import httpx
import pytest
from starlette.testclient import TestClient

from explain.wording import Wording
from features.shop.workspace import Workspace
from serving.access.signed_links import Page
from serving.bootstrap import assemble
from serving.contract.requests import RecommendationRequest
from serving.http.app import make_app
from serving.pages.confirmation import SAID
from tests.serving_shop import CATEGORIES, FOR_CHURN, FOR_ITEMS, Client, Pool

pytest_plugins = ["tests.serving_fixtures"]

ONCE = "a-token-of-a-form"


class Choices:
    """A customer's preference page, and what is done there."""

    def __init__(self, service: Client, customer: str) -> None:
        self.service = service
        self.customer = customer
        self.address = service.recommend(customer)["preferences_url"]

    def press(self, **form: str) -> str:
        """Send a form; the text of the page that it leads to."""
        sent = self.service.press(self.address, **form)
        assert sent.status_code == 303, sent.text
        return html.unescape(self.service.page(sent.headers["location"]).text)

    def told(self, **form: str) -> str:
        """What the page confirms after a form."""
        found = re.search(r'role="status">\s*<p>(.*?)</p>', self.press(**form), re.DOTALL)
        assert found is not None
        return found.group(1)

    def undo(self, **form: str) -> dict[str, str]:
        """The fields of the button that takes a change back."""
        page = self.press(**form)
        found = re.search(r'role="status">.*?<form.*?>(.*?)</form>', page, re.DOTALL)
        assert found is not None
        return dict(re.findall(r'name="(\w+)" value="([^"]*)"', found.group(1)))

    def history(self) -> list[dict]:
        """What the ledger holds of the customer."""
        return self.service.answer(
            self.service.http.get(f"/v1/customers/{self.customer}/consents")
        )["history"]

    def opt_outs(self) -> list[dict]:
        """The opt-outs in force."""
        return self.service.answer(
            self.service.http.get(f"/v1/customers/{self.customer}/opt-outs")
        )["opt_outs"]


@pytest.fixture
def choices(service: Client, pool: Pool) -> Choices:
    """The page of a customer who shares everything."""
    return Choices(service, pool.one())


def test_one_press_stops_everything_and_one_allows_it_again(choices):
    """Everything is withdrawn in one press; allowing it again takes a press too, under the notices
    that stand beside that button.
    """
    assert "Nothing that you share is used any more" in choices.told(act="stop_all")
    assert choices.service.recommend(choices.customer)["not_personalized_because"] == "no_consent"
    page = html.unescape(choices.service.page(choices.address).text)
    assert "Stop using everything" not in page
    assert "We would like to use" in page
    assert choices.undo(act="allow_all")["act"] == "stop_all"
    assert choices.service.recommend(choices.customer)["consent"]["used"] == list(CATEGORIES)
    assert {
        event["notice_language"] for event in choices.history() if event["action"] == "granted"
    } == {"en"}


def test_the_page_says_when_the_customer_spoke(service):
    """The state and the history have the day on which something was said, not the day on which the
    shop passed it on, newest first.
    """
    said = {
        "customer_id": "zqx-canary-spoke-early",
        "purpose": FOR_ITEMS,
        "notice_version": "1",
        "method": "form",
    }
    for category, action, day in (
        ("purchases", "withdrawn", "2024-03-05"),
        ("purchases", "granted", "2023-05-01"),
        ("spending", "granted", "2023-06-02"),
    ):
        moment = f"{day}T10:00:00Z"
        service.answer(
            service.http.post(
                "/v1/consents",
                json={**said, "category": category, "action": action, "occurred_at": moment},
            ),
            201,
        )
    page = html.unescape(service.page(Choices(service, said["customer_id"]).address).text)
    assert "Not allowed since 5 March 2024" in page
    assert "Allowed since 2 June 2023" in page
    assert "since 1 May 2023" not in page
    spoken = re.findall(r"<li>([^<]* 202[34], 10:00 UTC: [^<]*)</li>", page)
    assert [line.split(", ")[-1] for line in spoken] == ["Stopped", "Allowed", "Allowed"]


def test_a_pause_lasts_thirty_days_and_can_be_ended(choices):
    """While paused there are neither suggestions nor estimates; the end is told, and one press ends
    it before.
    """
    assert re.search(r"Everything is paused until \d+ \w+ \d{4}\.", choices.told(act="pause"))
    (pause,) = choices.opt_outs()
    assert (pause["scope"], pause["until"] is None) == ("all", False)
    assert choices.service.recommend(choices.customer)["items"] == []
    assert choices.service.churn(choices.customer)["unavailable_because"] == "opted_out"
    assert "The pause is over" in choices.told(act="show", id=pause["id"])
    assert choices.opt_outs() == []


@pytest.mark.parametrize("scope", ["product", "product_category", "brand"])
def test_what_is_hidden_is_not_shown_until_it_is_taken_back(choices, scope):
    """A product, its department or its brand is hidden from the why page, listed among the choices,
    and shown again by its button.
    """
    service, answer = choices.service, choices.service.recommend(choices.customer)
    why = service.page(answer["why_url"]).text
    values = re.findall(rf'name="what" value="({scope}:[^"]+)"', why)
    choices.address = answer["why_url"]
    undo = choices.undo(act="hide", what=values[0])
    (opt_out,) = choices.opt_outs()
    assert (opt_out["scope"], f"{scope}:{opt_out['value']}") == (scope, values[0])
    after = service.recommend(choices.customer)
    assert values[0] not in re.findall(
        rf'value="({scope}:[^"]+)"', service.page(after["why_url"]).text
    )
    assert (undo["act"], set(undo)) == ("undo", {"act", "change", "once"})
    assert "may be shown again" in choices.told(**undo)
    assert choices.opt_outs() == []


def test_a_channel_is_switched_off_and_on(choices):
    """Without the website as a channel nothing is suggested there, and the app goes on."""
    assert "On our website" in choices.told(act="hide", what="channel:web")
    assert choices.service.recommend(choices.customer, channel="web")["items"] == []
    assert choices.service.recommend(choices.customer, channel="app")["items"]
    assert "may be shown again" in choices.told(act="show", id=choices.opt_outs()[0]["id"])
    assert choices.service.recommend(choices.customer, channel="web")["items"]


def test_a_form_sent_twice_acts_once(choices):
    """Whatever is sent twice, with the token of its form or without, is written once, and the
    second time says so.
    """
    withdrawal = {"purpose": FOR_ITEMS, "category": "spending", "action": "withdrawn"}
    for form in (
        withdrawal,
        {**withdrawal, "action": "granted", "once": ONCE},
        {"act": "stop_all", "once": ONCE},
        {"act": "pause"},
    ):
        choices.press(**form)
        before = (choices.history(), choices.opt_outs())
        assert choices.told(**form) == SAID["unchanged"]
        assert (choices.history(), choices.opt_outs()) == before


def test_an_old_form_cannot_allow_again_what_was_stopped_since(choices):
    """A grant that is sent once more after a withdrawal does nothing; a withdrawal that is sent
    once more stops.
    """
    grant = {"purpose": FOR_ITEMS, "category": "spending", "action": "granted", "once": ONCE}
    stop = {**grant, "action": "withdrawn"}
    choices.press(**stop)
    choices.press(**grant)
    choices.press(purpose=FOR_ITEMS, category="spending", action="withdrawn")
    assert choices.told(**grant) == SAID["unchanged"]
    assert "spending" in choices.service.recommend(choices.customer)["consent"]["withheld"]
    choices.service.say(choices.customer, FOR_ITEMS, "spending", "granted")
    choices.press(**stop)
    assert "spending" in choices.service.recommend(choices.customer)["consent"]["withheld"]


def test_an_opt_out_of_another_customer_cannot_be_taken_back(service, pool):
    """Who sends the id of somebody else's opt-out changes nothing."""
    own, other = (Choices(service, customer) for customer in pool.take(2))
    other.press(act="hide", what="product:p03")
    (theirs,) = other.opt_outs()
    assert own.told(act="show", id=theirs["id"]) == SAID["unchanged"]
    assert other.opt_outs() == [theirs]


def test_the_data_comes_as_one_file(choices):
    """With a code that the shop delivered, the download is the export of the customer's rights, as
    a file that no cache keeps.
    """
    service = choices.service
    made = service.answer(service.http.post(f"/v1/customers/{choices.customer}/codes"), 201)
    led = service.press(choices.address, act="download", code=made["code"])
    sent = service.page(led.headers["location"])
    assert sent.headers["content-disposition"] == 'attachment; filename="my-data.json"'
    assert sent.headers["cache-control"] == "no-store"
    assert sent.json()["customer_id"] == choices.customer
    assert sent.json()["consents"]


@pytest.mark.parametrize(
    "form",
    [
        {"act": "nonsense"},
        {"act": "hide"},
        {"act": "hide", "what": "all:x"},
        {"act": "hide", "what": "product:"},
        {"act": "hide", "what": "product:" + "x" * 500},
        {"act": "pause", "once": "<script>"},
        {"act": "ask_code", "wanted": "everything"},
        {"unknown": "field"},
    ],
)
def test_a_form_that_makes_no_sense_is_refused_on_a_friendly_page(choices, form):
    """It changes nothing, and what was sent is not repeated."""
    sent = choices.service.press(f"{choices.address}?language=de", **form)
    assert sent.status_code == 422
    assert "<h1>Das hat nicht geklappt</h1>" in sent.text
    assert "<script" not in sent.text
    assert choices.opt_outs() == []


# ---- what would change, before it is changed ----


def test_the_consequence_shown_is_what_happens(service, served_root, pool):
    """What the page says that stopping a category would change is what is answered once it is
    stopped, by statistics that hold still.
    """
    still = assemble(Workspace.open(served_root), service.url)
    still.watch.look()
    app = make_app()
    app.state.sayso = still
    client = TestClient(app, follow_redirects=False)
    for category, customer in zip(CATEGORIES, pool.take(len(CATEGORIES)), strict=True):
        address = still.links.path(Page.PREFERENCES, str(still.shop.customers.find(customer)))
        promised = _promises(html.unescape(client.get(address).text), category)
        for purpose in (FOR_ITEMS, FOR_CHURN):
            sent = client.post(
                address, data={"purpose": purpose, "category": category, "action": "withdrawn"}
            )
            assert sent.status_code == 303
        answer = still.recommender.answer(RecommendationRequest(customer_id=customer)).answer
        first = Wording().listed([item.title for item in answer.items[:3]])
        assert first in promised[FOR_ITEMS] or "stay the same" in promised[FOR_ITEMS]
        assert (
            f"{round(100 * still.churn.answer(customer).answer.probability)} in 100"
            in promised[FOR_CHURN]
        )
    still.close()


def _promises(page: str, category: str) -> dict[str, str]:
    """What a page says would change without a category, by purpose."""
    card = (
        r'<p class="without">(.*?)</p>\s*<form.*?name="purpose" value="(\w+)".*?name="category"'
        r' value="(\w+)"'
    )
    cards = re.findall(card, page, re.DOTALL)
    return {purpose: said for said, purpose, named in cards if named == category}


def test_no_sentence_contradicts_what_happens_without_the_category(service, pool):
    """Of every estimate's page, a category that is said to raise it leaves a lower one when it is
    gone, and the other way round.
    """
    checked = 0
    for customer in pool.take(12):
        answer = service.churn(customer)
        page = html.unescape(service.page(answer["why_url"]).text)
        without = {
            part["category"]: part["without"]
            for part in answer["explanation"]["categories"]["contributions"]
        }
        for said, category in re.findall(
            r"It (raises|lowers) the estimate by.*?name=\"category\" value=\"(\w+)\"",
            page,
            re.DOTALL,
        ):
            assert (answer["probability"] > without[category]) is (said == "raises")
            checked += 1
        for reason in answer["explanation"]["reasons"]:
            assert (answer["probability"] > without[reason["category"]]) is (
                reason["direction"] == "raises"
            )
    assert checked > 12


# ---- languages ----


@pytest.mark.parametrize(
    ("header", "query", "language", "missed"),
    [
        (None, None, "en", False),
        ("de-AT,de;q=0.9", None, "de", False),
        ("de", "pl", "pl", False),
        ("it", None, "en", True),
        ("it, fr;q=0.4", None, "fr", False),
        ("fr", "xx", "fr", True),
    ],
)
def test_a_page_speaks_the_language_that_was_picked_or_liked(
    service, pool, header, query, language, missed
):
    """A picked language comes before the browser's and that before the shop's; one that is not
    there falls back and says so.
    """
    address = service.recommend(pool.one(()))["why_url"]
    page = httpx.get(
        address,
        params={"language": query} if query else None,
        headers={"Accept-Language": header} if header else None,
    )
    assert f'<html lang="{language}"' in page.text
    assert ('class="missed"' in page.text) is missed


def test_a_reason_is_said_in_the_language_of_the_request_and_of_the_reader(service, pool):
    """An answer asked for in German has German reasons and says so; its page says the same in
    French, and a replay is identical.
    """
    customer = pool.one()
    items, churn = (
        service.recommend(customer, language="de-CH"),
        service.churn(customer, language="pl"),
    )
    assert (
        items["language"],
        churn["language"],
        service.recommend(customer, language="it")["language"],
    ) == ("de", "pl", "en")
    assert items["disclosure"].startswith("Automatisch")
    french = html.unescape(service.page(items["why_url"] + "?language=fr").text)
    assert not any(
        reason["text"] in french
        for item in items["items"]
        for reason in item["explanation"]["reasons"]
    )
    assert "est-ce que je vois ceci" in french
    for decision in (items, churn):
        assert service.replay(decision["decision_id"])["replay"] == {"identical": True}


def test_a_picked_language_stays_through_a_change(choices):
    """Forms and the page after them keep the language that was picked."""
    page = html.unescape(choices.service.page(f"{choices.address}?language=es").text)
    actions = re.findall(r'action="([^"]+)"', page)
    assert actions
    assert all("language=es" in action for action in actions)
    sent = choices.service.press(f"{choices.address}?language=es", act="pause")
    assert "Todo está en pausa" in choices.service.page(sent.headers["location"]).text
