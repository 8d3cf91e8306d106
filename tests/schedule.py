"""Which worker of a test run gets which tests: whole files, and all those that ask the service of a
run together, so that one such service is enough.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from xdist.scheduler import LoadFileScheduling

ASKS_THE_SERVICE = re.compile(r"^def \w+\([^)]*\bservice\b", re.MULTILINE)
"""A test or fixture that takes the fixture `service`."""
SERVED = "the service"


class LoadServedTogether(LoadFileScheduling):
    """Files as `--dist loadfile` gives them out, but for those that ask the service: to one
    worker.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return SERVED if asks_the_service(self.config.rootpath / file) else file


@cache
def asks_the_service(file: Path) -> bool:
    """Whether a test of `file` asks the running service."""
    return ASKS_THE_SERVICE.search(file.read_text(encoding="utf-8")) is not None
