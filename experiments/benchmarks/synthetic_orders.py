"""Orders of a made-up shop of any size, in which nothing changes with time: what a model may learn
of it holds in the future too.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.churn.settings import FEWEST_CUSTOMERS

BEGIN = np.datetime64("2024-01-01", "us")
MEAN_WAIT_DAYS = 35.0
MEAN_STAY_DAYS = 250.0
LAST_ARRIVAL = 0.9
"""Customers arrive over this share of the record."""
SECOND = np.timedelta64(1, "s")
DAY_SECONDS = 86_400


def made_up_orders(customers: int, days: int, seed: int = 7) -> pd.DataFrame:
    """Orders of so many customers within so many days: customer (int64), ordered_at
    (datetime64[us]), amount (float64), oldest first.

    As many customers as anything is learnt from come on the first day, the others arrive evenly.
    After a first order they order at a rate of their own until they leave, unseen (Pareto/NBD:
    Schmittlein, Morrison and Colombo, Management Science 1987). What they spend is usual for them,
    and who orders more often spends a little less.
    """
    draw = np.random.default_rng(seed)
    arrival = draw.uniform(0, LAST_ARRIVAL * days, customers)
    arrival[:FEWEST_CUSTOMERS] /= LAST_ARRIVAL * days
    stay = np.minimum(draw.exponential(MEAN_STAY_DAYS, customers), days - arrival)
    rate = draw.gamma(1.2, 1 / 1.2, customers) / MEAN_WAIT_DAYS
    customer = np.repeat(np.arange(customers), 1 + draw.poisson(rate * stay))
    first = np.diff(customer, prepend=-1) > 0
    day = arrival[customer] + np.where(first, 0.0, draw.random(len(customer))) * stay[customer]
    usual = draw.normal(3.0 - 2.0 * rate, 0.5)
    frame = pd.DataFrame(
        {
            "customer": customer,
            "ordered_at": BEGIN + (day * DAY_SECONDS).astype(np.int64) * SECOND,
            "amount": np.exp(usual[customer] + draw.normal(0, 0.4, len(customer))).round(2),
        }
    )
    return frame.sort_values(["ordered_at", "customer", "amount"], ignore_index=True)
