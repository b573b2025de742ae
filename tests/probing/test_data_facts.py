"""What rows say of data: another hash for other data, not for another place."""

import os
import shutil

from seeded_models import CONFIGS

from pe_mm.probing.data_facts import describe_data, sizes
from pe_mm.probing.tasks import TASKS, TaskOptions, build_tasks

DATASETS = CONFIGS / '_base_' / 'datasets'


def hashes(root, *, side=64, cfg_options=(), limits=(None, None)):
    """Return the hash of every task's data, by name."""
    options = TaskOptions(
        side=side,
        patch_size=16,
        iterations=1,
        is_demo=True,
        data_root=root,
        cfg_options=cfg_options,
        limits=limits,
    )
    return {task.name: task.protocol['data'] for task in build_tasks(TASKS, options)}


def changed(before, after):
    """Name the tasks whose hash is another one."""
    return {name for name in before if before[name] != after[name]}


def test_protocol__place_dates_or_resolution__do_not_change_the_hash(scenes, tmp_path):
    copy = shutil.copytree(scenes, tmp_path / 'elsewhere')
    os.utime(copy / 'images' / 'training' / '000001.jpg', ns=(1, 1))
    assert hashes(copy, side=128) == hashes(scenes)


def test_protocol__other_files_settings_or_images__change_the_hash(scenes, tmp_path):
    before = hashes(scenes)
    copy = shutil.copytree(scenes, tmp_path / 'changed')
    with (copy / 'annotations' / 'validation' / '000000.png').open('ab') as file:
        file.write(b'more')
    assert changed(before, hashes(copy)) == {'segmentation'}
    with next((copy / 'clips').rglob('*.png')).open('ab') as file:
        file.write(b'more')
    assert changed(before, hashes(copy)) == {'segmentation', 'tracking'}

    pictures = set(TASKS) - {'tracking'}
    swapped = ['train_dataloader.dataset.test_mode=True']
    assert changed(before, hashes(scenes, cfg_options=swapped)) == pictures
    fewer = hashes(scenes, limits=(3, None))
    assert changed(before, fewer) == pictures
    flipped = ['val_evaluator.min_depth_eval=0.5']
    assert 'depth' in changed(before, hashes(scenes, cfg_options=flipped))


def test_describe_data__images__are_counted(scenes):
    (task,) = build_tasks(
        ['depth'],
        TaskOptions(
            side=64, patch_size=16, iterations=1, is_demo=True, data_root=scenes
        ),
    )
    found = describe_data(task.train, task.val)
    assert found['images'] == [5, 3]
    assert found['data'] != task.protocol['data']


def test_sizes__files__are_named_from_the_root(tmp_path):
    (tmp_path / 'deep').mkdir()
    path = tmp_path / 'deep' / 'a.txt'
    path.write_text('four')
    assert sizes([path], tmp_path) == [(os.path.join('deep', 'a.txt'), 4)]
