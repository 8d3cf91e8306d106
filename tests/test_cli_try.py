"""`sayso try`: from an export to a customer's page in one command."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

HEADER = (
    "Name",
    "Email",
    "Financial Status",
    "Created at",
    "Lineitem quantity",
    "Lineitem name",
    "Lineitem price",
    "Lineitem sku",
)
ENDS = datetime(2026, 11, 20)  # noqa: DTZ001 - the file states the zone


def write_shopify(file: Path, customers: int) -> None:
    """Two years of orders of made-up customers as Shopify exports them."""
    choose = random.Random(3)
    products = [(f"SKU-{number}", f"Product {number}", 5.0 + number) for number in range(40)]
    rows: list[tuple[object, ...]] = []
    number = 1000
    for customer in range(customers):
        liked = choose.sample(products, 5)
        moment = ENDS - timedelta(days=choose.uniform(30, 700))
        while moment < ENDS and choose.random() > 0.08:
            number += 1
            own = (f"c{customer}@example.org", "paid", f"{moment:%Y-%m-%d %H:%M:%S} +0100")
            for sku, name, price in choose.sample(liked, choose.choice([1, 2])):
                mail, status, created = own
                rows.append((f"#{number}", mail, status, created, 1, name, price, sku))
                own = ("", "", "")
            moment += timedelta(days=choose.expovariate(1 / 35) + 1)
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows([HEADER, *rows])


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """`sayso` with these words, as a process of its own."""
    command = [str(Path(sys.executable).parent / "sayso"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours


@pytest.mark.slow
def test_an_export_becomes_a_page_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Shopify export is loaded, learnt from and served without an edit; kept, it is a
    workspace. The database that the environment names is left alone.
    """
    write_shopify(tmp_path / "orders.csv", 400)
    kept, elsewhere = tmp_path / "mine", tmp_path / "in-earnest.db"
    monkeypatch.setenv("SAYSO_DATABASE_URL", f"sqlite:///{elsewhere}")
    done = run("try", str(tmp_path / "orders.csv"), "--keep", str(kept), "--exit", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["why_url"].startswith(f"{told['url']}/why/")
    assert set(told["champions"]) | set(told["refused"]) == {"churn", "next_purchase"}
    assert (kept / "sayso.toml").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "orders.csv"]


def test_a_file_that_is_no_shop_is_refused_in_a_paragraph(tmp_path: Path) -> None:
    """What cannot be tried leaves no folder, and says what is missing."""
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    done = run("try", str(tmp_path / "a.csv"), "--exit")
    assert done.returncode == 1
    assert "no column was recognised as" in done.stderr
    assert "Traceback" not in done.stderr
