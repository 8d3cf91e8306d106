"""Customers who order at random until they are gone, as the Pareto/NBD model has it."""

from __future__ import annotations

import numpy as np


def random_orders(customers: int, horizon_days: int, days: float = 500.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features (customers, 4) after so many days, and who orders nothing within the horizon after them (customers,).

    The features are total_spent, order_days, days_since_first_order and days_since_last_order.
    """
    draw = np.random.default_rng(seed)
    features, silent = np.empty((customers, 4)), np.empty(customers)
    for row in range(customers):
        first = draw.uniform(0, days - 30)
        rate, gone = draw.gamma(0.8) / 30, first + draw.exponential(1 / (draw.gamma(0.8) / 150))
        at = first + np.append(0.0, np.cumsum(draw.exponential(1 / rate, 200)))
        at = at[(at < gone) | (at == first)]
        before = at[at <= days]
        features[row] = 10.0 * len(before), len(before), days - before[0], days - before[-1]
        silent[row] = not ((at > days) & (at <= days + horizon_days)).any()
    return features, silent
