"""The page with everything that a customer allows, and what each choice changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explain.game import Game
from explain.rank_game import Lists
from explain.wording import Wording
from features.catalog import Notice
from features.clock import from_text
from features.consent.grants import fold
from serving.bootstrap import Sayso
from serving.delivery.contact_policy import shop_caps
from serving.delivery.opt_outs import OptOut, own_caps
from serving.pages.confirmation import CHANNELS, confirmation
from serving.pages.frequency import Frequency, frequency
from serving.pages.reader import Reader
from serving.pages.rendering import in_hundred, render
from serving.pages.why import FIRST

ACTIONS = {
    "granted": "Allowed",
    "renewed": "Renewed",
    "refused": "Refused",
    "withdrawn": "Stopped",
    "objected": "Objected to",
    "expired": "Ran out",
    "privacy_signal": "Stopped by a signal of your browser",
    "merged": "Moved to your customer number",
}
"""What happened to a category, in words."""
NOT_HIDING = frozenset({"all", "channel", "frequency"})
"""Scopes of opt-outs that silence or slow down, and hide nothing in particular."""


@dataclass(frozen=True)
class Choice:
    """One category for one purpose: whether it is allowed, since when, and what stopping it would
    change.
    """

    purpose: str
    category: str
    label: str
    description: str
    allowed: bool
    since: str | None
    consequence: str | None


@dataclass(frozen=True)
class Section:
    """The choices of one purpose, under the text that was asked, with what was said before."""

    label: str
    description: str
    notice: Notice
    choices: tuple[Choice, ...]
    history: tuple[str, ...]


@dataclass(frozen=True)
class Channel:
    """A channel, and the opt-out from it where there is one."""

    value: str
    label: str
    opt_out: str | None


@dataclass(frozen=True)
class Hidden:
    """Something that the customer does not want to see."""

    id: str
    label: str


class PreferencesPage:
    """The page of one customer (pseudonym) for one reader, as things stand now."""

    def __init__(self, sayso: Sayso, customer: int, reader: Reader) -> None:
        self._sayso = sayso
        self._reader = reader
        self._catalog = sayso.shop.config.catalog
        self._state = {
            (entry["purpose"], entry["category"]): entry
            for entry in sayso.shop.ledger.state(customer)
        }
        self._history = sayso.shop.ledger.history(customer)
        self._said_at = {
            (purpose, category): said["occurred_at"]
            for (whose, purpose, category), said in fold(self._history).items()
            if whose == customer
        }
        self._opt_outs = sayso.opt_outs.of(customer)
        models = sayso.shop.config.models
        self._churn: dict[str, Game | None] = {}
        self._lists: dict[str, Lists | None] = {}
        if reader.signal is None:
            self._churn = {models.churn.purpose: sayso.what_if.of_churn(customer)}
            self._lists = {models.next_purchase.purpose: sayso.what_if.lists(customer)}

    @property
    def wording(self) -> Wording:
        """The reader's."""
        return self._reader.wording

    @property
    def any_allowed(self) -> bool:
        """Whether anything is allowed at all."""
        return any(entry["allowed"] for entry in self._state.values())

    @property
    def all_allowed(self) -> bool:
        """Whether everything is."""
        return all(entry["allowed"] for entry in self._state.values())

    @property
    def sections(self) -> list[Section]:
        """All purposes that something is asked for."""
        return [
            self._section(name) for name in self._catalog.purposes if self._catalog.askable(name)
        ]

    @property
    def pause(self) -> OptOut | None:
        """The opt-out from everything, where there is one."""
        return next((opt_out for opt_out in self._opt_outs if opt_out.scope == "all"), None)

    @property
    def paused_until(self) -> str | None:
        """When a pause ends, in words; None for one that does not end by itself."""
        return (
            self.wording.day(from_text(self.pause.until))
            if self.pause and self.pause.until
            else None
        )

    @property
    def channels(self) -> list[Channel]:
        """The channels that most shops have, and those that this customer left."""
        left = {
            opt_out.value: opt_out.id
            for opt_out in self._opt_outs
            if opt_out.scope == "channel" and opt_out.value
        }
        known = dict.fromkeys([*CHANNELS, *left])
        return [
            Channel(value, self.wording.sentence(CHANNELS.get(value, value)), left.get(value))
            for value in known
        ]

    @property
    def frequencies(self) -> list[Frequency]:
        """How often the customer gets suggestions on each channel that they have not left."""
        own, of_shop = own_caps(self._opt_outs), shop_caps(self._sayso.shop.config.contact_policy)
        capped = [
            Channel(
                cap.channel, self.wording.sentence(CHANNELS.get(cap.channel, cap.channel)), None
            )
            for cap in own
        ]
        channels = {
            channel.value: channel
            for channel in [*capped, *self.channels]
            if channel.opt_out is None
        }
        return [
            frequency(channel.value, channel.label, own, of_shop, self.wording)
            for channel in channels.values()
        ]

    @property
    def hidden(self) -> list[Hidden]:
        """Products, departments, brands and purposes that the customer does not want."""
        shown = [opt_out for opt_out in self._opt_outs if opt_out.scope not in NOT_HIDING]
        return [Hidden(opt_out.id, self._hidden(opt_out)) for opt_out in shown]

    def _hidden(self, opt_out: OptOut) -> str:
        value = opt_out.value or ""
        if opt_out.scope == "product":
            return self._sayso.assortment.for_names.title(value)
        if opt_out.scope == "purpose":
            return (
                self.wording.sentence(self._catalog.purposes[value].label)
                if value in self._catalog.purposes
                else value
            )
        text = (
            "All products of “{name}”"
            if opt_out.scope == "product_category"
            else "All products by “{name}”"
        )
        return self.wording.say(text, name=value)

    def _section(self, purpose: str) -> Section:
        stated = self._catalog.purposes[purpose]
        current = self._catalog.current_notice(purpose)
        notice = self._catalog.notice(purpose, current.version, self.wording.language) or current
        choices = tuple(
            self._choice(purpose, category) for category in self._catalog.askable(purpose)
        )
        said = sorted(
            (e for e in self._history if e["purpose"] == purpose),
            key=lambda e: (e["occurred_at"], e["seq"]),
            reverse=True,
        )
        history = tuple(self._event(event) for event in said)
        return Section(
            self.wording.sentence(stated.label),
            self.wording.sentence(stated.description),
            notice,
            choices,
            history,
        )

    def _choice(self, purpose: str, category: str) -> Choice:
        stated, entry = self._catalog.categories[category], self._state[purpose, category]
        label, description = (
            self.wording.sentence(stated.label),
            self.wording.sentence(stated.description),
        )
        consequence = self._consequence(purpose, category) if entry["allowed"] else None
        return Choice(
            purpose,
            category,
            label,
            description,
            entry["allowed"],
            self._since(purpose, category),
            consequence,
        )

    def _since(self, purpose: str, category: str) -> str | None:
        """The day on which the customer said what stands, whenever the shop passed it on."""
        moment = self._said_at.get((purpose, category))
        return self.wording.day(from_text(moment)) if moment is not None else None

    def _event(self, event: Mapping[str, Any]) -> str:
        category = self._catalog.categories.get(event["category"])
        return self.wording.say(
            "{when}: {category}, {action}",
            when=self.wording.moment(from_text(event["occurred_at"])),
            category=self.wording.sentence(category.label) if category else event["category"],
            action=self.wording.sentence(ACTIONS.get(event["action"], event["action"])),
        )

    def _consequence(self, purpose: str, category: str) -> str | None:
        if (game := self._churn.get(purpose)) is not None:
            return self._estimate_without(game, category)
        lists = self._lists.get(purpose)
        return self._first_without(lists, category) if lists is not None else None

    def _estimate_without(self, game: Game, category: str) -> str | None:
        without = next((part.without for part in game.played if part.category == category), None)
        if without is None:
            return None
        if len(game.played) == 1:
            return self.wording.say("Without it there is no estimate about you any more.")
        now, then = (in_hundred(self.wording, value) for value in (game.output_value, without))
        if now == then:
            return self.wording.say(
                "If you stop this, the estimate about you stays at {now}.", now=now
            )
        return self.wording.say(
            "If you stop this, the estimate about you changes from {now} to {then}.",
            now=now,
            then=then,
        )

    def _first_without(self, lists: Lists, category: str) -> str | None:
        if category not in lists.without:
            return None
        now, then = lists.now[:FIRST], lists.without[category][:FIRST]
        if now == then:
            return self.wording.say("If you stop this, the first suggestions stay the same.")
        titles = [self._sayso.assortment.for_names.title(product) for product in then]
        return self.wording.say(
            "If you stop this, you see first: {titles}.", titles=self.wording.listed(titles)
        )


def preferences_page(
    sayso: Sayso, customer: int, token: str, reader: Reader, done: str | None
) -> str:
    """The page of one customer, known by pseudonym.

    `done` is the signed statement of a change that was just made.
    """
    return render(
        "preferences.html.j2",
        reader,
        shop=sayso.shop.config.shop,
        page=PreferencesPage(sayso, customer, reader),
        token=token,
        confirmed=confirmation(
            sayso.links,
            customer,
            done,
            sayso.shop.config.catalog,
            sayso.assortment.for_names,
            reader,
        ),
    )


def code_page(sayso: Sayso, path: str, wanted: str, reader: Reader, said: str | None) -> str:
    """The form for a one-time code, which the page at `path` needs for `choices`, `download` or
    `erase`.

    `said` is `asked` once the shop was told to send one, and `refused` after a wrong one.
    """
    shop = sayso.shop.config.shop
    return render("code.html.j2", reader, shop=shop, path=path, wanted=wanted, said=said)


def erasure_page(sayso: Sayso, token: str, reader: Reader) -> str:
    """What erasing would do, with the button that does it."""
    return render("erase.html.j2", reader, shop=sayso.shop.config.shop, token=token)


def erased_page(sayso: Sayso, receipt: Mapping[str, Any], reader: Reader) -> str:
    """That everything was erased, with the receipt."""
    moment = reader.wording.moment(from_text(receipt["completed_at"]))
    return render(
        "erased.html.j2", reader, shop=sayso.shop.config.shop, receipt=receipt, moment=moment
    )
