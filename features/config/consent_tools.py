"""`[consent_tools]`: what the states of a consent tool mean for the shop's purposes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from features.catalog import Catalog
from features.config.section import Section, Text

CONSENT_MODE, TCF, C15T, GENERIC = "consent-mode", "tcf", "c15t", "generic"
CONSENT_MODE_STATES = (
    *("ad_storage", "ad_user_data", "ad_personalization", "analytics_storage"),
    *("functionality_storage", "personalization_storage", "security_storage"),
)
"""What Google's Consent Mode has states of:
https://developers.google.com/tag-platform/security/concepts/consent-mode
"""
TCF_PURPOSES = 24
Key = tuple[str | int, ...]
Path = Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)*$")]
"""Names from the outside in, with a full stop between them; the places of a list are numbers."""
Paths = Path | tuple[Path, ...]
"""One path or several, of which the first that leads somewhere counts."""


class Signature(Section):
    """How a tool signs what it sends: HMAC-SHA256 of the body."""

    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
    secret: Annotated[str, Field(pattern=r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$")]
    """The environment variable that holds the secret, such as `${SAYSO_C15T_SECRET}`."""
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    """What stands before the signature, such as `sha256=`."""
    timestamp_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] | None = None
    """Seconds since 1970, signed before the body with a full stop between both."""
    within_seconds: Annotated[int, Field(gt=0, le=86_400)] = 300
    """How old such a timestamp may be."""

    @property
    def variable(self) -> str:
        """The name of the environment variable."""
        return self.secret[2:-1]


class MessagePaths(Section):
    """Where a message states what."""

    customer: Paths | None = None
    states: Paths | None = None
    """An object of states by name, or a list of objects."""
    state_name: Path | None = None
    state_value: Path | None = None
    """In a list: where each object has the name of its state, and the state."""
    moment: Paths | None = None
    """When the customer said it: ISO 8601 with an offset, or seconds or milliseconds since 1970."""
    version: Paths | None = None
    """The version of the tool, or of the text that it showed; kept with the evidence."""
    receipt_id: Paths | None = None
    """What names the message, so that a second delivery adds nothing."""


class ToolChoice(Section):
    """What has to be granted in the tool for categories to be granted for a purpose."""

    purpose: Text
    categories: Annotated[tuple[Text, ...], Field(min_length=1)]
    needs: Annotated[tuple[str | int, ...], Field(min_length=1)]
    """States of the tool, all of which have to be granted."""
    notice_version: Text
    """Version of the notice that the tool shows."""


class ConsentTool(Section):
    """One consent tool."""

    form: Literal["consent-mode", "tcf", "c15t", "generic"]
    choices: Annotated[tuple[ToolChoice, ...], Field(min_length=1)]
    method: Text | None = None
    """How the tool asks customers, as the ledger says it; the tool's name where nothing is said."""
    signature: Signature | None = None
    """A signed tool needs no key."""
    paths: MessagePaths = MessagePaths()
    granted: tuple[Text, ...] = ("granted", "true", "yes", "1", "accepted", "opt_in")
    denied: tuple[Text, ...] = ("denied", "false", "no", "0", "rejected", "withdrawn", "opt_out")
    """What a state may be, whatever its case."""
    vendor_id: Annotated[int, Field(ge=1, le=65_535)] | None = None
    """TCF: the shop's number in the Global Vendor List."""
    publisher: bool = False
    """TCF: whether what the customer allows the publisher itself counts, which the shop then is."""
    oldest_policy: Annotated[int, Field(ge=2, le=63)] = 4
    """TCF: strings of an older version of its policy are refused; 4 came with version 2.2."""


class Fault(NamedTuple):
    """What is wrong, and the key to blame."""

    key: Key
    words: str


def faults_of_tools(tools: dict[str, ConsentTool], catalog: Catalog) -> Iterator[Fault]:
    """What is well-formed in `[consent_tools]` and still wrong."""
    for name, tool in tools.items():
        at: Key = ("consent_tools", name)
        for key, words in (*_of_form(tool), *_of_choices(tool, catalog)):
            yield Fault((*at, *key), f"{words} (consent tool `{name}`)")


def _of_form(tool: ConsentTool) -> Iterator[Fault]:
    stated = tool.paths.model_fields_set
    if tool.form in {CONSENT_MODE, TCF} and stated:
        words = f"`paths` is for the forms `{GENERIC}` and `{C15T}`; `{tool.form}` has its own"
        yield Fault(("paths",), words)
    if tool.form == GENERIC and not {"customer", "states"} <= stated:
        yield Fault(("paths",), f"the form `{GENERIC}` needs `paths.customer` and `paths.states`")
    if (tool.paths.state_name is None) != (tool.paths.state_value is None):
        yield Fault(("paths",), "`state_name` and `state_value` are stated together or not at all")
    if tool.form == GENERIC and tool.signature is not None and tool.paths.moment is None:
        words = "a signed tool needs `paths.moment`, as an old message could be sent again"
        yield Fault(("signature",), words)
    if tool.form == TCF and (tool.vendor_id is None) == (not tool.publisher):
        yield Fault((), "the form `tcf` needs either `vendor_id` or `publisher = true`")
    if tool.form != TCF and (tool.vendor_id is not None or tool.publisher):
        yield Fault((), "`vendor_id` and `publisher` are for the form `tcf`")
    if both := {one.casefold() for one in tool.granted} & {one.casefold() for one in tool.denied}:
        yield Fault(("denied",), f"{_list(both)} cannot be granted and denied")


def _of_choices(tool: ConsentTool, catalog: Catalog) -> Iterator[Fault]:
    seen = set[tuple[str, str]]()
    for at, choice in enumerate(tool.choices):
        where: Key = ("choices", at)
        if choice.purpose not in catalog.purposes:
            words = f"the purpose `{choice.purpose}` is not declared; there are"
            yield Fault((*where, "purpose"), f"{words} {_list(catalog.purposes)}")
            continue
        asked = catalog.askable(choice.purpose)
        for category in choice.categories:
            if category not in asked:
                words = f"the category `{category}` is not asked for `{choice.purpose}`"
                yield Fault((*where, "categories"), f"{words}; asked for are {_list(asked)}")
            if (choice.purpose, category) in seen:
                words = f"`{category}` for `{choice.purpose}` is stated twice; state all it `needs`"
                yield Fault((*where, "categories"), f"{words} in one place")
            seen.add((choice.purpose, category))
        if catalog.notice(choice.purpose, choice.notice_version) is None:
            words = f"the notice of `{choice.purpose}` has no version `{choice.notice_version}`"
            yield Fault((*where, "notice_version"), words)
        for need in choice.needs:
            if fault := _of_need(tool, need):
                yield Fault((*where, "needs"), fault)


def _of_need(tool: ConsentTool, need: str | int) -> str | None:
    if tool.form == TCF:
        if isinstance(need, int) and 1 <= need <= TCF_PURPOSES:
            return None
        return f"{need!r} is no purpose of the TCF; write numbers from 1 to {TCF_PURPOSES}"
    if not isinstance(need, str):
        return f"{need!r} is no name of a state; write it in quotes"
    if tool.form == CONSENT_MODE and need not in CONSENT_MODE_STATES:
        return f"Consent Mode has no `{need}`; it has {_list(CONSENT_MODE_STATES)}"
    return None


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
