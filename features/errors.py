"""Every error that Sayso raises on purpose descends from `SaysoError`.

A message says what was found, what was expected and what to do next; the evidence stands in
attributes, so that a caller can act on it without reading prose.
"""

from __future__ import annotations

from pathlib import Path


class SaysoError(Exception):
    """Root of the project's errors: something is wrong and the message says what to do about it."""


class WorkspaceError(SaysoError):
    """The workspace folder is missing, or is not one, or would be overwritten."""


class SourceError(SaysoError):
    """A source file cannot be read at all: it is missing, of an unknown kind, or lacks a column.

    Attributes: `file`, and `line` (1-based) where one is to blame.
    """

    def __init__(self, message: str, *, file: Path, line: int | None = None) -> None:
        where = f"{file.name}, line {line}" if line else file.name
        super().__init__(f"{where}: {message}")
        self.file = file
        self.line = line


class ConsentError(SaysoError):
    """A consent event breaks a rule of the ledger.

    `field` names the part of the event that does, and `at` its place among several that were said
    together.
    """

    def __init__(self, message: str, *, field: str, at: int | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.at = at


class LedgerBroken(SaysoError):
    """The ledger's chain does not hold. `seq` is the first event that does not fit."""

    def __init__(self, message: str, *, seq: int) -> None:
        super().__init__(message)
        self.seq = seq


class FeatureError(SaysoError):
    """A feature definition reads a field that it did not declare, or that nobody declared."""


class TrainingError(SaysoError):
    """A model cannot be trained on what there is."""


class ModelUnavailable(SaysoError):
    """No champion stands in the registry, or its artifacts cannot be read."""


class NotFound(SaysoError):
    """What was asked for does not exist (or is another customer's, which is told in the same
    words).
    """
