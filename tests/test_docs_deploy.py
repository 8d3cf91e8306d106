"""The recipes for running the service elsewhere are read by the programs that they are for."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from features.config.environment import Settings
from serving.operations.packaging import CONTAINER_FILE

DOCUMENT = (Path(__file__).parent.parent / "docs/deploy.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^```\w*\n# (/\S+)\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE))
"""The files of the document, by where they go."""
UNITS = [path for path in RECIPES if path.startswith("/etc/systemd/")]
PROGRAM = "/opt/sayso/venv/bin/python /opt/sayso/src/sayso"


def needs(program: str) -> pytest.MarkDecorator:
    """Skips a test where a program is not installed."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def run(*command: str) -> str:
    """What a command prints, which has to succeed."""
    done = subprocess.run(  # noqa: S603 - our own commands
        command, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_settings_are_settings() -> None:
    """Each line of the file of settings sets one that there is."""
    names = re.findall(r"^SAYSO_([A-Z_]+)=", RECIPES["/etc/sayso/sayso.env"], re.MULTILINE)
    assert len(names) == len(RECIPES["/etc/sayso/sayso.env"].splitlines())
    assert {name.lower() for name in names} <= set(Settings.model_fields)


def test_the_container_file_is_the_one_that_is_built() -> None:
    """The document builds a container of the file that `sayso build` writes."""
    assert f"--file bento/{CONTAINER_FILE}" in DOCUMENT


@needs("systemd-analyze")
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_reads_the_units(unit: str, tmp_path: Path) -> None:
    """Systemd finds no fault with a unit, beside the units that it names."""
    for path in UNITS:
        text = RECIPES[path].replace(PROGRAM, sys.executable)
        (tmp_path / Path(path).name).write_text(text, encoding="utf-8")
    assert not run("systemd-analyze", "verify", "--man=no", str(tmp_path / Path(unit).name)).strip()


@needs("nginx")
def test_nginx_reads_its_file(tmp_path: Path) -> None:
    """Nginx finds no fault with its file, once there is a certificate."""
    text = RECIPES["/etc/nginx/conf.d/sayso.conf"].replace("/etc/sayso/tls", str(tmp_path))
    write_certificate(tmp_path / "fullchain.pem", tmp_path / "privkey.pem")
    (tmp_path / "sayso.conf").write_text(text, encoding="utf-8")
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{ include {tmp_path}/sayso.conf; }}\n"
    )
    said = run("nginx", "-t", "-e", f"{tmp_path}/errors", "-c", f"{tmp_path}/nginx.conf")
    assert "warn" not in said


@needs("caddy")
def test_caddy_reads_its_file(tmp_path: Path) -> None:
    """Caddy finds no fault with its file."""
    (tmp_path / "Caddyfile").write_text(RECIPES["/etc/caddy/Caddyfile"], encoding="utf-8")
    run(
        "caddy",
        "adapt",
        "--validate",
        "--adapter",
        "caddyfile",
        "--config",
        f"{tmp_path}/Caddyfile",
    )


def write_certificate(certificate: Path, key: Path) -> None:
    """A certificate of nobody's, and its key."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sayso.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.PrivateFormat.PKCS8
    key.write_bytes(
        private.private_bytes(serialization.Encoding.PEM, plain, serialization.NoEncryption())
    )
