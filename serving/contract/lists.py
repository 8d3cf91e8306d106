"""Lists of products as the API takes and gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from serving.contract.requests import Id, Request
from serving.delivery.product_lists import MOST_PRODUCTS, ListHead


class ProductListRequest(Request):
    """The products of a list; each is named once."""

    product_ids: Annotated[
        tuple[Id, ...],
        Field(fail_fast=True, max_length=MOST_PRODUCTS, examples=[["22423", "85123A"]]),
    ]


@dataclass(frozen=True, kw_only=True)
class ListAnswer:
    """A list without its products, of which there are so many.

    `digest` is the SHA-256 of their ids, one a line; decisions that left the list out name it.
    """

    name: str
    digest: str
    products: int
    changed_at: str

    @classmethod
    def of(cls, head: ListHead) -> ListAnswer:
        """The answer about a list."""
        return cls(**vars(head))


@dataclass(frozen=True, kw_only=True)
class WholeList(ListAnswer):
    """A list with its products."""

    product_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ListsAnswer:
    """All lists, by name."""

    lists: list[ListAnswer]
