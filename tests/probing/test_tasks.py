"""Which data a task gets, and how long its probes learn."""

import pytest
from depth_data import write_nyu
from probing_sweeps import sweep_options
from seeded_models import CONFIGS
from segmentation_data import write_ade20k

from pe_mm.engine.encoder_loading import load_encoder
from pe_mm.probing.encoder import FrozenEncoder
from pe_mm.probing.probe_task import ZeroShotTask
from pe_mm.probing.results import read_rows
from pe_mm.probing.sweep import sweep
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


def test_build_tasks__another_batch_size__changes_nothing_for_neighbours(scenes):
    options = {'side': 64, 'patch_size': 16, 'iterations': 7, 'data_root': scenes}
    (first,), (second,) = (
        build_tasks(['knn'], TaskOptions(**options, is_demo=True, batch_size=size))
        for size in (8, 32)
    )
    assert first.budget == second.budget


def test_build_tasks__folder_here__has_the_folders_name(scenes, monkeypatch):
    monkeypatch.chdir(scenes / 'clips')
    options = TaskOptions(side=64, patch_size=16, iterations=7, data={'tracking': '.'})
    (task,) = build_tasks(['tracking'], options)
    assert task.config == 'clips'


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
        (['knn', 'knn'], {'knn': 'x'}, '--tasks names one twice: knn knn; name each'),
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


def test_build_tasks__ade20k_and_nyu__are_swept_in_their_own_layouts(tmp_path):
    write_ade20k(tmp_path / 'ade')
    write_nyu(tmp_path / 'nyu')
    options = TaskOptions(
        side=48,
        patch_size=16,
        iterations=2,
        batch_size=2,
        data={
            'segmentation': str(config_at(tmp_path / 'ade', 'ade20k_512')),
            'depth': str(config_at(tmp_path / 'nyu', 'nyu')),
        },
    )
    tasks = build_tasks(['segmentation', 'depth'], options)
    encoder = FrozenEncoder(load_encoder('timm/test_vit.r160_in1k', layers=(0, 5)))
    sweep(encoder, tasks, [0], sweep_options(tmp_path))
    rows = {(r.task, r.layer): r for r in read_rows(tmp_path / 'rows.jsonl')}
    assert set(rows) == {(t.name, layer) for t in tasks for layer in (0, 5)}
    for (task, _), row in rows.items():
        assert 0 <= row.value <= (100 if task == 'segmentation' else 10)
        assert (row.tokens, row.protocol['images']) == ((3, 3), [2, 2])
    assert rows['depth', 0].protocol['crop'] == 'nyu_crop'
    assert rows['depth', 0].protocol['metres'] == [1e-3, 10.0]


def config_at(root, name):
    """Write a config of a data set of the recipes that is somewhere else."""
    place = f'dict(dataset=dict(data_root={str(root)!r}))'
    path = root / f'{name}_here.py'
    path.write_text(
        f'_base_ = [{str(CONFIGS / "_base_" / "datasets" / name) + ".py"!r}]\n'
        f'train_dataloader = {place}\nval_dataloader = {place}\n'
    )
    return path


def test_build_tasks__folders_without_images__say_what_is_missing(tmp_path):
    for split in ('train', 'val'):
        (tmp_path / split).mkdir()
    options = TaskOptions(
        side=64, patch_size=16, iterations=1, data={'knn': str(tmp_path)}
    )
    with pytest.raises(ValueError, match='knn: .* has no images to learn from; give'):
        build_tasks(['knn'], options)


def test_build_tasks__linear_with_batches_of_one__is_an_error(scenes):
    options = TaskOptions(
        side=64,
        patch_size=16,
        iterations=1,
        batch_size=1,
        is_demo=True,
        data_root=scenes,
    )
    with pytest.raises(ValueError, match='linear: batch norm .* --batch-size 2 or mo'):
        build_tasks(['linear'], options)
