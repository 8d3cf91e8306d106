"""Who acts: what records of changes and of reads say of it."""

from __future__ import annotations

from dataclasses import dataclass

COMMAND = "command line"


@dataclass(frozen=True)
class Caller:
    """A key, a customer by one of their links, a member of staff, or the command line.

    `actor` is at most 64 characters and names no customer. For a link `key_id` is the key whose
    answer held it.
    """

    actor: str
    key_id: str = ""
    link_id: str | None = None
    request_id: str | None = None


AT_COMMAND_LINE = Caller(COMMAND)
