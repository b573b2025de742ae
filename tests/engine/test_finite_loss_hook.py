"""A loss that is no number stops the training, and says from where to go on."""

import logging
from types import SimpleNamespace

import pytest
import torch
from mmengine.structures import BaseDataElement

from pe_mm.cli.main import main
from pe_mm.engine.finite_loss_hook import (
    FiniteLossHook,
    NonFiniteLossError,
    find_good_checkpoint,
)

NAN = torch.tensor(float('nan'))


def save(path, value):
    checkpoint = {'meta': {}, 'message_hub': {}, 'optimizer': {}}
    torch.save({**checkpoint, 'state_dict': {'w': torch.tensor([value, 1])}}, path)
    return path


@pytest.fixture
def step(tmp_path):
    """Tell a hook of one iteration."""
    runner = SimpleNamespace(
        iter=41,
        work_dir=str(tmp_path),
        logger=logging.getLogger('test'),
        cfg=SimpleNamespace(filename='config.py'),
    )
    hook = FiniteLossHook()

    def tell(**outputs):
        names = [{'sample_id': 'a.jpg'}, {'img_path': 'b.jpg'}]
        samples = [BaseDataElement(metainfo=name) for name in names]
        hook.after_train_iter(runner, 41, {'data_samples': samples}, outputs)

    tell.save = lambda weights: hook.before_save_checkpoint(
        runner, {'state_dict': weights}
    )
    return tell


@pytest.mark.parametrize('value', [NAN, -torch.tensor(float('inf'))])
def test_finite_loss__bad_loss__names_iteration_losses_and_samples(step, value):
    step(loss=torch.tensor(1.0))

    message = r'iteration 42: loss (nan|-inf), loss_a 2; the batch: a.jpg, b.jpg\. '
    with pytest.raises(NonFiniteLossError, match=message + '.*no good checkpoint yet'):
        step(loss=value, loss_a=torch.tensor(2.0))


def test_finite_loss__other_output_is_nan__goes_on(step):
    step(loss=torch.tensor(1.0), accuracy=NAN)


def test_finite_loss__weights_that_another_process_spoilt__are_not_saved(
    step, tmp_path
):
    good = save(tmp_path / 'iter_40.pth', 1.0)
    step(loss=torch.tensor(1.0))
    mask = torch.tensor([0.0, -torch.inf])  # Buffers may be infinite.

    step.save({'a.mask': mask, 'a.weight': torch.ones(2)})
    with pytest.raises(NonFiniteLossError, match=f'42, in 1 .* b.bias: .*{good}'):
        step.save({'a.mask': mask, 'b.bias': torch.stack([NAN, NAN])})


def test_finite_loss__checkpoints__names_the_last_good_one_and_the_command(
    step, tmp_path
):
    good = save(tmp_path / 'iter_20.pth', 1.0)
    save(tmp_path / 'iter_40.pth', float('nan'))
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_40.pth'))

    with pytest.raises(ValueError, match=f'config.py .*--resume {good}`'):
        step(loss=NAN)
    assert find_good_checkpoint(tmp_path) == good


def test_finite_loss__training__stops_and_names_a_checkpoint_that_goes_on(
    train, tiny_config, tmp_path, capsys
):
    work_dir = tmp_path / 'run'
    train('run')
    # Gradients clipped to NaN spoil the weights in the first step of the third epoch.
    options = ['train_cfg.max_epochs=3', 'optim_wrapper.clip_grad.max_norm=nan']
    options = ['--resume', '--cfg-options', *options]

    code = main(['train', str(tiny_config), '--work-dir', str(work_dir), *options])

    error = capsys.readouterr().err
    assert code == 2
    assert 'a loss is not finite in iteration 10: loss nan; the batch: ' in error
    assert f'The last good checkpoint is {work_dir / "epoch_2.pth"}' in error
    assert not (work_dir / 'epoch_3.pth').exists()


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_finite_loss__gpu__is_seen_one_iteration_later_and_before_saving(step):
    step(loss=NAN.cuda())
    with pytest.raises(NonFiniteLossError, match='iteration 42'):
        step(loss=torch.tensor(1.0).cuda())
