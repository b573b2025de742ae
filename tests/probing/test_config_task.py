"""What the tasks with a config of data have in common."""

from dataclasses import asdict

import pytest

from pe_mm.probing.config_task import ConfigTask
from pe_mm.probing.probe_task import Budget


class Labels(ConfigTask):
    """A task of which only the data is there."""

    name = 'labels'
    scope = 'mmseg'
    evaluator = 'IoUMetric'


def test_init__config__gives_both_splits_and_says_what_they_are(build_task):
    task = build_task(Labels, 'demo_semantic', limits=(4, 2))

    assert (len(task.train), len(task.val)) == (4, 2)
    assert (task.config, task.resolution) == ('demo_semantic', (64, 64))
    assert task.protocol.items() >= asdict(Budget(10)).items()
    assert task.protocol['images'] == [4, 2]


def test_init__config_of_other_data__is_named(build_task):
    with pytest.raises(ValueError, match='demo_depth is no data for labels: .*IoUM'):
        build_task(Labels, 'demo_depth')
