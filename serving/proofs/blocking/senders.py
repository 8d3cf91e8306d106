"""Senders of large bodies, in a process apart so that they do not slow what measures the service.

Run as `python -m serving.proofs.blocking.senders`, with what to send as JSON on stdin; says when it
begins by an empty line on stdout, goes on until stdin ends, and then writes as a JSON list which
answers were none of the right kind.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

SENDERS = 8
LONGEST = 60.0
LATER = 503


@dataclass(frozen=True)
class Parcel:
    """What every sender sends to `path` on `port`: `repeats` times `unit`, between `opening` and
    `closing`.
    """

    port: int
    path: str
    headers: Mapping[str, str]
    opening: str
    unit: str
    repeats: int
    closing: str = ""

    @property
    def body(self) -> bytes:
        """The body."""
        return (self.opening + self.unit * self.repeats + self.closing).encode()


def send(parcel: Parcel, body: bytes) -> int | None:
    """The status of the answer; None where the service closed the connection before the body was
    through, as it may.
    """
    line = HTTPConnection("127.0.0.1", parcel.port, timeout=LONGEST)
    try:
        line.request("POST", parcel.path, body, dict(parcel.headers))
        answer = line.getresponse()
        answer.read()
    except (OSError, HTTPException):
        return None
    else:
        return answer.status
    finally:
        line.close()


def keep_sending(parcel: Parcel, over: threading.Event, wrong: list[str]) -> None:
    """Send again and again until it is over; what is answered wrongly is added to `wrong`."""
    body = parcel.body
    while not over.is_set():
        status = send(parcel, body)
        if status is not None and status >= 500 and status != LATER:
            wrong.append(f"{parcel.path} answered {status}")


def main() -> None:
    """Send until stdin ends."""
    parcel = Parcel(**json.loads(sys.stdin.readline()))
    over, wrong = threading.Event(), list[str]()
    threads = [
        threading.Thread(target=keep_sending, args=(parcel, over, wrong)) for _ in range(SENDERS)
    ]
    for thread in threads:
        thread.start()
    sys.stdout.write("\n")
    sys.stdout.flush()
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join()
    json.dump(wrong, sys.stdout)


if __name__ == "__main__":
    main()
