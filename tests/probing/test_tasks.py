"""Which data a task gets, and how long its probes learn."""

import pytest
from seeded_models import CONFIGS

from pe_mm.probing.probe_task import ZeroShotTask
from pe_mm.probing.tasks import TASKS, TaskOptions, build_tasks, check_names


def test_build_tasks__demo__has_data_for_all(scenes):
    options = TaskOptions(
        side=64, patch_size=16, iterations=7, is_demo=True, data_root=scenes
    )
    tasks = build_tasks(TASKS, options)
    assert tuple(task.name for task in tasks) == TASKS
    assert [t.metric for t in tasks] == [
        'box AP',
        'mIoU',
        'RMSE',
        'accuracy',
        'accuracy',
        'J&F',
    ]
    assert [t.config for t in tasks[:3]] == [
        'demo_instance.py',
        'demo_semantic.py',
        'demo_depth.py',
    ]
    assert isinstance(tasks[-1], ZeroShotTask)
    assert not any(isinstance(task, ZeroShotTask) for task in tasks[:-1])
    budgets = {task.name: task.budget for task in tasks[:-1]}
    assert budgets['detection'].batch_size == 8
    assert budgets['knn'].iterations is None
    assert budgets['depth'].iterations == 7


def test_build_tasks__own_config__goes_before_the_demo_and_its_root(scenes):
    path = CONFIGS / '_base_' / 'datasets' / 'demo_semantic.py'
    options = TaskOptions(
        side=64,
        patch_size=16,
        iterations=7,
        data={'segmentation': str(path)},
        cfg_options=[
            f'{split}_dataloader.dataset.data_root={scenes}'
            for split in ('train', 'val')
        ],
        limits=(2, 1),
    )
    (task,) = build_tasks(['segmentation'], options)
    assert (len(task.train), len(task.val)) == (2, 1)
    assert task.budget.learning_rate == 1e-3


@pytest.mark.parametrize(
    ('names', 'data', 'message'),
    [
        (['pose'], {}, "unknown task 'pose'; use some of detection, segm"),
        (['depth'], {'pose': 'x'}, "unknown task 'pose'"),
        (
            ['depth'],
            {'knn': 'x'},
            'task depth has no data: give a config such as .*nyu',
        ),
        ([], {}, 'no task has data: give --data TASK=PATH, or --demo'),
    ],
)
def test_check_names__unknown_or_without_data__says_what_to_give(names, data, message):
    with pytest.raises(ValueError, match=message):
        check_names(names, data, is_demo=False)


@pytest.mark.parametrize(
    ('name', 'config', 'message'),
    [
        ('segmentation', 'demo_depth.py', 'must be IoUMetric, got pe_mm.DepthMetric'),
        ('depth', 'demo_instance.py', 'must be DepthMetric, got CocoMetric'),
        ('knn', 'demo_semantic.py', 'must be CocoMetric or LVISMetric, got IoUMetric'),
    ],
)
def test_build_tasks__data_of_another_task__is_an_error(scenes, name, config, message):
    path = CONFIGS / '_base_' / 'datasets' / config
    options = [
        f'{split}_dataloader.dataset.data_root={scenes}' for split in ('train', 'val')
    ]
    if config == 'demo_instance.py':
        file = scenes / 'annotations' / 'instances_validation.json'
        options.append(f'val_evaluator.ann_file={file}')
    with pytest.raises(ValueError, match=message):
        build_tasks(
            [name],
            TaskOptions(
                side=64,
                patch_size=16,
                iterations=1,
                data={name: str(path)},
                cfg_options=options,
            ),
        )
