"""Demo scenes for the tasks that read real data."""

import pytest

from pe_mm.data.demo_scenes import make_demo_data


@pytest.fixture(scope='session')
def scenes(tmp_path_factory):
    """A folder of a few small demo scenes and a clip."""
    root = tmp_path_factory.mktemp('scenes') / 'demo'
    return make_demo_data(root, train=5, val=3, clips=2, size=64, frames=4, workers=1)
