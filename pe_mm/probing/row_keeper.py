"""Which rows of a sweep are there, and the writing of new ones."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pe_mm.installed import collect_versions

from .encoder import FrozenEncoder
from .probe_task import Task, ZeroShotTask
from .results import ResultRow, append_rows, finished, read_rows


class RowKeeper:
    """The rows of one encoder.

    Args:
        encoder: What is measured.
        path: The file of results; it may have rows of others.

    Raises:
        ValueError: The file holds something else.
    """

    def __init__(self, encoder: FrozenEncoder, path: Path) -> None:
        self._encoder = encoder
        self._path = path
        self._versions = collect_versions()
        self._done = finished(read_rows(path)) if path.is_file() else set()

    def pending(
        self, task: Task, layers: Sequence[int], seeds: Sequence[int | None]
    ) -> dict[int | None, list[int]]:
        """Return the layers without a row, by seed; seeds that have all are left out.

        Args:
            task: What is to be measured.
            layers: Block ids.
            seeds: One None for a task in which nothing is random.
        """
        lacking = {
            seed: [n for n in layers if self._row(task, n, seed).key not in self._done]
            for seed in seeds
        }
        return {seed: numbers for seed, numbers in lacking.items() if numbers}

    @contextmanager
    def timed(
        self, task: Task, seed: int | None, count: int
    ) -> Iterator[Callable[[Mapping[int, float]], None]]:
        """Yield a function that writes the numbers of layers, all or none.

        The wall time since the start is divided among them.
        """
        started = time.monotonic()

        def write(values: Mapping[int, float]) -> None:
            seconds = (time.monotonic() - started) / count
            append_rows(
                self._path,
                [self._row(task, n, seed, v, seconds) for n, v in values.items()],
            )

        yield write

    def _row(
        self,
        task: Task,
        layer: int,
        seed: int | None,
        value: float = math.nan,
        seconds: float = 0.0,
    ) -> ResultRow:
        encoder = self._encoder
        protocol = dict(task.protocol)
        if not isinstance(task, ZeroShotTask):
            protocol['features'] = encoder.dtype
        return ResultRow(
            task=task.name,
            metric=task.metric,
            value=value,
            higher_is_better=task.higher_is_better,
            layer=layer,
            num_layers=encoder.num_layers,
            encoder=encoder.label,
            variant=encoder.variant,
            weights=encoder.weights,
            config=task.config,
            seed=seed,
            protocol=protocol,
            resolution=task.resolution,
            tokens=encoder.tokens(*task.resolution),
            versions=self._versions,
            seconds=seconds,
        )
