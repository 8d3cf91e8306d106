"""A client for the programs of a shop: typed answers over HTTP, asked for again where that helps.

It imports neither BentoML nor pandas, so it can be used from a CRM's own process.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, Self, TypeVar, Unpack
from urllib.parse import quote

import httpx
import msgspec
from pydantic import ValidationError

from serving.asking import Asking, NoAnswer, Patience, Refused
from serving.audiences.audience import Member
from serving.contract.answers import Churn, Recommendation
from serving.contract.problems import LineProblem, Problem
from serving.contract.questions import Asked, Choice, Event, Moment, Options
from serving.contract.responses import (
    ConsentReceipts,
    Consents,
    JoinedVisitor,
    ListAnswer,
    ListsAnswer,
    Notices,
    OptOutAnswer,
    OptOutList,
    RowsAnswer,
    ToolAnswer,
    WholeList,
)

__all__ = ["Choice", "Client", "Event", "LineProblem", "NoAnswer", "Patience", "Problem", "Refused"]

MOST_AT_ONCE = 1_000
"""Customers, events or rows in one request; more are sent in several."""
Answer = TypeVar("Answer")


class Client:
    """The service at `url`, asked with an API key.

    Every request is tried again while the service cannot be reached, is busy (429) or not available
    (503), or still answers the try before, after as long as it says; a POST keeps its
    `Idempotency-Key`, so that it counts once.
    What it refuses otherwise raises `Refused`, and no answer in the end `NoAnswer`.
    """

    def __init__(
        self,
        url: str,
        key: str,
        patience: Patience | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._asking = Asking(url, key, patience or Patience(), sleep, draw)

    def close(self) -> None:
        """Close the connections."""
        self._asking.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def recommend(
        self, customer_id: str | None, *, privacy_signal: bool = False, **options: Unpack[Options]
    ) -> Recommendation:
        """Products that a customer is likely to want next, or a visitor (None) with a basket.

        `privacy_signal` passes on that their browser asks not to be profiled (`Sec-GPC: 1`).
        """
        body = {"customer_id": customer_id, **options}
        return self._post("/v1/recommendations", body, Recommendation, _signal(privacy_signal))

    def recommend_all(
        self,
        customer_ids: Iterable[str],
        *,
        privacy_signal: bool = False,
        **options: Unpack[Options],
    ) -> Iterator[Recommendation | LineProblem]:
        """The same for many customers, in their order, as they are answered; a `LineProblem` stands
        for who could not be. Where the connection is lost it goes on, and each is answered once.
        """
        headers = _signal(privacy_signal)
        return self._lines(
            "/v1/recommendations/batch", customer_ids, dict(options), Recommendation, headers
        )

    def estimate_churn(
        self, customer_id: str, *, language: str | None = None, privacy_signal: bool = False
    ) -> Churn:
        """How likely a customer is to order nothing within the horizon, and why."""
        body = {"customer_id": customer_id, "language": language}
        return self._post("/v1/churn", body, Churn, _signal(privacy_signal))

    def estimate_all_churn(
        self,
        customer_ids: Iterable[str],
        *,
        language: str | None = None,
        privacy_signal: bool = False,
    ) -> Iterator[Churn | LineProblem]:
        """The same for many customers, as `recommend_all` does."""
        body, headers = {"language": language}, _signal(privacy_signal)
        return self._lines("/v1/churn/batch", customer_ids, body, Churn, headers)

    def audience(
        self,
        name: str,
        *,
        language: str | None = None,
        send_at: Moment | None = None,
        privacy_signal: bool = False,
    ) -> Iterator[Member]:
        """Who of an audience may be written to, as they are given.

        Each is recorded as given. So where the connection is lost nothing is asked again, and
        `NoAnswer` says so.
        """
        moment = send_at.isoformat() if isinstance(send_at, datetime) else send_at
        stated = {"language": language, "send_at": moment, "format": "jsonl"}
        request = self._asking.request(
            "GET",
            f"/v1/audiences/{quote(name, safe='')}",
            params={key: value for key, value in stated.items() if value is not None},
            headers=_signal(privacy_signal),
        )
        try:
            for line in self._asking.lines(request):
                yield _decoded(line, Member, "a line of an audience")
        except httpx.TransportError as error:
            told = "an audience broke off; who came was recorded as given"
            raise NoAnswer(f"{told} ({type(error).__name__})") from error

    def decision(self, decision_id: str, *, replay: bool = False) -> dict[str, Any]:
        """A decision as recorded; with `replay` made again and compared."""
        path = f"/v1/decisions/{quote(decision_id, safe='')}"
        found = self._ask("GET", path, params={"replay": str(replay).lower()})
        return _read(found, dict[str, Any])

    def record_consents(
        self, customer_id: str, choices: Sequence[Choice], **asked: Unpack[Asked]
    ) -> ConsentReceipts:
        """Record what a customer said, all of it or nothing; it is durable when this returns."""
        body = {"customer_id": customer_id, "choices": choices, **asked}
        return self._post("/v1/consents", body, ConsentReceipts)

    def pass_on_consent(self, source: str, message: Mapping[str, Any]) -> ToolAnswer:
        """Pass on what a consent tool of the shop's settings says; it is durable when this returns.

        A tool that signs its messages sends them itself.
        """
        return self._post(f"/v1/consents/{quote(source, safe='')}", message, ToolAnswer)

    def join_visitor(self, customer_id: str, visitor_id: str) -> JoinedVisitor:
        """Make a visitor the customer from now on; done twice it does nothing more."""
        return self._post(_of(customer_id, "visitors"), {"visitor_id": visitor_id}, JoinedVisitor)

    def consents(self, customer_id: str) -> Consents:
        """A customer's consents as they stand, and their history."""
        return _read(self._ask("GET", _of(customer_id, "consents")), Consents)

    def notices(self) -> Notices:
        """What customers are asked: purposes, categories, and the current notices."""
        return _read(self._ask("GET", "/v1/notices"), Notices)

    def opt_out(
        self, customer_id: str, scope: str, value: str | None = None, until: Moment | None = None
    ) -> OptOutAnswer:
        """Record what a customer does not want; it is durable when this returns."""
        body = {"customer_id": customer_id, "scope": scope, "value": value, "until": until}
        return self._post("/v1/opt-outs", body, OptOutAnswer)

    def opt_outs(self, customer_id: str) -> OptOutList:
        """A customer's opt-outs in force."""
        return _read(self._ask("GET", _of(customer_id, "opt-outs")), OptOutList)

    def take_back_opt_out(self, opt_out_id: str) -> None:
        """Take an opt-out back."""
        self._ask("DELETE", f"/v1/opt-outs/{quote(opt_out_id, safe='')}")

    def put_list(self, name: str, product_ids: Sequence[str]) -> ListAnswer:
        """Keep a list of products, in place of one of that name, for `exclude_list` to name."""
        found = self._ask("PUT", _list(name), body={"product_ids": product_ids})
        return _read(found, ListAnswer)

    def product_list(self, name: str) -> WholeList:
        """A list of products, with what is in it."""
        return _read(self._ask("GET", _list(name)), WholeList)

    def product_lists(self) -> list[ListAnswer]:
        """All lists of products, without what is in them."""
        return _read(self._ask("GET", "/v1/lists"), ListsAnswer).lists

    def remove_list(self, name: str) -> None:
        """Delete a list; a recommendation that names it afterwards is refused."""
        self._ask("DELETE", _list(name))

    def send_events(self, events: Sequence[Event]) -> RowsAnswer:
        """Tell what came of decisions; sent twice, an event counts once."""
        told = [
            {name: value for name, value in asdict(one).items() if value is not None}
            for one in events
        ]
        return self._send("events", told)

    def send_transactions(self, rows: Sequence[Mapping[str, Any]]) -> RowsAnswer:
        """Tell of order lines, each with an `id` of its own; sent twice, a row counts once."""
        return self._send("transactions", rows)

    def send_products(self, rows: Sequence[Mapping[str, Any]]) -> RowsAnswer:
        """Tell of products, as `send_transactions` does of order lines."""
        return self._send("products", rows)

    def send_interactions(self, rows: Sequence[Mapping[str, Any]]) -> RowsAnswer:
        """Tell of views, carts, tickets, as `send_transactions` does of order lines."""
        return self._send("interactions", rows)

    def _send(self, table: str, rows: Sequence[Mapping[str, Any]]) -> RowsAnswer:
        """What became of all rows, those that were refused by their place among all."""
        told = RowsAnswer(accepted=0, duplicate=0, dropped_unconsented=0, rejected=[])
        for begin in range(0, len(rows), MOST_AT_ONCE):
            body = {table: rows[begin : begin + MOST_AT_ONCE]}
            part = self._post(f"/v1/{table}", body, RowsAnswer)
            told = RowsAnswer(
                accepted=told.accepted + part.accepted,
                duplicate=told.duplicate + part.duplicate,
                dropped_unconsented=told.dropped_unconsented + part.dropped_unconsented,
                rejected=[
                    *told.rejected,
                    *(replace(one, index=begin + one.index) for one in part.rejected),
                ],
            )
        return told

    def _post(
        self,
        path: str,
        body: Mapping[str, Any],
        kind: type[Answer],
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        return _read(self._ask("POST", path, body=body, headers=headers), kind)

    def _lines(
        self,
        path: str,
        customer_ids: Iterable[str],
        body: Mapping[str, Any],
        kind: type[Answer],
        headers: Mapping[str, str],
    ) -> Iterator[Answer | LineProblem]:
        asked = list(customer_ids)
        for begin in range(0, len(asked), MOST_AT_ONCE):
            part = asked[begin : begin + MOST_AT_ONCE]
            request = self._asking.request(
                "POST", path, body={**body, "customer_ids": part}, headers=headers
            )
            for line in self._whole(request, len(part)):
                yield _line(line, kind)

    def _whole(self, request: httpx.Request, count: int) -> Iterator[str]:
        """So many lines of a batch. Where the connection is lost the same is sent again, under the
        same key: who was answered is answered as before, and what came before is passed over.
        """
        given = in_vain = 0
        while given < count:
            before = given
            with contextlib.suppress(httpx.TransportError):
                for at, line in enumerate(self._asking.lines(request)):
                    if at >= given:
                        given += 1
                        yield line
            if given == count:
                return
            in_vain = 0 if given > before else in_vain + 1
            if in_vain >= self._asking.patience.tries:
                told = f"{request.url.path} broke off {in_vain} times before a line came"
                raise NoAnswer(f"{told}; ask later")
            self._asking.wait(in_vain, None)

    def _ask(self, method: str, path: str, **about: Any) -> httpx.Response:
        return self._asking.answer(self._asking.request(method, path, **about))


def _signal(privacy_signal: bool) -> dict[str, str]:
    return {"Sec-GPC": "1"} if privacy_signal else {}


def _of(customer_id: str, what: str) -> str:
    return f"/v1/customers/{quote(customer_id, safe='')}/{what}"


def _list(name: str) -> str:
    return f"/v1/lists/{quote(name, safe='')}"


def _read(answer: httpx.Response, kind: type[Answer]) -> Answer:
    return _decoded(answer.content, kind, answer.request.url.path)


def _decoded(content: bytes | str, kind: type[Answer], where: str) -> Answer:
    """An answer as what it is; fields that this client does not know are passed over."""
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise NoAnswer(
            f"{where} answered no {kind.__name__}: {error}; see whether this client is as old as"
            " the service"
        ) from error


def _line(line: str, kind: type[Answer]) -> Answer | LineProblem:
    """A line of a batch: one with a `status` is a problem."""
    try:
        stated = msgspec.json.decode(line)
        if "status" in stated:
            return LineProblem.model_validate(stated)
        return msgspec.convert(stated, kind)
    except (msgspec.DecodeError, ValidationError) as error:
        raise NoAnswer(f"a line of a batch is no {kind.__name__}: {error}") from error
