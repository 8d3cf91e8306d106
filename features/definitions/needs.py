"""Which categories each feature needs: the one statement of it, which the masks of training, games
and answers are made from.
"""

from __future__ import annotations

from collections.abc import Iterable

from features.catalog import Catalog
from features.definitions.frames import reads_of

Needs = dict[str, frozenset[str]]
"""By feature, the categories that all have to be granted before it may be used."""


def needs_of(catalog: Catalog, features: Iterable[str]) -> Needs:
    """What `features` need: the categories of every field that they read."""
    return {name: catalog.categories_of(reads_of(name)) for name in features}
