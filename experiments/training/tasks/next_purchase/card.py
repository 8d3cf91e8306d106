"""What the card of a next-purchase model says of it in particular."""

from __future__ import annotations

from experiments.model_card.wording import CardWording

METRICS = ("recall_at_10", "ndcg_at_10", "phr_at_10")
CARD = CardWording(
    purpose="suggest products",
    uses=(
        (
            "It orders products by how likely a customer is to want them next, for suggestions in"
            " the shop and in messages they agreed to."
        ),
        (
            "It is not made to infer anything sensitive from what somebody buys, to set prices, or"
            " to decide what a customer may not see."
        ),
    ),
    limits=(
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
    judged="orders",
    metrics=METRICS,
    metrics_by_consent=METRICS,
)
