"""Orders of a made-up shop of any size, in which nothing changes with time: what a model may learn
of it holds in the future too.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.synthetic.order_days import OrderProcess
from features.synthetic.shop import BEGIN, SECONDS_PER_DAY

USUAL_LOG_AMOUNT, LESS_PER_RATE = 3.0, 2.0
"""Mean logarithm of what a customer spends on an order, and what a rate of one a day takes off."""
DIFFERENCES, SWINGS = 0.5, 0.4
"""Standard deviations of that logarithm: between customers, and between orders of one."""
SECOND = np.timedelta64(1, "s")


def draw_orders(process: OrderProcess, customers: int, days: int, seed: int = 7) -> pd.DataFrame:
    """Orders of so many customers within so many days: customer (int64), ordered_at
    (datetime64[us]), amount (float64), oldest first.

    What customers spend is usual for them, and who orders more often spends a little less.
    """
    draw = np.random.default_rng(seed)
    customer, day, rates, _ = process.order_days(draw, customers, days)
    usual = draw.normal(USUAL_LOG_AMOUNT - LESS_PER_RATE * rates, DIFFERENCES)
    amount = np.exp(usual[customer] + draw.normal(0, SWINGS, len(customer))).round(2)
    moment = np.datetime64(BEGIN, "us") + (day * SECONDS_PER_DAY).astype(np.int64) * SECOND
    frame = pd.DataFrame({"customer": customer, "ordered_at": moment, "amount": amount})
    return frame.sort_values(["ordered_at", "customer", "amount"], ignore_index=True)
