"""What the card of a churn model says of it in particular."""

from __future__ import annotations

from experiments.model_card.wording import CardWording

CARD = CardWording(
    purpose="notice customers whom it may be losing",
    uses=(
        (
            "It estimates how probable it is that a customer orders nothing within {horizon} days,"
            " so that a person can ask and help."
        ),
        (
            "It is not made to raise a price, worsen a service or stand in the way of leaving, and"
            " none of the suggested actions does."
        ),
        "It does not say why a customer leaves.",
    ),
    limits=(
        (
            "It was judged on one period. A season or campaign unlike any before moves all"
            " estimates together, which no calibration foresees."
        ),
        (
            "Somebody who orders rarely looks like somebody who left. Estimates for customers with"
            " one order rest on that order alone."
        ),
        (
            "It learnt from customers who agreed. Whoever does not agree gets no estimate, and may"
            " differ from them."
        ),
        (
            "Who withholds a category is told what customers alike in the rest are told on average,"
            " so such estimates lie closer together."
        ),
    ),
    judged="customers",
    metrics=("auc", "log_loss", "ece", "ece_by_chance", "bias", "brier"),
    metrics_by_consent=("auc", "ece", "ece_by_chance", "ece_by_chance_at_most"),
    about_consent=(
        (
            "Exact forecasts, too, show a calibration error in a sample of this size. Beside each"
            " stands what chance alone gives on average, and what it stays under in 95 of 100"
            " samples."
        ),
    ),
    about_groups=(
        "The calibration gap is the mean forecast less the share who left; the selection rate is"
        " the share in the high band."
    ),
)
