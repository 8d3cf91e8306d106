"""Customers who order in a way that is known, until they are gone."""

from __future__ import annotations

import numpy as np


def orders_of_a_kind(
    customers: int, horizon_days: int, regularity: int = 1, days: float = 500.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Features (customers, 4) after so many days, and who orders nothing within the horizon after
    them (customers,).

    The features are total_spent, order_days, days_since_first_order and days_since_last_order. With
    a regularity of 1 orders come at random until some moment (Pareto/NBD), else each is the k-th of
    random events, and some are the last (MBG/CNBD-k).
    """
    draw = np.random.default_rng(seed)
    features, silent = np.empty((customers, 4)), np.empty(customers)
    for row in range(customers):
        first, rate = draw.uniform(0, days - 30), draw.gamma(0.8) / 30
        at = first + np.append(0.0, np.cumsum(draw.gamma(regularity, 1 / (regularity * rate), 200)))
        if regularity == 1:
            gone = first + draw.exponential(1 / (draw.gamma(0.8) / 150))
            at = at[(at < gone) | (at == first)]
        else:
            at = at[: draw.geometric(draw.beta(1.0, 6.0))]
        before = at[at <= days]
        features[row] = 10.0 * len(before), len(before), days - before[0], days - before[-1]
        silent[row] = not ((at > days) & (at <= days + horizon_days)).any()
    return features, silent
