"""What a shop that is open to the world needs, and a trial on one's own machine does not."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, func, select

from features import clock
from features.database.tables import api_keys
from features.errors import SaysoError
from features.shop.private_files import open_files, open_to_others
from features.shop.workspace import Workspace

RANDOM_BYTES = 32
FEWEST_CHARACTERS = 10
"""Different ones in a secret: of 32 random bytes in hexadecimal or Base64, fewer come up less than
once in a million million.
"""
ANYBODY = ("*", "/0")
"""What addresses of proxies hold that stand for everybody's."""
HOW_TO_MAKE = 'python -c "import secrets; print(secrets.token_urlsafe(32))"'


def production_faults(workspace: Workspace) -> list[str]:
    """Everything that `SAYSO_ENV=production` asks of a workspace's settings and files and does not
    find, one sentence each with what to do.
    """
    settings = workspace.settings
    found = [*_of_keys(workspace)]
    if not (settings.public_url or "").startswith("https://"):
        found.append(
            "SAYSO_PUBLIC_URL, the address under which customers reach the service, has to begin"
            " with https://"
        )
    found += _of_transport(workspace)
    found += [
        f"others than its owner may open {file}: close it with chmod"
        f" {'700' if file.is_dir() else '600'}, or with `sayso doctor --fix`"
        for file in open_files(workspace)
    ]
    return found


def no_api_key(connection: Connection) -> str | None:
    """A sentence where no API key is in force, so that nobody could call the service."""
    ends, now = api_keys.c.expires_at, clock.to_text(clock.utc_now())
    in_force = (
        select(func.count())
        .select_from(api_keys)
        .where(api_keys.c.revoked_at.is_(None), ends.is_(None) | (ends > now))
    )
    if connection.execute(in_force).scalar_one():
        return None
    return "there is no API key in force: make one with `sayso keys create --scope SCOPE`"


def is_random(secret: str) -> bool:
    """Whether a secret can be 32 random bytes: long enough as text, hexadecimal or Base64, and of
    many different characters.
    """
    return _bytes_in(secret) >= RANDOM_BYTES and len(set(secret)) >= FEWEST_CHARACTERS


def _bytes_in(secret: str) -> int:
    """How many bytes a text stands for, read as what holds the fewest."""
    try:
        return len(bytes.fromhex(secret))
    except ValueError:
        pass
    padded = secret.rstrip("=") + "=" * (-len(secret.rstrip("=")) % 4)
    try:
        return len(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return len(secret.encode())


def _of_keys(workspace: Workspace) -> Iterator[str]:
    stated = workspace.settings.secret
    if stated is None or not is_random(stated.get_secret_value()):
        what = "is not set" if stated is None else "is too easy to guess"
        yield (
            f"SAYSO_SECRET {what}: it has to be at least {RANDOM_BYTES} random bytes, as"
            f" `{HOW_TO_MAKE}` makes them"
        )
    try:
        workspace.master_keys.all()
    except SaysoError as error:
        yield str(error)


def _of_transport(workspace: Workspace) -> Iterator[str]:
    settings = workspace.settings
    if settings.trusted_proxy is None and settings.tls_certificate is None:
        yield (
            "there is neither TLS nor a proxy that ends it: name the files in"
            " SAYSO_TLS_CERTIFICATE and SAYSO_TLS_KEY, or the proxy's address in"
            " SAYSO_TRUSTED_PROXY"
        )
    elif any(part in (settings.trusted_proxy or "") for part in ANYBODY):
        yield "SAYSO_TRUSTED_PROXY trusts everybody: name the addresses of the proxy"
    yield from tls_faults(settings.tls_certificate, settings.tls_key)
    key = settings.tls_key
    if key is not None and key.is_file() and open_to_others(key):
        yield f"others than its owner may open {key}: close it with chmod 600"


def tls_faults(certificate: Path | None, key: Path | None) -> Iterator[str]:
    """What is wrong with the files of TLS, which go together."""
    if (certificate is None) != (key is None):
        yield "SAYSO_TLS_CERTIFICATE and SAYSO_TLS_KEY go together, and only one of them is set"
    for file in (certificate, key):
        if file is not None and not file.is_file():
            yield f"the file {file} of TLS is not there"
