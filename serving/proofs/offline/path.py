"""The whole path of a shop, from its files to its customers' pages, where there is no network but
loopback.

Run by `serving.proofs.offline.proof` as `python -m serving.proofs.offline.path FOLDER
demo|small|untrained`.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from features.config.environment import Settings
from features.shop.shop import Shop
from serving.access.api_keys import Keys
from serving.access.signed_links import Links, Page
from serving.demo.preparation import prepare_demo
from serving.demo.script import Crm, DemoScript, tell
from serving.proofs.offline.page_addresses import foreign_addresses, style_sheets
from serving.proofs.stage.sandbox import hand_over, pass_on
from serving.proofs.stage.small_shop import make_shop
from serving.server import free_port, running

READ_FLAGS, WRITE_FLAGS, UP = 0x8913, 0x8914, 0x1
"""Linux's SIOCGIFFLAGS, SIOCSIFFLAGS and IFF_UP (linux/sockios.h, linux/if.h)."""


def raise_loopback() -> None:
    """Switch the network interface `lo` on, which a new network namespace has switched off."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        name, flags = struct.unpack(
            "16sh", fcntl.ioctl(any_socket, READ_FLAGS, struct.pack("16sh", b"lo", 0))
        )
        fcntl.ioctl(any_socket, WRITE_FLAGS, struct.pack("16sh", name, flags | UP))


def walk(folder: Path, shop: Shop) -> dict[str, Any]:
    """Serve `shop`, ask it as the demo does, and read every page; what was seen."""
    _, key = Keys(shop.database).create(["all"])
    with running(shop.workspace, free_port(), folder / "service.log") as url:
        pass_on("asking the service", 0.95)
        crm = Crm(url, key)
        told = tell(crm, shop)
        crm.close()
        pages = list(_pages(url, shop, told))
    return {
        "network interfaces": len(socket.if_nameindex()),
        "answers": sum(isinstance(answer, dict) for answer in vars(told).values()),
        "pages and style sheets": len(pages),
        "foreign": sorted(
            {
                f"{page.url.path.split('/')[1] or 'front'}: {found}"
                for page in pages
                for found in foreign_addresses(page)
            }
        ),
        "refused": [page.url.path.split("/")[1] for page in pages if page.is_server_error],
    }


def _pages(url: str, shop: Shop, told: DemoScript) -> Iterator[httpx.Response]:
    """Every kind of page that a customer or a visitor can be served, and what each of them
    loads.
    """
    customer = shop.customers.find(told.everything["customer_id"])
    preferences = url + Links(shop.workspace.secret(), url).path(Page.PREFERENCES, str(customer))
    why = [told.everything["why_url"], told.nothing["why_url"], told.churn["why_url"]]
    loaded: set[str] = set()
    with httpx.Client(trust_env=False) as browser:
        for address in [
            f"{url}/",
            f"{url}/docs.json",
            f"{url}/why/none",
            f"{url}/nowhere",
            preferences,
            *why,
        ]:
            page = browser.get(address)
            loaded |= style_sheets(page)
            yield page
        for address in sorted(loaded):
            yield browser.get(address)


def main() -> None:
    """Walk the path in the folder and with the shop that the command names."""
    folder, which = Path(sys.argv[1]), sys.argv[2]
    raise_loopback()
    if which == "demo":
        shop = prepare_demo(folder / "demo", Settings(), pass_on).shop
    else:
        shop = make_shop(folder, pass_on, train=which == "small")
    hand_over(walk(folder, shop))


if __name__ == "__main__":
    main()
