"""Headers of exports without order lines, as their systems write them, and a word of what to take
instead.
"""

from __future__ import annotations

from collections.abc import Mapping

REFUSED: Mapping[str, tuple[str, str]] = {
    "stripe_payments": (
        (
            "id,Created date (UTC),Amount,Amount Refunded,Currency,Captured,Fee,Status,Description,"
            "Customer ID,Customer Email,Invoice ID"
        ),
        "Stripe: it has one row per payment",
    ),
    "mailchimp_audience": (
        "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,CONFIRM_TIME,LEID,TAGS",
        "who receives your newsletter",
    ),
    "klaviyo_profiles": (
        "Email,Klaviyo ID,First Name,Last Name,Email Marketing Consent",
        "who receives your e-mails",
    ),
    "zendesk_tickets": (
        (
            "Summation column,Id,Requester,Requester email,Assignee,Group,Subject,Tags,"
            "Status,Priority,Via,Ticket type,Created at"
        ),
        "tickets of your support",
    ),
    "freshdesk_tickets": (
        (
            "Ticket ID,Subject,Status,Priority,Source,Type,Agent,Group,Created time,Due by Time,"
            "Resolved time,Closed time,Tags"
        ),
        "tickets of your support",
    ),
    "acuity_appointments": (
        "Start Time,End Time,First Name,Last Name,Phone,Email,Type,Calendar,Appointment Price",
        "appointments",
    ),
    "calendly_events": (
        (
            "User Name,Team,Invitee Name,Invitee First Name,Invitee Last Name,Invitee Email,"
            "Event Type Name,Start Date & Time,End Date & Time,Location,Canceled"
        ),
        "booked meetings",
    ),
    "ga4_events": (
        "event_date,event_timestamp,event_name,user_pseudo_id,platform,ga_session_id",
        "with a row per item",
    ),
    "amazon_all_orders": (
        (
            "amazon-order-id,merchant-order-id,purchase-date,last-updated-date,order-status,"
            "fulfillment-channel,product-name,sku,asin,item-status,quantity,currency,item-price,item-tax"
        ),
        "Take the Order report",
    ),
    "etsy_orders": (
        (
            "Sale Date,Order ID,Buyer User ID,Full Name,Number of Items,Payment Method,Currency,"
            "Order Value,Discount Amount,Order Total,Status,Order Net"
        ),
        "Download Order Items instead",
    ),
    "magento_orders_grid": (
        (
            "ID,Purchase Point,Purchase Date,Bill-to Name,Ship-to Name,Grand Total (Base),"
            "Grand Total (Purchased),Status,Customer Email,Subtotal,Payment Method,Total Refunded"
        ),
        "sales_order_item",
    ),
    "shopify_customers": (
        (
            "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Phone,Total Spent,"
            "Total Orders,Tags"
        ),
        "Take Orders > Export",
    ),
}
"""Header and words of the refusal, by the layout's name."""
