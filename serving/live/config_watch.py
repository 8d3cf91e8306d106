"""Whether the configuration that answers follow is still one that can be followed."""

from __future__ import annotations

import logging

from features.config.reading import ConfigError, read_config
from features.shop.workspace import CONFIG_NAME, Workspace
from serving.live.fingerprint import stamp

log = logging.getLogger("sayso.catalog")


class CatalogWatch:
    """Looks at `sayso.toml` whenever it changed: while it cannot be read nobody knows what may be
    used, so nothing personal is.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._file = workspace.root / CONFIG_NAME
        self._tables = workspace.tables
        self._followed = workspace.config
        self._stamp = stamp([self._file])
        self._readable = True

    def holds(self) -> bool:
        """Whether the file can be followed as it stands now.

        It is only read anew where it changed.
        """
        now = stamp([self._file])
        if now != self._stamp:
            self._readable = self._read()
            self._stamp = now
        return self._readable

    def _read(self) -> bool:
        try:
            if read_config(self._file, self._tables) != self._followed:
                log.warning(
                    "sayso.toml was changed; the service follows the new one after a restart"
                )
        except (ConfigError, OSError) as error:
            log.warning("nothing personal is used until sayso.toml is mended: %s", error)
            return False
        return True
