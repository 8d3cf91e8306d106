"""What ends: links that are revoked, codes that are used, forms and erasures sent twice."""

from __future__ import annotations

from typing import Any

from serving.proofs.doors.house import House

AT_ONCE = 8
DOUBLE = 20
CLOSED = {404, 410}


def revoke(house: House, customers: list[str], times: int) -> None:
    """Revoke one link, all of a customer's and all of a key's; each counts from the next request
    on, and for nothing else.
    """
    _, staff = house.key("privacy")
    for number in range(times):
        mine, other = (customers[(number + step) % len(customers)] for step in (0, 1))
        key, headers = house.key("recommend", "consent")
        links = [_links(house, headers, mine) for _ in range(2)]
        others = _links(house, headers, other)
        house.ask(staff, "/v1/links/revocations", {"link": links[0][1]})
        _expect(house, "a link", {links[0][1]: False, links[0][0]: True, links[1][1]: True})
        house.ask(staff, "/v1/links/revocations", {"customer_id": mine})
        ended = {address: False for pair in links for address in pair}
        fresh = _links(house, headers, mine)
        _expect(house, "a customer's links", ended | dict.fromkeys((*others, *fresh), True))
        _, kept = house.key("recommend", "consent")
        of_another_key = _links(house, kept, mine)
        house.keys.revoke(key.id)
        ended = dict.fromkeys((*others, *fresh), False)
        _expect(house, "a key", ended | dict.fromkeys(of_another_key, True))
        refused = house.http.get("/v1/notices", headers=headers).status_code
        house.expect(refused in {401, 429}, "a revoked key was let in")


def use_codes(house: House, customers: list[str]) -> None:
    """A code opens once, for its own customer, within its tries; erasing at once has one
    receipt.
    """
    _, staff = house.key("privacy")
    _, both = house.key("recommend", "consent")
    stranger = house.customers[0]
    for customer_id in customers:
        _, preferences = _links(house, both, customer_id)
        code = _code(house, staff, customer_id)
        other = _code(house, staff, stranger)
        wrong = house.http.post(preferences, data={"act": "download", "code": other})
        house.expect(wrong.status_code == 403, "another customer's code was taken")
        sent = {"method": "POST", "url": preferences, "data": {"act": "download", "code": code}}
        opened = sum(one.status_code == 303 for one in house.at_once([sent] * AT_ONCE))
        house.counts["codes used at once"] += 1
        house.expect(opened == 1, f"one code opened {opened} times")
        code = _code(house, staff, customer_id)
        tries = [{**sent, "data": {"act": "erase", "code": f"AAAA-AAA{n}"}} for n in range(2, 8)]
        house.at_once(tries)
        late = house.http.post(preferences, data={"act": "erase", "code": code})
        house.expect(late.status_code == 403, "a code was taken after five wrong ones")
        _erase_at_once(house, staff, preferences, customer_id)


def _erase_at_once(house: House, staff: dict[str, str], page: str, customer_id: str) -> None:
    code = _code(house, staff, customer_id)
    led = house.http.post(page, data={"act": "erase", "code": code})
    sent = {"method": "POST", "url": led.headers["location"], "data": {"confirmed": "yes"}}
    pages = house.at_once([sent] * AT_ONCE)
    receipts = {one.text.partition("era_")[2][:24] for one in pages if one.status_code == 200}
    house.counts["erasures sent eight times at once"] += 1
    house.expect(len(receipts) == 1, f"one erasure had {len(receipts)} receipts")
    house.expect(house.shop.customers.find(customer_id) is None, "an erasure did not erase")


def send_twice(house: House, customers: list[str]) -> None:
    """The same form twenty times at once is one event, and the ledger says by which link."""
    _, headers = house.key("recommend", "consent")
    for customer_id in customers:
        why, preferences = _links(house, headers, customer_id)
        customer = house.shop.customers.pseudonym(customer_id)
        for page, address in (("why", why), ("preferences", preferences)):
            purpose, category = min(house.allowed(customer_id))
            form = {"purpose": purpose, "category": category, "action": "withdrawn"}
            before = len(house.shop.ledger.history(customer))
            house.at_once([{"method": "POST", "url": address, "data": form}] * DOUBLE)
            written = house.shop.ledger.history(customer)[before:]
            house.counts["forms sent twenty times at once"] += 1
            house.expect(len(written) == 1, f"one form wrote {len(written)} events")
            said_by = {one["actor"] for one in written}
            house.expect(said_by == {f"customer:{page}_link"}, f"the ledger names {said_by}")


def _links(house: House, headers: dict[str, str], customer_id: str) -> tuple[str, str]:
    """The why link and the preferences link of a new answer."""
    answer = house.ask(headers, "/v1/recommendations", {"customer_id": customer_id})
    return answer["why_url"], answer["preferences_url"]


def _code(house: House, staff: dict[str, str], customer_id: str) -> str:
    made: dict[str, Any] = house.ask(staff, f"/v1/customers/{customer_id}/codes", {})
    return str(made["code"])


def _expect(house: House, what: str, opens: dict[str, bool]) -> None:
    for address, wanted in opens.items():
        house.counts["links opened around a revocation"] += 1
        status = house.http.get(address).status_code
        fits = status == 200 if wanted else status in CLOSED
        house.expect(fits, f"after {what} was revoked, a link answered {status}")
