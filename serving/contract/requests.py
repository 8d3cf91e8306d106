"""What callers may ask, and how each field is checked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from features.config.schema import MOST_DAYS, channel_name
from features.config.section import Zone
from features.customers.id_normalisation import is_nobody
from serving.access.one_time_codes import GoodFor
from serving.delivery import opt_outs
from serving.delivery.contact_policy import cap_of
from serving.delivery.product_lists import NAMED
from serving.reviews.review import MOST_CHARACTERS

MOST_ITEMS = 100


def _somebody(customer_id: str) -> str:
    if is_nobody(customer_id):
        raise ValueError("this is nobody's id; write the one that the orders have")
    return customer_id


Id = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
CustomerId = Annotated[Id, AfterValidator(_somebody)]
"""The shop's own id of a customer."""
Language = Annotated[
    str, Field(min_length=2, max_length=35, pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")
]
Spoken = Annotated[
    Language | None,
    Field(
        description="Language of the sentences; the shop's own for none, or one that is not there.",
        examples=["en"],
    ),
]


def _within_the_calendar(moment: datetime) -> datetime:
    try:
        moment.astimezone(UTC)
    except (OverflowError, ValueError):
        raise ValueError("this moment is outside the calendar's years 1 to 9999 in UTC") from None
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_within_the_calendar)]


class Request(BaseModel):
    """A request body: an unknown field is refused, and a number is not taken for a text."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)


class RecommendationOptions(Request):
    """What to recommend, to whomever."""

    basket: Annotated[
        tuple[Id, ...],
        Field(
            fail_fast=True,
            max_length=200,
            description=(
                "Products in the basket: never recommended. What goes with them counts for who"
                " shares what they bought, and is all that is used of an unnamed visitor."
            ),
        ),
    ] = ()
    k: Annotated[int, Field(ge=1, le=MOST_ITEMS, strict=True, description="How many products.")] = (
        10
    )
    channel: Annotated[
        Id,
        AfterValidator(channel_name),
        Field(
            description=(
                "Where the answer will be shown; a customer may opt out of a channel. `E-Mail` and"
                " `email` are one."
            )
        ),
    ] = "web"
    exclude: Annotated[
        tuple[Id, ...],
        Field(fail_fast=True, max_length=1_000, description="Products not to recommend."),
    ] = ()
    exclude_list: Annotated[
        str | None,
        Field(
            pattern=NAMED,
            description="A list of products not to recommend either (`PUT /v1/lists/{name}`).",
            examples=["recalled"],
        ),
    ] = None
    product_categories: Annotated[
        Annotated[tuple[Id, ...], Field(fail_fast=True)] | None,
        Field(max_length=100, description="Recommend only from these."),
    ] = None
    discover: Annotated[
        float | None,
        Field(
            ge=0,
            le=0.5,
            strict=True,
            description="Share of places for products outside the customer's usual.",
        ),
    ] = None
    not_bought_within: Annotated[
        int | None,
        Field(
            ge=0,
            le=MOST_DAYS,
            strict=True,
            description="Leave out what the customer bought within so many days, as far as they"
            " share that; the shop's setting otherwise.",
        ),
    ] = None
    only_new: Annotated[
        bool | None,
        Field(
            strict=True,
            description="Leave out everything that the customer has bought, as far as they share"
            " that; the shop's setting otherwise.",
        ),
    ] = None
    time_zone: Annotated[
        Zone | None,
        Field(description="The customer's time zone, for quiet hours; the shop's otherwise."),
    ] = None
    send_at: Annotated[
        Moment | None,
        Field(
            description="When the customer will be shown the answer, now otherwise: quiet hours and"
            " caps are judged for that moment, and a place under the cap is reserved then. Consent"
            " is read now: before sending, see whether the decision still `stands`.",
            examples=["2026-12-02T09:00:00+01:00"],
        ),
    ] = None
    language: Spoken = None
    explain: Literal["full", "reasons", "none"] = "full"


class RecommendationRequest(RecommendationOptions):
    """What to recommend to whom."""

    customer_id: Annotated[
        CustomerId | None,
        Field(
            description="The shop's own id of the customer; null for a visitor with a basket.",
            examples=["17850"],
        ),
    ]

    @field_validator("customer_id")
    @classmethod
    def _somebody_or_a_basket(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and not info.data.get("basket"):
            raise ValueError(
                "name the customer; only a visitor with something in the `basket` may stay unnamed"
                " (null)"
            )
        return value


class ChurnRequest(Request):
    """Whose churn to estimate."""

    customer_id: Annotated[
        CustomerId, Field(description="The shop's own id of the customer.", examples=["17850"])
    ]
    language: Spoken = None


Action = Literal["granted", "refused", "withdrawn", "renewed", "objected"]
MOST_CHOICES = 500
"""Of one banner: more than any catalog asks about."""


class Choice(Request):
    """What a customer said about one category for one purpose, among other choices."""

    purpose: Id
    category: Id
    action: Action
    notice_version: Annotated[
        Id | None, Field(description="That of the whole request for none; a grant needs one.")
    ] = None
    idempotency_key: Id | None = None


class ConsentRequest(Request):
    """What a customer said about one category for one purpose, or all `choices` that they made at
    once.
    """

    customer_id: CustomerId
    choices: Annotated[
        tuple[Choice, ...] | None,
        Field(
            min_length=1,
            max_length=MOST_CHOICES,
            description="All of them are recorded, or none; in place of `purpose`, `category` and"
            " `action`.",
        ),
    ] = None
    purpose: Annotated[Id | None, Field(validate_default=True)] = None
    category: Annotated[Id | None, Field(validate_default=True)] = None
    action: Annotated[Action | None, Field(validate_default=True)] = None
    notice_version: Annotated[
        Id | None,
        Field(description="Version of the notice that the customer saw; a grant needs one."),
    ] = None
    method: Annotated[Id, Field(description="How the customer was asked, such as `web_form`.")]
    occurred_at: Moment | None = None
    idempotency_key: Id | None = None
    notice_language: Annotated[
        Language | None,
        Field(description="Language of the notice; the first one declared otherwise."),
    ] = None
    valid_until: Annotated[
        Moment | None, Field(description="When a grant runs out, if earlier than its purpose says.")
    ] = None
    evidence: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=4_000,
            description="What proves it, such as the reference of a form; kept encrypted.",
        ),
    ] = None

    @field_validator("choices")
    @classmethod
    def _each_once(cls, choices: tuple[Choice, ...] | None) -> tuple[Choice, ...] | None:
        seen: dict[tuple[str, str], int] = {}
        for at, one in enumerate(choices or ()):
            before = seen.setdefault((one.purpose, one.category), at)
            if before != at:
                raise ValueError(f"choice {at} is about the same as choice {before}; say it once")
        return choices

    @field_validator("purpose", "category", "action", "idempotency_key")
    @classmethod
    def _one_or_several(cls, value: str | None, info: ValidationInfo) -> str | None:
        several = info.data.get("choices") is not None
        if value is not None and several:
            raise ValueError("each of the `choices` has its own; leave this out")
        if value is None and not several and info.field_name != "idempotency_key":
            raise ValueError("this is needed where no `choices` are stated")
        return value

    @property
    def said(self) -> list[dict[str, Any]]:
        """Each thing that was said, with all that is known of it."""
        about = document(self)
        choices = about.pop("choices")
        if choices is None:
            return [about]
        return [
            {**about, **{name: value for name, value in choice.items() if value is not None}}
            for choice in choices
        ]


class CodeRequest(Request):
    """What a one-time code is good for; any page that asks for one where nothing is said."""

    good_for: Annotated[
        GoodFor | None,
        Field(description="`data` downloads, `erasure` erases, `preferences` opens all choices."),
    ] = None


class RevocationRequest(Request):
    """Which links to revoke: one by its address, or all of a customer's."""

    customer_id: Id | None = None
    link: Annotated[
        str | None, Field(max_length=2_000, description="The link's whole address, or its path.")
    ] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> RevocationRequest:
        if (self.customer_id is None) == (self.link is None):
            raise ValueError("name either the `customer_id` or the `link`")
        return self


class CorrectionRequest(Request):
    """The right value of a field; of an order line where an order is named."""

    field: Annotated[
        Id, Field(description="Such as `customers.country`.", examples=["customers.country"])
    ]
    value: Annotated[Id, Field(description="The right value.")]
    order_id: Id | None = None
    product_id: Id | None = None


class OptOutRequest(Request):
    """What a customer does not want."""

    customer_id: CustomerId
    scope: opt_outs.Scope
    value: Annotated[
        Id | None,
        Field(
            description=(
                "What the scope is about; none for `all`; `channel:most/days` for `frequency`."
            ),
            validate_default=True,
        ),
    ] = None
    until: Moment | None = None

    @field_validator("value")
    @classmethod
    def _fits_scope(cls, value: str | None, info: ValidationInfo) -> str | None:
        scope = info.data.get("scope")
        if scope is not None and (value is None) != (scope == "all"):
            wanted = "no value" if scope == "all" else f"the {scope} it is about as its value"
            raise ValueError(f"an opt-out of scope `{scope}` needs {wanted}")
        if scope == opt_outs.FREQUENCY and value is not None:
            cap_of(value)
        return channel_name(value) if scope == "channel" and value is not None else value


class ReviewRequest(Request):
    """Which decision a person is asked to look at, and why."""

    decision_id: Id
    text: Annotated[
        str,
        Field(
            min_length=1, max_length=MOST_CHARACTERS, description="What the customer says is wrong."
        ),
    ]


class ResolveRequest(Request):
    """What a person decided about a review.

    Overriding needs at least one of `suppress`, `correction` and `band`.
    """

    outcome: Literal["upheld", "overridden"]
    reason: Annotated[
        str,
        Field(min_length=1, max_length=MOST_CHARACTERS, description="Why; the customer reads it."),
    ]
    reviewer: Annotated[
        Id | None,
        Field(
            description="Not read any more: the reviewer is the owner of the key.", deprecated=True
        ),
    ] = None
    suppress: Annotated[
        Id | None, Field(description="A product of the decision that is not to be shown any more.")
    ] = None
    correction: Annotated[
        CorrectionRequest | None, Field(description="A field that is put right.")
    ] = None
    band: Annotated[
        Literal["low", "medium", "high"] | None,
        Field(description="The churn band that holds instead."),
    ] = None
    band_until: Annotated[Moment | None, Field(description="Until when that band holds.")] = None


def document(request: BaseModel) -> dict[str, Any]:
    """A request as plain data."""
    return request.model_dump(mode="json")
