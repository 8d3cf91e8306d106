"""Whether a decision still stands: a campaign that was prepared earlier may be sent only to whom it
does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from features import clock
from features.catalog import Catalog
from features.clock import Clock
from features.database.engine import Database
from serving.decisions.permissions import nobody, permissions_as
from serving.decisions.record import Decision


@dataclass(frozen=True)
class Standing:
    """Looks at where customers stand now; `purposes` are those of decisions, by kind."""

    database: Database
    catalog: Catalog
    clock: Clock
    purposes: Mapping[str, str]
    too_young: Callable[[int], bool] = nobody

    def stands(self, decision: Decision) -> bool:
        """Whether the customer still allows all that a decision used, and has opted out of nothing
        since; so it does for somebody of whom nothing is known.

        Raises `DecisionDamaged` where its record can no longer be read.
        """
        used = decision.document()["consent"]["used"]
        if decision.customer is None:
            return True
        purpose, now = self.purposes[decision.kind], clock.to_text(self.clock())
        whose = [decision.customer]
        with self.database.read() as connection:
            (permissions,) = permissions_as(
                connection, self.catalog, whose, purpose, now, self.too_young
            )
        since = [one for one in permissions.opt_outs if one.created_at > decision.created_at]
        return permissions.granted.issuperset(used) and not since
