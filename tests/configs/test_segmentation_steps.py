"""Every segmentation config trains a step and tests on made-up data, reduced."""

from pathlib import Path

import pytest
import torch
from config_checks import GradientNotes
from mmengine.config import Config
from reduced_segmentation_configs import reduce_config

from pe_mm.engine import build_runner

SEGMENTATION = Path(__file__).parents[2] / 'configs' / 'segmentation'
CONFIGS = sorted(SEGMENTATION.glob('*.py'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config__reduced__trains_a_step_and_tests(path, tmp_path):
    cfg = reduce_config(Config.fromfile(path), tmp_path)
    runner = build_runner(cfg, 'train', 'test')
    notes = GradientNotes()
    runner.register_hook(notes)
    runner.train()
    metrics = runner.test()

    scalars = runner.message_hub.log_scalars
    losses = {name: scalars[name].current() for name in scalars if 'loss' in name}
    assert notes.steps == 1
    assert losses and all(torch.tensor(list(losses.values())).isfinite())
    # It starts without gradient: in deformable attention, the layers behind it start
    # at zero.
    level = 'decode_head.pixel_decoder.level_encoding.weight'
    assert notes.trained - notes.reached <= {level}
    assert 0 <= metrics['mIoU'] <= 100
    encoder = {n for n in notes.trained if n.startswith('backbone.')}
    if path.stem.startswith('linear'):
        assert encoder == set()
        after = runner.model.state_dict()
        frozen = [n for n in after if n.startswith('backbone.')]
        assert all(torch.equal(after[n], notes.before[n]) for n in frozen)
    else:
        assert len(encoder) == len(list(runner.model.backbone.parameters()))


@pytest.fixture
def ade20k(tmp_path):
    path = SEGMENTATION / 'linear_pe_spatial_t_ade20k_dinov3.py'
    return reduce_config(Config.fromfile(path), tmp_path), tmp_path / 'data'


def test_data__folder_is_missing__is_named(ade20k):
    cfg, root = ade20k
    (root / 'annotations/validation').rename(root / 'elsewhere')

    with pytest.raises(FileNotFoundError) as error:
        build_runner(cfg, 'train', 'test')
    assert f'{root}/annotations/validation does not exist' in str(error.value)
    assert 'test_dataloader.dataset.data_prefix.seg_map_path' in str(error.value)


@pytest.mark.parametrize('split', ['training', 'validation'])
def test_data__image_without_label_map__is_named_before_the_run(ade20k, split):
    cfg, root = ade20k
    lost = sorted((root / f'annotations/{split}').iterdir())[0]
    lost.unlink()
    runner = build_runner(cfg, 'train', 'test')

    with pytest.raises(FileNotFoundError, match=f'{lost} .the label map of .*jpg'):
        runner.train() if split == 'training' else runner.test()
    assert runner.iter == 0
