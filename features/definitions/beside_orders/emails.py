"""Features of which of the shop's e-mails a customer reads, and whether there are too many."""

from __future__ import annotations

from ibis import Table

from features.definitions.beside_orders.windows import MONTH, QUARTER, age_of, many
from features.definitions.definition import ShopFacts, defines
from features.definitions.feature import FALLS, FREE, RISES, Feature
from features.definitions.sentence import Bounds, Sentence, Value, where
from features.tables.declared.interactions import (
    EMAIL_CLICKED,
    EMAIL_OPENED,
    EMAIL_SENT,
    EMAIL_UNSUBSCRIBED,
)
from features.warehouse.fields import EMAIL, EMAIL_AT


def _count(key: str, text: str) -> tuple[Sentence, ...]:
    return (Sentence(key, text, places={"count": Value("whole")}),)


DAYS_SINCE_LAST_EMAIL_OPENED = Feature(
    "days_since_last_email_opened",
    direction=RISES,
    unit="days",
    meaning="Days since an e-mail was opened or clicked.",
    says={
        "churn": (
            Sentence(
                "emails.last", "Last opened an e-mail from us {ago}.", places={"ago": Value()}
            ),
        )
    },
)


@defines(
    Feature(
        "emails_last_30_days",
        direction=FREE,
        unit="e-mails",
        meaning="E-mails sent in the last 30 days.",
        says={"churn": _count("emails.30", "E-mails from us in the last 30 days: {count}.")},
    ),
    Feature(
        "emails_opened_last_90_days",
        direction=FALLS,
        unit="e-mails",
        meaning="Times an e-mail was opened in the last 90 days.",
        says={"churn": _count("emails.opened.90", "E-mails opened in the last 90 days: {count}.")},
    ),
    Feature(
        "share_of_emails_opened_last_90_days",
        direction=FALLS,
        unit="share",
        meaning="E-mails opened over e-mails sent in the last 90 days, at most 1.",
        says={
            "churn": (
                Sentence(
                    "emails.share.90",
                    "{share} of every 100 e-mails of the last 90 days were opened.",
                    places={"share": Value("hundredths")},
                ),
            )
        },
    ),
    DAYS_SINCE_LAST_EMAIL_OPENED,
    Feature(
        "emails_since_last_opened",
        direction=RISES,
        unit="e-mails",
        meaning="E-mails sent since one was opened or clicked: the more, the more tiring.",
        says={
            "churn": _count("emails.since", "E-mails from us since one was last opened: {count}.")
        },
    ),
    Feature(
        "unsubscribed_from_emails",
        direction=RISES,
        unit="yes (1) or no (0)",
        meaning="Whether the customer ever unsubscribed from e-mails.",
        says={
            "churn": (
                where("emails.unsubscribed", "Unsubscribed from our e-mails.", Bounds(above=0)),
                where("emails.subscribed", "Never unsubscribed from our e-mails.", Bounds(most=0)),
            )
        },
    ),
    reads=[EMAIL, EMAIL_AT],
)
def emails(rows: Table, _shop: ShopFacts) -> Table:
    """Which e-mails a customer received and opened."""
    opened = rows.email.isin([EMAIL_OPENED, EMAIL_CLICKED])
    t = rows.mutate(age=age_of(rows.email_at, rows), opened=opened, sent=rows.email == EMAIL_SENT)
    read = t.group_by("customer", "as_of").mutate(last_read=t.age.min(where=t.opened))
    since = read.last_read.isnull() | (read.age < read.last_read)
    seen = read.group_by("customer", "as_of").aggregate(
        emails_last_30_days=many(read.sent & (read.age <= MONTH)),
        emails_opened_last_90_days=many((read.email == EMAIL_OPENED) & (read.age <= QUARTER)),
        sent=many(read.sent & (read.age <= QUARTER)),
        days_since_last_email_opened=read.last_read.min(),
        emails_since_last_opened=many(read.sent & since),
        unsubscribed_from_emails=(read.email == EMAIL_UNSUBSCRIBED).cast("int64").max(),
    )
    opened = seen.emails_opened_last_90_days / seen.sent.nullif(0)
    share = (opened > 1.0).ifelse(1.0, opened)
    return seen.mutate(share_of_emails_opened_last_90_days=share)
