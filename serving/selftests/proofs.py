"""All selftests by name."""

from __future__ import annotations

from collections.abc import Mapping

from serving.selftests.bad_data import BAD_DATA
from serving.selftests.chain.proof import CHAIN
from serving.selftests.control.proof import PROOF as CONTROL
from serving.selftests.durability.proof import DURABILITY
from serving.selftests.erasure.proof import ERASURE
from serving.selftests.faults import FAULTS_FAIL_CLOSED
from serving.selftests.offline import OFFLINE
from serving.selftests.proof import Proof
from serving.selftests.races.proof import PROOF as RACES
from serving.selftests.speed.proof import SPEED
from serving.selftests.withheld.proof import PROOF as WITHHELD

_ALL = (WITHHELD, CONTROL, DURABILITY, RACES, CHAIN, ERASURE, FAULTS_FAIL_CLOSED, BAD_DATA, OFFLINE, SPEED)
PROOFS: Mapping[str, Proof] = {proof.name: proof for proof in _ALL}
