"""Churn estimates of everybody who may be scored, as a table."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from features.progress import Progress, silent
from serving.bootstrap import Sayso
from serving.contract.answers import ChurnAnswer, ChurnExplanation

COLUMNS = (
    "customer_id",
    "probability",
    "band",
    "horizon_days",
    "model_version",
    "used",
    "withheld",
    "base_value",
    "contributions",
    "reasons",
)


def churn_scores(sayso: Sayso, progress: Progress = silent) -> pd.DataFrame:
    """One row per customer with an estimate, most likely to leave first.

    Columns customer_id, probability, band, horizon_days, model_version, used, withheld (str,
    comma-separated), contributions (JSON: feature to log-odds), base_value, reasons (str).
    Customers who may not be scored are not in it.
    """
    shop = sayso.shop
    spine = shop.gate(shop.config.models.churn.purpose).spine(shop.loaded_until())
    customer_ids = sorted(shop.customers.external_ids(spine["customer"].tolist()).values())
    rows = []
    for position, customer_id in enumerate(customer_ids):
        progress("estimating", position / len(customer_ids))
        answer = sayso.churn.estimate(customer_id)
        if answer.model is not None and answer.explanation is not None:
            rows.append(_row(customer_id, answer, answer.model.version, answer.explanation))
    return pd.DataFrame(rows, columns=COLUMNS).sort_values(
        "probability", ascending=False, ignore_index=True
    )


def _row(
    customer_id: str, answer: ChurnAnswer, version: str, why: ChurnExplanation
) -> dict[str, Any]:
    return {
        "customer_id": customer_id,
        "probability": answer.probability,
        "band": answer.band,
        "horizon_days": answer.horizon_days,
        "model_version": version,
        "used": ",".join(answer.consent.used),
        "withheld": ",".join(answer.consent.withheld),
        "base_value": why.base_value,
        "contributions": json.dumps(
            {part.feature: part.contribution for part in why.contributions}
        ),
        "reasons": " ".join(reason.text for reason in why.reasons),
    }
