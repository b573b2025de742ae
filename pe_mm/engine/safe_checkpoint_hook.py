"""Checkpoints that survive a process being killed at any moment."""

from pathlib import Path
from typing import Any

from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from pe_mm.checkpoints.writing import atomic_file


class AtomicLocalBackend(LocalBackend):
    """The local file system, where a file is either its old self or its new one."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write the bytes beside the file, then replace the file by them."""
        with atomic_file(Path(filepath)) as temporary:
            temporary.write_bytes(obj)


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """Save checkpoints as mmengine does, with a complete one on disk at all times.

    mmengine removes an outdated checkpoint before it writes the next, and writes that
    one in place: a process killed in between leaves a torn file, or with
    ``max_keep_ckpts=1`` no checkpoint at all. Here files are replaced atomically, and
    outdated ones go after the new one is complete. Takes CheckpointHook's arguments.
    """

    file_backend: Any

    def before_train(self, runner: Runner) -> None:
        """Write local files atomically from now on, and postpone removals."""
        register_backend('local', AtomicLocalBackend, force=True, prefixes='')
        super().before_train(runner)
        self.file_backend = _PostponedRemovals(self.file_backend)
        if runner.rank == 0:
            for partial in Path(runner.work_dir).glob('.*.pth.*.partial'):
                partial.unlink(missing_ok=True)

    def _save_checkpoint_with_step(
        self, runner: Runner, step: int, meta: dict[str, Any]
    ) -> None:
        super()._save_checkpoint_with_step(runner, step, meta)
        self.file_backend.catch_up()

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, Any]) -> None:
        super()._save_best_checkpoint(runner, metrics)
        self.file_backend.catch_up()


class _PostponedRemovals:
    """A file backend that removes nothing until ``catch_up`` is called."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._outdated: dict[str, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self._outdated[str(path)] = 'remove'

    def rmtree(self, path: str) -> None:
        self._outdated[str(path)] = 'rmtree'

    def catch_up(self) -> None:
        while self._outdated:
            path, operation = self._outdated.popitem()
            getattr(self._backend, operation)(path)
