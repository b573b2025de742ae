"""One task's probes: where features come from, training, measuring, rows."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from mmengine.registry import DefaultScope

from .encoder import FrozenEncoder
from .feature_store import FeatureStore, free_bytes, gib
from .features import ComputedFeatures, Features, StoredFeatures, fill, plan_store_parts
from .probe_task import ProbeTask, Progress
from .quiet import quiet
from .row_keeper import RowKeeper
from .training import measure, train

# Of what is free on the disk, where nobody has asked to store.
_AUTO_SHARE = 0.5
# Bytes of a probe's parameter: itself, its gradient and AdamW's two moments.
_PARAMETER_BYTES = 16


@dataclass(frozen=True)
class SweepOptions:
    """How a sweep runs; nothing of it changes a number.

    Attributes:
        rows: The file of results, added to.
        store: Folder of the features that are stored, a folder per task in it.
        show: Makes a context with a function that takes what is done, and all.
        say: Takes a line for the user.
        features: 'store' features of the training images on disk, 'compute' them in
            every batch, or 'auto': a single process stores them where they are used
            more than once and take at most half of what the disk has free.
        keep_store: Keep a task's features when it is finished; several processes do.
        workers: Processes that load images; 0 for none.
        share: Number of this process, and of how many: they split the layers.
    """

    rows: Path
    store: Path
    show: Callable[[str], AbstractContextManager[Progress]]
    say: Callable[[str], None]
    features: str = 'auto'
    keep_store: bool = False
    workers: int = 0
    share: tuple[int, int] = (0, 1)


class ProbeRun:
    """A task whose probes are trained, on the layers and seeds that lack a row.

    Args:
        task: What to learn and to measure.
        encoder: Of the layers.
        keeper: Of the rows.
        pending: Layers by seed, none where only other processes lack rows.
        options: How it runs.
        planned: Bytes that stores of earlier tasks will take of the disk, and keep.

    Attributes:
        kept_bytes: What the store will add to the disk and leave there.

    Raises:
        ValueError: The store is of something else, or does not fit the disk.
    """

    def __init__(
        self,
        task: ProbeTask,
        encoder: FrozenEncoder,
        keeper: RowKeeper,
        pending: Mapping[int | None, Sequence[int]],
        options: SweepOptions,
        *,
        planned: int = 0,
    ) -> None:
        self._task = task
        self._encoder = encoder
        self._keeper = keeper
        self._pending = pending
        self._options = options
        self._store = self._plan_store(planned)
        self._keeps_store = options.keep_store or self._is_shared
        kept = self._store if self._keeps_store else None
        self.kept_bytes = kept.missing_bytes if kept else 0

    def run(self) -> None:
        """Train, measure, and write the rows, seed by seed."""
        # The encoder's config, or an earlier task, may have left another scope.
        with DefaultScope.overwrite_default_scope(self._task.scope):
            self._run()

    def _run(self) -> None:
        task, options = self._task, self._options
        if self._pending:
            options.say(f'{task.name}: {self._describe_memory()}')
        # Others wait for this process's share of a store, whatever it lacks itself.
        features = self._open_features()
        for seed, layers in self._pending.items():
            label = task.name if seed is None else f'{task.name}, seed {seed}'
            with self._keeper.timed(task, seed, len(layers)) as write:
                with options.show(f'{label}, training') as on_progress:
                    trainers = train(
                        task,
                        features,
                        self._encoder,
                        layers,
                        seed=seed or 0,
                        on_progress=on_progress,
                    )
                with options.show(f'{label}, measuring') as on_progress:
                    values = measure(
                        task,
                        self._encoder,
                        trainers,
                        workers=options.workers,
                        on_progress=on_progress,
                    )
                write(values)
        if self._store is not None and not self._keeps_store:
            shutil.rmtree(self._store.root)
            # Other tasks' features may still be there.
            with suppress(OSError):
                options.store.rmdir()

    @property
    def _is_shared(self) -> bool:
        return self._options.share[1] > 1

    def _plan_store(self, planned: int) -> FeatureStore | None:
        """Return the store to use, checked; None to compute features in every batch."""
        options, task = self._options, self._task
        iterations = task.budget.iterations or 0
        uses = len(self._pending) * iterations * task.budget.batch_size
        auto = options.features == 'auto'
        if options.features == 'compute' or (
            auto and (self._is_shared or uses <= len(task.train))
        ):
            return None
        root = options.store / task.name
        parts = plan_store_parts(task, self._encoder)
        store = FeatureStore(root, len(task.train), parts)
        needed, free = store.missing_bytes, free_bytes(root) - planned
        if auto and needed > _AUTO_SHARE * free:
            options.say(
                f'{task.name}: features are computed in every batch: stored they would '
                f'take {gib(needed)} of {gib(free)} that {root} has free'
            )
            return None
        if options.share[0] == 0:
            # The others would count what is being reserved as taken.
            store.check_space(planned)
        return store

    def _open_features(self) -> Features:
        options, task, store = self._options, self._task, self._store
        if store is None:
            return ComputedFeatures(task, self._encoder, options.workers)
        options.say(
            f'{task.name}: {store.root} takes {gib(store.missing_bytes)} for features '
            f'of {store.count} images'
        )
        store.allocate(first=options.share[0] == 0)
        with options.show(f'{task.name}, features') as on_progress:
            fill(
                store,
                task,
                self._encoder,
                workers=options.workers,
                share=options.share,
                on_progress=on_progress,
            )
        return StoredFeatures(store, self._encoder.device)

    def _describe_memory(self) -> str:
        """Say what of the memory grows with the layers."""
        task, encoder = self._task, self._encoder
        height, width = encoder.tokens(*task.resolution)
        numbers = encoder.channels * height * width * task.budget.batch_size
        layers = max(len(numbers) for numbers in self._pending.values())
        with quiet():
            probe = task.build_probe(encoder.channels)
        size = sum(p.numel() * _PARAMETER_BYTES for p in probe.parameters())
        size += sum(buffer.nbytes for buffer in probe.buffers())
        # A batch is there in half precision, one layer of it in single as well.
        batch = numbers * (2 * len(encoder.layers) + 4)
        return (
            f'{layers} layers; in memory {gib(batch)} for a batch of features and '
            f'{gib(layers * size)} for probes, beside the encoder'
        )
