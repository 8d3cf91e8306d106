"""Leaks into what models learn from and into what is known of products."""

from __future__ import annotations

import experiments.next_purchase
import models.churn_rows
import models.purchases
import models.targets
import serving.shelf
from serving.selftests.withheld.leaks.leak import Leak, Swap, through_open_gate

LEAKS = (
    Leak("best sellers count withheld purchases", "next_purchase", (Swap(serving.shelf, "orders", through_open_gate),)),
    Leak("the ranker learns from withheld orders", "next_purchase", (Swap(experiments.next_purchase, "orders", through_open_gate),)),
    Leak("usual prices count withheld ones", "next_purchase", (Swap(models.purchases, "prices", through_open_gate),)),
    Leak("shares by country count withheld homes", "next_purchase", (Swap(models.purchases, "homes", through_open_gate),)),
    Leak(
        "the target is made of withheld rows",
        "churn",
        (Swap(models.churn_rows, "first_orders", through_open_gate), Swap(models.churn_rows, "futures", through_open_gate)),
    ),
    Leak("the expected value is learnt from withheld amounts", "churn", (Swap(models.targets, "_spent", through_open_gate),)),
)
