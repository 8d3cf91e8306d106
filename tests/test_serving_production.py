"""Nothing is open to the world by accident."""

from __future__ import annotations

import base64
import secrets
import shutil
import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr
from typer.testing import CliRunner

from features.config.environment import Env, Settings
from features.errors import SaysoError
from features.intake.setup.new_workspace import create
from features.shop.faults import faults
from features.shop.production import is_random, production_faults
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.access.api_keys import Keys
from serving.cli import command_line
from serving.server import NOBODY, ServerFailed, command, environment, free_port, require_sound


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A new workspace that has its database, and a key."""
    create(tmp_path / "shop")
    shop = Shop(Workspace.open(tmp_path / "shop", Settings()))
    Keys(shop.database).create(["score"])
    shop.database.close()
    return tmp_path / "shop"


def in_production(root: Path, **settings: object) -> Workspace:
    """A workspace with all that production asks for, but for what `settings` say otherwise."""
    stated = {
        "workspace": root,
        "env": Env.PRODUCTION,
        "secret": SecretStr(secrets.token_urlsafe(32)),
        "public_url": "https://shop.example",
        "trusted_proxy": "10.0.0.1",
        **settings,
    }
    return Workspace.open(root, Settings().model_copy(update=stated))


def test_a_whole_workspace_may_be_served_in_production(root: Path) -> None:
    """With all that is asked for nothing is said."""
    require_sound(in_production(root))
    require_sound(Workspace.open(root, Settings()))


def test_all_that_is_missing_is_said_at_once(root: Path) -> None:
    """One message names every setting and file that production lacks."""
    (root / "master.keys").chmod(0o640)
    shop = Shop(Workspace.open(root, Settings()))
    keys = Keys(shop.database)
    keys.revoke(keys.list()[0].id)
    shop.database.close()
    nothing = in_production(root, secret=None, public_url="http://shop.example", trusted_proxy=None)
    with pytest.raises(ServerFailed) as refused:
        require_sound(nothing)
    told = str(refused.value)
    for part in (
        "in production",
        "SAYSO_SECRET is not set",
        "SAYSO_PUBLIC_URL",
        "SAYSO_TLS_CERTIFICATE",
        "SAYSO_TRUSTED_PROXY",
        "master.keys",
        "chmod 600",
        "no API key",
        "5.",
    ):
        assert part in told


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"secret": SecretStr("x")}, "too easy to guess"),
        ({"secret": SecretStr("x" * 64)}, "too easy to guess"),
        ({"public_url": None}, "SAYSO_PUBLIC_URL"),
        ({"trusted_proxy": "*"}, "trusts everybody"),
        ({"trusted_proxy": "0.0.0.0/0"}, "trusts everybody"),
        ({"tls_certificate": Path("nowhere.pem")}, "go together"),
        ({"tls_certificate": Path("a.pem"), "tls_key": Path("b.pem")}, "is not there"),
        ({"master_key": SecretStr("short")}, "holds no master key"),
    ],
)
def test_each_weakness_is_refused_by_itself(root: Path, setting: dict, told: str) -> None:
    """A single weak setting is enough, and it is the one that is named."""
    found = production_faults(in_production(root, **setting))
    assert any(told in fault for fault in found)
    assert not any("is not set" in fault for fault in found)


@pytest.mark.parametrize("name", ["secret", "master.keys", "anchor.key", "sayso.db", "warehouse"])
def test_files_that_others_may_open_are_refused(root: Path, name: str) -> None:
    """Keys, database and warehouse are the owner's alone in production."""
    (root / "warehouse").mkdir(mode=0o700, exist_ok=True)
    workspace = in_production(root)
    assert faults(workspace) == []
    (root / name).chmod(0o755 if name == "warehouse" else 0o644)
    assert any(name in fault for fault in faults(workspace))


def test_thirty_two_random_bytes_are_told_from_less() -> None:
    """In hexadecimal, in Base64 of both kinds and as text; less, or the same again, is refused."""
    for _ in range(200):
        made = secrets.token_bytes(32)
        for text in (made.hex(), secrets.token_urlsafe(32), base64.b64encode(made).decode()):
            assert is_random(text)
    for weak in ("", "x", "x" * 100, secrets.token_urlsafe(16), secrets.token_hex(31), "ab" * 64):
        assert not is_random(weak)


def test_a_service_in_production_does_not_start_with_less(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sayso serve` refuses, and says what is missing."""
    monkeypatch.setenv("SAYSO_ENV", "production")
    monkeypatch.setenv("SAYSO_SECRET", "x")
    call = ["serve", "--workspace", str(root), "--port", str(free_port())]
    done = CliRunner().invoke(command_line(), call)
    assert isinstance(done.exception, ServerFailed)
    assert "SAYSO_SECRET is too easy to guess" in str(done.exception)


def test_nobody_is_believed_unless_named(root: Path) -> None:
    """What callers say of where they come from counts for nothing without a trusted proxy."""
    trusting = in_production(root, workers=3, host="10.1.2.3")
    assert environment(trusting, 3000)["FORWARDED_ALLOW_IPS"] == "10.0.0.1"
    assert environment(trusting, 3000)["SAYSO_WORKERS"] == "3"
    assert command(3000, trusting.settings)[-3:] == ["10.1.2.3", "--port", "3000"]
    alone = Workspace.open(root, Settings())
    assert environment(alone, 3000)["FORWARDED_ALLOW_IPS"] == NOBODY


@pytest.mark.slow
def test_it_speaks_tls_with_two_workers(root: Path, tmp_path: Path) -> None:
    """With a certificate the service answers over TLS alone, from two processes."""
    certificate, key = certificate_for("127.0.0.1", tmp_path)
    port = free_port()
    flags = ["--port", str(port), "--workers", "2", "--workspace", str(root)]
    flags += ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [shutil.which("sayso", path=Path(sys.executable).parent), "serve", *flags],
            stdout=log,
            stderr=log,
        )
    trusted = ssl.create_default_context(cafile=str(certificate))
    try:
        with httpx.Client(verify=trusted, timeout=5) as client:
            ends = time.monotonic() + 120
            while time.monotonic() < ends:
                try:
                    if client.get(f"https://127.0.0.1:{port}/livez").is_success:
                        break
                except httpx.TransportError:
                    time.sleep(0.3)
            else:
                pytest.fail((tmp_path / "log").read_text(errors="replace")[-2000:])
            assert client.get(f"https://127.0.0.1:{port}/v1/models").status_code == 401
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/livez", timeout=5)
        assert f"https://127.0.0.1:{port}" in (tmp_path / "log").read_text(errors="replace")
    finally:
        process.terminate()
        process.wait(timeout=30)


def certificate_for(address: str, folder: Path) -> tuple[Path, Path]:
    """A certificate for an address, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "tls.pem", folder / "tls.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    private.chmod(0o600)
    return certificate, private


def test_a_call_in_the_clear_is_refused_when_the_settings_are_read(root: Path) -> None:
    """An http address of the shop's own system is a fault of sayso.toml in production, named with
    its line before anything is served, and none on one's own machine.
    """
    settings = root / "sayso.toml"
    text = settings.read_text(encoding="utf-8")
    called = '\n[webhooks]\ncode_wanted = "http://crm.example/sayso"\n'
    settings.write_text(text + called, encoding="utf-8")
    line = settings.read_text(encoding="utf-8").splitlines().index(called.splitlines()[2]) + 1
    assert Workspace.open(root, Settings()).config.webhooks.code_wanted is not None
    with pytest.raises(SaysoError, match=rf"sayso\.toml, line {line}: .*https://"):
        _ = in_production(root).config
    with pytest.raises(ServerFailed, match="https://"):
        require_sound(in_production(root, webhook_secret=SecretStr("s" * 40)))
    settings.write_text(text + called.replace("http:", "https:"), encoding="utf-8")
    require_sound(in_production(root, webhook_secret=SecretStr("s" * 40)))
