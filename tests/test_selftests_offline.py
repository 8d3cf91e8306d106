"""The selftest that nothing calls home, and the two libraries whose telemetry has to be off."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from features.progress import silent
from features.shop.workspace import Workspace
from serving.proofs.offline.attempted_calls import attempts
from serving.proofs.offline.page_addresses import foreign_addresses, style_sheets
from serving.proofs.offline.proof import OFFLINE
from serving.server import environment
from tests.namespaces import needs_strace

TELLS_MLFLOW = """
from features.database.engine import Database
from models.tracking import Tracking
from pathlib import Path
import sys
root = Path(sys.argv[1])
database = Database.open(f"sqlite:///{root}/sayso.db")
Tracking(f"sqlite:///{root}/mlflow.db", root, database, root)._client
from mlflow.telemetry.client import get_telemetry_client
from mlflow.telemetry.utils import is_telemetry_disabled
print(is_telemetry_disabled(), get_telemetry_client())
"""
TELLS_BENTOML = """
from bentoml._internal.utils.analytics.usage_stats import do_not_track

print(do_not_track())
"""


@pytest.mark.slow
@needs_strace
def test_nothing_leaves_the_machine(tmp_path):
    """Without a network a shop is loaded, served, asked and its pages read, and strace sees nobody
    try to reach one.
    """
    finding = OFFLINE.run(tmp_path, 0.01, silent)
    assert finding.faults == ()
    assert finding.figures["network interfaces"] == 1
    assert finding.figures["planted attempts seen"] >= 4
    assert finding.figures["pages and style sheets"] >= 9


@pytest.mark.slow
@needs_strace
def test_nothing_leaves_the_machine_while_models_are_trained(tmp_path):
    """The same with both models trained and answering."""
    assert OFFLINE.run(tmp_path, 0.1, silent).faults == ()


def told(program: str, folder: Path, given: dict[str, str]) -> str:
    """The last line that a program prints in an environment that says nothing of telemetry but what
    is `given`.
    """
    bare = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    command = [sys.executable, "-c", program, str(folder)]
    done = subprocess.run(  # noqa: S603
        command,
        env={**bare, "HOME": str(folder), **given},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_the_telemetry_of_mlflow_is_off_by_default(tmp_path):
    """Whoever goes through tracking has MLflow's telemetry off without saying so."""
    assert (
        told(TELLS_MLFLOW, tmp_path, {"PYTHONPATH": str(Path(__file__).parent.parent)})
        == "True None"
    )


def test_the_telemetry_of_bentoml_is_off_in_the_service(tmp_path):
    """The service runs with BentoML's and MLflow's telemetry off, which is not BentoML's own
    default.
    """
    (tmp_path / "sayso.toml").touch()
    given = environment(Workspace.open(tmp_path), 3000)
    switches = {name: given[name] for name in ("BENTOML_DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY")}
    assert told(TELLS_BENTOML, tmp_path, switches) == "True"
    assert told(TELLS_BENTOML, tmp_path, {}) == "False"
    assert switches["MLFLOW_DISABLE_TELEMETRY"] == "true"


INET = '{sa_family=AF_INET, sin_port=htons(%d), sin_addr=inet_addr("%s")}'
INET6 = (
    '{sa_family=AF_INET6, sin6_port=htons(%d), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "%s",'
    " &sin6_addr), sin6_scope_id=0}"
)


@pytest.mark.parametrize(
    ("line", "leads_out"),
    [
        (f"connect(5, {INET % (3000, '127.0.0.1')}, 16) = 0", False),
        (f"connect(5, {INET % (443, '192.0.2.1')}, 16 <unfinished ...>", True),
        (f"connect(5, {INET % (53, '127.0.0.53')}, 16) = 0", True),
        (f"connect(5, {INET6 % (80, '::1')}, 28) = 0", False),
        (f"connect(5, {INET6 % (80, '::ffff:127.0.0.1')}, 28) = 0", False),
        (f'sendto(5, ""..., 9, 0, {INET6 % (80, "2001:db8::1")}, 28) = 9', True),
        (f"sendmsg(5, {{msg_name={INET % (9, '198.51.100.1')}, msg_namelen=16}}, 0) = 1", True),
        ('connect(5, {sa_family=AF_UNIX, sun_path="/run/some.socket"}, 110) = 0', False),
        (
            (
                "connect(5, {sa_family=AF_UNIX,"
                ' sun_path="/run/systemd/resolve/io.systemd.Resolve"}, 110) = 0'
            ),
            True,
        ),
        (
            (
                "sendto(5, {nlmsg_type=RTM_GETADDR}, 20, 0, {sa_family=AF_NETLINK, nl_pid=0,"
                " nl_groups=00000000}, 12) = 20"
            ),
            False,
        ),
        ("connect(5, {sa_family=AF_VSOCK, svm_cid=0x2, svm_port=0x1}, 16) = 0", True),
    ],
)
def test_an_attempt_leads_out_or_stays(line, leads_out):
    """Loopback and local sockets stay; every other address, and every question for a name, leads
    out.
    """
    (attempt,) = attempts([line])
    assert attempt.leads_out == leads_out


def page(text: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """A page of a service on port 3000."""
    return httpx.Response(
        200, text=text, headers=headers, request=httpx.Request("GET", "http://127.0.0.1:3000/why/x")
    )


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://elsewhere.example/a.js"></script>',
        '<img src="//elsewhere.example/a.png">',
        "<style>@import url(http://elsewhere.example/a.css)</style>",
        '<form action="http://127.0.0.1:3001/">',
    ],
)
def test_an_address_of_elsewhere_is_found_in_a_page(text):
    """Whatever names another host or port is found, however it is written."""
    assert len(foreign_addresses(page(text))) == 1
    assert len(foreign_addresses(page("", {"Link": text}))) == 1


def test_the_own_addresses_of_a_page_are_no_fault():
    """Relative addresses and those of the service itself are in order, and style sheets are
    followed.
    """
    own = page(
        '<link rel="stylesheet" href="/pages/sayso.css"><a'
        ' href="http://127.0.0.1:3000/preferences/x">all</a>'
    )
    assert foreign_addresses(own) == []
    assert style_sheets(own) == {"http://127.0.0.1:3000/pages/sayso.css"}


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("https://crm.example.com/sayso", 0),
        ("https://sayso.example/why/x", 0),
        ("https://example.org", 0),
        ("https://notexample.com", 1),
        ("https://example.com.evil.net", 1),
        ("https://crm.example.co/sayso", 1),
    ],
)
def test_names_that_are_kept_for_documentation_are_nobodys(address, found):
    """Examples of the API name hosts that RFC 2606 reserves; on a page, or where it only looks like
    one, such a name is found.
    """
    text = f'"{address}"'
    assert len(foreign_addresses(page(text, {"Content-Type": "application/json"}))) == found
    assert len(foreign_addresses(page(text))) == 1
