"""The states of a consent tool: which were granted, which were denied, and which it does not
tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Any

from features.config.consent_tools import ConsentTool, MessagePaths, Paths
from features.consent.tools.tc_string import TCString, TCStringError
from features.errors import ConsentError

DISCLOSURE_SINCE = datetime(2026, 3, 1, tzinfo=UTC)
"""From when on a string of version 2.3 has to say which vendors were shown:
https://iabeurope.eu/all-you-need-to-know-about-the-transition-to-tcf-v2-3/
"""


def states_at(
    tool: ConsentTool, body: dict[str, Any], paths: MessagePaths, needed: AbstractSet[str | int]
) -> dict[str | int, bool]:
    """Those of the `needed` states that a message tells: whether each was granted.

    Raises `ConsentError` where there are none at all, or one is neither granted nor denied.
    """
    path, found = value_at(body, paths.states)
    words = dict.fromkeys((one.casefold() for one in tool.granted), True)
    words |= dict.fromkeys((one.casefold() for one in tool.denied), False)
    states: dict[str | int, bool] = {}
    for name, value in _named(path, found, paths):
        if name not in needed or value is None:
            continue
        said = words.get(_word(value))
        if said is None:
            raise ConsentError(
                f"{str(value)[:40]!r} is neither granted nor denied; `granted` and `denied` of the"
                " tool in sayso.toml say what is",
                field=f"{path}.{name}",
            )
        if states.get(name, said) != said:
            raise ConsentError("this is stated twice, and differently", field=f"{path}.{name}")
        states[name] = said
    return states


def states_of_string(
    tool: ConsentTool, read: TCString, needed: AbstractSet[str | int]
) -> dict[str | int, bool]:
    """Those of the `needed` purposes that a TC string tells: whether each was consented to.

    A purpose counts for the shop's vendor id where that was consented to as well and the publisher
    does not restrict it. A vendor or a purpose that was not shown was neither granted nor denied.
    Raises `TCStringError` for a string that does not count (any more).
    """
    if not read.service_specific:
        raise TCStringError("IsServiceSpecific", "it is 0, and such strings are not valid any more")
    if read.policy_version < tool.oldest_policy:
        found = f"it is {read.policy_version}, and the oldest that counts is {tool.oldest_policy}"
        raise TCStringError("TcfPolicyVersion", found)
    if tool.vendor_id is None:
        if read.publisher_purposes is None:
            raise TCStringError("PublisherTC", "the string has no such segment")
        return {purpose: purpose in read.publisher_purposes for purpose in needed}
    if read.disclosed is None and read.updated >= DISCLOSURE_SINCE:
        raise TCStringError("DisclosedVendors", "the string has no such segment")
    if read.disclosed is not None and tool.vendor_id not in read.disclosed:
        return {}
    return {
        purpose: purpose in read.purposes
        and tool.vendor_id in read.vendors
        and not read.forbids(tool.vendor_id, int(purpose))
        for purpose in needed
        if purpose != 1 or read.purpose_one_asked
    }


def value_at(body: Any, paths: Paths | None) -> tuple[str, Any]:
    """The first of some paths that leads to something, and what stands there; the first path and
    None where none does.
    """
    several = (paths,) if isinstance(paths, str) else paths or ()
    for path in several:
        if (found := _follow(body, path)) is not None:
            return path, found
    return (several[0] if several else ""), None


def _follow(body: Any, path: str) -> Any:
    found = body
    for name in path.split("."):
        if isinstance(found, dict):
            found = found.get(name)
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found


def _named(path: str, found: Any, paths: MessagePaths) -> Iterator[tuple[str, Any]]:
    """The states of a message by name."""
    if isinstance(found, dict) and paths.state_name is None:
        yield from found.items()
    elif isinstance(found, list) and paths.state_name and paths.state_value:
        for one in found:
            yield str(_follow(one, paths.state_name)), _follow(one, paths.state_value)
    else:
        wanted = "a list of states" if paths.state_name else "an object of states by name"
        raise ConsentError(f"there must be {wanted}", field=path)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.casefold() if isinstance(value, str) else str(value)
