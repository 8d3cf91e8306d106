"""What each model is for, what not, and where it ends, as its card says it."""

from __future__ import annotations

WHAT = {"churn": "notice customers whom it may be losing", "next_purchase": "suggest products"}
USES = {
    "churn": (
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
    "next_purchase": (
        (
            "It orders products by how likely a customer is to want them next, for suggestions in"
            " the shop and in messages they agreed to."
        ),
        (
            "It is not made to infer anything sensitive from what somebody buys, to set prices, or"
            " to decide what a customer may not see."
        ),
    ),
}
LIMITS = {
    "churn": (
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
    "next_purchase": (
        (
            "It was judged on the last orders of one month by customers who had ordered before;"
            " first orders are not in these figures."
        ),
        (
            "New products are suggested only as far as they are popular; a product behind which"
            " there are few customers is not in it."
        ),
        (
            "That somebody bought what was suggested does not say that they would not have found it"
            " otherwise."
        ),
    ),
}
SPOKEN = {
    "auc": "AUC",
    "ece": "calibration error",
    "ece_by_chance": "by chance alone",
    "ece_by_chance_at_most": "by chance at most",
    "bias": "mean estimate less share who left",
    "brier": "Brier score",
    "phr_at_10": "hit rate@10",
    "ndcg_at_10": "NDCG@10",
}
