"""Addresses of elsewhere in what a browser is served."""

from __future__ import annotations

import re

import httpx

ADDRESS = re.compile(
    r"(?:\b(?P<scheme>[a-z][a-z0-9+.-]*):)?//(?P<host>[a-z0-9\[][a-z0-9.\-\]:]*)", re.IGNORECASE
)
JSON = "application/json"
NOBODYS = re.compile(r"(^|\.)example(\.com|\.net|\.org)?$")
"""Names that RFC 2606 keeps for documentation: examples of the API have them."""
LOADED_FROM = re.compile(r"<link[^>]+href=[\"']?([^\"'\s>]+)", re.IGNORECASE)


def foreign_addresses(response: httpx.Response) -> list[str]:
    """Every address in the body or the headers of `response` that is not the service's own, whether
    or not it would be loaded; but for names of nobody in JSON, of which nothing is loaded.
    """
    own, nobodys = response.url.netloc.decode(), JSON in response.headers.get("content-type", "")
    text = "\n".join([response.text, *response.headers.values()])
    return [
        found.group()
        for found in ADDRESS.finditer(text)
        if (host := found["host"].lower()) != own and not (nobodys and NOBODYS.search(host))
    ]


def style_sheets(response: httpx.Response) -> set[str]:
    """Addresses of what a page loads with `<link>`."""
    return {str(response.url.join(address)) for address in LOADED_FROM.findall(response.text)}
