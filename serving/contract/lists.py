"""Lists of products as the API takes them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from serving.contract.requests import Id, Request
from serving.delivery.product_lists import MOST_PRODUCTS


class ProductListRequest(Request):
    """The products of a list; each is named once."""

    product_ids: Annotated[
        tuple[Id, ...],
        Field(fail_fast=True, max_length=MOST_PRODUCTS, examples=[["22423", "85123A"]]),
    ]
