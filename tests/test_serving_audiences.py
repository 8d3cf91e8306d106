"""Audiences: who may be written to and why, recorded for each of them before anything leaves."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any, get_args

import httpx
import pytest
from sqlalchemy import insert, select
from typer.testing import CliRunner

from features import clock
from features.clock import utc_now
from features.config.audiences import Band, Stage
from features.config.reading import ConfigError, read_config
from features.consent.event import ConsentEvent
from features.database.tables import (
    audience_members,
    audit_log,
    contact_permissions,
    decisions,
    exposures,
    preferred_channels,
)
from features.definitions.unlisted.segments import STAGES
from features.errors import ModelUnavailable
from features.events.event import DecisionEvent
from features.intake.over_http.statements import Statement
from features.shop.workspace import Workspace
from models.churn import bands
from serving.access.api_keys import Keys
from serving.access.caller import Caller
from serving.audiences.audience import Asked, Member, NobodyGranted, NotTheMoment, UnknownAudience
from serving.audiences.exporting import LONGEST_AHEAD
from serving.bootstrap import Sayso, assemble
from serving.cli import command_line
from serving.console.decision_view import decision_view
from serving.decisions.set_bands import SetBand, set_band
from serving.delivery.opt_outs import OptOuts
from serving.delivery.sending_moment import SendAtRefused
from serving.events.intake import Told
from serving.http.app import join, make_app
from serving.http.boundary.connection import Connection
from serving.rights.rights import Rights
from tests.serving_shop import CATEGORIES, FOR_CHURN, FOR_ITEMS, copied, sharing

pytest_plugins = ["tests.serving_fixtures"]

CRM = Caller("key:crm", "key_1")
NOON = (utc_now() + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
MIDNIGHT = NOON + timedelta(hours=12)
DEFINED = f"""
[audiences.everybody]
purpose = "{FOR_ITEMS}"
channels = ["web"]

[audiences.letters]
purpose = "{FOR_ITEMS}"
channels = ["email", "sms"]

[audiences.known]
purpose = "{FOR_ITEMS}"
channels = ["web"]
stages = ["new", "active", "slowing", "lapsed", "returning"]

[audiences.leaving]
purpose = "{FOR_CHURN}"
channels = ["web"]
bands = ["medium", "high"]

[audiences.silent]
purpose = "{FOR_CHURN}"
channels = ["web"]
not_heard_from_days = 40

[audiences.best]
purpose = "{FOR_CHURN}"
channels = ["web"]
value_at_least = 0.01
most = 5

[audiences.nobody]
purpose = "newsletter"
channels = ["web"]
"""
PURPOSE = """
[purposes.newsletter]
label = "News"
description = "To send you news."

[[notices]]
purpose = "newsletter"
version = "1"
language = "en"
text = "May we send you news?"
"""


@pytest.fixture(scope="module")
def root(trained_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with audiences, of this file alone."""
    made = copied(trained_root, tmp_path_factory.mktemp("audiences") / "shop")
    with (made / "sayso.toml").open("a", encoding="utf-8") as file:
        file.write(DEFINED + PURPOSE)
    return made


@pytest.fixture(scope="module")
def sayso(root: Path) -> Iterator[Sayso]:
    """Its service, within this process."""
    made = assemble(Workspace.open(root), "http://shop.test")
    made.watch.look()
    yield made
    made.close()


def given(sayso: Sayso, name: str, **asked: object) -> list[Member]:
    """The members of an audience at noon, with their ids."""
    asked = Asked(name, **{"send_at": NOON, "pseudonymised": False, **asked})
    return [one for some in sayso.audiences.give(asked, CRM) for one in some]


def ids(members: list[Member]) -> set[str]:
    """Who they are."""
    return {one.customer_id for one in members}


def number(sayso: Sayso, customer_id: str) -> int:
    """A customer's number."""
    return sayso.shop.customers.pseudonym(customer_id)


def test_who_grants_something_for_the_purpose_is_in_and_nobody_else(sayso):
    """Every customer of an audience without rules has a grant in force, and all who have are in."""
    granted = sayso.shop.ledger.granted(FOR_ITEMS)
    named = sayso.shop.customers.external_ids(granted["customer"].unique().tolist())
    found = given(sayso, "everybody")
    assert ids(found) == set(named.values())
    assert len(found) == len(ids(found))
    assert ids(found).isdisjoint(sharing())
    theirs = {one.customer_id: one.used for one in found}
    assert theirs[sharing(*CATEGORIES)[0]] == sorted(CATEGORIES)


def test_a_rule_fits_nobody_who_withholds_what_it_rests_on(sayso):
    """Of who does not share when they order no stage is known, whatever else they share."""
    found = given(sayso, "known")
    withheld = [name for name in CATEGORIES if name != "order_times"]
    assert ids(found).isdisjoint(sharing(*withheld))
    assert ids(found) >= set(sharing(*CATEGORIES))
    assert {one.lifecycle_stage for one in found} <= set(STAGES.values())
    assert all(len(one.reasons) == 1 and one.reasons[0].category == "order_times" for one in found)


def test_bands_are_those_that_an_estimate_gives(sayso):
    """Each customer's chance is, to the bit, what the service answers for them alone."""
    found = given(sayso, "leaving")
    assert {one.band for one in found} <= {"medium", "high"}
    answers = {one.customer_id: sayso.churn.estimate(one.customer_id) for one in found[:10]}
    for one in found[:10]:
        assert one.probability == answers[one.customer_id].probability
        assert one.band == answers[one.customer_id].band
        chance = round(100 * one.probability)
        assert f"{chance} in 100" in one.reasons[-1].text
    others = [one for one in sharing(*CATEGORIES) if one not in answers][:10]
    bands_of = {one: sayso.churn.estimate(one).band for one in others}
    assert {one for one, said in bands_of.items() if said != "low"} == ids(found) & set(others)


def test_a_band_that_a_person_set_counts_and_is_said(sayso):
    """What a review decided comes before the estimate, here as in an answer."""
    whom = next(one for one in given(sayso, "leaving") if one.band == "medium").customer_id
    until = clock.to_text(utc_now() + timedelta(days=9))
    with sayso.shop.database.write() as connection:
        set_band(connection, number(sayso, whom), SetBand("high", until, "rev_1"), until)
    (mine,) = [one for one in given(sayso, "leaving") if one.customer_id == whom]
    assert mine.band == "high"
    assert "person" in mine.reasons[-1].text
    with sayso.shop.database.write() as connection:
        set_band(connection, number(sayso, whom), SetBand("low", until, "rev_1"), until)
    assert whom not in ids(given(sayso, "leaving"))


def test_who_was_not_heard_from_is_said_so_in_the_language_asked_for(sayso):
    """The days are those of the record, and the sentence is true of them."""
    found = given(sayso, "silent")
    assert found
    assert min(one.not_heard_from_days for one in found) >= 40
    german = {one.customer_id: one for one in given(sayso, "silent", language="de")}
    for one in found[:5]:
        assert one.reasons[0].text.startswith("Last order ")
        assert german[one.customer_id].reasons[0].text.startswith("Letzte Bestellung")


def test_those_of_whom_most_is_expected_come_first_and_no_more_than_asked_for(sayso):
    """`most` cuts off the others, and the value is the answer's own."""
    found = given(sayso, "best")
    values = [one.expected_value for one in found]
    assert len(found) == 5
    assert values == sorted(values, reverse=True)
    answer = sayso.churn.estimate(found[0].customer_id)
    assert found[0].expected_value == pytest.approx(answer.expected.value, abs=0.01)


@pytest.mark.parametrize(
    ("scope", "value"),
    [("all", None), ("purpose", FOR_ITEMS), ("channel", "Web"), ("frequency", "web:0/7")],
)
def test_who_opted_out_is_not_written_to(sayso, scope, value):
    """Whatever the opt-out is from, as long as it holds."""
    whom = min(ids(given(sayso, "everybody")))
    opt_outs = OptOuts(sayso.shop.database)
    made = opt_outs.add(number(sayso, whom), scope, value, None)
    assert whom not in ids(given(sayso, "everybody"))
    opt_outs.remove(made.id)
    assert whom in ids(given(sayso, "everybody"))


def test_channels_are_closed_one_by_one_and_the_preferred_one_comes_first(sayso):
    """Permissions of the shop's record, caps and opt-outs each close a channel; who is left has the
    others, and unknown is no where there is a record.
    """
    all_in = sorted(ids(given(sayso, "letters")))
    refused, capped, likes, unknown, *_ = all_in
    said = {"stated_in": "Newsletter", "recorded_at": "2024-01-01"}
    with sayso.shop.database.write() as connection:
        rows = [
            {"customer": number(sayso, one), "channel": "email", "allowed": one != refused, **said}
            for one in all_in
            if one != unknown
        ]
        connection.execute(insert(contact_permissions), rows)
        row = {"customer": number(sayso, likes), "channel": "sms", **said}
        connection.execute(insert(preferred_channels), row)
        shown = {"channel": "sms", "shown_at": clock.to_text(NOON - timedelta(days=3))}
        row = {"decision_id": "dec_1", "customer": number(sayso, capped), **shown}
        connection.execute(insert(exposures).values(**row, places=1, explored=0, confirmed=True))
    found = {one.customer_id: one.channels for one in given(sayso, "letters")}
    assert {one: found[one] for one in (refused, capped, likes, unknown)} == {
        refused: ["sms"],
        capped: ["email"],
        likes: ["sms", "email"],
        unknown: ["sms"],
    }
    (mine,) = [one for one in given(sayso, "letters") if one.customer_id == likes]
    assert mine.channel == "sms"


def test_in_quiet_hours_it_says_when_they_end_and_nobody_is_given(sayso):
    """A campaign for the morning names its moment."""
    with pytest.raises(NotTheMoment, match="send_at") as refused:
        given(sayso, "letters", send_at=MIDNIGHT)
    assert refused.value.not_before == clock.to_text(MIDNIGHT + timedelta(hours=8))
    assert given(sayso, "everybody", send_at=MIDNIGHT)


@pytest.mark.parametrize("days", [-1, LONGEST_AHEAD.days + 1])
def test_a_moment_that_is_past_or_too_far_away_is_refused(sayso, days):
    """Nobody knows how things stand then."""
    with pytest.raises(SendAtRefused, match="send_at"):
        given(sayso, "everybody", send_at=utc_now() + timedelta(days=days))


def test_a_purpose_that_nobody_granted_is_refused_with_its_reason(sayso):
    """And nothing is recorded."""
    with pytest.raises(NobodyGranted, match="`newsletter`"):
        given(sayso, "nobody")


def test_an_audience_that_is_not_defined_names_those_that_are(sayso):
    """So that a misspelt one is found."""
    with pytest.raises(UnknownAudience, match="`everybody`, `known`, `leaving`"):
        given(sayso, "everyboby")


def test_rules_on_estimates_need_a_champion(sayso, monkeypatch):
    """Where there is none it says how to get one."""
    monkeypatch.setattr(sayso.audiences._champion, "_in_office", None)
    with pytest.raises(ModelUnavailable, match="sayso train churn"):
        given(sayso, "leaving")
    assert given(sayso, "everybody")


def test_an_export_is_recorded_and_each_customer_sees_that_they_were_in_it(sayso):
    """The decision, the audit log and the customer's own export tell of it; the record of the
    decision names nobody.
    """
    found = given(sayso, "known", language="de")
    id, whom = found[0].decision_id, found[0].customer_id
    customer = number(sayso, whom)
    with sayso.shop.database.read() as connection:
        row = connection.execute(select(decisions).where(decisions.c.id == id)).one()
        members = connection.execute(
            select(audience_members).where(audience_members.c.decision_id == id)
        ).all()
        read = connection.execute(select(audit_log).where(audit_log.c.customer == customer)).all()
    assert (row.kind, row.customer) == ("audience", None)
    assert len(members) == len(found)
    assert all(whom.encode() not in member.content for member in members)
    assert {"audience"} <= {line.kind for line in read}
    decision, _ = sayso.decisions.find(id)
    answer = sayso.decisions.told(decision)
    assert (answer["audience"], answer["customers"]) == ("known", len(found))
    assert whom not in json.dumps([answer, json.loads(decision.inputs)])
    mine = Rights(sayso.shop).export(whom)["audiences"][-1]
    assert (mine["decision_id"], mine["audience"], mine["given_to"]) == (id, "known", "key:crm")
    assert mine["reasons"][0]["text"] == found[0].reasons[0].text


def test_other_parts_take_the_decision_of_an_audience_for_what_it_is(sayso):
    """The console shows which it was, and an event that names it is rejected with its reason."""
    id = given(sayso, "known")[0].decision_id
    view, customer = decision_view(sayso, id)
    assert customer is None
    assert view.audience.startswith("known, ")
    event = DecisionEvent("evt_1", id, "clicked", clock.to_text(utc_now()), "p02")
    (fate,) = sayso.events.take([Told(event, None)], "key:crm")
    assert (fate.became, fate.detail) == ("rejected", "this decision showed no products")


def test_an_audience_is_not_made_again(sayso):
    """What it was made from is everybody's, and is not kept."""
    decision, _ = sayso.decisions.find(given(sayso, "everybody")[0].decision_id)
    with pytest.raises(ModelUnavailable, match="not made again"):
        sayso.decisions.identical(decision)


@pytest.mark.parametrize("change", ["consent", "opt-out", "permission", "erasure"])
def test_who_changes_anything_while_it_is_made_is_not_given(sayso, change):
    """Consents, opt-outs and permissions are read again in the transaction that records."""
    whom = max(ids(given(sayso, "everybody")))
    if change == "permission":
        whom = max(one.customer_id for one in given(sayso, "letters") if len(one.channels) == 2)
    name = "letters" if change == "permission" else "everybody"
    steps = sayso.audiences.give(Asked(name, send_at=NOON, pseudonymised=False), CRM)
    for _ in range(3):
        assert next(steps) == []
    _changes(sayso, whom)[change]()
    rest = {one.customer_id for some in steps for one in some}
    assert rest
    assert whom not in rest


def _changes(sayso: Sayso, whom: str) -> dict[str, Callable[[], object]]:
    customer = number(sayso, whom)
    said = (FOR_ITEMS, "purchases", "withdrawn", "web_form")

    def refuse() -> None:
        with sayso.shop.database.write() as connection:
            mine = (contact_permissions.c.customer == customer,)
            connection.execute(contact_permissions.update().where(*mine).values(allowed=False))

    return {
        "consent": lambda: sayso.shop.ledger.append(ConsentEvent(whom, *said)),
        "opt-out": lambda: OptOuts(sayso.shop.database).add(customer, "all", None, None),
        "permission": refuse,
        "erasure": lambda: Rights(sayso.shop).erase(whom),
    }


def test_pseudonyms_are_the_same_each_time_and_name_nobody(sayso):
    """They are what a key without the scope `privacy` gets."""
    first, again = (
        given(sayso, "known", pseudonymised=True),
        given(sayso, "known", pseudonymised=True),
    )
    assert ids(first) == ids(again)
    assert ids(first).isdisjoint(ids(given(sayso, "known")))
    assert all(one.customer_id.startswith("psn_") and one.pseudonymised for one in first)


def test_a_privacy_signal_fits_nobody(sayso):
    """Who asks with it gets nobody, and nobody's consent is touched."""
    before = sayso.shop.ledger.position()
    assert given(sayso, "everybody", privacy_signal=True) == []
    assert sayso.shop.ledger.position() == before


def test_rows_that_came_since_the_load_count(sayso):
    """Of whom an order came over HTTP it is not said that nothing was heard for long."""
    whom = given(sayso, "silent")[0].customer_id
    moment = clock.to_text(sayso.shop.loaded_until())
    cells = {"customer_id": whom, "product_id": "p02", "amount": 3, "ordered_at": moment}
    sent = Statement("row 1", [{**cells, "order_id": "o1", "quantity": 1, "unit_price": 3}])
    received = sayso.door.take("transactions", [sent], "key:crm")
    assert (received.accepted, received.rejected) == (1, {})
    assert whom not in ids(given(sayso, "silent"))


@pytest.fixture(scope="module")
def asking(sayso: Sayso) -> Iterator[Callable[..., httpx.Response]]:
    """Asks the routes of the application within this process, which answers nobody afterwards."""
    app = make_app()
    join(app, sayso, None)

    def ask(path: str, scopes: list[str], method: str = "GET", **options: Any) -> httpx.Response:
        _, secret = Keys(sayso.shop.database).create(scopes)
        headers = {"Authorization": f"Bearer {secret}", **options.pop("headers", {})}

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
                return await client.request(method, path, headers=headers, **options)

        return asyncio.run(asked())

    yield ask
    Connection.ours = Connection.lanes = None


def test_the_route_gives_lines_of_json_or_csv(asking, sayso):
    """By `format` or `Accept`, with ids for the scope `privacy` alone."""
    lines = asking("/v1/audiences/known?language=de", ["audience"])
    assert lines.headers["content-type"] == "application/x-ndjson"
    said = [json.loads(line) for line in lines.text.splitlines()]
    assert ids(given(sayso, "known", pseudonymised=True)) == {one["customer_id"] for one in said}
    table = asking("/v1/audiences/known", ["audience", "privacy"], headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert {row["customer_id"] for row in rows} == ids(given(sayso, "known"))
    assert list(rows[0]) == list(said[0])
    assert rows[0]["used"].split("|")


def test_the_route_refuses_with_its_reason(asking):
    """Each in a problem document; a key without the scope sees nothing."""
    unknown = asking("/v1/audiences/everyboby", ["audience"])
    assert (unknown.status_code, "`everybody`" in unknown.json()["detail"]) == (404, True)
    nobody = asking("/v1/audiences/nobody", ["audience"])
    assert (nobody.status_code, "newsletter" in nobody.json()["detail"]) == (422, True)
    at = {"send_at": MIDNIGHT.isoformat()}
    quiet = asking("/v1/audiences/letters", ["audience"], params=at)
    assert (quiet.status_code, quiet.headers["content-type"]) == (409, "application/problem+json")
    assert asking("/v1/audiences/known", ["recommend"]).status_code == 403
    past = asking("/v1/audiences/known", ["audience"], params={"send_at": "2020-01-01T00:00:00Z"})
    assert (past.status_code, past.json()["errors"][0]["field"]) == (422, "send_at")
    signal = asking("/v1/audiences/known", ["audience"], headers={"Sec-GPC": "1"})
    assert (signal.status_code, signal.text, signal.headers["privacy-signal"]) == (
        200,
        "",
        "honoured",
    )


def test_webhooks_are_taken_listed_and_removed(asking, sayso, monkeypatch):
    """Within the machine none is, whatever it is called."""
    scopes = ["admin"]
    body = {"url": "http://localhost:9/", "events": ["erased"]}
    unsigned = asking("/v1/webhooks", scopes, "POST", json=body)
    assert (unsigned.status_code, "SAYSO_WEBHOOK_SECRET" in unsigned.text) == (409, True)
    monkeypatch.setattr(sayso.targets, "_signed", True)
    within = asking("/v1/webhooks", scopes, "POST", json=body)
    assert (within.status_code, within.json()["errors"][0]["field"]) == (422, "url")
    misspelt = {"url": "https://a.example/", "events": ["x"]}
    wrong = asking("/v1/webhooks", scopes, "POST", json=misspelt)
    assert wrong.status_code == 422
    assert "consent changed" in wrong.text
    taken = asking("/v1/webhooks", scopes, "POST", json={"url": "https://93.184.215.14/hook"})
    assert taken.status_code == 201
    listed = asking("/v1/webhooks", scopes).json()["webhooks"]
    assert [one["url"] for one in listed] == ["https://93.184.215.14/hook"]
    assert asking("/v1/webhooks/failed", scopes).json() == {"failed": []}
    assert asking(f"/v1/webhooks/{listed[0]['id']}", scopes, "DELETE").status_code == 204
    assert asking(f"/v1/webhooks/{listed[0]['id']}", scopes, "DELETE").status_code == 404
    assert asking("/v1/webhooks", ["privacy"]).status_code == 403


def test_nobody_waits_while_a_host_is_looked_up(asking, sayso, monkeypatch):
    """A webhook that is taken under an `Idempotency-Key` is looked up before its transaction
    begins, so others write meanwhile; sent again it is the same webhook.
    """
    monkeypatch.setattr(sayso.targets, "_signed", True)
    wrote: list[str] = []

    def write() -> None:
        with sayso.shop.database.write():
            wrote.append("another")

    def looked_up(*_asked: object, **_options: object) -> list[Any]:
        other = Thread(target=write)
        other.start()
        other.join(5)
        assert wrote
        raise OSError

    key = str(Keys(sayso.shop.database).create(["admin"])[1])
    named = {"Authorization": f"Bearer {key}", "Idempotency-Key": "a webhook"}
    with monkeypatch.context() as patch:
        patch.setattr("socket.getaddrinfo", looked_up)
        told = [
            asking(
                "/v1/webhooks",
                ["admin"],
                "POST",
                json={"url": "https://slow.example/"},
                headers=named,
            )
            for _ in range(2)
        ]
    assert [one.status_code for one in told] == [201, 201], told[0].text
    assert told[0].content == told[1].content
    sayso.targets.remove(told[0].json()["id"])


@pytest.mark.slow
def test_the_command_writes_a_file_that_its_owner_reads(root, sayso, tmp_path):
    """With the shop's own ids, or without; where it fails no file is left."""
    out = tmp_path / "known.csv"
    place = ["--workspace", str(root)]
    made = CliRunner().invoke(
        command_line(), ["audience", "known", "--out", str(out), "--json", *place]
    )
    assert made.exit_code == 0, made.output
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    assert json.loads(made.stdout)["customers"] == len(rows)
    assert {row["customer_id"] for row in rows} == ids(given(sayso, "known"))
    assert out.stat().st_mode & 0o777 == 0o600
    missing = CliRunner().invoke(command_line(), ["audience", "known", "--send-at", "soon", *place])
    assert missing.exit_code == 2
    with pytest.raises(UnknownAudience):
        CliRunner().invoke(
            command_line(),
            ["audience", "x", "--out", str(out.with_name("x")), *place],
            catch_exceptions=False,
        )
    assert [file.name for file in tmp_path.iterdir()] == ["known.csv"]


def test_stages_and_bands_of_definitions_are_those_that_there_are():
    """What may stand in sayso.toml is what the features and the model say."""
    assert set(get_args(Stage)) == set(STAGES.values())
    assert get_args(Band) == get_args(bands.Band)


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ('purpose = "adds"\nchannels = ["web"]', "`recommendations`"),
        (f'purpose = "{FOR_ITEMS}"\nchannels = ["emial"]', "`email`"),
        (f'purpose = "{FOR_ITEMS}"\nchannels = []', "audiences.mine.channels"),
        (f'purpose = "{FOR_ITEMS}"\nchannels = ["web"]\nstages = ["gone"]', "'returning'"),
        (f'purpose = "{FOR_ITEMS}"\nchannels = ["web"]\nband = "low"', "audiences.mine.band"),
        ('purpose = "newsletter"\nchannels = ["web"]\nstages = ["new"]', "ordered_at"),
        ('purpose = "newsletter"\nchannels = ["web"]\nnot_heard_from_days = 9', "ordered_at"),
        ('channels = ["web"]', "every audience needs a `purpose`"),
    ],
)
def test_a_definition_that_cannot_be_followed_names_its_line_and_what_is_possible(
    trained_root, tmp_path, stated, said
):
    """Each fault is found when sayso.toml is read."""
    before = (trained_root / "sayso.toml").read_text(encoding="utf-8") + PURPOSE
    file = tmp_path / "sayso.toml"
    file.write_text(f"{before}\n[audiences.mine]\n{stated}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        read_config(file)
    assert said in str(refused.value)
    assert refused.value.line is None or refused.value.line > before.count("\n")
