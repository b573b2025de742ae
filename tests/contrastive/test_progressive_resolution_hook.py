from types import SimpleNamespace

import pytest
from mmengine.logging import MMLogger
from mmengine.registry import HOOKS
from torch import nn

from pe_mm.contrastive import ProgressiveResolutionHook

STAGES = [dict(begin=0, size=98), dict(begin=10, size=154), dict(begin=25, size=224)]


def runner(**preprocessor):
    model = nn.Module()
    model.data_preprocessor = SimpleNamespace(**preprocessor)
    logger = MMLogger.get_instance('progressive')
    return SimpleNamespace(model=model, iter=0, logger=logger)


def test_hook__by_name__is_registered():
    hook = HOOKS.build(dict(type='pe_mm.ProgressiveResolutionHook', stages=STAGES))
    assert isinstance(hook, ProgressiveResolutionHook)


@pytest.mark.parametrize('resumed_at', [0, 9, 10, 17, 25])
def test_before_train_iter__resumed_anywhere__sets_the_same_sizes(resumed_at):
    hook, run = ProgressiveResolutionHook(STAGES), runner(size=None)
    hook.before_train(run)
    sizes = []
    for run.iter in range(resumed_at, 30):
        hook.before_train_iter(run, batch_idx=0)
        sizes.append(run.model.data_preprocessor.size)
    assert sizes == ([98] * 10 + [154] * 15 + [224] * 5)[resumed_at:]


def test_before_train__no_size_to_set__says_which_preprocessor_has():
    with pytest.raises(ValueError, match='ImageTextPreprocessor'):
        ProgressiveResolutionHook(STAGES).before_train(runner())


@pytest.mark.parametrize(
    ('stages', 'message'),
    [
        ([], r'must begin at 0 and then ever later, got \[\]'),
        (STAGES[1:], r'got \[10, 25\]'),
        ([STAGES[0], STAGES[2], STAGES[1]], r'got \[0, 25, 10\]'),
        ([dict(begin=0, size=0)], 'size of a stage must be an int >= 1, got 0'),
        ([dict(start=0, size=98)], r'must be dict\(begin=iteration, size=pixels\)'),
        ([(0, 98)], r'must be dict\(begin=iteration, size=pixels\), got \(0, 98\)'),
    ],
)
def test_build__bad_stages__says_what_they_must_be(stages, message):
    with pytest.raises(ValueError, match=message):
        ProgressiveResolutionHook(stages)
