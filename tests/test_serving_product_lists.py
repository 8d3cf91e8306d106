"""Lists of products that the shop keeps, and what names them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from features.database.engine import Database
from features.errors import NotFound
from serving.delivery import product_lists
from serving.delivery.product_lists import NoSuchList, ProductLists, TooManyLists
from serving.recommending.filters import Hidden
from serving.recommending.known import Positions
from tests.serving_shop import CATEGORIES

pytest_plugins = ["tests.serving_fixtures"]


def test_a_list_leaves_its_products_out_and_is_named_in_the_record(service, pool):
    """No product of a list that a request names is in its answer, personal or not; the record says
    which version of the list it was, and the replay is exact after the list has changed.
    """
    for customer in (pool.one(), pool.one(())):
        usual = service.recommend(customer, k=5)
        gone = [item["product_id"] for item in usual["items"][:3]]
        put = service.http.put("/v1/lists/recalled", json={"product_ids": [*gone, "none", *gone]})
        assert put.json()["products"] == 4
        answer = service.recommend(customer, k=5, exclude_list="recalled")
        assert not {item["product_id"] for item in answer["items"]} & set(gone)
        assert answer["items"]
        exported = service.http.get(f"/v1/customers/{customer}/export").json()
        made_from = exported["decisions"][-1]["made_from"]
        assert made_from["exclude_list"] == {"name": "recalled", "digest": put.json()["digest"]}
        service.http.put("/v1/lists/recalled", json={"product_ids": []})
        assert service.replay(answer["decision_id"])["replay"] == {"identical": True}
        again = service.recommend(customer, k=5, exclude_list="recalled")
        assert [one["product_id"] for one in again["items"]] == [
            one["product_id"] for one in usual["items"]
        ]


def test_lists_are_put_told_and_deleted(service, pool):
    """A list goes in as JSON or as NDJSON, comes out in its order, and is gone once deleted; the
    page of an older decision still opens.
    """
    body = '"p03"\n\n{"product_id": "p01"}\n"p03"\n'
    kind = {"Content-Type": "application/x-ndjson"}
    put = service.http.put("/v1/lists/season", content=body, headers=kind)
    assert (put.status_code, put.json()["products"]) == (200, 2)
    told = service.http.get("/v1/lists/season").json()
    assert told == {**put.json(), "product_ids": ["p03", "p01"]}
    assert put.json() in service.http.get("/v1/lists").json()["lists"]
    answer = service.recommend(pool.one(), exclude_list="season")
    assert service.http.delete("/v1/lists/season").status_code == 204
    assert service.http.delete("/v1/lists/season").status_code == 404
    assert service.http.get("/v1/lists/season").status_code == 404
    assert service.http.get(answer["why_url"]).status_code == 200
    asked = {"customer_id": pool.one(CATEGORIES), "exclude_list": "season"}
    refused = service.http.post("/v1/recommendations", json=asked)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "exclude_list")


@pytest.mark.parametrize(
    ("name", "body", "kind", "status"),
    [
        ("a", "{", "application/json", 400),
        ("a", '"p1"\np2\n', "application/x-ndjson", 400),
        ("a", b"\xff\xfe", "application/x-ndjson", 400),
        ("a", '{"product_ids": [1]}', "application/json", 422),
        ("a", '{"product_ids": ["p1"], "more": 1}', "application/json", 422),
        ("a", '{"product_id": "p1", "x": 2}', "application/x-ndjson", 422),
        ("a", json.dumps(["p1"]), "application/json", 422),
        ("A B", '{"product_ids": ["p1"]}', "application/json", 422),
        ("a", "p1", "text/csv", 415),
        ("a", json.dumps({"product_ids": ["p"] * 100_001}), "application/json", 422),
    ],
)
def test_what_is_no_list_is_refused(service, name, body, kind, status):
    """A faulty list is refused with a problem document, and nothing of it is kept."""
    before = service.http.get("/v1/lists").json()
    answer = service.http.put(f"/v1/lists/{name}", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert service.http.get("/v1/lists").json() == before


def test_a_list_that_was_changed_elsewhere_holds_at_once(tmp_path, monkeypatch):
    """Whoever keeps a list at hand sees at its next use that another worker has changed it; there
    are so many lists and no more.
    """
    database = Database.open(f"sqlite:///{tmp_path}/lists.db")
    here, elsewhere = ProductLists(database), ProductLists(database)
    here.put("one", ["a", "b", "a"], "test")
    assert here.named("one").product_ids == ("a", "b")
    assert here.named("one") is here.named("one")
    elsewhere.put("one", [], "test")
    assert here.named("one").products == frozenset()
    elsewhere.remove("one")
    with pytest.raises(NoSuchList):
        here.named("one")
    with pytest.raises(NotFound):
        here.head("one")
    monkeypatch.setattr(product_lists, "MOST_LISTS", 1)
    here.put("one", ["a"], "test")
    here.put("one", ["b"], "test")
    with pytest.raises(TooManyLists):
        here.put("two", ["a"], "test")
    database.close()


class Statistics:
    """Counts how many names are looked up."""

    def __init__(self) -> None:
        self.asked = 0

    def positions(self, names):
        """The position of `7` is 7; what is no number has none."""
        self.asked += len(names)
        return np.array([int(name) if name.isdigit() else -1 for name in names], dtype=np.intp)


def test_what_is_hidden_from_all_is_looked_up_once():
    """The positions of a set that many answers share are looked up for the first of them only, and
    anew for other statistics.
    """
    shared, positions = frozenset(map(str, range(100))), Positions()
    first, second = Statistics(), Statistics()
    nothing = np.empty(0, dtype=np.int64)
    for number in range(20):
        passing = frozenset({f"{number + 500}"})
        hidden = Hidden(frozenset({"7", "gone"}), (shared, passing))
        for statistics in (first, second):
            (found,) = positions.hidden_of_each([(statistics, hidden)], [nothing])
            assert set(found.tolist()) == {*range(100), number + 500}
        assert "7" in hidden
        assert "12" in hidden
        assert "none" not in hidden
        assert len(hidden) == len(set(hidden)) == 102
    assert (first.asked, second.asked) == (100 + 20 * 3, 100 + 20 * 3)
