"""Exports without order lines that load beside orders: their header, a row or more, and what each
tells of the customer `ann@example.org`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ANN = "ann@example.org"


@dataclass(frozen=True)
class Beside:
    """An export: `table` that it fills, and the cells of its rows there (`told`), by column."""

    header: str
    rows: tuple[str, ...]
    table: str
    told: Mapping[str, tuple[object, ...]]


BESIDE_ORDERS: Mapping[str, Beside] = {
    "mailchimp_audience": Beside(
        "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,CONFIRM_TIME,CC,LEID,TAGS",
        (f"{ANN},Ann,Lee,4,2025-11-02 10:00:00,2025-11-02 10:01:00,DE,1,",),
        "customers",
        {"country": ("DE",), "first_seen": ("2025-11-02 10:00:00",)},
    ),
    "mailchimp_unsubscribed": Beside(
        "Email Address,First Name,MEMBER_RATING,OPTIN_TIME,UNSUB_TIME,UNSUB_CAMPAIGN_ID,LEID",
        (f"{ANN},Ann,1,2025-11-02 10:00:00,2026-02-03 09:00:00,spring,1",),
        "interactions",
        {
            "email": ("email_unsubscribed",),
            "email_at": ("2026-02-03 09:00:00",),
            "email_campaign": ("spring",),
        },
    ),
    "klaviyo_profiles": Beside(
        "Email,Klaviyo ID,First Name,Last Name,Country,Date Added,Email Marketing Consent,Gender",
        (f"{ANN},01H,Ann,Lee,Germany,2025-10-01 10:00:00,SUBSCRIBED,female",),
        "customers",
        {"country": ("Germany",), "first_seen": ("2025-10-01 10:00:00",), "sex": ("female",)},
    ),
    "zendesk_tickets": Beside(
        "Summation column,Id,Requester,Requester email,Subject,Status,Created at,Solved at,"
        "Satisfaction Score",
        (
            f"1,7,Ann Lee,{ANN},Broken cup,Solved,2026-01-11 10:00,2026-01-12 10:00,Good",
            f"1,8,Ann Lee,{ANN},Where is it?,Open,2026-01-13 10:00,,Unoffered",
        ),
        "interactions",
        {
            "support": ("ticket_opened", "ticket_closed", "ticket_opened"),
            "support_at": ("2026-01-11 10:00:00", "2026-01-12 10:00:00", "2026-01-13 10:00:00"),
            "support_ticket": ("7", "7", "8"),
            "satisfaction": (None, 5.0, None),
        },
    ),
    "freshdesk_tickets": Beside(
        "Ticket ID,Subject,Status,Priority,Source,Type,Agent,Group,Created time,Resolved time,"
        "Closed time,Email,Survey results",
        (f"7,Broken,Closed,Low,Email,Q,Bo,A,2026-01-11 10:00,2026-01-12 10:00,,{ANN},Unhappy",),
        "interactions",
        {"support": ("ticket_opened", "ticket_closed"), "satisfaction": (None, 1.0)},
    ),
    "acuity_appointments": Beside(
        "Start Time,End Time,First Name,Last Name,Phone,Email,Type,Calendar,Appointment Price,"
        "Date Scheduled,Canceled",
        (
            f"2026-03-01 10:00,2026-03-01 11:00,Ann,Lee,,{ANN},Class,Bo,20,2026-02-01 10:00,",
            f"2026-03-02 10:00,2026-03-02 11:00,Ann,Lee,,{ANN},Class,Bo,20,2026-02-02 10:00,yes",
        ),
        "interactions",
        {"booked_at": ("2026-02-01 10:00:00",), "booked_product_id": ("Class",)},
    ),
    "calendly_events": Beside(
        "User Name,Invitee Name,Invitee Email,Event Type Name,Start Date & Time,Canceled",
        (f"Bo,Ann Lee,{ANN},Fitting,2026-02-01 10:00,false",),
        "interactions",
        {"booked_at": ("2026-02-01 10:00:00",), "booked_product_id": ("Fitting",)},
    ),
    "ga4_events": Beside(
        "event_date,event_timestamp,event_name,user_pseudo_id,user_id,ga_session_id",
        (
            f"20260110,1768039200000000,page_view,1.2,{ANN},s1",
            f"20260110,1768039260000000,scroll,1.2,{ANN},s1",
            "20260110,1768039260000000,page_view,9.9,,s2",
        ),
        "interactions",
        {"browsed": ("view",), "browsed_session": ("s1",)},
    ),
    "shopify_customers": Beside(
        "Customer ID,First Name,Last Name,Email,Default Address Country Code,Phone,Total Spent,"
        "Total Orders,Tags",
        (f"1,Ann,Lee,{ANN},DE,,20.00,2,",),
        "customers",
        {"country": ("DE",)},
    ),
}
"""By the layout's name."""
