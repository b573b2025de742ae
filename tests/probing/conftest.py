"""Demo scenes for the tasks that read real data."""

from contextlib import ExitStack

import pytest
from mmengine.registry import DefaultScope
from seeded_models import CONFIGS

from pe_mm.data.demo_scenes import make_demo_data
from pe_mm.probing.config_images import load_data_config
from pe_mm.probing.probe_task import Budget
from pe_mm.probing.quiet import quiet


@pytest.fixture(scope='session')
def scenes(tmp_path_factory):
    """A folder of a few small demo scenes and a clip."""
    root = tmp_path_factory.mktemp('scenes') / 'demo'
    return make_demo_data(root, train=5, val=3, clips=2, size=64, frames=4, workers=1)


@pytest.fixture
def build_task(scenes):
    """A builder of tasks on demo scenes, whose scope holds until the test ends."""
    with ExitStack() as stack:

        def build(task, data, side=64, **options):
            path = CONFIGS / '_base_' / 'datasets' / f'{data}.py'
            cfg = load_data_config(path, data_root=scenes, options=[])
            stack.enter_context(DefaultScope.overwrite_default_scope(task.scope))
            stack.enter_context(quiet())
            return task(cfg, config=data, side=side, budget=Budget(10), **options)

        yield build
