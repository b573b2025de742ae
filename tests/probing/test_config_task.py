"""What the tasks with a config of data have in common."""

from dataclasses import asdict

import pytest
from mmengine.registry import DefaultScope
from seeded_models import CONFIGS

from pe_mm.probing.config_images import load_data_config
from pe_mm.probing.config_task import ConfigTask
from pe_mm.probing.probe_task import Budget
from pe_mm.probing.quiet import quiet


class Labels(ConfigTask):
    """A task of which only the data is there."""

    name = 'labels'
    scope = 'mmseg'
    evaluator = 'IoUMetric'


def build(scenes, data, limits=(None, None)):
    path = CONFIGS / '_base_' / 'datasets' / f'{data}.py'
    cfg = load_data_config(path, data_root=scenes, options=[])
    with DefaultScope.overwrite_default_scope('mmseg'), quiet():
        return Labels(cfg, config=data, side=64, budget=Budget(10), limits=limits)


def test_init__config__gives_both_splits_and_says_what_they_are(scenes):
    task = build(scenes, 'demo_semantic', limits=(4, 2))

    assert (len(task.train), len(task.val)) == (4, 2)
    assert (task.config, task.resolution) == ('demo_semantic', (64, 64))
    assert task.protocol.items() >= asdict(Budget(10)).items()
    assert task.protocol['images'] == [4, 2]


def test_init__config_of_other_data__is_named(scenes):
    with pytest.raises(ValueError, match='demo_depth is no data for labels: .*IoUM'):
        build(scenes, 'demo_depth')
