"""Features of what a customer asked the shop for help with."""

from __future__ import annotations

from ibis import Table

from features.definitions.beside_orders.windows import QUARTER, age_of, many
from features.definitions.definition import ShopFacts, defines
from features.definitions.feature import FALLS, FREE, RISES, Feature
from features.definitions.sentence import Bounds, Sentence, Value, where
from features.tables.declared.interactions import TICKET_CLOSED, TICKET_OPENED
from features.warehouse.fields import SATISFACTION, SUPPORT, SUPPORT_AT, SUPPORT_TICKET


@defines(
    Feature(
        "open_tickets",
        direction=RISES,
        unit="tickets",
        meaning="Tickets that were opened and are not closed.",
        says={
            "churn": (
                Sentence(
                    "tickets.open",
                    "Questions to us that are not settled: {count}.",
                    places={"count": Value("whole")},
                    where={"": Bounds(least=1)},
                ),
                where("tickets.none", "No question to us is open.", Bounds(below=1)),
            )
        },
    ),
    reads=[SUPPORT, SUPPORT_TICKET],
)
def open_tickets(rows: Table, _shop: ShopFacts) -> Table:
    """How many questions are not settled; a ticket that is opened anew stays settled."""
    tickets = rows.group_by("customer", "as_of", "support_ticket").aggregate(
        opened=(rows.support == TICKET_OPENED).cast("int64").max(),
        closed=(rows.support == TICKET_CLOSED).cast("int64").max(),
    )
    return tickets.group_by("customer", "as_of").aggregate(
        open_tickets=many((tickets.opened == 1) & (tickets.closed == 0))
    )


@defines(
    Feature(
        "tickets_last_90_days",
        direction=FREE,
        unit="tickets",
        meaning="Tickets opened in the last 90 days.",
        says={
            "churn": (
                Sentence(
                    "tickets.90",
                    "Questions to us in the last 90 days: {count}.",
                    places={"count": Value("whole")},
                ),
            )
        },
    ),
    reads=[SUPPORT, SUPPORT_AT],
)
def recent_tickets(rows: Table, _shop: ShopFacts) -> Table:
    """How often a customer asked lately."""
    recent = age_of(rows.support_at, rows) <= QUARTER
    return rows.group_by("customer", "as_of").aggregate(
        tickets_last_90_days=many((rows.support == TICKET_OPENED) & recent)
    )


@defines(
    Feature(
        "last_satisfaction",
        direction=FALLS,
        unit="mark from 1 to 5",
        meaning="How satisfied the customer was with the last ticket that was rated.",
        says={
            "churn": (
                Sentence(
                    "tickets.satisfaction",
                    "Our help was last rated {count} out of 5.",
                    places={"count": Value("tenths")},
                ),
            )
        },
    ),
    reads=[SATISFACTION, SUPPORT_AT],
)
def satisfaction(rows: Table, _shop: ShopFacts) -> Table:
    """The last mark; of several at one moment the lowest."""
    rated = rows.filter(rows.satisfaction.notnull())
    last = rated.group_by("customer", "as_of").mutate(last=rated.support_at.max())
    newest = last.filter(last.support_at == last.last)
    return newest.group_by("customer", "as_of").aggregate(
        last_satisfaction=newest.satisfaction.min()
    )
