"""`POST /v1/transactions` and `/v1/products` as callers meet them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from features.shop.shop import Shop
from serving.access.api_keys import Keys
from serving.bootstrap import Sayso, assemble
from serving.http.app import make_app

TRANSACTIONS, PRODUCTS = "/v1/transactions", "/v1/products"


@pytest.fixture
def sayso(fresh_shop: Shop) -> Iterator[Sayso]:
    """The made-up shop's service, without a model."""
    made = assemble(fresh_shop.workspace, "http://shop.test")
    yield made
    made.close()


@pytest.fixture
def client(sayso: Sayso) -> Iterator[TestClient]:
    """A caller whose key may send rows and read what is held."""
    app = make_app()
    app.state.sayso = sayso
    _, secret = Keys(sayso.shop.database).create(["ingest", "privacy"], "till", "Nora")
    with TestClient(app, headers={"Authorization": f"Bearer {secret}"}) as asking:
        yield asking


def line(sayso: Sayso, id: str, **cells: Any) -> dict[str, Any]:
    """An order line of yesterday."""
    usual = {"customer_id": "c000", "order_id": "N1", "product_id": "NEW", "amount": 7}
    ordered = f"{sayso.shop.clock() - timedelta(days=1):%Y-%m-%d}"
    return {"id": id, **usual, "ordered_at": ordered, **cells}


def sent(client: TestClient, path: str, *rows: Any) -> dict[str, Any]:
    """The answer to rows."""
    answer = client.post(path, json={path.rpartition("/")[2]: rows})
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_answer_says_what_became_of_each_row(sayso: Sayso, client: TestClient) -> None:
    """Rows accepted, sent before, dropped and refused are told apart, a refused one by its place
    and the reason.
    """
    rows = [
        line(sayso, "1"),
        line(sayso, "1"),
        line(sayso, "2", customer_id="c018"),
        line(sayso, "3", quantity="many"),
        {"product_id": "without an id"},
        line(sayso, "", order_id="N2"),
    ]
    answer = sent(client, TRANSACTIONS, *rows)
    rejected = answer.pop("rejected")
    assert answer == {"accepted": 1, "duplicate": 1, "dropped_unconsented": 1}
    assert [one["index"] for one in rejected] == [3, 4, 5]
    assert "quantity is 'many', which is no number" in rejected[0]["detail"]
    assert "`id` has to be a text" in rejected[1]["detail"]


def test_who_sent_a_row_is_known_and_the_customer_is_shown_it(
    sayso: Sayso, client: TestClient
) -> None:
    """An export holds the row, an erasure deletes it, and from then on rows of the customer are
    dropped.
    """
    sent(client, TRANSACTIONS, line(sayso, "1"))
    held = client.get("/v1/customers/c000/export").json()["rows_sent_over_HTTP"]
    assert held[0]["rows"]["transactions"][0]["product_id"] == "NEW"
    with sayso.shop.database.read() as connection:
        actors = connection.exec_driver_sql("SELECT actor FROM arrivals").scalars().all()
    assert actors == ["key:till"]
    assert client.delete("/v1/customers/c000").status_code == 200
    with sayso.shop.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM arrivals").scalar() == 0
    assert sent(client, TRANSACTIONS, line(sayso, "2"))["dropped_unconsented"] == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"transactions": []}, 422),
        ({"transactions": [{"id": str(n)} for n in range(1_001)]}, 422),
        ({"transactions": ["row"]}, 422),
        ({"rows": []}, 422),
        ({"transactions": [{"id": "1"}], "more": 1}, 422),
        ([], 422),
    ],
)
def test_a_body_of_another_shape_is_refused_as_a_whole(
    client: TestClient, body: Any, status: int
) -> None:
    """No rows, too many, and what are no rows are refused, and nothing is kept."""
    answer = client.post(TRANSACTIONS, json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_thousand_rows_fit_into_one_request(sayso: Sayso, client: TestClient) -> None:
    """A thousand rows of all columns are taken at once."""
    more = {"quantity": 1, "unit_price": 7, "status": "paid", "country": "Austria"}
    rows = [line(sayso, f"r{n}", order_id=f"N{n}", **more) for n in range(1_000)]
    assert sent(client, TRANSACTIONS, *rows)["accepted"] == 1_000


def test_another_scope_may_not_send_rows(sayso: Sayso, client: TestClient) -> None:
    """A key without the scope `ingest` is refused."""
    _, other = Keys(sayso.shop.database).create(["recommend"], "shop", "Nora")
    headers = {"Authorization": f"Bearer {other}"}
    body = {"products": [{"id": "1", "product_id": "NEW"}]}
    assert client.post(PRODUCTS, json=body, headers=headers).status_code == 403
    assert sent(client, PRODUCTS, *body["products"])["accepted"] == 1
    sayso.watch.look()
    assert sayso.assortment.for_names.title("NEW") == "NEW"
