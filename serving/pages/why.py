"""The page "why am I seeing this"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from explain.game import CategoryContribution, Game
from explain.rank_game import Lists
from explain.reasons import MOST_REASONS, said_again
from explain.wording import Wording
from serving.bootstrap import Sayso
from serving.decisions.record import Decision
from serving.pages.confirmation import confirmation
from serving.pages.lead import lead_of
from serving.pages.reader import Reader
from serving.pages.rendering import in_hundred, render
from serving.pages.rounding import rounded_to_sum
from serving.recommending.recorded_question import asked_again

PURPOSE_OF = {"recommendation": "next_purchase", "churn": "churn"}
WHY_NOT = {
    "anonymous": "Nobody was named when this was asked for, so nothing about you was used.",
    "unknown_customer": "We had nothing on record about you, so nothing about you was used.",
    "too_young": "We use nothing about people who are too young or whose age is not known.",
    "no_consent": "You have not agreed to share anything for this, so nothing about you was used.",
    "opted_out": "You opted out, so nothing about you was used.",
    "privacy_signal": "Your browser asks not to be profiled, so nothing about you was used.",
    "not_now": (
        "It was no moment to show you anything, so nothing was chosen and nothing about you was"
        " used."
    ),
    "model_unavailable": "No personal estimate could be made, so nothing about you was used.",
}
FIRST = 3
"""How many products stand for a list."""
OPEN_ITEMS = 5
"""Products beyond these are folded away."""


@dataclass(frozen=True)
class Used:
    """A category that an answer used: what is said of it, and whether it is still allowed."""

    name: str
    label: str
    said: tuple[str, ...]
    without: str | None
    allowed: bool


@dataclass(frozen=True)
class Row:
    """A line of the sum that an estimate is: what it is of, and by how many in 100 it changes the
    estimate.
    """

    label: str
    points: int
    written: str


@dataclass(frozen=True)
class ShownItem:
    """A product with its reasons, where it would stand without each category, and what it can be
    hidden by.
    """

    title: str
    reasons: tuple[str, ...]
    places: tuple[str, ...]
    product: str
    category: str | None
    brand: str | None


class WhyPage:
    """The page of one decision for one reader, as things stand now."""

    def __init__(
        self, sayso: Sayso, decision: Decision, reader: Reader, *, live: bool = True
    ) -> None:
        """With `live`, serving is asked what each category changes now, if `reader` lets it."""
        self._sayso = sayso
        self._decision = decision
        self._reader = reader
        self._catalog = sayso.shop.config.catalog
        self.answer = decision.document()
        self.purpose: str = getattr(sayso.shop.config.models, PURPOSE_OF[decision.kind]).purpose
        self.allowed = self._allowed_now()
        live = live and reader.signal is None
        self.lists, self.estimate = (self._lists(), self._estimate()) if live else (None, None)

    @property
    def wording(self) -> Wording:
        """The reader's."""
        return self._reader.wording

    def label(self, category: str) -> str:
        """A category's name in the reader's language."""
        known = self._catalog.categories.get(category)
        return self.wording.sentence(known.label) if known else category

    @property
    def lead(self) -> str:
        """What was done, when, by whom, and that no person did it."""
        shop, chance = self._sayso.shop.config.shop.name, self.chance("output_value")
        return lead_of(self._decision, self.answer, chance, shop, self.wording)

    @property
    def used(self) -> list[Used]:
        """Every category that the answer used."""
        return [self._used(name) for name in self.answer["consent"]["used"]]

    @property
    def withheld(self) -> list[str]:
        """Names of the categories that were not used."""
        return [self.label(name) for name in self.answer["consent"]["withheld"]]

    @property
    def not_agreed(self) -> bool:
        """Whether what was not used was not agreed to; otherwise it may have been, and something
        else kept it out.
        """
        return self._why_not in {None, "no_consent"}

    @property
    def why_not(self) -> str | None:
        """Why nothing personal was used; None where something was."""
        return self.wording.say(WHY_NOT[self._why_not]) if self._why_not else None

    @property
    def _why_not(self) -> str | None:
        return self.answer.get("not_personalized_because") or self.answer.get("unavailable_because")

    @property
    def items(self) -> list[ShownItem]:
        """The products that were chosen; where each would stand without a category is told of the
        first ones.
        """
        return [
            self._item(item, placed=at < OPEN_ITEMS)
            for at, item in enumerate(self.answer.get("items", ()))
        ]

    @property
    def for_everybody(self) -> str | None:
        """The products that everybody sees, as a list within a sentence."""
        assortment = self._sayso.assortment.for_names
        best = [assortment.title(best.product_id) for best in assortment.best_sellers[:FIRST]]
        return self.wording.listed(best) if best and "items" in self.answer else None

    @property
    def sum(self) -> list[Row]:
        """How the estimate adds up: at most four categories, and everything else."""
        played = sorted(self._played(), key=lambda part: -abs(part.contribution))
        points = self.points
        rows = [
            Row(
                self.label(part.category),
                points[part.category],
                self._signed(points[part.category]),
            )
            for part in played
        ]
        rest = sum(row.points for row in rows[MOST_REASONS:])
        others = (
            [Row(self.wording.say("Everything else"), rest, self._signed(rest))]
            if len(rows) > MOST_REASONS
            else []
        )
        return rows[:MOST_REASONS] + others

    @property
    def points(self) -> dict[str, int]:
        """By how many in 100 each category changes the estimate; with the base they add up to it as
        shown.
        """
        if "probability" not in self.answer:
            return {}
        game = self.answer["explanation"]["categories"]
        total = round(100 * game["output_value"]) - round(100 * game["base_value"])
        played = self._played()
        shares = rounded_to_sum([100 * part.contribution for part in played], total)
        return {part.category: share for part, share in zip(played, shares, strict=True)}

    def _allowed_now(self) -> frozenset[str]:
        if self._decision.customer is None:
            return frozenset()
        state = self._sayso.shop.ledger.state(self._decision.customer)
        return frozenset(
            entry["category"]
            for entry in state
            if entry["purpose"] == self.purpose and entry["allowed"]
        )

    def _lists(self) -> Lists | None:
        """What the same question is answered with and without each category, asked of serving as it
        stands now.
        """
        if (
            self._decision.customer is None
            or not self.answer.get("items")
            or not self.answer["personalized"]
        ):
            return None
        request = asked_again(self._decision, self.allowed)
        return (
            None if request is None else self._sayso.what_if.lists(self._decision.customer, request)
        )

    def _estimate(self) -> Game | None:
        """The estimate with and without each category, asked of serving as it stands now."""
        if self._decision.customer is None or "probability" not in self.answer:
            return None
        return self._sayso.what_if.of_churn(self._decision.customer)

    def _played(self) -> list[CategoryContribution]:
        game = self.answer.get("explanation", {}).get("categories", {})
        return [CategoryContribution(**part) for part in game.get("contributions", ())]

    def _used(self, name: str) -> Used:
        if "items" in self.answer:
            return Used(
                name,
                self.label(name),
                self._share_of_items(name),
                self._first_without(name),
                name in self.allowed,
            )
        part = next((part for part in self._played() if part.category == name), None)
        said = (*self._facts(name), *self._effect(part))
        return Used(
            name, self.label(name), said, self._estimate_without(name), name in self.allowed
        )

    def _estimate_without(self, name: str) -> str | None:
        played = () if self.estimate is None else self.estimate.played
        part = next((part for part in played if part.category == name), None)
        if part is None:
            return None
        if self.allowed == {name}:
            return self.wording.say("Without it there is no estimate about you any more.")
        return self.wording.say(
            "Without it, the estimate would be {chance}.",
            chance=in_hundred(self.wording, part.without),
        )

    def _facts(self, category: str) -> list[str]:
        return [
            self.text(reason)
            for reason in self.answer["explanation"]["reasons"]
            if reason["category"] == category
        ]

    def _effect(self, part: CategoryContribution | None) -> list[str]:
        """A sentence with the share; none where its direction is not that of what happens without
        the category.
        """
        if part is None or part.contribution * (self.answer["probability"] - part.without) <= 0:
            return []
        points = self.points[part.category]
        if not points or points * part.contribution < 0:
            return [self.wording.say("It changes the estimate by less than 1 in 100.")]
        chance = in_hundred(self.wording, abs(points) / 100)
        text = (
            "It raises the estimate by {chance}."
            if points > 0
            else "It lowers the estimate by {chance}."
        )
        return [self.wording.say(text, chance=chance)]

    def _share_of_items(self, name: str) -> tuple[str, ...]:
        """A sentence with the products that a category is a reason for; none where no reasons were
        asked for, so none were recorded.
        """
        items = [item for item in self.answer["items"] if "explanation" in item]
        if not items:
            return ()
        named = sum(any(reason["category"] == name for reason in _reasons(item)) for item in items)
        if not named:
            return (
                self.wording.say("It was used, but is no main reason for any of these products."),
            )
        numbers = {"count": self.wording.number(named), "all": self.wording.number(len(items))}
        return (
            self.wording.say("Products here that it is a reason for: {count} of {all}.", **numbers),
        )

    def _first_without(self, name: str) -> str | None:
        if self.lists is None or name not in self.lists.without:
            return None
        now, without = self.lists.now[:FIRST], self.lists.without[name][:FIRST]
        if now == without:
            return self.wording.say("Without it, the first products would stay the same.")
        return self.wording.say(
            "Without it, these would come first: {titles}.", titles=self._titles(without)
        )

    def _titles(self, products: Sequence[str]) -> str:
        return self.wording.listed(
            [self._sayso.assortment.for_names.title(product) for product in products]
        )

    def _item(self, item: Mapping[str, Any], *, placed: bool) -> ShownItem:
        assortment, id = self._sayso.assortment.for_names, item["product_id"]
        said = tuple(self.text(reason) for reason in _reasons(item))
        places = self._places(id) if placed else ()
        return ShownItem(
            item["title"],
            said,
            places,
            id,
            assortment.category_of.get(id),
            assortment.brand_of.get(id),
        )

    def _places(self, product: str) -> tuple[str, ...]:
        without = self.lists.without if self.lists else {}
        return tuple(
            self._place(self.label(name), product, listed) for name, listed in without.items()
        )

    def _place(self, category: str, product: str, listed: Sequence[str]) -> str:
        if product not in listed:
            return self.wording.say(
                "Without “{category}” it would not be among the suggestions.", category=category
            )
        return self.wording.say(
            "Without “{category}”: place {place}.",
            category=category,
            place=self.wording.number(listed.index(product) + 1),
        )

    def text(self, reason: Mapping[str, Any]) -> str:
        """A recorded reason in the reader's language, or as it was said where it cannot be said
        again.
        """
        return said_again(reason, self.wording) or str(reason["text"])

    def _signed(self, points: int) -> str:
        return (
            f"{'+' if points > 0 else '−' if points < 0 else ''}{self.wording.number(abs(points))}"  # noqa: RUF001 - a minus sign, not a hyphen
        )

    def points_of(self, which: str) -> str | None:
        """The same as a bare number."""
        if "probability" not in self.answer:
            return None
        return self.wording.number(round(100 * self.answer["explanation"]["categories"][which]))

    def chance(self, which: str) -> str | None:
        """`output_value` or `base_value` of the estimate as so many in 100; None without one."""
        if "probability" not in self.answer:
            return None
        return in_hundred(self.wording, self.answer["explanation"]["categories"][which])


def why_page(
    sayso: Sayso,
    decision: Decision,
    token: str,
    reader: Reader,
    done: str | None,
    *,
    reviews: bool = False,
    review: object = None,
) -> str:
    """The page of one decision. `done` is the signed statement of a change that was just made.

    `reviews` tells that a review can be asked for, `review` the one that was (with status, outcome,
    reason, due).
    """
    page, config = WhyPage(sayso, decision, reader), sayso.shop.config
    customer, titles = decision.customer, sayso.assortment.for_names
    return render(
        "why.html.j2",
        reader,
        shop=config.shop,
        page=page,
        answer=page.answer,
        decision=decision,
        chance=page.chance("output_value"),
        base=page.chance("base_value"),
        chance_points=page.points_of("output_value"),
        base_points=page.points_of("base_value"),
        used=page.used,
        items=page.items,
        token=token,
        open_items=OPEN_ITEMS,
        confirmed=confirmation(sayso.links, customer, done, config.catalog, titles, reader),
        reviews=reviews,
        review=review,
    )


def _reasons(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    reasons: list[dict[str, Any]] = item.get("explanation", {}).get("reasons", [])
    return reasons
