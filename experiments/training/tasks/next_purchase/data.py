"""What the next-purchase model learns from and is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.trials.champion_recipe import Recipe
from experiments.trials.lineage import Lineage, reads_by
from experiments.trials.top_products import bought
from features.errors import TrainingError
from features.shop.shop import Shop
from features.warehouse.gate import Gate
from models.next_purchase.candidates import CandidateMaker
from models.next_purchase.examples import PurchaseData, history_masking, last_repeat_orders
from models.next_purchase.model import NextPurchaseModel
from models.next_purchase.orders import orders
from models.next_purchase.ranker import Examples, NextPurchaseSettings, fit_next_purchase
from models.next_purchase.time_windows import LONGEST_DAYS, TimeWindows
from models.parallel import in_parallel


@dataclass(frozen=True)
class RankingData:
    """Orders of the newest time window (`judged`) and of those before it (`known`, newest first).

    `begins` are the moments at which the windows of `known` begin, `asked` the judged orders
    (customer, as_of, order_id), `truth` what each of them held, `newest_known` what those of the
    newest window of `known` held. `until` is the end of the record.
    """

    shop: Shop
    purchases: PurchaseData
    until: datetime
    holdout: datetime
    begins: Sequence[datetime]
    judged: Examples
    known: Sequence[Examples]
    asked: pd.DataFrame
    truth: Sequence[set[str]]
    newest_known: Sequence[set[str]]

    @classmethod
    def of(cls, shop: Shop) -> RankingData:
        """Raises `TrainingError` where the record is too short or nobody ordered again."""
        until = shop.loaded_until()
        data = purchase_data(shop, until)
        if data.orders.empty:
            raise TrainingError(
                "no customer with an order allows what they bought and when to be used for"
                f" `{data.gate.purpose}`, so there is nothing to learn from. Bring consents in with"
                " `sayso consent import`."
            )
        holdout, *begins = data.begins(until) or [until]
        if not begins:
            raise _too_short(data, until)
        (judged, asked), *earlier = in_parallel(data.examples, [holdout, *begins])
        if asked.empty:
            raise _nobody_ordered_again(holdout, until)
        known, placed = zip(*earlier, strict=True)
        truth, newest = (bought(those, data.orders) for those in (asked, placed[0]))
        return cls(shop, data, until, holdout, begins, judged, known, asked, truth, newest)

    @property
    def gate(self) -> Gate:
        """The gate that the orders came through."""
        return self.purchases.gate

    @property
    def judged_count(self) -> int:
        """How many orders a model is judged by."""
        return len(self.asked)

    @property
    def customers(self) -> NDArray[np.int64]:
        """Pseudonyms of the customers of any order."""
        return np.asarray(self.purchases.orders["customer"].unique())

    @property
    def features(self) -> tuple[str, ...]:
        """Features of a history, then features of a customer."""
        return (*self.purchases.history, *self.purchases.customer)

    @property
    def lineage(self) -> Lineage:
        """The fields that each column of the ranker reads."""
        return Lineage(self.shop.config.catalog, reads_by(self.judged.maker))

    @property
    def arrays(self) -> Sequence[NDArray[np.generic]]:
        """Histories and orders of all windows."""
        return [part for example in (self.judged, *self.known) for part in example.arrays]

    def fit(
        self, examples: Sequence[Examples], maker: CandidateMaker, settings: NextPurchaseSettings
    ) -> NextPurchaseModel:
        """A ranker that learnt from `examples` and serves with the statistics of `maker`."""
        askable = self.shop.config.catalog.askable(self.gate.purpose)
        masking = history_masking(self.purchases, askable)
        return fit_next_purchase(examples, maker, masking, self.lineage.category_of, settings)

    def by_recipe(self, recipe: Recipe) -> RankingData:
        """The same orders with another version's features."""
        purchases = replace(self.purchases, features=recipe.features)
        if purchases.features == self.purchases.features:
            return self
        known = [purchases.examples(begin)[0] for begin in self.begins]
        judged = purchases.examples(self.holdout)[0]
        return replace(self, purchases=purchases, known=known, judged=judged)


def purchase_data(shop: Shop, until: datetime) -> PurchaseData:
    """What the next-purchase model may read of the shop, of what was recorded before `until`."""
    section = shop.config.models.next_purchase
    gate = shop.gate(section.purpose)
    placed = orders(gate, until)
    windows = TimeWindows.suited(
        len(last_repeat_orders(placed, until - timedelta(days=LONGEST_DAYS), until))
    )
    return PurchaseData(
        gate, placed, section.features, shop.facts, section.sold_within_days, windows
    )


def _too_short(data: PurchaseData, until: datetime) -> TrainingError:
    first, days = data.orders["ordered_at"].min(), data.windows.days
    return TrainingError(
        f"the consented orders reach from {first:%Y-%m-%d} to {until:%Y-%m-%d};"
        f" {LONGEST_DAYS + 2 * days} days and more are needed, so that there is a month of past,"
        f" {days} days to learn from and the newest {days} to judge by. Load more history or ask"
        " more customers."
    )


def _nobody_ordered_again(holdout: datetime, until: datetime) -> TrainingError:
    return TrainingError(
        "no customer who allows what they bought and when to be used ordered again since"
        f" {holdout:%Y-%m-%d}, so there is nothing to judge the ranker by. Load newer orders,"
        f" or ask more customers; the record reaches to {until:%Y-%m-%d}."
    )
