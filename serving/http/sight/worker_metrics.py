"""What all workers of one service counted, added up.

Each worker writes its counts to a small file of its own every few seconds, and whoever is asked
adds up the files. prometheus_client would keep them in mapped files, where a full disk ends the
process with SIGBUS; a file that cannot be written is only out of date.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector

Labels = tuple[tuple[str, str], ...]


class WorkerMetrics:
    """The counts of `registry` and of the other workers that have the same supervisor.

    A worker that has ended still counts, so that no figure goes down.
    """

    def __init__(self, registry: CollectorRegistry, folder: Path) -> None:
        """`folder` is emptied whenever a service starts, as BentoML does with its own."""
        self._registry = registry
        self._folder = folder / str(os.getppid())
        self._own = self._folder / f"{os.getpid()}.json"

    def look(self) -> None:
        """Write down what this worker counted so far. Raises `OSError` where that cannot be."""
        self._folder.mkdir(parents=True, exist_ok=True)
        told = [_told(family) for family in self._registry.collect()]
        fresh = self._own.with_suffix(f".{os.getpid()}.new")
        try:
            fresh.write_text(json.dumps(told), encoding="utf-8")
            os.replace(fresh, self._own)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise

    def together(self) -> CollectorRegistry:
        """The counts of all workers, in a registry of their own."""
        others = [
            family
            for file in sorted(self._folder.glob("*.json"))
            if file != self._own
            for family in _read(file)
        ]
        told = [_told(family) for family in self._registry.collect()]
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Sum([*told, *others]))
        return registry


class _Sum(Collector):
    def __init__(self, families: Iterable[dict[str, Any]]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Every family once, its samples added up."""
        kinds: dict[str, tuple[str, str]] = {}
        sums: dict[str, dict[tuple[str, Labels], float]] = {}
        for family in self._families:
            kinds[family["name"]] = (family["documentation"], family["type"])
            of_family = sums.setdefault(family["name"], {})
            for name, labels, value in family["samples"]:
                if name.endswith("_created"):
                    continue
                key = (name, tuple((str(label), str(said)) for label, said in labels))
                of_family[key] = of_family.get(key, 0.0) + value
        for name, (documentation, kind) in kinds.items():
            metric = Metric(name, documentation, kind)
            for (sample, labels), value in sums[name].items():
                metric.add_sample(sample, dict(labels), value)
            yield metric


def _told(family: Metric) -> dict[str, Any]:
    samples = [[one.name, list(one.labels.items()), one.value] for one in family.samples]
    return {
        "name": family.name,
        "documentation": family.documentation,
        "type": family.type,
        "samples": samples,
    }


def _read(file: Path) -> list[dict[str, Any]]:
    with suppress(OSError, ValueError):
        found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
        return found
    return []
