"""Orders as Shopify and WooCommerce announce them, as statements of whole orders in the warehouse's
words: the same columns that the layouts of their exports map, so that the same purchase rules hold
and an order has the same number in both.

Shopify: https://shopify.dev/docs/api/admin-rest/latest/resources/order
WooCommerce: https://developer.woocommerce.com/docs/apis/rest-api/v3/orders/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from features import clock
from features.intake.over_http.statements import Statement

System = Literal["shopify", "woocommerce"]


class Announced(BaseModel):
    """A part of an announced order; what is not needed is passed over."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)


class _Amount(Announced):
    amount: str = "0"


class _ShopifyLine(Announced):
    id: str
    sku: str | None = None
    name: str | None = None
    title: str | None = None
    quantity: int
    price: str
    discount_allocations: tuple[_Amount, ...] = ()


class _RefundedLine(Announced):
    line_item_id: str
    quantity: int = 0
    subtotal: str = "0"


class _ShopifyRefund(Announced):
    refund_line_items: tuple[_RefundedLine, ...] = ()


class _ShopifyAddress(Announced):
    country_code: str | None = None


class ShopifyOrder(Announced):
    """An order of Shopify. A refund is told by the lines that were refunded."""

    id: str
    name: str
    email: str | None = None
    phone: str | None = None
    created_at: str
    updated_at: str
    cancelled_at: str | None = None
    financial_status: str | None = None
    test: bool = False
    currency: str | None = None
    line_items: tuple[_ShopifyLine, ...]
    refunds: tuple[_ShopifyRefund, ...] = ()
    shipping_address: _ShopifyAddress | None = None
    billing_address: _ShopifyAddress | None = None

    def statement(self) -> Statement:
        """The order as a whole. Customers are known by their e-mail address, as in its export."""
        address = self.shipping_address or self.billing_address or _ShopifyAddress()
        shared = {
            "order_id": self.name,
            "customer_id": self.email or self.phone,
            "ordered_at": self.created_at,
            "status": self.financial_status,
            "cancelled_at": self.cancelled_at,
            "test": self.test,
            "currency": self.currency,
            "country": address.country_code,
        }
        rows = [{**shared, **self._line(line)} for line in self.line_items]
        return _whole("shopify", self.id, self.name, self.updated_at, rows)

    def _line(self, line: _ShopifyLine) -> dict[str, Any]:
        back = [
            part
            for refund in self.refunds
            for part in refund.refund_line_items
            if part.line_item_id == line.id
        ]
        return {
            "product_id": line.sku or line.name or line.title,
            "quantity": line.quantity,
            "unit_price": line.price,
            "discount": round(sum(float(part.amount) for part in line.discount_allocations), 4),
            "refunded_quantity": sum(part.quantity for part in back),
            "refunded_amount": round(sum(float(part.subtotal) for part in back), 4),
        }


class _WooLine(Announced):
    product_id: str | None = None
    sku: str | None = None
    name: str | None = None
    quantity: int
    subtotal: str
    total: str


class _WooRefund(Announced):
    total: str = "0"


class _WooAddress(Announced):
    email: str | None = None
    country: str | None = None


class WooCommerceOrder(Announced):
    """An order of WooCommerce. A refund is told by its sum, which goes over all lines."""

    id: str
    number: str
    status: str
    currency: str | None = None
    date_created_gmt: str
    date_modified_gmt: str
    customer_id: str = "0"
    billing: _WooAddress = Field(default_factory=_WooAddress)
    shipping: _WooAddress = Field(default_factory=_WooAddress)
    line_items: tuple[_WooLine, ...]
    refunds: tuple[_WooRefund, ...] = ()

    def statement(self) -> Statement:
        """The order as a whole. Guests are told apart by their e-mail address, as in its export."""
        refunded = sum(abs(float(refund.total)) for refund in self.refunds)
        shared = {
            "order_id": self.number,
            "customer_id": self.customer_id,
            "customer_email": self.billing.email or None,
            "ordered_at": _utc(self.date_created_gmt),
            "status": self.status,
            "currency": self.currency,
            "country": self.shipping.country or self.billing.country or None,
            "order_refund": round(refunded, 4),
        }
        rows = [
            {
                **shared,
                "product_id": line.sku or line.product_id or line.name,
                "quantity": line.quantity,
                "list_amount": line.subtotal,
                "amount": line.total,
            }
            for line in self.line_items
        ]
        modified = _utc(self.date_modified_gmt)
        return _whole("woocommerce", self.id, self.number, modified, rows)


@dataclass(frozen=True)
class Announcing:
    """How a shop system announces orders: the headers that hold the signature and the topic, what
    topics of orders begin with, and how a body is read.
    """

    system: System
    named: str
    signature: str
    topic: str
    orders: str
    read: Callable[[Any], Statement]


def _shopify(body: Any) -> Statement:
    return ShopifyOrder.model_validate(body).statement()


def _woocommerce(body: Any) -> Statement:
    return WooCommerceOrder.model_validate(body).statement()


SYSTEMS: Mapping[System, Announcing] = {
    "shopify": Announcing(
        "shopify", "Shopify", "x-shopify-hmac-sha256", "x-shopify-topic", "orders/", _shopify
    ),
    "woocommerce": Announcing(
        "woocommerce",
        "WooCommerce",
        "x-wc-webhook-signature",
        "x-wc-webhook-topic",
        "order.",
        _woocommerce,
    ),
}
"""Both sign the body with HMAC-SHA256 in Base64:
https://shopify.dev/docs/apps/build/webhooks/verify-deliveries and
https://developer.woocommerce.com/docs/apis/rest-api/v3/webhooks/
"""


def _whole(
    system: System, id: str, number: str, changed: str, rows: list[dict[str, Any]]
) -> Statement:
    version = clock.to_text(clock.from_text(changed))
    return Statement(f"{system}:{id}", rows, number.strip(), version)


def _utc(gmt: str) -> str:
    """A time of WooCommerce, which has no offset and is of UTC."""
    return clock.to_text(clock.from_text(gmt))
