"""How far one request walks through the code: which own files it touches, and how often it goes
from one to another.

An *own call* is a call event, as `sys.setprofile` reports it, of a frame whose code stands in a
file of `features`, `models`, `explain`, `experiments` or `serving`; a generator or coroutine that
goes on is called once more, and a comprehension is a call too. A *switch* is an own call in another
file than the own call before it. So a function that calls ten functions of one other file, one
after the other, makes one switch, and a function that is returned to makes none until it calls
again. Calls of all threads count in the order in which they happen, as the service answers in a
worker thread that its event loop waits for. Whatever stands between two own frames (FastAPI,
SQLAlchemy, numpy) is passed over. `features/engines` counts as one file: it runs declared
expressions as DuckDB does, and nobody follows a request through the steps of a sum.

`python -m tests.walk` prints the walks of a recommendation, of a withdrawal and of the answer after
it through a made-up shop, which takes a minute to make; `python -m tests.walk WORKSPACE CUSTOMER`
those through a copy of a workspace with models, for a customer who shares at least two categories
for recommendations.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
from fastapi import FastAPI

from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.tracking import Tracking
from serving.access.api_keys import Keys
from serving.bootstrap import Sayso, assemble
from serving.http.app import make_app
from tests.serving_shop import CATEGORIES, make_shop, sharing, train_both

ROOT = Path(__file__).parents[1]
OWN = tuple(
    f"{ROOT / name}/" for name in ("features", "models", "explain", "experiments", "serving")
)
ENGINES = f"{ROOT / 'features' / 'engines'}/"


@dataclass
class Walk:
    """The own calls of a request; `steps` are (file, function) of the first one and of every
    switch.
    """

    steps: list[tuple[str, str]] = field(default_factory=list)

    @property
    def files(self) -> list[str]:
        """The files touched, in the order in which they first were."""
        return list(dict.fromkeys(file for file, _ in self.steps))

    @property
    def switches(self) -> int:
        """How often the walk went from one file to another."""
        return max(len(self.steps) - 1, 0)

    def call(self, frame: FrameType) -> None:
        """Note an own call."""
        file = frame.f_code.co_filename
        file = ENGINES if file.startswith(ENGINES) else file
        if not self.steps or self.steps[-1][0] != file:
            self.steps.append((file, frame.f_code.co_name))


class Follower:
    """Follows every thread that is started within `following`, while `walk` is not None."""

    def __init__(self) -> None:
        self.walk: Walk | None = None

    @contextmanager
    def following(self) -> Iterator[None]:
        """Follow this thread and those that it starts."""
        before = sys.getprofile()
        threading.setprofile(self._event)
        sys.setprofile(self._event)
        try:
            yield
        finally:
            sys.setprofile(before)
            threading.setprofile(None)  # type: ignore[arg-type]  # as it is documented

    def _event(self, frame: FrameType, event: str, _argument: Any) -> None:
        if self.walk is not None and event == "call" and frame.f_code.co_filename.startswith(OWN):
            self.walk.call(frame)


RECOMMENDATION = "POST /v1/recommendations"
WITHDRAWAL = "POST /v1/consents"
AFTERWARDS = "POST /v1/recommendations, the first after a withdrawal"


def walks(workspace: Workspace, customer_id: str) -> dict[str, Walk]:
    """The walks of one customer's recommendation with its whole explanation, and of their
    withdrawal afterwards, each after a request of the same kind.

    Raises `AssertionError` where an answer is refused, or the recommendation is not personalised.
    """
    follower = Follower()
    sayso = assemble(workspace, "http://shop.test")
    try:
        sayso.watch.look()
        with follower.following():
            return asyncio.run(_walked(sayso, customer_id, follower))
    finally:
        sayso.close()


async def _walked(sayso: Sayso, customer_id: str, follower: Follower) -> dict[str, Walk]:
    """What the requests of a recommendation and of a withdrawal touch, through the ASGI app."""
    app = make_app()
    app.state.sayso = sayso
    _, secret = Keys(sayso.shop.database).create(["all"])
    async with _client(app, secret) as client:
        asked = {"customer_id": customer_id, "explain": "full"}
        await _sent(client, "/v1/recommendations", asked)  # made, compiled and cached from here on
        follower.walk = recommendation = Walk()
        answer = await _sent(client, "/v1/recommendations", asked)
        follower.walk = None
        if not answer["personalized"]:
            raise AssertionError(f"the answer is not personalised: {answer}")
        first, second = (_withdrawal(customer_id, name) for name in answer["consent"]["used"][-2:])
        await _sent(client, "/v1/consents", first)
        await _sent(client, "/v1/recommendations", asked)
        follower.walk = withdrawal = Walk()
        await _sent(client, "/v1/consents", second)
        follower.walk = afterwards = Walk()
        await _sent(client, "/v1/recommendations", asked)
        follower.walk = None
    return {RECOMMENDATION: recommendation, WITHDRAWAL: withdrawal, AFTERWARDS: afterwards}


def _client(app: FastAPI, secret: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://shop.test",
        headers={"Authorization": f"Bearer {secret}"},
    )


async def _sent(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    response = await client.post(path, json=body)
    if not response.is_success:
        raise AssertionError(f"{path}: {response.status_code} {response.text}")
    document: dict[str, Any] = response.json()
    return document


def _withdrawal(customer_id: str, category: str) -> dict[str, str]:
    return {
        "customer_id": customer_id,
        "purpose": "recommendations",
        "category": category,
        "action": "withdrawn",
        "method": "test",
    }


def told(name: str, walk: Walk) -> str:
    """A walk as a table: each file in the order in which it is first touched, by which function,
    and how often the walk came to it.
    """
    first: dict[str, str] = {}
    for file, function in walk.steps:
        first.setdefault(file, function)
    came = [file for file, _ in walk.steps]
    lines = [f"{name}: {len(walk.files)} files, {walk.switches} switches", ""]
    lines += [f"{'':4}{'file':48}{'first by':32}times"]
    lines += [
        f"{number:3} {file.removeprefix(f'{ROOT}/'):48}{first[file]:32}{came.count(file):5}"
        for number, file in enumerate(walk.files, 1)
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    """Print both walks of a copy of a workspace; of a made-up shop where none is named."""
    with tempfile.TemporaryDirectory() as folder:
        root, customer_id = _shop(Path(folder), arguments)
        for name, walk in walks(Workspace.open(root), customer_id).items():
            sys.stdout.write(told(name, walk) + "\n\n")


def _shop(folder: Path, arguments: Sequence[str]) -> tuple[Path, str]:
    """A workspace with models that may be changed, and a customer of it who shares everything."""
    if arguments:
        workspace, customer_id = arguments
        return shutil.copytree(workspace, folder / "copy"), customer_id
    root = make_shop(folder)
    shop = Shop(Workspace.open(root))
    train_both(shop, Tracking.of(shop.workspace))
    shop.database.close()
    return root, sharing(*CATEGORIES)[0]


if __name__ == "__main__":
    main(sys.argv[1:])
