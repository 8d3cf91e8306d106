"""A client for the programs of a shop: typed answers over HTTP, asked for again where that helps.

It imports neither BentoML nor pandas, so it can be used from a CRM's own process.
"""

from __future__ import annotations

import contextlib
import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self, TypeVar, Unpack
from urllib.parse import quote

import httpx
import msgspec
from pydantic import ValidationError

from features.errors import SaysoError
from serving.contract.answers import Churn, Recommendation
from serving.contract.problems import BEING_ANSWERED, LATER, LineProblem, Problem
from serving.contract.questions import Asked, Choice, Event, Moment, Options
from serving.contract.responses import (
    ConsentReceipts,
    Consents,
    Notices,
    OptOutAnswer,
    OptOutList,
    RowsAnswer,
)

__all__ = ["Choice", "Client", "Event", "LineProblem", "NoAnswer", "Patience", "Problem", "Refused"]

MOST_AT_ONCE = 1_000
"""Customers, events or rows in one request; more are sent in several."""
AGAIN = LATER | {502, 504}
"""Statuses after which the same is asked again: of the service, and of a proxy before it."""
Answer = TypeVar("Answer")


class NoAnswer(SaysoError):
    """The service could not be reached, or answered nothing that could be read."""


class Refused(SaysoError):
    """The service refused: `problem.type` says which kind it is, `retry_after` in how many seconds
    asking again may help (None where it does not say), `request_id` the answer's name in its log.
    """

    def __init__(
        self, problem: Problem, request_id: str | None = None, retry_after: float | None = None
    ) -> None:
        named = "".join(f"; {one.field}: {one.detail}" for one in problem.errors)
        super().__init__(f"{problem.status} {problem.type}: {problem.detail}{named}")
        self.problem = problem
        self.request_id = request_id
        self.retry_after = retry_after


@dataclass(frozen=True)
class Patience:
    """How often a request is tried, and how long is waited: for an answer (`timeout`), and before
    the next try, in seconds, from `first` on twice as long each time and never beyond `longest`.
    """

    tries: int = 5
    timeout: float = 15.0
    first: float = 0.2
    longest: float = 30.0


class Client:
    """The service at `url`, asked with an API key.

    Every request is tried again while the service cannot be reached, is busy (429) or not available
    (503), after as long as it says; a POST keeps its `Idempotency-Key`, so that it counts once.
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
        self._patience = patience or Patience()
        self._sleep, self._draw = sleep, draw
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=self._patience.timeout,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

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
        for who could not be. Where the connection is lost, who is left is asked about again.
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
        asked, in_vain = list(customer_ids), 0
        while asked:
            given, now = 0, asked[:MOST_AT_ONCE]
            request = self._request(
                "POST", path, body={**body, "customer_ids": now}, headers=headers
            )
            with contextlib.suppress(httpx.TransportError):  # who is left is asked about again
                for line in self._streamed(request):
                    yield _line(line, kind)
                    given += 1
            asked = asked[given:]
            if given == len(now):
                continue
            in_vain = 0 if given else in_vain + 1
            if in_vain >= self._patience.tries:
                raise NoAnswer(f"{path} broke off {in_vain} times before a line came; ask later")
            self._sleep(self._pause(in_vain, None))

    def _streamed(self, request: httpx.Request) -> Iterator[str]:
        answer = self._tried(request, stream=True)
        try:
            yield from answer.iter_lines()
        finally:
            answer.close()

    def _ask(self, method: str, path: str, **about: Any) -> httpx.Response:
        return self._tried(self._request(method, path, **about))

    def _request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Request:
        own = dict(headers or {})
        if method == "POST":
            own |= {"Idempotency-Key": uuid.uuid4().hex, "Content-Type": "application/json"}
        content = None if body is None else msgspec.json.encode(body)
        return self._http.build_request(method, path, content=content, params=params, headers=own)

    def _tried(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        """The successful answer to a request, asked for as often as it takes.

        Raises `Refused` and `NoAnswer`.
        """
        for attempt in range(self._patience.tries):
            last = attempt + 1 == self._patience.tries
            try:
                answer = self._http.send(request, stream=stream)
                if answer.is_success:
                    return answer
                refused = _refusal(answer)
            except httpx.TransportError as error:
                if last:
                    told = f"{request.url.host} gave no answer in {attempt + 1} tries"
                    raise NoAnswer(
                        f"{told} ({type(error).__name__}); see whether it runs"
                    ) from error
                self._sleep(self._pause(attempt, None))
                continue
            wait = refused.retry_after or 0.0
            passes = answer.status_code in AGAIN or refused.problem.type == BEING_ANSWERED.uri
            if last or not passes or wait > self._patience.longest:
                raise refused
            self._sleep(self._pause(attempt, refused.retry_after))
        raise NoAnswer("`Patience.tries` is 0, so nothing was asked; it has to be 1 or more")

    def _pause(self, attempt: int, asked: float | None) -> float:
        """Seconds before the next try: what the service asked for, and by chance some more, so that
        not all who were refused come back at once (exponential backoff with full jitter,
        https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
        """
        most = min(self._patience.longest, self._patience.first * 2.0**attempt)
        return (asked or 0.0) + self._draw() * most


def _signal(privacy_signal: bool) -> dict[str, str]:
    return {"Sec-GPC": "1"} if privacy_signal else {}


def _of(customer_id: str, what: str) -> str:
    return f"/v1/customers/{quote(customer_id, safe='')}/{what}"


def _read(answer: httpx.Response, kind: type[Answer]) -> Answer:
    """An answer as what it is; fields that this client does not know are passed over."""
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except msgspec.DecodeError as error:
        raise NoAnswer(
            f"{answer.request.url.path} answered no {kind.__name__}: {error}; see whether this"
            " client is as old as the service"
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


def _refusal(answer: httpx.Response) -> Refused:
    """What was refused and why, also where something between here and the service did so."""
    answer.read()
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        told = "What refused was no Sayso, such as a proxy before it."
        problem = Problem(
            type="about:blank",
            title=answer.reason_phrase,
            status=answer.status_code,
            detail=told,
            errors=[],
        )
    return Refused(
        problem, answer.headers.get("X-Request-Id"), _seconds(answer.headers.get("Retry-After"))
    )


def _seconds(retry_after: str | None) -> float | None:
    """What a `Retry-After` asks for (RFC 9110, 10.2.3): seconds, or a date."""
    if retry_after is None:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (until.astimezone(UTC) - datetime.now(UTC)).total_seconds())
