"""Building the tasks of a sweep from where their data is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from .classification import (
    KNNTask,
    LinearClassificationTask,
    folder_splits,
    object_splits,
)
from .config_images import check_evaluator, load_data_config
from .depth import DepthTask
from .detection import DetectionTask
from .probe_task import Budget, ProbeImages, ProbeTask, ZeroShotTask
from .segmentation import SegmentationTask
from .tracking import TrackingTask

CONFIGS = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets'

# None: the demo scenes' own folder.
DEMO_DATA: dict[str, Path | None] = {
    'detection': CONFIGS / 'demo_instance.py',
    'segmentation': CONFIGS / 'demo_semantic.py',
    'depth': CONFIGS / 'demo_depth.py',
    'knn': CONFIGS / 'demo_instance.py',
    'linear': CONFIGS / 'demo_instance.py',
    'tracking': None,
}
TASKS = tuple(DEMO_DATA)

# What to give after --data, in messages.
_EXAMPLES = {
    'detection': 'a config such as configs/_base_/datasets/coco_detr.py',
    'segmentation': 'a config such as configs/_base_/datasets/ade20k_512.py',
    'depth': 'a config such as configs/_base_/datasets/nyu.py',
    'knn': 'a folder with train/CLASS and val/CLASS, or a config of detection',
    'linear': 'a folder with train/CLASS and val/CLASS, or a config of detection',
    'tracking': 'a folder of DAVIS-2017',
}
_RATES = {'detection': 1e-3, 'segmentation': 1e-3, 'depth': 1e-3, 'linear': 1e-3}
# For few steps: what 200 of them do not reach with the rates above.
_DEMO_RATES = {'detection': 3e-3, 'segmentation': 1e-2, 'depth': 3e-3, 'linear': 1e-2}


@dataclass(frozen=True)
class TaskOptions:
    """What the tasks of a sweep share.

    Attributes:
        side: Of the square images, in pixels.
        patch_size: Of the encoder, in pixels.
        iterations: Steps of every probe that is trained.
        batch_size: Images per step.
        is_demo: Demo scenes for tasks without data, and rates for few steps.
        data: Task -> config or folder.
        data_root: Of the demo scenes.
        cfg_options: ``key=value`` words that change all configs of data.
        limits: Most images for training and for measuring; None for all.
    """

    side: int
    patch_size: int
    iterations: int
    batch_size: int = 16
    is_demo: bool = False
    data: Mapping[str, str] = field(default_factory=dict)
    data_root: Path = Path('data/demo')
    cfg_options: Sequence[str] = ()
    limits: tuple[int | None, int | None] = (None, None)

    def budget(self, task: str) -> Budget:
        """Return how long a task's probes are trained."""
        if task not in _RATES:
            return Budget(None)
        rates = _DEMO_RATES if self.is_demo else _RATES
        # Its convolutions take ten times as long as the other probes together.
        halved = self.is_demo and task == 'detection'
        return Budget(
            self.iterations,
            max(1, self.batch_size // 2) if halved else self.batch_size,
            learning_rate=rates[task],
        )


def build_tasks(
    names: Sequence[str], options: TaskOptions
) -> list[ProbeTask | ZeroShotTask]:
    """Build tasks, and make sure that their data is there.

    Raises:
        FileNotFoundError: There is no such config, folder or data.
        ValueError: A config does not fit its task, or a split has no images.
    """
    tasks = [_BUILDERS[name](name, options) for name in names]
    for task in tasks:
        if isinstance(task, ZeroShotTask):
            continue
        for split, use in ((task.train, 'learn from'), (task.val, 'measure on')):
            if len(split) == 0:
                raise ValueError(
                    f'{task.name}: {task.config} has no images to {use}; give other '
                    f'data with --data {task.name}=PATH'
                )
    return tasks


def check_names(
    names: Sequence[str], data: Mapping[str, str], *, is_demo: bool
) -> None:
    """Make sure that tasks are known, and that each has data.

    Args:
        names: The tasks to measure.
        data: Task -> config or folder.
        is_demo: Whether the demo scenes are there for the others.

    Raises:
        ValueError: Naming the first that is not or has not, or there is no task, or one
            is named twice.
    """
    for name in (*names, *data):
        if name not in TASKS:
            raise ValueError(f'unknown task {name!r}; use some of {", ".join(TASKS)}')
    if len(set(names)) < len(names):
        raise ValueError(f'--tasks names one twice: {" ".join(names)}; name each once')
    if not names:
        raise ValueError(
            'no task has data: give --data TASK=PATH, or --demo for the demo scenes'
        )
    for name in names:
        if name not in data and not is_demo:
            raise ValueError(
                f'task {name} has no data: give {_EXAMPLES[name]}, as --data {name}='
                'PATH; or --demo for the demo scenes'
            )


def _source(name: str, options: TaskOptions) -> tuple[Path, Path | None]:
    """Return where a task's data is described, and the root of demo scenes."""
    if name in options.data:
        return Path(options.data[name]), None
    return DEMO_DATA[name] or options.data_root, options.data_root


def _build_from_config(name: str, options: TaskOptions) -> ProbeTask:
    path, root = _source(name, options)
    cfg = load_data_config(path, data_root=root, options=list(options.cfg_options))
    kinds: dict[str, Any] = {
        'detection': partial(DetectionTask, patch_size=options.patch_size),
        'segmentation': SegmentationTask,
        'depth': DepthTask,
    }
    task: ProbeTask = kinds[name](
        cfg,
        config=path.name,
        side=options.side,
        budget=options.budget(name),
        limits=options.limits,
    )
    return task


def _build_classification(name: str, options: TaskOptions) -> ProbeTask:
    path, root = _source(name, options)
    splits: tuple[ProbeImages, ProbeImages, int]
    if path.suffix == '.py':
        cfg = load_data_config(path, data_root=root, options=list(options.cfg_options))
        check_evaluator(cfg, path.name, name, 'CocoMetric', 'LVISMetric')
        splits = object_splits(cfg, options.side, options.limits)
    else:
        splits = folder_splits(path, options.side, options.limits)
    kind: Any = KNNTask if name == 'knn' else LinearClassificationTask
    train, val, count = splits
    task: ProbeTask = kind(
        train,
        val,
        num_classes=count,
        config=path.resolve().name,
        side=options.side,
        budget=options.budget(name),
    )
    return task


def _build_tracking(name: str, options: TaskOptions) -> ZeroShotTask:
    path, _ = _source(name, options)
    return TrackingTask(path, config=path.resolve().name, side=options.side)


_BUILDERS: dict[str, Callable[[str, TaskOptions], ProbeTask | ZeroShotTask]] = {
    'detection': _build_from_config,
    'segmentation': _build_from_config,
    'depth': _build_from_config,
    'knn': _build_classification,
    'linear': _build_classification,
    'tracking': _build_tracking,
}
