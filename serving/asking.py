"""Asking a service over HTTP as often as it takes, for `serving.client`."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import msgspec
from pydantic import ValidationError

from features.errors import SaysoError
from serving.contract.problems import BEING_ANSWERED, LATER, Problem

AGAIN = LATER | {502, 504}
"""Statuses after which the same is asked again: of the service, and of a proxy before it."""


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


class Asking:
    """A connection to the service at `url`, with an API key."""

    def __init__(
        self,
        url: str,
        key: str,
        patience: Patience,
        sleep: Callable[[float], None],
        draw: Callable[[], float],
    ) -> None:
        self.patience = patience
        self._sleep, self._draw = sleep, draw
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=patience.timeout
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Request:
        """A request; a POST has an `Idempotency-Key` of its own, however often it is sent."""
        own = dict(headers or {})
        if method == "POST":
            own["Idempotency-Key"] = uuid.uuid4().hex
        content = None
        if body is not None:
            own["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        return self._http.build_request(method, path, content=content, params=params, headers=own)

    def lines(self, request: httpx.Request) -> Iterator[str]:
        """The lines of the answer as they come. Raises `httpx.TransportError` where it breaks off,
        and as `answer` does before.
        """
        answer = self.answer(request, stream=True)
        try:
            yield from answer.iter_lines()
        finally:
            answer.close()

    def answer(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        """The successful answer to a request, asked for as often as it takes.

        Raises `Refused` and `NoAnswer`.
        """
        for attempt in range(self.patience.tries):
            last = attempt + 1 == self.patience.tries
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
                self.wait(attempt, None)
                continue
            wait = refused.retry_after or 0.0
            if last or not _passes(refused) or wait > self.patience.longest:
                raise refused
            self.wait(attempt, refused.retry_after)
        raise NoAnswer("`Patience.tries` is 0, so nothing was asked; it has to be 1 or more")

    def wait(self, attempt: int, asked: float | None) -> None:
        """Wait before the next try for what the service asked for, and by chance some more, so that
        not all who were refused come back at once (exponential backoff with full jitter,
        https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
        """
        most = min(self.patience.longest, self.patience.first * 2.0**attempt)
        self._sleep((asked or 0.0) + self._draw() * most)


def _passes(refused: Refused) -> bool:
    """Whether the same may be answered later, as where the try before is being answered."""
    return refused.problem.status in AGAIN or refused.problem.type == BEING_ANSWERED.uri


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
