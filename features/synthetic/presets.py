"""The made-up shops that tests, proofs and benchmarks share."""

from __future__ import annotations

from dataclasses import replace

from features.synthetic.baskets import EachOnce, SomeTwice
from features.synthetic.beside_orders import BesideOrders
from features.synthetic.order_days import OwnRhythm
from features.synthetic.shop import Preset

HOME, ABROAD = "United Kingdom", "France"
SEED = 20_240_101
"""Of shops of which one is enough."""

TESTED = Preset(
    customers=320,
    process=OwnRhythm(last_arrival=2 / 3, most_orders=100),
    baskets=EachOnce(),
    customer_ids="c{:03}",
    countries=(HOME, ABROAD),
    shares=(0.7, 0.3),
    moving=0.1,
)
"""A few hundred customers of whom a tenth move abroad: the shop of the tests."""

PROVED = Preset(
    customers=240,
    process=OwnRhythm(ends_alike=True),
    baskets=SomeTwice(),
    customer_ids="made-up-{:05}",
    countries=(HOME, ABROAD, "Ireland"),
    shares=(0.6, 0.3, 0.1),
)
"""The shop of the proofs, which draw many of them with as many customers as they need."""

ENGAGED = Preset(
    customers=1_000,
    process=OwnRhythm(ends_alike=True),
    baskets=EachOnce(products=120, tastes=6, liking=4.0),
    customer_ids="e{:04}",
    countries=(HOME, ABROAD),
    shares=(0.7, 0.3),
    beside=BesideOrders(),
)
"""A shop whose customers look at what they order next, and show in other ways that they left."""

UNCONCERNED = replace(ENGAGED, beside=BesideOrders(telling=False))
"""The same orders, of which nothing else that customers do tells anything."""
