"""What the tests of mmseg's parts share."""

import pytest
from mmengine.registry import DefaultScope


@pytest.fixture(autouse=True)
def mmseg_scope():
    """Losses and heads are mmseg's, whatever ran before."""
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield
