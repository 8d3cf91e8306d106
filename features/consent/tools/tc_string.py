"""TC strings of the Transparency and Consent Framework of IAB Europe, read bit by bit.

Source: IAB Tech Lab, *Transparency and Consent String with Global Vendor & CMP List Formats*,
version 2.3, https://github.com/InteractiveAdvertisingBureau/GDPR-Transparency-and-Consent-Framework

Legitimate interest is read past and never told: it is no consent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from features.errors import SaysoError

VERSION = 2
PURPOSES = 24
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_BITS = {letter: f"{value:06b}" for value, letter in enumerate(ALPHABET)}
DISCLOSED, ALLOWED, PUBLISHER = 1, 2, 3
"""Types of the segments that may follow the core."""
NOT_ALLOWED, NEEDS_LEGITIMATE_INTEREST = 0, 2
"""Restrictions of a publisher under which a consent allows nothing."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TCStringError(SaysoError):
    """A text is no TC string; `field` names the one, in the specification's words, that cannot be
    read.
    """

    def __init__(self, field: str, found: str) -> None:
        super().__init__(f"the TC string cannot be read at its field {field}: {found}")
        self.field = field


@dataclass(frozen=True)
class Vendors:
    """Vendor ids, as ranges of which both ends belong to them."""

    ranges: tuple[tuple[int, int], ...] = ()

    def __contains__(self, vendor: int) -> bool:
        return any(first <= vendor <= last for first, last in self.ranges)


@dataclass(frozen=True)
class Restriction:
    """What a publisher says about one purpose of some vendors."""

    purpose: int
    kind: int
    vendors: Vendors


@dataclass(frozen=True)
class TCString:
    """What a TC string says.

    `purposes` are those that the user consented to, for vendors; `publisher_purposes` those for the
    publisher itself (None: the string does not say). `disclosed` are vendors that the user was
    shown (None: the string does not say). `purpose_one_asked` is whether purpose 1 was shown.
    """

    created: datetime
    updated: datetime
    cmp_id: int
    cmp_version: int
    screen: int
    language: str
    vendor_list_version: int
    policy_version: int
    service_specific: bool
    purposes: frozenset[int]
    purpose_one_asked: bool
    publisher_country: str
    vendors: Vendors
    restrictions: tuple[Restriction, ...]
    disclosed: Vendors | None = None
    publisher_purposes: frozenset[int] | None = None

    @property
    def tool(self) -> str:
        """The version of the tool that wrote it, in words."""
        return (
            f"CMP {self.cmp_id} version {self.cmp_version}, policy {self.policy_version},"
            f" vendor list {self.vendor_list_version}"
        )

    def forbids(self, vendor: int, purpose: int) -> bool:
        """Whether the publisher lets no consent count for that purpose of that vendor."""
        return any(
            one.purpose == purpose
            and one.kind in {NOT_ALLOWED, NEEDS_LEGITIMATE_INTEREST}
            and vendor in one.vendors
            for one in self.restrictions
        )


def read_tc_string(text: str) -> TCString:
    """Read a TC string. Raises `TCStringError` for what is none."""
    core, *others = text.split(".")
    found, seen = _core(_Segment(core, "core")), set[int]()
    for at, part in enumerate(others, start=2):
        segment = _Segment(part, f"segment {at}")
        kind = segment.number("SegmentType", 3)
        if kind in seen:
            told = f"{segment.name} says again what a segment before it said"
            raise TCStringError("SegmentType", told)
        seen.add(kind)
        if kind == DISCLOSED:
            found["disclosed"] = segment.vendors("DisclosedVendors")
        elif kind == PUBLISHER:
            found["publisher_purposes"] = _publisher(segment)
        elif kind == ALLOWED:
            segment.vendors("AllowedVendors")
        else:
            raise TCStringError("SegmentType", f"{segment.name} is of type {kind}, not 1, 2 or 3")
        segment.end()
    return TCString(**found)


class _Segment:
    """The bits of one segment, read from left to right."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        for at, letter in enumerate(text):
            if letter not in _BITS:
                told = f"character {at + 1} of the {name} is {letter!r}, which is none of Base64url"
                raise TCStringError("Version" if name == "core" else "SegmentType", told)
        self._bits = "".join(_BITS[letter] for letter in text)
        self._at = 0

    def bits(self, field: str, count: int) -> str:
        """The next bits, each `0` or `1`. Raises `TCStringError` where there are fewer."""
        found = self._bits[self._at : self._at + count]
        if len(found) < count:
            told = f"the {self.name} ends after {len(self._bits)} bits, and {count} are needed"
            raise TCStringError(field, f"{told} from bit {self._at} on")
        self._at += count
        return found

    def number(self, field: str, count: int) -> int:
        """A whole number of so many bits, the highest first."""
        return int(self.bits(field, count), 2)

    def flag(self, field: str) -> bool:
        """One bit."""
        return self.bits(field, 1) == "1"

    def moment(self, field: str) -> datetime:
        """A moment in tenths of seconds since 1970."""
        return EPOCH + timedelta(milliseconds=100 * self.number(field, 36))

    def letters(self, field: str) -> str:
        """Two letters, of 6 bits each."""
        codes = [self.number(field, 6) for _ in range(2)]
        if max(codes) > 25:
            raise TCStringError(field, f"{codes} are no two letters")
        return "".join(chr(ord("A") + code) for code in codes)

    def ids(self, field: str, count: int) -> frozenset[int]:
        """The numbers, from 1 on, whose bits are set."""
        found = self.bits(field, count)
        return frozenset(at for at, bit in enumerate(found, start=1) if bit == "1")

    def vendors(self, of: str) -> Vendors:
        """A vendor section: a field of bits, or ranges."""
        highest = self.number(f"{of}.MaxVendorId", 16)
        if self.flag(f"{of}.IsRangeEncoding"):
            return self.ranges(of, highest)
        return Vendors(tuple(_runs(self.bits(f"{of}.BitField", highest))))

    def ranges(self, of: str, highest: int | None = None) -> Vendors:
        """Ranges of vendors, none beyond the `highest`."""
        found = []
        for _ in range(self.number(f"{of}.NumEntries", 12)):
            several = self.flag(f"{of}.IsARange")
            first = self.number(f"{of}.StartOrOnlyVendorId", 16)
            last = self.number(f"{of}.EndVendorId", 16) if several else first
            if not 0 < first <= last <= (highest or last):
                told = f"the range {first} to {last} is none of 1 to {highest or 65535}"
                raise TCStringError(f"{of}.RangeEntry", told)
            found.append((first, last))
        return Vendors(tuple(found))

    def end(self) -> None:
        """Raises `TCStringError` where more follows than the zeros that fill the last letters."""
        if "1" in self._bits[self._at :]:
            told = f"bits are set in the {self.name} after its last field, from bit {self._at} on"
            raise TCStringError("the end", told)


def _core(bits: _Segment) -> dict[str, Any]:
    """The fields of the core, in the order in which they stand."""
    if (version := bits.number("Version", 6)) != VERSION:
        raise TCStringError("Version", f"it is {version}, and only version {VERSION} is read")
    found: dict[str, Any] = {
        "created": bits.moment("Created"),
        "updated": bits.moment("LastUpdated"),
        "cmp_id": bits.number("CmpId", 12),
        "cmp_version": bits.number("CmpVersion", 12),
        "screen": bits.number("ConsentScreen", 6),
        "language": bits.letters("ConsentLanguage"),
        "vendor_list_version": bits.number("VendorListVersion", 12),
        "policy_version": bits.number("TcfPolicyVersion", 6),
        "service_specific": bits.flag("IsServiceSpecific"),
    }
    bits.flag("UseNonStandardTexts")
    bits.ids("SpecialFeatureOptIns", 12)
    found["purposes"] = bits.ids("PurposesConsent", PURPOSES)
    bits.ids("PurposesLITransparency", PURPOSES)
    found["purpose_one_asked"] = not bits.flag("PurposeOneTreatment")
    found["publisher_country"] = bits.letters("PublisherCC")
    found["vendors"] = bits.vendors("VendorConsent")
    bits.vendors("VendorLegitimateInterest")
    found["restrictions"] = tuple(_restrictions(bits))
    bits.end()
    return found


def _restrictions(bits: _Segment) -> Iterator[Restriction]:
    for _ in range(bits.number("NumPubRestrictions", 12)):
        purpose = bits.number("PubRestrictionEntry.PurposeId", 6)
        kind = bits.number("PubRestrictionEntry.RestrictionType", 2)
        yield Restriction(purpose, kind, bits.ranges("PubRestrictionEntry"))


def _publisher(bits: _Segment) -> frozenset[int]:
    """The purposes that the user consented to for the publisher."""
    found = bits.ids("PubPurposesConsent", PURPOSES)
    bits.ids("PubPurposesLITransparency", PURPOSES)
    custom = bits.number("NumCustomPurposes", 6)
    bits.ids("CustomPurposesConsent", custom)
    bits.ids("CustomPurposesLITransparency", custom)
    return found


def _runs(bits: str) -> Iterator[tuple[int, int]]:
    """The ranges of numbers, from 1 on, whose bits are set."""
    at = 1
    for bit, run in groupby(bits):
        length = len(list(run))
        if bit == "1":
            yield at, at + length - 1
        at += length
