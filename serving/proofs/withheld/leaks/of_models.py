"""Leaks into what models learn from and into what is known of products."""

from __future__ import annotations

import experiments.training.tasks.next_purchase.data
import models.churn.rows
import models.next_purchase.orders
import models.targets
import serving.live.assortment
from serving.proofs.withheld.leaks.leak import Leak, Swap, through_open_gate

LEAKS = (
    Leak(
        "best sellers count withheld purchases",
        "next_purchase",
        (Swap(serving.live.assortment, "orders", through_open_gate),),
    ),
    Leak(
        "the ranker learns from withheld orders",
        "next_purchase",
        (Swap(experiments.training.tasks.next_purchase.data, "orders", through_open_gate),),
    ),
    Leak(
        "usual prices count withheld ones",
        "next_purchase",
        (Swap(models.next_purchase.orders, "prices", through_open_gate),),
    ),
    Leak(
        "shares by country count withheld homes",
        "next_purchase",
        (Swap(models.next_purchase.orders, "homes", through_open_gate),),
    ),
    Leak(
        "the target is made of withheld rows",
        "churn",
        (
            Swap(models.churn.rows, "first_orders", through_open_gate),
            Swap(models.churn.rows, "futures", through_open_gate),
        ),
    ),
    Leak(
        "the expected value is learnt from withheld amounts",
        "churn",
        (Swap(models.targets, "_spent", through_open_gate),),
    ),
)
