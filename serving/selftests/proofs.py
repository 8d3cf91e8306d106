"""All selftests by name."""

from __future__ import annotations

from collections.abc import Mapping

from serving.selftests.proof import Proof

PROOFS: Mapping[str, Proof] = {}
