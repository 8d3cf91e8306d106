"""No customer id of the shop leaves the database: not into the log, the metrics or MLflow."""

from __future__ import annotations

import httpx
import pytest

from features.database.tables import metadata
from tests.serving_shop import CANARY, FOR_ITEMS

pytest_plugins = ["tests.serving_fixtures"]


@pytest.fixture(scope="module")
def busy(service, pool) -> list[str]:
    """Customers for whom every route was called, rightly and wrongly."""
    customers = pool.take(3)
    for customer in customers:
        items, churn = service.recommend(customer), service.churn(customer)
        service.say(customer, FOR_ITEMS, "location", "withdrawn")
        service.opt_out(customer, "brand", "brand 1")
        service.replay(items["decision_id"])
        service.page(churn["why_url"])
        service.page(items["preferences_url"])
        for path in (
            f"/v1/customers/{customer}/consents",
            f"/v1/customers/{customer}/opt-outs",
            f"/v1/nowhere/{customer}",
        ):
            service.http.get(path)
        service.http.post("/v1/recommendations", json={"customer_id": customer, "k": 0})
        httpx.post(f"{service.url}/v1/churn", json={"customer_id": customer})
    return customers


def test_the_log_names_no_customer(busy, server_log):
    """What the server printed holds no customer id."""
    assert busy
    assert CANARY not in server_log.read_text(errors="replace")


def test_the_metrics_name_no_customer_and_no_link(service, busy, pool):
    """`/metrics` holds neither a customer id nor a signed token, in no label."""
    token = service.recommend(pool.one())["why_url"].rsplit("/", 1)[1]
    service.page(f"/why/{token}")
    metrics = httpx.get(f"{service.url}/metrics").raise_for_status().text
    assert busy
    assert CANARY not in metrics
    assert token not in metrics


def test_mlflow_names_no_customer(served_root, served):
    """Neither MLflow's database nor any artifact holds a customer id or a pseudonym."""
    files = [
        served_root / "mlflow.db",
        *(file for file in (served_root / "mlartifacts").rglob("*") if file.is_file()),
    ]
    assert len(files) > 10
    pseudonyms = [str(pseudonym).encode() for pseudonym in served.customers.all()]
    for file in files:
        content = file.read_bytes()
        assert CANARY.encode() not in content, file
        assert not [pseudonym for pseudonym in pseudonyms if pseudonym in content], file


def test_the_shops_ids_stand_in_one_table(served, busy):
    """Of all tables of the database only `customers` holds the shop's ids."""
    assert busy
    with served.database.read() as connection:
        holding = {
            table.name
            for table in metadata.sorted_tables
            if any(
                CANARY in str(cell) for row in connection.execute(table.select()) for cell in row
            )
        }
    assert holding == {"customers"}


def test_the_warehouse_holds_pseudonyms(served_root):
    """No Parquet file of the warehouse holds the shop's ids."""
    files = list((served_root / "warehouse").rglob("*.parquet"))
    assert files
    assert not [file for file in files if CANARY.encode() in file.read_bytes()]
