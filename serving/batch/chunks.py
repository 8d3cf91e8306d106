"""A batch in chunks: so many customers are answered together as share what is read, worked out and
committed, and no more, so that a withdrawal never waits long behind them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from features.database.caller import has_given_up
from features.database.prepared import AT_ONCE
from serving.decisions.deciding import Decided

Body = TypeVar("Body")
Answering = Callable[[Sequence[str]], Sequence[Decided[Body] | Exception]]
"""Answers customers, each recorded; an error stands for the answer to whoever gets none."""
Outcome = tuple[str, Decided[Body] | Exception]
"""A customer's id as it was asked for, and their answer, or why there is none."""


class Batch(Generic[Body]):
    """The answers to `customer_ids`, in their order.

    An id that is there twice is answered once, and its answer given on each of its lines: nobody is
    shown a second list because a file named them twice.
    """

    def __init__(
        self,
        customer_ids: Sequence[str],
        check: Callable[[str], Exception | None],
        answering: Answering[Body],
        is_of_all: Callable[[Exception], bool],
    ) -> None:
        """`check` says what is wrong with an id.

        An error that `is_of_all`, such as a database that is away, is everybody's of a chunk;
        after any other, each customer is answered by themselves, so that it is one customer's.
        """
        self.customer_ids = customer_ids
        self._check = check
        self._answering = answering
        self._is_of_all = is_of_all

    def chunks(self) -> Iterator[list[Outcome[Body]]]:
        """What became of each customer, some of them at a time; nobody is answered once the caller
        has given up.
        """
        named = Counter(self.customer_ids)
        kept: dict[str, Decided[Body] | Exception] = {}
        for start in range(0, len(self.customer_ids), AT_ONCE):
            if has_given_up():
                return
            chunk = self.customer_ids[start : start + AT_ONCE]
            found = self._answered([one for one in dict.fromkeys(chunk) if one not in kept])
            kept |= {one: outcome for one, outcome in found.items() if named[one] > 1}
            yield [(one, found[one] if one in found else kept[one]) for one in chunk]

    def _answered(self, customer_ids: Sequence[str]) -> dict[str, Decided[Body] | Exception]:
        wrong = {one: error for one in customer_ids if (error := self._check(one)) is not None}
        asked = [one for one in customer_ids if one not in wrong]
        return {**wrong, **self._together(asked)} if asked else dict(wrong)

    def _together(self, asked: Sequence[str]) -> dict[str, Decided[Body] | Exception]:
        try:
            return dict(zip(asked, self._answering(asked), strict=True))
        except Exception as error:  # noqa: BLE001 - it is told on the lines of those it befell
            if len(asked) == 1 or self._is_of_all(error):
                return dict.fromkeys(asked, error)
        apart: dict[str, Decided[Body] | Exception] = {}
        for one in asked:
            apart |= self._together([one])
        return apart
