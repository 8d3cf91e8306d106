"""A bare BentoML service that answers nothing: what any answer costs at the least."""

from __future__ import annotations

import bentoml


@bentoml.service(name="empty", logging={"access": {"enabled": False}})
class EmptyService:
    """One endpoint without work."""

    @bentoml.api(route="/empty")  # type: ignore[untyped-decorator]  # BentoML's own is not typed
    def empty(self) -> dict[str, str]:
        """Nothing."""
        return {}
