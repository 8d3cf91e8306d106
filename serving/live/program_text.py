"""What a process holds of its libraries' code, after starting touched most of it once.

Starting touches 80 MB of code and constants that requests do not: LLVM, for example, links compiled
loops and rests from then on. These pages are the same as in the files, so a process may let go of
them; the few that it needs again are mapped again when it reaches for them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MAPPINGS = Path("/proc/self/smaps")
DONT_NEED = 4  # MADV_DONTNEED in <sys/mman.h>
OWN = ("Private_Dirty", "Shared_Dirty", "Anonymous", "Swap", "Locked")
"""What a mapping has that its file does not."""


class Mapping(NamedTuple):
    """A part of the process's memory."""

    begin: int
    end: int
    access: str
    file: str
    kilobytes: dict[str, int]

    @property
    def unchanged(self) -> bool:
        """Whether every byte is that of the file, and stays so."""
        may_change = "w" in self.access or not self.file.startswith("/")
        return not may_change and not any(self.kilobytes.get(name, 0) for name in OWN)


def let_go() -> int:
    """Let go of all unchanged pages of the process; how many bytes it held of them.

    Does nothing where the system does not tell what a process holds.
    """
    if not MAPPINGS.is_file():
        return 0
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    held = 0
    for mapping in [mapping for mapping in mappings() if mapping.unchanged]:
        if advise(mapping.begin, mapping.end - mapping.begin, DONT_NEED) == 0:
            held += mapping.kilobytes["Rss"] * 1024
    return held


def mappings() -> Iterator[Mapping]:
    """The parts of this process's memory."""
    found: Mapping | None = None
    for line in MAPPINGS.read_text().splitlines():
        name, *rest = line.split(maxsplit=5)
        if name.endswith(":"):
            if found is not None and len(rest) > 1 and rest[1] == "kB":
                found.kilobytes[name[:-1]] = int(rest[0])
            continue
        if found is not None:
            yield found
        begin, _, end = name.partition("-")
        file = rest[4] if len(rest) > 4 else ""
        found = Mapping(int(begin, 16), int(end, 16), rest[0], file, {})
    if found is not None:
        yield found
