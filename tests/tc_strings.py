"""TC strings for tests, written field by field as the specification lists them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
OURS = 755
Ranges = Sequence[tuple[int, int]]


def number(value: int, bits: int) -> str:
    """A whole number of so many bits."""
    return f"{value:0{bits}b}"


def flags(ids: Collection[int], count: int) -> str:
    """A bit for each number from 1 on."""
    return "".join("1" if one in ids else "0" for one in range(1, count + 1))


def entries(ranges: Ranges) -> str:
    """Ranges of vendors, a single one where both ends are the same."""
    found = number(len(ranges), 12)
    for first, last in ranges:
        found += "0" + number(first, 16) if first == last else "1" + number(first, 16)
        found += number(last, 16) if first != last else ""
    return found


def by_range(ranges: Ranges) -> str:
    """A vendor section of ranges."""
    return number(max((last for _, last in ranges), default=0), 16) + "1" + entries(ranges)


def by_field(ids: Collection[int]) -> str:
    """A vendor section of bits."""
    return number(max(ids, default=0), 16) + "0" + flags(ids, max(ids, default=0))


def encoded(bits: str) -> str:
    """Bits as Base64url, filled with zeros to whole bytes and letters."""
    bits += "0" * (-len(bits) % 8)
    bits += "0" * (-len(bits) % 6)
    return "".join(LETTERS[int(bits[at : at + 6], 2)] for at in range(0, len(bits), 6))


def core(
    purposes: Collection[int] = (),
    interests: Collection[int] = (),
    vendors: str | None = None,
    interested: str | None = None,
    restrictions: Sequence[tuple[int, int, Ranges]] = (),
    updated: datetime = MONDAY,
    policy: int = 5,
    service_specific: bool = True,
    purpose_one_hidden: bool = False,
) -> str:
    """The bits of a core segment."""
    moment = number(int(updated.timestamp() * 10), 36)
    restricted = "".join(number(p, 6) + number(kind, 2) + entries(r) for p, kind, r in restrictions)
    return (
        number(2, 6)
        + moment * 2
        + number(300, 12)  # CmpId
        + number(7, 12)  # CmpVersion
        + number(1, 6)  # ConsentScreen
        + number(3, 6)  # D
        + number(4, 6)  # E
        + number(176, 12)  # VendorListVersion
        + number(policy, 6)
        + str(int(service_specific))
        + "0"  # UseNonStandardTexts
        + number(0, 12)  # SpecialFeatureOptIns
        + flags(purposes, 24)
        + flags(interests, 24)
        + str(int(purpose_one_hidden))
        + number(3, 6)
        + number(4, 6)
        + (by_field([OURS]) if vendors is None else vendors)
        + (by_field([]) if interested is None else interested)
        + number(len(restrictions), 12)
        + restricted
    )


def disclosed(section: str | None = None) -> str:
    """The segment of vendors who were shown, ours where nothing else is said."""
    return encoded(number(1, 3) + (by_range([(700, 800)]) if section is None else section))


def publisher(purposes: Collection[int], interests: Collection[int] = ()) -> str:
    """The segment of what the publisher itself may do, with one purpose of its own."""
    return encoded(
        number(3, 3) + flags(purposes, 24) + flags(interests, 24) + number(1, 6) + "1" + "0"
    )


def tc_string(purposes: Collection[int] = (), **fields: object) -> str:
    """A string of version 2.3 in which the purposes are consented to for our vendor."""
    return f"{encoded(core(purposes, **fields))}.{disclosed()}"  # type: ignore[arg-type]
