"""Measuring every layer of an encoder on every task, resumable at any moment."""

from collections.abc import Sequence

from .encoder import FrozenEncoder
from .probe_run import ProbeRun, SweepOptions
from .probe_task import ProbeTask, ZeroShotTask
from .row_keeper import RowKeeper


def sweep(
    encoder: FrozenEncoder,
    tasks: Sequence[ProbeTask | ZeroShotTask],
    seeds: Sequence[int],
    options: SweepOptions,
) -> None:
    """Measure what is not in the rows yet: every layer, on every task, of every seed.

    All layers of a task and seed are trained in one run, from one forward pass per
    batch, and their rows are written together when they have been measured. A sweep
    that was killed repeats the run that it was in, and nothing that has a row.

    Args:
        encoder: Of the layers to measure.
        tasks: What to measure.
        seeds: Of the probes and of the order of their images.
        options: How it runs.

    Raises:
        ValueError: The rows or a store are of something else, or a store does not fit
            the disk; nothing was computed.
    """
    keeper = RowKeeper(encoder, options.rows)
    rank, world = options.share
    mine = encoder.layers[rank::world]
    runs: list[ProbeRun | _ZeroShotRun] = []
    planned = 0
    for task in tasks:
        wanted = seeds if task.is_random else [None]
        if not keeper.pending(task, encoder.layers, wanted):
            options.say(f'{task.name}: its rows are there already')
            continue
        pending = keeper.pending(task, mine, wanted)
        if not isinstance(task, ZeroShotTask):
            probes = ProbeRun(task, encoder, keeper, pending, options, planned=planned)
            planned += probes.kept_bytes
            runs.append(probes)
        elif pending:
            runs.append(_ZeroShotRun(task, encoder, keeper, pending[None], options))
    for run in runs:
        run.run()


class _ZeroShotRun:
    """A task that trains nothing, on the layers that lack a row."""

    def __init__(
        self,
        task: ZeroShotTask,
        encoder: FrozenEncoder,
        keeper: RowKeeper,
        layers: Sequence[int],
        options: SweepOptions,
    ) -> None:
        self._task = task
        self._encoder = encoder
        self._keeper = keeper
        self._layers = layers
        self._options = options

    def run(self) -> None:
        """Measure, and write the rows."""
        timed = self._keeper.timed(self._task, None, len(self._layers))
        shown = self._options.show(f'{self._task.name}, measuring')
        with timed as write, shown as on_progress:
            write(self._task.measure(self._encoder, self._layers, on_progress))
