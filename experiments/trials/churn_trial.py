"""What churn methods are tried on: rows to learn from, and the newest rows to be judged by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from features.definitions.definition import ShopFacts
from features.errors import TrainingError
from features.warehouse.gate import Gate
from models.arrays import Floats
from models.churn.rows import (
    MOMENTS_PER_HORIZON,
    SHARE_OF_HORIZON_BEFORE,
    ChurnRows,
    churn_rows,
    customers_at,
    enough_known,
    rolling_dates,
)
from models.churn.settings import ChurnTask
from models.churn.training import require_enough
from models.targets import first_orders

FEWEST_MOMENTS = 2


@dataclass(frozen=True)
class ChurnTrial:
    """`known` was on record before the rows of `judged` began; `task` names the columns of both.

    `today` (customers, features) are the customers whom the model is made for, where moments
    differ: those of the judged moment, as they were then.
    """

    task: ChurnTask
    known: ChurnRows
    judged: ChurnRows
    today: Floats | None = None

    def column(self, name: str, rows: ChurnRows) -> Floats:
        """One feature of `rows` by its name, shape (rows,)."""
        return rows.features[:, self.task.features.index(name)]


@dataclass(frozen=True)
class SplitHistory:
    """All rows of a shop, the moment from which on a model is judged, how many moments there are,
    and whose rows (customers) they are.

    `today` (customers, features) are the customers at the end of the record, whose outcomes nobody
    knows.
    """

    everything: ChurnRows
    today: Floats
    holdout: datetime
    moments: int
    customers: NDArray[np.int64]

    def trial(self, task: ChurnTask) -> ChurnTrial:
        """Rows before the holdout, and those of it; how they are judged has no use for more than
        who left.
        """
        judged_at = np.datetime64(self.holdout, "us")
        before, within = self.everything.as_of < judged_at, self.everything.as_of == judged_at
        labelled = replace(self.everything, futures=None)
        judged = labelled.at(within)
        if len(np.unique(judged.labels)) < 2:
            said = "every customer left" if judged.labels.all() else "no customer left"
            raise TrainingError(
                f"within the newest horizon, from {self.holdout:%Y-%m-%d} on, {said} of the"
                f" {len(judged.labels):,} who allow their order times to be used, so a forecast"
                " cannot be judged. Load newer orders, ask more customers, or choose another"
                " horizon (`horizon_days` in sayso.toml)."
            )
        return ChurnTrial(task, labelled.at(before), judged, judged.features)


def split_history(gate: Gate, task: ChurnTask, until: datetime, shop: ShopFacts) -> SplitHistory:
    """Rows at rolling moments, the last a horizon before `until`; every row learnt from ends its
    horizon before that holdout.

    Raises `TrainingError` where the history is too short or of too few customers.
    """
    horizon = timedelta(days=task.horizon_days)
    holdout = until - horizon
    first_order = first_orders(gate, until)
    require_enough(len(first_order))
    earliest = enough_known(first_order)
    dates = rolling_dates(earliest, holdout - horizon, task.horizon_days)
    if len(dates) < FEWEST_MOMENTS:
        raise _too_short(task.horizon_days, len(dates), earliest, until)
    dates.append(holdout)
    frame = customers_at(gate, task.features, [*dates, until], shop)
    today = frame["as_of"] == until
    require_enough(frame.loc[~today, "customer"].nunique())
    everything = churn_rows(gate, frame[~today], task.features, task.horizon_days)
    of_today = frame.loc[today, list(task.features)].to_numpy("float64")
    return SplitHistory(everything, of_today, holdout, len(dates), frame["customer"].unique())


def _too_short(
    horizon_days: int, moments: int, earliest: datetime, until: datetime
) -> TrainingError:
    horizons = 2 + 1 / SHARE_OF_HORIZON_BEFORE + (FEWEST_MOMENTS - 1) / MOMENTS_PER_HORIZON
    longest = int((until - earliest).days / horizons)
    shorten = (
        f", or shorten the horizon to at most {longest} days (`horizon_days` in sayso.toml)"
        if longest
        else ""
    )
    return TrainingError(
        f"the history is too short for a horizon of {horizon_days} days: from {earliest:%Y-%m-%d},"
        f" when enough customers had ordered, until {until:%Y-%m-%d} it holds {moments} of the"
        f" {FEWEST_MOMENTS} moments to learn from that are needed at least, so that one is judged"
        f" by what was learnt from another. Load more history{shorten}."
    )
