"""All selftests by name."""

from __future__ import annotations

from collections.abc import Mapping

from serving.proofs.bad_data.proof import BAD_DATA
from serving.proofs.blocking.proof import BLOCKING
from serving.proofs.chain.proof import CHAIN
from serving.proofs.control.proof import PROOF as CONTROL
from serving.proofs.doors.proof import PROOF as DOORS
from serving.proofs.durability.proof import DURABILITY
from serving.proofs.erasure.proof import ERASURE
from serving.proofs.faults.proof import FAULTS_FAIL_CLOSED
from serving.proofs.moving.proof import MOVING
from serving.proofs.offline.proof import OFFLINE
from serving.proofs.person.proof import PROOF as PERSON
from serving.proofs.races.proof import PROOF as RACES
from serving.proofs.speed.proof import SPEED
from serving.proofs.stage.proof import Proof
from serving.proofs.swaps.proof import PROOF as SWAPS
from serving.proofs.withheld.proof import PROOF as WITHHELD

_ALL = (
    WITHHELD,
    CONTROL,
    DOORS,
    DURABILITY,
    RACES,
    SWAPS,
    CHAIN,
    ERASURE,
    FAULTS_FAIL_CLOSED,
    BLOCKING,
    BAD_DATA,
    MOVING,
    OFFLINE,
    PERSON,
    SPEED,
)
PROOFS: Mapping[str, Proof] = {proof.name: proof for proof in _ALL}
