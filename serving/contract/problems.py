"""Problem documents (RFC 9457) and their stable types: every reason why a request is refused, once.

The pages under `/problems/`, the table in `docs/problems.md` and the OpenAPI document are made from
`KINDS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

MEDIA_TYPE = "application/problem+json"
PAGES = "/problems"
SCHEMAS = "#/components/schemas/"
LATER = frozenset({429, 503})
"""Statuses after which the same request may be answered later."""
RETRY_AFTER = {
    "description": "Seconds to wait before asking again.",
    "schema": {"type": "integer", "minimum": 0},
}


@dataclass(frozen=True)
class ProblemKind:
    """One reason for a refusal: `status` is that of the answer, `meaning` what happened, and
    `remedy` what the caller can do.
    """

    name: str
    status: int
    title: str
    meaning: str
    remedy: str

    @property
    def uri(self) -> str:
        """What `type` says: an address on the service itself, the same wherever it runs."""
        return f"{PAGES}/{self.name}"


MALFORMED = ProblemKind(
    "malformed",
    400,
    "The request cannot be read",
    "The body is no JSON, is nested too deeply, or ended early.",
    "Send well-formed JSON as a whole. Asking again with the same bytes does not help.",
)
KEY_REFUSED = ProblemKind(
    "key-refused",
    401,
    "No valid API key",
    "There is no key, or it is unknown, was revoked or has ended.",
    "Send `Authorization: Bearer <key>`; `sayso keys create` makes one.",
)
SIGNATURE_REFUSED = ProblemKind(
    "signature-refused",
    401,
    "The signature does not fit",
    "The body was not signed with the secret that this service knows, or changed on the way.",
    "Set the same secret on both sides, and sign the body byte for byte as it is sent.",
)
SCOPE_MISSING = ProblemKind(
    "scope-missing",
    403,
    "The key is not good for this",
    "The API key is valid and lacks the scope that `detail` names.",
    "Use a key with that scope; `sayso keys create --scope` makes one.",
)
ONE_LINE_ONLY = ProblemKind(
    "one-line-only",
    403,
    "The key may put one line right at a time",
    "The correction would change several order lines.",
    "Name the order and the product, or use a key with the scope `correct-bulk`.",
)
NOT_FOUND = ProblemKind(
    "not-found",
    404,
    "There is no such thing",
    "Nothing is at this address, or what it names does not exist or is another's.",
    "Check the address and the ids in it.",
)
METHOD_REFUSED = ProblemKind(
    "method-refused",
    405,
    "The address does not take this method",
    "There is something at this address, for other methods.",
    "Use one of those that the header `Allow` names.",
)
TOO_SLOW = ProblemKind(
    "too-slow",
    408,
    "The request did not arrive in time",
    "The body was not there as a whole within `SAYSO_REQUEST_SECONDS`.",
    "Send it again on a connection that is quick enough, or in smaller parts.",
)
CONFLICT = ProblemKind(
    "conflict",
    409,
    "The request does not fit what is there",
    "Something that exists already, or changed meanwhile, stands against it; `detail` says what.",
    "Look at what is there now, and decide whether to ask anew.",
)
CONSENT_CHANGING = ProblemKind(
    "consent-changing",
    409,
    "The customer's consent is changing just now",
    "Whenever an answer was ready, its customer's consent had changed.",
    "Ask again in a moment.",
)
MODEL_UNAVAILABLE = ProblemKind(
    "model-unavailable",
    409,
    "The model is not there",
    "What is asked for needs a model version that is not there or cannot be read.",
    "Train and promote one; `sayso models status` says what there is.",
)
DECISION_DAMAGED = ProblemKind(
    "decision-damaged",
    409,
    "The decision cannot be read any more",
    "It is past its retention, its customer was erased, or its record was altered.",
    "Nothing brings it back; ask for a new answer.",
)
ALREADY_RESOLVED = ProblemKind(
    "already-resolved",
    409,
    "The review is resolved already",
    "A person has upheld or overridden the decision.",
    "Read the outcome, or ask for another review.",
)
KEY_REUSED = ProblemKind(
    "key-reused",
    409,
    "The Idempotency-Key stands for another request",
    "Within a day the same key came with another body, address or signal.",
    "Send the very same request again, or name this one with a key of its own.",
)
ANSWER_OUTDATED = ProblemKind(
    "answer-outdated",
    409,
    "The answer may not be given again",
    "The request was carried out; since then a consent, an opt-out or an erasure changed.",
    "Ask anew, with another `Idempotency-Key`.",
)
VISITOR_TAKEN = ProblemKind(
    "visitor-taken",
    409,
    "The visitor cannot become this customer",
    "The visitor is another customer already, or was never a visitor.",
    "Look up whom the visitor became; nothing was changed.",
)
NOT_THE_MOMENT = ProblemKind(
    "not-the-moment",
    409,
    "Nobody may be written to at that moment",
    "Each channel of the audience has quiet hours then.",
    "Ask with a `send_at` at which one may be used; `detail` names the next.",
)
NOTHING_TO_SIGN_WITH = ProblemKind(
    "nothing-to-sign-with",
    409,
    "Calls out cannot be signed",
    "The service has no secret that calls out are signed with.",
    "Set `SAYSO_WEBHOOK_SECRET` and start the service anew.",
)
TOO_MANY_WEBHOOKS = ProblemKind(
    "too-many-webhooks",
    409,
    "There are too many webhooks",
    "As many addresses are called already as may be.",
    "Delete one that is not needed any more.",
)
BEING_ANSWERED = ProblemKind(
    "being-answered",
    409,
    "The same request is being answered",
    "A request of this `Idempotency-Key` came before and is not done yet.",
    "Send it again in a moment; the answer is the same.",
)
TOO_LARGE = ProblemKind(
    "too-large",
    413,
    "The body is too large",
    "It has more bytes than this route takes.",
    "Send less at once: up to 1,000 customers, events or rows.",
)
ENCODING_REFUSED = ProblemKind(
    "encoding-refused",
    415,
    "The body is compressed",
    "Bodies of requests are taken as they are.",
    "Send it without a Content-Encoding.",
)
INVALID = ProblemKind(
    "invalid",
    422,
    "The request breaks a rule",
    "It is well-formed, and a field is missing, unknown or not as it has to be.",
    "`errors` names each field and what is wrong with it.",
)
CONSENT_REFUSED = ProblemKind(
    "consent-refused",
    422,
    "The consent cannot be recorded",
    "It names a purpose, category or notice that is not there, or breaks a rule of the ledger.",
    "`GET /v1/notices` lists what customers are asked; nothing of the request was recorded.",
)
UNKNOWN_NAME = ProblemKind(
    "unknown-name",
    422,
    "There is no such channel or product category",
    "The shop has nothing by that name, so it is probably misspelt.",
    "Use one of the names in `detail`.",
)
TOO_MANY_OPT_OUTS = ProblemKind(
    "too-many-opt-outs",
    422,
    "The customer has too many opt-outs",
    "At most 1,000 opt-outs of a customer hide something at a time.",
    "Take some back, or opt out of a brand or a category of products.",
)
NO_SUCH_LIST = ProblemKind(
    "no-such-list",
    422,
    "There is no list of that name",
    "`exclude_list` names a list of products that is not there.",
    "`GET /v1/lists` tells which there are; `PUT /v1/lists/{name}` makes one.",
)
TOO_MANY_LISTS = ProblemKind(
    "too-many-lists",
    422,
    "There are too many lists",
    "There are as many lists of products as there may be.",
    "Delete one, or put the products into one that is there.",
)
SEND_AT_REFUSED = ProblemKind(
    "send-at-refused",
    422,
    "Nothing can be said of that moment",
    "`send_at` is past, or so far ahead that nobody knows how anything stands then.",
    "Name a moment within the days that `detail` tells.",
)
NOBODY_GRANTED = ProblemKind(
    "nobody-granted",
    422,
    "Nobody agreed to the purpose",
    "Nobody grants anything for the purpose of the audience, so nobody may be written to.",
    "Ask customers for their consent, or give the audience another purpose.",
)
ADDRESS_REFUSED = ProblemKind(
    "address-refused",
    422,
    "The address is not called",
    "It is no address on the internet that calls out may go to.",
    "Name an https address of a program outside this machine and its network.",
)
CORRECTION_REFUSED = ProblemKind(
    "correction-refused",
    422,
    "The data cannot be put right so",
    "The field does not exist, is not the customer's own, or cannot hold that value.",
    "`detail` says what is expected.",
)
REVIEW_REFUSED = ProblemKind(
    "review-refused",
    422,
    "The review cannot be asked for or resolved so",
    "What was said does not fit the decision or the outcome.",
    "`errors` names the field.",
)
TOO_MANY_REQUESTS = ProblemKind(
    "too-many-requests",
    429,
    "Too many requests",
    "The key or the link comes more often than it may, or no turn is free.",
    "Wait for as many seconds as `Retry-After` says.",
)
HEAD_TOO_LARGE = ProblemKind(
    "head-too-large",
    431,
    "The head of the request is too large",
    "Its address and headers have more bytes than are read.",
    "Send a shorter address and fewer headers.",
)
INTERNAL_ERROR = ProblemKind(
    "internal-error",
    500,
    "Something went wrong on our side",
    "A fault that nobody foresaw; the log has it under the answer's `X-Request-Id`.",
    "Tell whoever runs the service the `X-Request-Id`.",
)
NOT_SUPPORTED = ProblemKind(
    "not-supported",
    501,
    "The connection asks for what is not spoken here",
    "A transfer encoding or a kind of HTTP that the service does not speak.",
    "Use plain HTTP/1.1.",
)
UNAVAILABLE = ProblemKind(
    "unavailable",
    503,
    "Not available at the moment",
    "Something that answers need, such as the database, does not respond in time.",
    "Wait for as many seconds as `Retry-After` says, and ask again.",
)
KINDS: tuple[ProblemKind, ...] = tuple(
    sorted(
        (kind for kind in list(globals().values()) if isinstance(kind, ProblemKind)),
        key=lambda kind: kind.status,
    )
)
"""All of them, by status."""
OF_STATUS = {kind.status: kind for kind in reversed(KINDS)}
"""What a refusal is that says no more than its status: the first kind of it."""


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    field: str
    detail: str


class Problem(BaseModel):
    """A problem document (RFC 9457): why a request was refused."""

    type: str = Field(
        description="Which kind of problem: an address on this service that explains it, and that"
        " stays the same.",
        examples=[INVALID.uri],
    )
    title: str = Field(description="The kind of problem in words.")
    status: int
    detail: str = Field(description="What happened this time, and what to do.")
    errors: list[FieldProblem] = Field(description="The fields to blame, at most 20.")


class LineProblem(Problem):
    """Why a customer of a batch got no answer, on their line."""

    customer_id: str


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How the OpenAPI document describes that a route may refuse with these statuses."""
    return {status: _refusal(status) for status in statuses}


def _refusal(status: int) -> dict[str, Any]:
    kinds = [kind for kind in KINDS if kind.status == status]
    described: dict[str, Any] = {
        "description": " ".join(f"`{kind.uri}`: {kind.meaning}" for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": {"$ref": f"{SCHEMAS}{Problem.__name__}"}}},
    }
    if status in LATER:
        described["headers"] = {"Retry-After": RETRY_AFTER}
    return described
