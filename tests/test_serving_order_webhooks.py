"""Orders as Shopify and WooCommerce announce them: signed, each version once, by the rules of
files.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from features.config.environment import Settings
from features.events.arrivals import read
from features.shop.online import online_stores
from features.shop.shop import Shop
from serving.bootstrap import assemble
from serving.http.app import make_app
from serving.http.reference.examples import examples

SECRET = "hush-hush-hush-hush-hush-hush-hush"  # noqa: S105 - of a test
SHOPIFY, WOOCOMMERCE = "/v1/transactions/shopify", "/v1/transactions/woocommerce"
SIGNED = {SHOPIFY: "X-Shopify-Hmac-Sha256", WOOCOMMERCE: "X-WC-Webhook-Signature"}
TOPIC = {SHOPIFY: "X-Shopify-Topic", WOOCOMMERCE: "X-WC-Webhook-Topic"}


@pytest.fixture
def client(fresh_shop: Shop) -> Iterator[TestClient]:
    """Whoever reaches the service, without a key."""
    sayso = assemble(fresh_shop.workspace, "http://shop.test")
    app = make_app(Settings(shopify_secret=SECRET, woocommerce_secret=SECRET))
    app.state.sayso = sayso
    with TestClient(app) as asking:
        yield asking
    sayso.close()


def shopify(**changed: Any) -> dict[str, Any]:
    """An order of two lines, as https://shopify.dev/docs/api/admin-rest/latest/resources/order has
    it, with what is not needed left out.
    """
    return {
        "id": 820982911946154508,
        "name": "#1001",
        "email": "c000",
        "created_at": "2024-10-01T11:00:00-05:00",
        "updated_at": "2024-10-01T11:00:01-05:00",
        "cancelled_at": None,
        "financial_status": "paid",
        "test": False,
        "currency": "GBP",
        "customer": {"id": 115310627314723954},
        "line_items": [
            {"id": 1, "sku": "MUG", "name": "Mug - Blue", "quantity": 3, "price": "5.00"},
            {
                "id": 2,
                "sku": "",
                "name": "Tea",
                "quantity": 1,
                "price": "8.00",
                "discount_allocations": [{"amount": "2.00"}],
            },
        ],
        "refunds": [],
        **changed,
    }


def woocommerce(**changed: Any) -> dict[str, Any]:
    """An order, as https://developer.woocommerce.com/docs/apis/rest-api/v3/orders/ has it."""
    return {
        "id": 727,
        "number": "727",
        "status": "processing",
        "currency": "GBP",
        "date_created_gmt": "2024-10-01T16:00:00",
        "date_modified_gmt": "2024-10-01T16:00:01",
        "customer_id": 0,
        "billing": {"email": "c000", "country": "AT"},
        "shipping": {"country": ""},
        "line_items": [
            {
                "id": 315,
                "name": "Mug",
                "product_id": 93,
                "sku": "MUG",
                "quantity": 2,
                "subtotal": "12.00",
                "total": "10.00",
            }
        ],
        "refunds": [],
        **changed,
    }


def announce(
    client: TestClient, path: str, order: Any, topic: str = "", **headers: str
) -> httpx.Response:
    """The shop system announces an order."""
    body = order if isinstance(order, bytes) else json.dumps(order).encode()
    signature = base64.b64encode(hmac.digest(SECRET.encode(), body, hashlib.sha256)).decode()
    usual = "orders/updated" if path == SHOPIFY else "order.updated"
    sent = {SIGNED[path]: signature, TOPIC[path]: topic or usual, **headers}
    sent["Content-Type"] = "application/json"
    answer: httpx.Response = client.post(path, content=body, headers=sent)
    return answer


def lines(shop: Shop) -> dict[str, tuple[int, float]]:
    """Units and money by product in what came of the customer."""
    with shop.database.read() as connection:
        found = read(connection, shop.vault)
    return {
        row["product_id"]: (row["quantity"], row["amount"])
        for one in found
        for row in one.content.rows.get("transactions", ())
    }


def orders(shop: Shop) -> float:
    """How many orders the next answer knows of."""
    _, store = online_stores(shop)
    row = store.ready(shop.customers.pseudonym("c000"))
    return float(row.customer[store.layout.customer.index("orders")])


def test_an_order_of_shopify_counts_in_its_newest_version(
    fresh_shop: Shop, client: TestClient
) -> None:
    """Created, delivered twice, refunded in part, delivered late, cancelled: each version counts
    once, and the newest stands.
    """
    before = orders(fresh_shop)
    created = shopify()
    assert announce(client, SHOPIFY, created, "orders/create").json()["accepted"] == 1
    assert announce(client, SHOPIFY, created, "orders/create").json()["duplicate"] == 1
    assert lines(fresh_shop) == {"MUG": (3, 15.0), "Tea": (1, 6.0)}
    assert orders(fresh_shop) == before + 1
    back = [{"line_item_id": 1, "quantity": 1, "subtotal": "5.00"}]
    refunded = shopify(
        updated_at="2024-10-02T11:00:00Z",
        financial_status="partially_refunded",
        refunds=[{"refund_line_items": back}],
    )
    assert announce(client, SHOPIFY, refunded).json()["accepted"] == 1
    assert lines(fresh_shop) == {"MUG": (2, 10.0), "Tea": (1, 6.0)}
    assert announce(client, SHOPIFY, shopify(test=True)).json()["duplicate"] == 1
    assert orders(fresh_shop) == before + 1
    cancelled = shopify(updated_at="2024-10-03T11:00:00Z", cancelled_at="2024-10-03T11:00:00Z")
    assert announce(client, SHOPIFY, cancelled, "orders/cancelled").json()["accepted"] == 1
    assert orders(fresh_shop) == before


def test_an_order_of_woocommerce_counts_in_its_newest_version(
    fresh_shop: Shop, client: TestClient
) -> None:
    """What was paid after discounts counts, a refund is taken off, and a failed order is none."""
    before = orders(fresh_shop)
    assert announce(client, WOOCOMMERCE, woocommerce(), "order.created").json()["accepted"] == 1
    assert lines(fresh_shop) == {"MUG": (2, 10.0)}
    assert orders(fresh_shop) == before + 1
    later = "2024-10-02T16:00:01"
    refunded = woocommerce(date_modified_gmt=later, refunds=[{"id": 1, "total": "-4.00"}])
    assert announce(client, WOOCOMMERCE, refunded).json()["accepted"] == 1
    assert lines(fresh_shop) == {"MUG": (2, 6.0)}
    failed = woocommerce(date_modified_gmt="2024-10-03T16:00:01", status="failed")
    assert announce(client, WOOCOMMERCE, failed).json()["accepted"] == 1
    assert orders(fresh_shop) == before


@pytest.mark.parametrize("path", [SHOPIFY, WOOCOMMERCE])
def test_a_body_without_the_right_signature_is_refused(
    fresh_shop: Shop, client: TestClient, path: str
) -> None:
    """A signature that is missing, of another body, of another secret or no Base64 gets 401, and
    nothing is kept.
    """
    order = shopify() if path == SHOPIFY else woocommerce()
    body = json.dumps(order).encode()
    of_other = base64.b64encode(hmac.digest(b"other", body, hashlib.sha256)).decode()
    in_hex = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    for said in ("", of_other, in_hex, "%%%", "aGk="):
        assert announce(client, path, order, **{SIGNED[path]: said}).status_code == 401
    signed = announce(client, path, order).request.headers[SIGNED[path]]
    altered = announce(client, path, body + b" ", **{SIGNED[path]: signed})
    assert altered.status_code == 401
    with fresh_shop.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM arrivals").scalar() == 1


def test_what_is_no_order_changes_nothing(fresh_shop: Shop, client: TestClient) -> None:
    """Other topics are passed over, WooCommerce's ping is answered, and a body that is no order is
    refused with what is wrong.
    """
    assert announce(client, SHOPIFY, {"id": 1}, "products/update").json()["accepted"] == 0
    ping = client.post(WOOCOMMERCE, content=b"webhook_id=12")
    assert (ping.status_code, ping.content) == (200, b"")
    assert client.post(SHOPIFY, content=b"webhook_id=12").status_code == 401
    wrong = announce(client, SHOPIFY, {"id": 1})
    assert wrong.status_code == 422
    assert "line_items" in [one["field"] for one in wrong.json()["errors"]]
    assert announce(client, SHOPIFY, b"{").status_code == 400
    assert announce(client, SHOPIFY, shopify(updated_at="soon")).status_code == 400
    unknown = announce(client, SHOPIFY, shopify(email="who@example.com")).json()
    assert unknown["dropped_unconsented"] == 1
    told = announce(client, SHOPIFY, shopify(financial_status="who knows")).json()
    assert "who knows" in told["rejected"][0]["detail"]
    assert lines(fresh_shop) == {}


def test_without_a_secret_the_answer_says_what_to_set(client: TestClient) -> None:
    """Where no secret is set there is nothing, and the answer names the variable."""
    client.app.state.settings = Settings()
    for path, variable in ((SHOPIFY, "SAYSO_SHOPIFY"), (WOOCOMMERCE, "SAYSO_WOOCOMMERCE")):
        answer = client.post(path, content=b"{}")
        assert answer.status_code == 404
        assert f"{variable}_SECRET" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "operation"),
    [(SHOPIFY, "take_orders_of_shopify"), (WOOCOMMERCE, "take_orders_of_woocommerce")],
)
def test_the_documented_examples_are_true(client: TestClient, path: str, operation: str) -> None:
    """The example of each system's orders is answered as the document shows, once its customer is
    one of the shop's.
    """
    example = examples()[operation]
    told = (
        json.dumps(example.request)
        .replace("nora@example.com", "c000")
        .replace("2026-11", "2024-10")
    )
    answer = announce(client, path, json.loads(told), example.parameters[TOPIC[path].lower()])
    assert (answer.status_code, answer.json()) == (example.status, example.answer)
